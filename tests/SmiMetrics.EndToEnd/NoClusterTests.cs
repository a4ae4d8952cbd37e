using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary><c>smi-metrics serve --insecure-port … --kubernetes none --mesh linkerd --prometheus-url …</c>: labels alone name resources.</summary>
public sealed class NoClusterTests(World world) : WorldTest(world)
{
    private static readonly MeshUnderTest Mesh = World.Linkerd;
    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await World.StartServerAsync(
            "smi-metrics-without-cluster",
            ["--kubernetes", "none", "--mesh", "linkerd", "--prometheus-url", World.Prometheus.Url, "--default-window", "20s"],
            Token);
    }

    [Fact]
    public async Task The_kinds_that_labels_name_are_served()
    {
        foreach (string resource in new[] { "namespaces", "pods", "services", "deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs" })
        {
            IReadOnlyList<TrafficItem> items = TrafficItem.ListOf((await GetAsync($"{Api}/{resource}")).Json);
            foreach (Target target in Mesh.Targets(resource))
            {
                TrafficItem item = Assert.Single(items, item => (item.Namespace, item.Name) == (target.Namespace, target.Name));
                item.AssertShape("v1alpha2", World.Window, Mesh.Name);
                item.AssertResource(target);
                item.AssertCounts(Mesh.Received(target), $"{target}");
            }

            Target one = Mesh.Targets(resource).First();
            new TrafficItem((await GetAsync(Api + one.Path)).Json).AssertCounts(Mesh.Received(one), $"{one}");
        }
    }

    [Fact]
    public async Task Edges_are_served()
    {
        Target web = Mesh.Find("deployments", "shop", "web");
        IReadOnlyList<TrafficItem> items = TrafficItem.ListOf((await GetAsync($"{Api}{web.Path}/edges")).Json);
        Dictionary<string, ExpectedEdge> expected = Mesh.Edges(web).ToDictionary(edge => edge.Key);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), items.Select(item => item.EdgeKey).Order(StringComparer.Ordinal));
        Assert.All(items, item => item.AssertCounts(expected[item.EdgeKey].Rates, item.EdgeKey));
    }

    [Fact]
    public async Task What_no_series_names_is_not_found() =>
        Statuses.Assert(await _server.GetAsync($"{Api}/namespaces/shop/deployments/nosuch", Token), HttpStatusCode.NotFound, "NotFound");

    [Fact]
    public async Task The_server_ends_when_asked_to()
    {
        await _server.StopAsync(Token);
        Assert.Equal(0, _server.ExitCode);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    private async Task<HttpAnswer> GetAsync(string path)
    {
        HttpAnswer answer = await _server.GetAsync(path, Token);
        Assert.True(answer.Code == HttpStatusCode.OK, $"{path}: {(int)answer.Code} {answer.Body}\n{_server.Logs}");
        return answer;
    }
}
