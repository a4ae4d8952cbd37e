using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>Whoever comes to the server's own port, past kube-apiserver, must prove who they are, and gets no more than kube-apiserver would give.</summary>
[Trait(Runs.Trait, Runs.Published)]
public sealed class DirectAccessTests(World world) : WorldTest(world)
{
    private const string Web = $"{Api}/namespaces/shop/deployments/web";

    private const string AnonymousIsForbidden =
        "deployments.metrics.smi-spec.io \"web\" is forbidden: User \"system:anonymous\" cannot get resource \"deployments\" in API group \"metrics.smi-spec.io\" in the namespace \"shop\"";

    private static readonly (string, string)[] AsAdmin = [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")];

    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await World.ServerAsync(Token);
    }

    [Fact]
    public async Task The_front_proxy_is_believed() => AssertOk(await GetAsync(World.ControlPlane.FrontProxy, AsAdmin));

    [Fact]
    public async Task Without_a_certificate_everybody_is_anonymous_whatever_they_say()
    {
        foreach ((string, string)[] headers in ((string, string)[][])[[], AsAdmin])
        {
            HttpAnswer answer = await GetAsync(null, headers);
            Statuses.Assert(answer, HttpStatusCode.Forbidden, "Forbidden");
            Assert.Equal(AnonymousIsForbidden, answer.Json["message"]!.GetValue<string>());
            Assert.Equal("""{"name":"web","group":"metrics.smi-spec.io","kind":"deployments"}""", answer.Json["details"]!.ToJsonString());
        }
    }

    [Fact]
    public async Task A_user_certificate_makes_that_user_and_no_other()
    {
        AssertOk(await GetAsync(World.ControlPlane.AdminCertificate, [("X-Remote-User", "nobody-at-all")]));
        HttpAnswer answer = await GetAsync(World.ControlPlane.CertificateFor("direct-dave", "some-group"), AsAdmin);
        Statuses.Assert(answer, HttpStatusCode.Forbidden, "Forbidden");
        Assert.Contains("User \"direct-dave\" cannot get", answer.Json["message"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_organizations_of_a_user_certificate_are_the_users_groups()
    {
        await World.ControlPlane.Api.CreateAsync(
            "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", Binding("direct-group", "Group", "by-certificate,too"), Token);
        KeyPair certificate = World.ControlPlane.CertificateFor("direct-gina", "some-group", "by-certificate,too");
        await World.ControlPlane.AllowsAsync("direct-gina", ["by-certificate,too"], "get", "deployments", "shop", Token);
        AssertOk(await GetAsync(certificate, []));
    }

    [Fact]
    public async Task A_certificate_of_the_front_proxys_authority_with_another_name_is_not_believed()
    {
        KeyPair other = World.ControlPlane.FrontProxyAuthority.ForUser("another-client");
        Statuses.Assert(await GetAsync(other, AsAdmin), HttpStatusCode.Unauthorized, "Unauthorized");
    }

    [Fact]
    public async Task A_foreign_certificate_is_not_believed_and_not_anonymous()
    {
        CertificateAuthority foreign = new(World.Workspace, "strange-ca");
        Statuses.Assert(await GetAsync(foreign.ForUser("admin", "system:masters"), []), HttpStatusCode.Unauthorized, "Unauthorized");
        Statuses.Assert(await GetAsync(foreign.ForUser("front-proxy-client"), AsAdmin), HttpStatusCode.Unauthorized, "Unauthorized");
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
        Statuses.Assert(await GetAsync(World.ControlPlane.FrontProxy, []), HttpStatusCode.Unauthorized, "Unauthorized");

    [Fact]
    public async Task A_service_account_reads_what_it_may_until_it_is_gone()
    {
        const string Accounts = "/api/v1/namespaces/shop/serviceaccounts";
        await World.ControlPlane.Api.CreateAsync(
            Accounts, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "ServiceAccount", ["metadata"] = new JsonObject { ["name"] = "robot" } }, Token);
        await World.ControlPlane.Api.CreateAsync(
            "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", Binding("robot", "User", "system:serviceaccount:shop:robot"), Token);
        JsonNode request = await World.ControlPlane.Api.CreateAsync(
            $"{Accounts}/robot/token", new JsonObject { ["apiVersion"] = "authentication.k8s.io/v1", ["kind"] = "TokenRequest", ["spec"] = new JsonObject() }, Token);
        (string, string)[] bearer = [("Authorization", $"Bearer {request["status"]!["token"]!.GetValue<string>()}")];

        await World.ControlPlane.AllowsAsync("system:serviceaccount:shop:robot", [], "get", "deployments", "shop", Token);
        AssertOk(await GetAsync(null, bearer));
        HttpAnswer elsewhere = await GetAsync(null, bearer, $"{Api}/namespaces/billing/deployments");
        Statuses.Assert(elsewhere, HttpStatusCode.Forbidden, "Forbidden");
        Assert.Contains("\"system:serviceaccount:shop:robot\" cannot list", elsewhere.Json["message"]!.GetValue<string>(), StringComparison.Ordinal);

        await World.ControlPlane.Api.DeleteAsync($"{Accounts}/robot", Token);
        // What kube-apiserver has found out about a token it keeps as long as we do, about ten seconds each.
        HttpAnswer forgotten = await Eventually.SomeAsync(
            "the token of an account that is gone is worth nothing",
            async _ => await GetAsync(null, bearer) is { Code: not HttpStatusCode.OK } answer ? answer : null,
            () => _server.Logs,
            Token);
        Statuses.Assert(forgotten, HttpStatusCode.Unauthorized, "Unauthorized");
    }

    [Fact]
    public async Task A_token_that_is_none_is_refused()
    {
        foreach (string token in new[] { "nonsense", "a.b.c", new string('x', 5_000) })
        {
            Statuses.Assert(await GetAsync(null, [("Authorization", $"Bearer {token}")]), HttpStatusCode.Unauthorized, "Unauthorized");
        }
    }

    [Theory]
    [InlineData("/healthz", HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData("/livez?verbose", HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData("/readyz", HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData("/readyz/ping", HttpStatusCode.Forbidden, HttpStatusCode.OK)]
    [InlineData("/metrics", HttpStatusCode.Forbidden, HttpStatusCode.OK)]
    // The cluster gives these to everybody, or to everybody known.
    [InlineData("/version", HttpStatusCode.OK, HttpStatusCode.OK)]
    [InlineData(Api, HttpStatusCode.Forbidden, HttpStatusCode.OK)]
    [InlineData("/apis", HttpStatusCode.Forbidden, HttpStatusCode.OK)]
    public async Task Diagnostics_and_discovery_are_for_those_whom_the_cluster_lets(string path, HttpStatusCode anonymous, HttpStatusCode monitoring)
    {
        Assert.Equal(anonymous, (await GetAsync(null, [], path)).Code);
        Assert.Equal(monitoring, (await GetAsync(World.ControlPlane.CertificateFor("prometheus", "system:monitoring"), [], path)).Code);
    }

    /// <summary>kube-apiserver's own requests name a user and no groups.</summary>
    [Fact]
    public async Task The_aggregator_itself_reads_discovery()
    {
        AssertOk(await GetAsync(World.ControlPlane.FrontProxy, [("X-Remote-User", "system:kube-aggregator")], Api));
        HttpAnswer openApi = await GetAsync(World.ControlPlane.FrontProxy, [("X-Remote-User", "system:aggregator")], "/openapi/v2");
        Assert.NotEqual(HttpStatusCode.Forbidden, openApi.Code);
    }

    [Fact]
    public async Task What_was_found_out_is_counted()
    {
        await GetAsync(World.ControlPlane.CertificateFor("counted@example.com"), []);
        await GetAsync(null, [("Authorization", "Bearer counted-nonsense")]);
        using HttpResponseMessage response = await _server.Admin.GetAsync("/metrics", Token);
        string metrics = await response.Content.ReadAsStringAsync(Token);
        foreach (string series in new[]
        {
            "authentication_attempts{result=\"success\"} ", "authentication_attempts{result=\"error\"} ",
            "authenticated_user_requests{username=\"email_id\"} ", "authentication_duration_seconds_count{result=\"success\"} ",
            "apiserver_delegated_authn_request_total{code=\"201\"} ", "apiserver_delegated_authn_request_duration_seconds_count{code=\"201\"} ",
            "apiserver_delegated_authz_request_total{code=\"201\"} ", "apiserver_delegated_authz_request_duration_seconds_count{code=\"201\"} ",
            "apiserver_client_certificate_expiration_seconds_bucket{le=\"86400\"} ",
        })
        {
            Assert.Contains("\n" + series, metrics, StringComparison.Ordinal);
        }
    }

    /// <summary>Without kube-apiserver nobody can say who may what: then nobody may, but kube-apiserver itself and cluster administrators.</summary>
    [Fact]
    public async Task While_kube_apiserver_is_not_there_users_are_refused_and_masters_pass()
    {
        await using TcpForwarder forwarder = new(World.ControlPlane.Port);
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-failing-closed",
            [
                "--kubeconfig", World.ServerKubeconfigAt($"https://127.0.0.1:{forwarder.Port}"), "--mesh", "linkerd",
                "--tls-cert-file", World.Installation.CertificateFile, "--tls-private-key-file", World.Installation.KeyFile,
                "--prometheus-url", World.Prometheus.Url,
            ],
            Token);
        (string, string)[] asRita = [("X-Remote-User", "rita-of-the-cut"), ("X-Remote-Group", "system:authenticated")];
        Statuses.Assert(await GetAsync(server, World.ControlPlane.FrontProxy, asRita), HttpStatusCode.Forbidden, "Forbidden");

        await forwarder.CutAsync();
        HttpAnswer answer = await GetAsync(server, World.ControlPlane.FrontProxy, [("X-Remote-User", "somebody-else")]);
        Statuses.Assert(answer, HttpStatusCode.ServiceUnavailable, "ServiceUnavailable");
        AssertOk(await GetAsync(server, World.ControlPlane.FrontProxy, AsAdmin));
        AssertOk(await GetAsync(server, World.ControlPlane.FrontProxy, [("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters")], Api));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(server, null, [], "/readyz")).Code);
        Assert.Contains("Nobody could say whether somebody-else may get", server.Logs, StringComparison.Ordinal);

        forwarder.Mend();
        HttpAnswer verdict = await Eventually.SomeAsync(
            "verdicts again",
            async _ => await GetAsync(server, World.ControlPlane.FrontProxy, [("X-Remote-User", "somebody-else")]) is { Code: not HttpStatusCode.ServiceUnavailable } said ? said : null,
            () => server.Logs,
            Token);
        Statuses.Assert(verdict, HttpStatusCode.Forbidden, "Forbidden");
    }

    [Fact]
    public async Task With_AlwaysAllow_everybody_known_may_and_nobody_else()
    {
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-allowing",
            [
                "--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--authorization-mode", "AlwaysAllow",
                "--tls-cert-file", World.Installation.CertificateFile, "--tls-private-key-file", World.Installation.KeyFile,
                "--prometheus-url", World.Prometheus.Url,
            ],
            Token);
        AssertOk(await GetAsync(server, World.ControlPlane.FrontProxy, [("X-Remote-User", "whoever")]));
        AssertOk(await GetAsync(server, World.ControlPlane.CertificateFor("whoever"), []));
        Statuses.Assert(await GetAsync(server, null, []), HttpStatusCode.Unauthorized, "Unauthorized");
        Statuses.Assert(await GetAsync(server, null, [], "/metrics"), HttpStatusCode.Unauthorized, "Unauthorized");
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(server, null, [], "/readyz")).Code);
    }

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

    private Task<HttpAnswer> GetAsync(KeyPair? certificate, (string, string)[] headers, string path = Web) => GetAsync(_server, certificate, headers, path);

    private async Task<HttpAnswer> GetAsync(SmiMetricsServer server, KeyPair? certificate, (string, string)[] headers, string path = Web)
    {
        using KubeApi client = new($"https://127.0.0.1:{server.SecurePort}", certificate, World.Installation.Authority, Installation.ServerName);
        return await client.SendAsync(HttpMethod.Get, path, null, headers, Token);
    }

    private static void AssertOk(HttpAnswer answer) => Assert.True(answer.Code == HttpStatusCode.OK, $"{(int)answer.Code} {answer.Body}");

    private static JsonObject Binding(string name, string kind, string subject) => new()
    {
        ["apiVersion"] = "rbac.authorization.k8s.io/v1",
        ["kind"] = "RoleBinding",
        ["metadata"] = new JsonObject { ["name"] = name },
        ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = "smi-metrics-reader" },
        ["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = kind, ["name"] = subject }),
    };
}
