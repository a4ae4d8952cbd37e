using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>A server without a cluster: labels alone name resources.</summary>
public abstract class WithoutCluster(World world) : WorldTest(world)
{
    internal static MeshUnderTest Mesh => World.Linkerd;

    internal SmiMetricsServer Server { get; private set; } = null!;

    internal abstract Task<SmiMetricsServer> StartAsync();

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        Server = await StartAsync();
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
        Statuses.Assert(await Server.GetAsync($"{Api}/namespaces/shop/deployments/nosuch", Token), HttpStatusCode.NotFound, "NotFound");

    private async Task<HttpAnswer> GetAsync(string path)
    {
        HttpAnswer answer = await Server.GetAsync(path, Token);
        Assert.True(answer.Code == HttpStatusCode.OK, $"{path}: {(int)answer.Code} {answer.Body}\n{Server.Logs}");
        return answer;
    }
}

/// <summary><c>smi-metrics serve --insecure-port … --kubernetes none --mesh linkerd --prometheus-url …</c>.</summary>
public sealed class NoClusterTests(World world) : WithoutCluster(world)
{
    [Fact]
    public async Task The_server_ends_when_asked_to()
    {
        await Server.StopAsync(Token);
        Assert.Equal(0, Server.ExitCode);
    }

    public override async ValueTask DisposeAsync()
    {
        if (Server is not null)
        {
            await Server.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    internal override Task<SmiMetricsServer> StartAsync() => World.StartServerAsync(
        "smi-metrics-without-cluster",
        ["--kubernetes", "none", "--mesh", "linkerd", "--prometheus-url", World.Prometheus.Url, "--default-window", "20s"],
        Token);
}

/// <summary><c>smi-metrics serve --insecure-port … --kubernetes none --mesh linkerd --source scrape --scrape-target 'http://…#namespace=…' …</c>.</summary>
public sealed class NoClusterScrapedTests(World world) : WithoutCluster(world)
{
    internal override async Task<SmiMetricsServer> StartAsync()
    {
        SmiMetricsServer server = await World.ScraperWithoutClusterAsync(Token);
        await World.SettledAsync(server.ReadySince, World.Window, Token);
        return server;
    }
}
