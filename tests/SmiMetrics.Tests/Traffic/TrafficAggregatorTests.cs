using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

public sealed class TrafficAggregatorTests
{
    private const string Success = ",classification=\"success\"";

    [Fact]
    public async Task What_one_mesh_cannot_tell_does_not_take_away_what_another_can()
    {
        SourceWithoutIstio source = new(Linkerd(Success));
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

    /// <summary>What of a namespace's workloads the mesh that failed would have told is missing from its sum.</summary>
    [Fact]
    public async Task A_namespace_of_which_one_mesh_cannot_tell_its_part_is_partial()
    {
        TrafficItem shop = Assert.Single(await ListAsync(ResourceKind.Namespace, new SourceWithoutIstio(Linkerd(Success)), "web"));
        Assert.Equal((90, TrafficState.Partial, "the source warns: istio: no proxy could be scraped"), (shop.Success, shop.State, shop.Reason));
    }

    /// <summary>Whoever has not been looked for may be the one that sees the traffic.</summary>
    [Fact]
    public async Task While_a_mesh_could_not_be_looked_for_nothing_is_called_idle()
    {
        TrafficItem idle = Assert.Single(await ListAsync(new SourceWithoutIstio(new ScriptedSource()) { ProbesIstio = false }, "idle"));
        Assert.Equal((TrafficState.Partial, "istio could not be looked for yet; no request in the window"), (idle.State, idle.Reason));
    }

    /// <summary>A label misspelt in one's own rule once made every failure a success, in silence.</summary>
    [Fact]
    public async Task Numbers_are_partial_where_success_cannot_be_told_from_failure()
    {
        SourceWithoutIstio source = new(Linkerd("")) { Lacking = "classification" };
        TrafficItem web = Assert.Single(await ListAsync(source, "web"));
        Assert.Equal((TrafficState.Partial, "response_total has no label classification, so success cannot be told from failure"), (web.State, web.Reason));
    }

    /// <summary>That none can be read must not look as if there were none.</summary>
    [Fact]
    public async Task Splits_that_the_server_may_not_read_are_unavailable_and_not_empty()
    {
        ClusterSnapshot snapshot = new(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>(), []) { Unread = new HashSet<ResourceKind> { ResourceKind.HttpRoute } };
        (TrafficAggregator aggregator, MeshMonitor monitor) = await StartAsync(new SourceWithoutIstio(new ScriptedSource()), snapshot);
        using (monitor)
        {
            SourceUnavailableException failure = await Assert.ThrowsAsync<SourceUnavailableException>(
                () => aggregator.GetSplitsAsync(ObjectScope.Any(ResourceKind.HttpRoute), null, TestContext.Current.CancellationToken));
            Assert.Equal("the server cannot read httproutes from the cluster; its log says why", failure.Message);
            Assert.Empty((await aggregator.GetSplitsAsync(ObjectScope.Any(ResourceKind.TrafficSplit), null, TestContext.Current.CancellationToken))!);
        }
    }

    /// <summary>Of the Deployment web.</summary>
    private static ScriptedSource Linkerd(string outcome)
    {
        ScriptedSource linkerd = new();
        linkerd.Load($$"""response_total{direction="inbound",namespace="shop",deployment="web"{{outcome}}} 90""");
        linkerd.Load("""response_latency_ms_bucket{direction="inbound",namespace="shop",deployment="web",le="+Inf"} 90""");
        linkerd.Load("""response_latency_ms_bucket{direction="inbound",namespace="shop",deployment="web",le="10"} 90""");
        return linkerd;
    }

    private static Task<IReadOnlyList<TrafficItem>> ListAsync(ITrafficSource source, params string[] deployments) => ListAsync(ResourceKind.Deployment, source, deployments);

    private static async Task<IReadOnlyList<TrafficItem>> ListAsync(ResourceKind kind, ITrafficSource source, params string[] deployments)
    {
        ClusterSnapshot snapshot = new(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
            {
                [ResourceKind.Namespace] = [new ClusterObject(new ObjectKey("", "shop"), LabelSet.Empty, null)],
                [ResourceKind.Deployment] = [.. deployments.Select(name => new ClusterObject(new ObjectKey("shop", name), LabelSet.Empty, null))],
            },
            []);
        (TrafficAggregator aggregator, MeshMonitor monitor) = await StartAsync(source, snapshot);
        using (monitor)
        {
            return await aggregator.GetResourcesAsync(ObjectScope.Any(kind), null, TestContext.Current.CancellationToken);
        }
    }

    private static async Task<(TrafficAggregator Aggregator, MeshMonitor Monitor)> StartAsync(ITrafficSource source, ClusterSnapshot snapshot)
    {
        MeshDescriptor[] meshes = [MeshCatalogue.Load().Find("istio"), MeshCatalogue.Load().Find("linkerd")];
        Cluster cluster = Cluster.Fixed(snapshot);
        WindowOptions windows = new(WindowOptions.DefaultWindow, WindowOptions.MaxWindow);
        MeshMonitor monitor = new(new ConfiguredMeshes(meshes, auto: false), source, cluster, windows, TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        return (new TrafficAggregator(source, monitor, cluster, windows), monitor);
    }

    /// <param name="others">Answers about other meshes; null when nobody does.</param>
    private sealed class SourceWithoutIstio(ITrafficSource? others) : ITrafficSource
    {
        public bool ProbesIstio { get; init; } = true;

        /// <summary>A label that no series has.</summary>
        public string? Lacking { get; init; }

        public DateTimeOffset Instant { get; } = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

        public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken) =>
            others is null || query.Series.StartsWith("istio", StringComparison.Ordinal)
                ? Task.FromException<IncreaseAnswer>(new SourceUnavailableException("no proxy could be scraped", null))
                : others.QueryAsync(query, instant, cancellationToken);

        public Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken) =>
            !ProbesIstio && series.StartsWith("istio", StringComparison.Ordinal)
                ? Task.FromException<SeriesProbe>(new SourceUnavailableException("no proxy could be scraped", null))
                : Task.FromResult(new SeriesProbe(Exists: true, TimeSpan.FromSeconds(10)));

        public Task<IReadOnlySet<string>> FindLabelsAsync(
            string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlySet<string>>(labels.Where(label => label != Lacking).ToHashSet());
    }
}
