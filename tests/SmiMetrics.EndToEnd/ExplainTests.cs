using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// What kubectl tells people about the API: by kube-apiserver, whose OpenAPI v2 has ours merged into it, and by the server's own insecure port,
/// where the same kubectl reads aggregated discovery and OpenAPI v3.
/// </summary>
[Trait(Runs.Trait, Runs.Published)]
public sealed class ExplainTests(World world) : WorldTest(world)
{
    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await World.RouteAsync(Token);
        // kube-apiserver fetches documents when it hears of an APIService, and a minute after a failure again.
        await Eventually.TrueAsync(
            "kube-apiserver has merged the API's document into its own",
            async token => (await World.ControlPlane.Api.GetTextAsync("/openapi/v2", token)).Contains("/apis/metrics.smi-spec.io/v1alpha2/", StringComparison.Ordinal),
            () => World.ControlPlane.Logs,
            Token);
    }

    [Theory]
    [InlineData("trafficmetrics", "explain trafficmetrics --recursive")]
    [InlineData("trafficmetrics-metrics", "explain trafficmetrics.metrics")]
    [InlineData("trafficmetrics-value", "explain trafficmetrics.metrics.value")]
    [InlineData("trafficmetrics-annotations", "explain trafficmetrics.metadata.annotations")]
    [InlineData("deployments", "explain deployments --api-version=metrics.smi-spec.io/v1alpha1")]
    [InlineData("trafficedges", "explain trafficedges.edge")]
    [InlineData("meshes", "explain meshes.status")]
    public async Task Kubectl_explains_fields(string golden, string command)
    {
        string[] arguments = command.Split(' ');
        Verify($"explain/{golden}-openapi-v2", (await World.Admin.RunAsync(Token, arguments)).Text);
        Verify($"explain/{golden}-openapi-v2", (await Old.RunAsync(Token, arguments)).Text);
        Verify($"explain/{golden}-openapi-v3", (await DirectlyAsync(arguments)).Text);
    }

    [Fact]
    public async Task Kubectl_lists_resources_with_their_short_names_and_categories()
    {
        string[] arguments = ["api-resources", "--api-group=metrics.smi-spec.io", "-o", "wide"];
        string resources = (await World.Admin.RunAsync(Token, arguments)).Text;
        Verify("api-resources", resources);
        Assert.Equal(resources, (await DirectlyAsync(arguments)).Text);
    }

    /// <summary>Names begin with the kind of the objects, which is TrafficMetrics whatever they were read from.</summary>
    [Theory]
    [InlineData("tm", "deployment.web.v2")]
    [InlineData("te", "deployment.api.")]
    [InlineData("traffic", "deployment.web.v2", "deployment.api.")]
    [InlineData("trafficmetrics", "deployment.web.v2")]
    [InlineData("trafficmetrics.v1alpha1.metrics.smi-spec.io", "deployment.web.v2")]
    public async Task Kubectl_gets_by_short_name_and_category(string word, params string[] beginnings)
    {
        foreach (Outcome outcome in new[]
        {
            await World.Admin.RunAsync(Token, "get", word, "-n", "shop", "-o", "name"),
            await DirectlyAsync("get", word, "-n", "shop", "-o", "name"),
        })
        {
            string[] names = outcome.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.All(beginnings, beginning => Assert.Contains(names, name => name.StartsWith($"trafficmetrics.metrics.smi-spec.io/{beginning}", StringComparison.Ordinal)));
            Assert.Equal("", outcome.Error);
        }
    }

    [Fact]
    public async Task Kubectl_prints_workloads_and_edges_for_the_category()
    {
        string tables = (await World.Admin.RunAsync(Token, "get", "traffic", "-n", "shop")).Text;
        Assert.Matches("(?m)^NAME +SUCCESS ", tables);
        Assert.Matches("(?m)^FROM +TO ", tables);
    }

    private static void Verify(string name, string text) => Golden.VerifyFile($"tests/SmiMetrics.EndToEnd/testdata/{name}.golden", text);

    /// <summary>A kubectl as old as kube-apiserver here.</summary>
    private Kubectl Old => new(World.Programs.OldKubectl, World.ControlPlane.Admin, World.Workspace.Folder("home/explained-by-old"));

    /// <summary>Without kube-apiserver: what --insecure-port is for.</summary>
    private Task<Outcome> DirectlyAsync(params string[] arguments) => World.KubectlWith("").RunAsync(
        Token, [.. arguments, "--server", _server.Plain.BaseAddress!.GetLeftPart(UriPartial.Authority)]);
}
