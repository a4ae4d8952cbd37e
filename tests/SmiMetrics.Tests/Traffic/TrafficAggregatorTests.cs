using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

public sealed class TrafficAggregatorTests
{
    [Fact]
    public async Task What_one_mesh_cannot_tell_does_not_take_away_what_another_can()
    {
        ScriptedSource linkerd = new();
        linkerd.Load("""response_total{direction="inbound",namespace="shop",deployment="web",classification="success"} 90""");
        linkerd.Load("""response_latency_ms_bucket{direction="inbound",namespace="shop",deployment="web",le="+Inf"} 90""");
        linkerd.Load("""response_latency_ms_bucket{direction="inbound",namespace="shop",deployment="web",le="10"} 90""");
        SourceWithoutIstio source = new(linkerd);
        IReadOnlyList<TrafficItem> items = await ListAsync(source, "web", "idle");
        TrafficItem web = items.Single(item => item.Resource.Name == "web");
        Assert.Equal((90, TrafficState.Ok, "linkerd"), (web.Success, web.State, web.Mesh));
        TrafficItem idle = items.Single(item => item.Resource.Name == "idle");
        Assert.Equal((TrafficState.Partial, "the source warns: istio: no proxy could be scraped"), (idle.State, idle.Reason));
    }

    [Fact]
    public async Task When_no_mesh_can_be_asked_the_source_is_unavailable()
    {
        SourceUnavailableException failure = await Assert.ThrowsAsync<SourceUnavailableException>(() => ListAsync(new SourceWithoutIstio(null), "web"));
        Assert.Equal("no proxy could be scraped", failure.Message);
    }

    private static async Task<IReadOnlyList<TrafficItem>> ListAsync(ITrafficSource source, params string[] deployments)
    {
        MeshDescriptor[] meshes = [MeshCatalogue.Load().Find("istio"), MeshCatalogue.Load().Find("linkerd")];
        using MeshMonitor monitor = new(meshes, source, TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        ClusterSnapshot snapshot = new(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
            {
                [ResourceKind.Deployment] = [.. deployments.Select(name => new ClusterObject(new ObjectKey("shop", name), LabelSet.Empty, null))],
            },
            []);
        TrafficAggregator aggregator = new(source, monitor, Cluster.Fixed(snapshot), new WindowOptions(WindowOptions.DefaultWindow, WindowOptions.MaxWindow));
        return await aggregator.GetResourcesAsync(ObjectScope.Any(ResourceKind.Deployment), null, TestContext.Current.CancellationToken);
    }

    /// <param name="others">Answers about other meshes; null when nobody does.</param>
    private sealed class SourceWithoutIstio(ITrafficSource? others) : ITrafficSource
    {
        public DateTimeOffset Instant { get; } = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

        public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken) =>
            others is null || query.Series.StartsWith("istio", StringComparison.Ordinal)
                ? Task.FromException<IncreaseAnswer>(new SourceUnavailableException("no proxy could be scraped", null))
                : others.QueryAsync(query, instant, cancellationToken);

        public Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken) =>
            Task.FromResult(new SeriesProbe(Exists: true, TimeSpan.FromSeconds(10)));
    }
}
