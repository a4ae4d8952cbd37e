using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>The embedded scraper as a program, before proxies that are there now. What it counts is tested on recorded time; here it starts, finds, loses and finds again.</summary>
public sealed class LiveScrapingTests(World world) : ProgramTest(world)
{
    private const string List = $"{Api}/namespaces/shop/trafficmetrics?window=10s";

    [Fact]
    public async Task It_finds_the_proxies_of_the_cluster_and_tells_when_they_cannot_be_scraped()
    {
        (ScrapeTarget Target, ProxyPage Page)[] proxies = [.. new LinkerdSimulation(World.Linkerd.Topology).Proxies()];
        SimulatedMesh mesh = new(TimeProvider.System, TimeProvider.System.GetUtcNow());
        await using PodNetwork network = await PodNetwork.StartAsync(mesh, Token);
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-scraping",
            ["--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--source", "scrape", "--scrape-interval", "2s", "--scrape-proxy-url", network.ProxyUrl],
            Token);
        Assert.Equal(HttpStatusCode.OK, (await server.ReadyAsync(Token)).Code);

        Array.ForEach(proxies, proxy => mesh.Show(proxy.Target.Url, proxy.Page));
        IReadOnlyList<TrafficItem> items = await ListAsync(server);
        string[] receivers = [.. World.Linkerd.Topology.Flows.Where(flow => flow.To.Namespace == "shop").Select(flow => $"{flow.To.Kind.ToLowerInvariant()}.{flow.To.Name}").Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(receivers, items.Where(item => item.State == "ok").Select(NameOf).Order(StringComparer.Ordinal));
        Assert.All(items.Where(item => item.State == "ok"), item =>
        {
            Assert.Equal("server", item.Side);
            Assert.True(0 < item.Value(2) && item.Value(2) <= item.Value(1) && item.Value(1) <= item.Value(0), $"the percentiles are in order: {item}");
        });

        Array.ForEach(proxies, proxy => mesh.Hide(proxy.Target.Url));
        HttpAnswer lost = await Eventually.SomeAsync(
            "no proxy is left to tell of",
            async token => await server.GetAsync(List, token) is { Code: not HttpStatusCode.OK } answer ? answer : null,
            () => server.Logs,
            Token);
        Statuses.Assert(lost, HttpStatusCode.ServiceUnavailable, "ServiceUnavailable");
        Assert.Contains("cannot be scraped", lost.Json["message"]!.GetValue<string>(), StringComparison.Ordinal);

        Array.ForEach(proxies, proxy => mesh.Show(proxy.Target.Url, proxy.Page));
        Assert.Equal(receivers, (await ListAsync(server)).Where(item => item.State == "ok").Select(NameOf).Order(StringComparer.Ordinal));
    }

    private static string NameOf(TrafficItem item) => item.Json["metadata"]!["name"]!.GetValue<string>();

    /// <summary>The list, once every proxy has been scraped for a whole window.</summary>
    private static Task<IReadOnlyList<TrafficItem>> ListAsync(SmiMetricsServer server) => Eventually.SomeAsync(
        "every proxy has been scraped for a whole window",
        async token => await server.GetAsync(List, token) is { Code: HttpStatusCode.OK } answer && TrafficItem.ListOf(answer.Json) is var items && items.Any(item => item.State == "ok")
            && items.All(item => !item.Reason.Contains("prox", StringComparison.Ordinal) || item.Reason.StartsWith("none of its pods", StringComparison.Ordinal)) ? items : null,
        () => server.Logs,
        Token);
}
