using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>A server without a cluster: labels alone name resources.</summary>
public abstract class WithoutCluster(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    internal static MeshUnderTest Mesh => World.Linkerd;

    internal InProcessServer Server { get; private set; } = null!;

    internal abstract Task<InProcessServer> StartAsync();

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Server = await StartAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (Server is not null)
        {
            await Server.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    [Fact]
    public async Task The_kinds_that_labels_name_are_served()
    {
        foreach (string resource in new[] { "namespaces", "pods", "services", "deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs" })
        {
            IReadOnlyList<TrafficItem> items = await Server.ListAsync($"/{resource}", Token);
            foreach (Target target in Mesh.Targets(resource))
            {
                TrafficItem item = Assert.Single(items, item => (item.Namespace, item.Name) == (target.Namespace, target.Name));
                item.AssertShape("v1alpha2", RecordedWorld.Window, Mesh.Name, Recorded.Instant);
                item.AssertResource(target);
                item.AssertCounts(Mesh.Received(target), $"{target}");
            }

            Target one = Mesh.Targets(resource).First();
            (await Server.ItemAsync(one.Path, Token)).AssertCounts(Mesh.Received(one), $"{one}");
        }
    }

    [Fact]
    public async Task Edges_are_served()
    {
        Target web = Mesh.Find("deployments", "shop", "web");
        IReadOnlyList<TrafficItem> items = await Server.ListAsync($"{web.Path}/edges", Token);
        Dictionary<string, ExpectedEdge> expected = Mesh.Edges(web).ToDictionary(edge => edge.Key);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), items.Select(item => item.EdgeKey).Order(StringComparer.Ordinal));
        Assert.All(items, item => item.AssertCounts(expected[item.EdgeKey].Rates, item.EdgeKey));
    }

    [Fact]
    public async Task What_no_series_names_is_not_found() =>
        Statuses.Assert(await Server.GetAsync($"{Api}/namespaces/shop/deployments/nosuch", Token), HttpStatusCode.NotFound, "NotFound");
}

/// <summary><c>smi-metrics serve --insecure-port … --kubernetes none --mesh linkerd --prometheus-url …</c>.</summary>
public sealed class NoClusterTests(World world, RecordedWorld recorded) : WithoutCluster(world, recorded)
{
    internal override Task<InProcessServer> StartAsync() =>
        Recorded.StartAsync(cluster: null, ["--kubernetes", "none", "--mesh", "linkerd", "--default-window", "20s"], Token);
}

/// <summary><c>smi-metrics serve --insecure-port … --kubernetes none --mesh linkerd --source scrape --scrape-target 'http://…#namespace=…' …</c>.</summary>
public sealed class NoClusterScrapedTests(World world, RecordedWorld recorded) : WithoutCluster(world, recorded)
{
    internal override async Task<InProcessServer> StartAsync() => (await Recorded.ScrapeWithoutClusterAsync(Token)).Server;
}
