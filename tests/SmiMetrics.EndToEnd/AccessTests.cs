using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>Who may read what: kube-apiserver judges by RBAC, and the server believes nobody but kube-apiserver.</summary>
public sealed class AccessTests(World world) : WorldTest(world)
{
    private const string Web = $"{Api}/namespaces/shop/deployments/web";
    private static readonly (string, string)[] AsAdmin = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")];

    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await World.RouteToAsync(World.Linkerd, Source.Prometheus, Token);
    }

    [Theory]
    [InlineData("/namespaces/shop/deployments/web")]
    [InlineData("/namespaces/shop/deployments")]
    [InlineData("/namespaces/shop/deployments/web/edges")]
    [InlineData("/namespaces/shop")]
    [InlineData("/namespaces/shop/edges")]
    [InlineData("/deployments")]
    [InlineData("/nodes")]
    public async Task Bob_who_has_no_rights_reads_nothing(string path)
    {
        Outcome outcome = await Kubectl("bob").GetRawAsync(Api + path, Token);
        Assert.Equal(1, outcome.Status);
        Assert.Contains("Forbidden", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Vera_who_may_view_a_namespace_reads_its_traffic_and_no_others()
    {
        await BindAsync("vera", "view");
        Kubectl vera = Kubectl("vera");
        foreach (string path in new[]
        {
            "/namespaces/shop/deployments/web", "/namespaces/shop/deployments", "/namespaces/shop/deployments/web/edges",
            "/namespaces/shop/pods", "/namespaces/shop/services", "/namespaces/shop", "/namespaces/shop/edges",
        })
        {
            // The controller that aggregates roles, and kube-apiserver's own watch of them, take a moment.
            Outcome may = await Eventually.SucceedsAsync(
                $"vera reads {path}",
                TimeSpan.FromSeconds(20),
                async token =>
                {
                    Outcome outcome = await vera.GetRawAsync(Api + path, token);
                    _ = outcome.Text;
                    return outcome;
                },
                () => World.ControlPlane.Logs,
                Token);
            Assert.Contains("\"TrafficMetrics", may.Text, StringComparison.Ordinal);
        }

        foreach (string path in new[] { "/namespaces/billing/deployments/web", "/namespaces/billing/deployments", "/deployments", "/nodes", "/namespaces/billing" })
        {
            Outcome mayNot = await vera.GetRawAsync(Api + path, Token);
            Assert.Contains("Forbidden", mayNot.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Whoever_has_the_reader_role_reads_the_whole_cluster()
    {
        JsonObject binding = Binding("ClusterRoleBinding", "rita", "smi-metrics-reader");
        await World.ControlPlane.Api.CreateAsync("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding, Token);
        foreach (string path in new[] { "/deployments", "/nodes", "/namespaces", "/nodes/node-1" })
        {
            await Eventually.SucceedsAsync(
                $"rita reads {path}",
                TimeSpan.FromSeconds(10),
                async token => _ = (await Kubectl("rita").GetRawAsync(Api + path, token)).Text,
                () => _server.Logs,
                Token);
        }
    }

    [Fact]
    public async Task The_front_proxy_is_believed() => Assert.Equal(HttpStatusCode.OK, (await DirectlyAsync(World.ControlPlane.FrontProxy, AsAdmin)).Code);

    [Fact]
    public async Task Without_a_certificate_nobody_is_believed()
    {
        Statuses.Assert(await DirectlyAsync(null, []), HttpStatusCode.Unauthorized, "Unauthorized");
        Statuses.Assert(await DirectlyAsync(null, AsAdmin), HttpStatusCode.Unauthorized, "Unauthorized");
    }

    [Fact]
    public async Task A_user_certificate_does_not_make_a_front_proxy() =>
        Statuses.Assert(await DirectlyAsync(World.ControlPlane.AdminCertificate, AsAdmin), HttpStatusCode.Unauthorized, "Unauthorized");

    [Fact]
    public async Task A_certificate_of_the_right_authority_with_another_name_is_not_believed()
    {
        KeyPair other = World.ControlPlane.FrontProxyAuthority.ForUser("another-client");
        Statuses.Assert(await DirectlyAsync(other, AsAdmin), HttpStatusCode.Unauthorized, "Unauthorized");
    }

    /// <summary>The reference server looked for the right name anywhere in the chain that the caller sent.</summary>
    [Fact]
    public async Task A_copy_of_the_front_proxys_certificate_behind_ones_own_is_not_believed()
    {
        CertificateAuthority foreign = new(World.Workspace, "foreign-ca");
        using KubeApi client = KubeApi.WithChain(Server, foreign.ForUser("front-proxy-client"), [World.ControlPlane.FrontProxy], World.Installation.Authority, Installation.ServerName);
        Statuses.Assert(await client.SendAsync(HttpMethod.Get, Web, null, AsAdmin, Token), HttpStatusCode.Unauthorized, "Unauthorized");
        using KubeApi named = KubeApi.WithChain(
            Server, World.ControlPlane.FrontProxyAuthority.ForUser("another-client"), [World.ControlPlane.FrontProxy], World.Installation.Authority, Installation.ServerName);
        Statuses.Assert(await named.SendAsync(HttpMethod.Get, Web, null, AsAdmin, Token), HttpStatusCode.Unauthorized, "Unauthorized");
    }

    [Fact]
    public async Task The_front_proxy_must_say_who_the_user_is() =>
        Statuses.Assert(await DirectlyAsync(World.ControlPlane.FrontProxy, []), HttpStatusCode.Unauthorized, "Unauthorized");

    [Fact]
    public async Task The_admin_port_shows_no_traffic()
    {
        foreach (string path in new[] { "/livez", "/readyz", "/healthz", "/version", "/metrics" })
        {
            using HttpResponseMessage response = await _server.Admin.GetAsync(path, Token);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        using HttpResponseMessage traffic = await _server.Admin.GetAsync(Web, Token);
        Assert.Equal(HttpStatusCode.NotFound, traffic.StatusCode);
    }

    private string Server => $"https://127.0.0.1:{_server.SecurePort}";

    private async Task<HttpAnswer> DirectlyAsync(KeyPair? certificate, (string, string)[] headers)
    {
        using KubeApi client = new(Server, certificate, World.Installation.Authority, Installation.ServerName);
        return await client.SendAsync(HttpMethod.Get, Web, null, headers, Token);
    }

    private Kubectl Kubectl(string user) => World.KubectlWith(World.ControlPlane.KubeconfigFor(user, [], null));

    private Task BindAsync(string user, string role) => World.ControlPlane.Api.CreateAsync(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", Binding("RoleBinding", user, role), Token);

    private static JsonObject Binding(string kind, string user, string role) => new()
    {
        ["apiVersion"] = "rbac.authorization.k8s.io/v1",
        ["kind"] = kind,
        ["metadata"] = new JsonObject { ["name"] = $"{user}-{role}" },
        ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = role },
        ["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "User", ["name"] = user }),
    };
}
