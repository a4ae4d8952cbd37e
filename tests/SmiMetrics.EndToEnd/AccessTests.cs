using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>Who may read what, through kube-apiserver.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class AccessTests(World world) : WorldTest(world)
{
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await World.RouteAsync(Token);
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
        await World.ControlPlane.AllowsAsync("vera", [], "get", "deployments", "shop", Token);
        Kubectl vera = Kubectl("vera");
        foreach (string path in new[]
        {
            "/namespaces/shop/deployments/web", "/namespaces/shop/deployments", "/namespaces/shop/deployments/web/edges",
            "/namespaces/shop/pods", "/namespaces/shop/services", "/namespaces/shop", "/namespaces/shop/edges",
        })
        {
            Outcome may = await vera.GetRawAsync(Api + path, Token);
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
        await World.ControlPlane.AllowsAsync("rita", [], "list", "deployments", null, Token);
        foreach (string path in new[] { "/deployments", "/nodes", "/namespaces", "/nodes/node-1" })
        {
            Assert.Contains("\"TrafficMetrics", (await Kubectl("rita").GetRawAsync(Api + path, Token)).Text, StringComparison.Ordinal);
        }
    }

    /// <summary>A comma is part of a group's name, and 200 groups are no more than a large company has.</summary>
    [Fact]
    public async Task Every_group_of_a_user_counts_as_it_is_written()
    {
        const string Group = "team,blue %2F";
        JsonObject binding = Binding("ClusterRoleBinding", "team-blue", "smi-metrics-reader");
        binding["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "Group", ["name"] = Group });
        await World.ControlPlane.Api.CreateAsync("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding, Token);
        string[] many = [.. Enumerable.Range(0, 199).SelectMany(i => (string[])["--as-group", $"cn=group-{i},ou=engineering,dc=example,dc=com"])];
        await World.ControlPlane.AllowsAsync("member", [Group], "get", "deployments", "shop", Token);
        Outcome outcome = await World.Admin.RunAsync(
            Token, ["get", "--raw", $"{Api}/namespaces/shop/deployments/web", "--as", "member", .. many, "--as-group", Group]);
        Assert.Contains("\"TrafficMetrics", outcome.Text, StringComparison.Ordinal);

        outcome = await World.Admin.RunAsync(
            Token, ["get", "--raw", $"{Api}/namespaces/shop/deployments/web", "--as", "member", .. many, "--as-group", "team", "--as-group", "blue %2F"]);
        Assert.Contains("Forbidden", outcome.Error, StringComparison.Ordinal);
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
