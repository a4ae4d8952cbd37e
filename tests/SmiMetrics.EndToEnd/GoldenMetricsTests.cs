using System.Globalization;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>The main job, for one mesh and one source: what clients read through kube-apiserver is the traffic that was made.</summary>
public abstract class GoldenMetricsTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    public static TheoryData<string> Resources => new(MeshUnderTest.Resources);

    public static TheoryData<string> NamespacedResources => new(MeshUnderTest.NamespacedResources);

    internal abstract MeshUnderTest Mesh { get; }

    internal abstract Source Source { get; }

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Recorded.RouteToAsync(Mesh, Source, Token);
    }

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task Every_resource_has_the_counts_of_the_traffic_it_received(string resource)
    {
        Assert.NotEmpty(Mesh.Targets(resource));
        foreach (Target target in Mesh.Targets(resource).Where(IsTold))
        {
            TrafficItem item = await GetAsync(target.Path);
            item.AssertShape("v1alpha2", RecordedWorld.Window, Mesh.Name, Recorded.Instant);
            item.AssertResource(target);
            Assert.Equal("ok", item.State);
            item.AssertCounts(Mesh.Received(target), $"{target}");
        }
    }

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task Every_resource_has_the_percentiles_that_Prometheus_calculates(string resource)
    {
        foreach (Target target in Mesh.Targets(resource).Where(IsTold))
        {
            await AssertPercentilesAsync(await GetAsync(target.Path), Mesh.Buckets(target), $"{target}");
        }
    }

    [Theory]
    [MemberData(nameof(NamespacedResources))]
    public async Task A_list_of_a_namespace_has_its_numbers_and_no_others(string resource)
    {
        foreach (string @namespace in new[] { Mesh.Topology.First, Mesh.Topology.Second, Topology.Outside })
        {
            IReadOnlyList<TrafficItem> items = await ListAsync($"/namespaces/{@namespace}/{resource}");
            Assert.All(items, item => Assert.Equal(@namespace, item.Namespace));
            AssertItems(items, [.. Mesh.AllTargets(resource).Where(target => target.Namespace == @namespace)]);
        }
    }

    [Theory]
    [MemberData(nameof(Resources))]
    public async Task A_list_of_the_cluster_has_the_numbers_of_every_namespace(string resource)
    {
        // By kubectl, whose way is the same for all other paths.
        AssertItems(TrafficItem.ListOf((await World.Admin.GetRawAsync($"{Api}/{resource}", Token)).Json), [.. Mesh.AllTargets(resource)]);
    }

    [Fact]
    public async Task Edges_name_every_peer_once_in_each_direction()
    {
        foreach (Target target in Mesh.ResourcesWithEdges.SelectMany(Mesh.AllTargets).Where(IsTold))
        {
            Dictionary<string, ExpectedEdge> expected = Mesh.Edges(target).Where(IsTold).ToDictionary(edge => edge.Key);
            TrafficItem[] items = [.. (await ListAsync($"{target.Path}/edges")).Where(item => IsTold(item) && !IsToItself(target, item))];
            Assert.True(
                expected.Keys.Order(StringComparer.Ordinal).SequenceEqual(items.Select(item => item.EdgeKey).Order(StringComparer.Ordinal)),
                $"edges of {target}\n  expected: {string.Join("; ", expected.Keys.Order())}\n  reported: {string.Join("; ", items.Select(item => item.EdgeKey).Order())}");
            foreach (TrafficItem item in items)
            {
                ExpectedEdge edge = expected[item.EdgeKey];
                item.AssertShape("v1alpha2", RecordedWorld.Window, Mesh.Name, Recorded.Instant);
                item.AssertResource(target);
                Assert.Equal(edge.PeerApiVersion, item.Json["edge"]!["resource"]!["apiVersion"]!.GetValue<string>());
                Assert.Equal(edge.Side, item.Side);
                item.AssertCounts(edge.Rates, $"{target} {edge.Key}");
            }
        }
    }

    [Fact]
    public async Task Edges_have_the_percentiles_that_Prometheus_calculates()
    {
        Target[] targets =
        [
            Mesh.Find("deployments", Mesh.Topology.First, "web"),
            Mesh.Find("deployments", Mesh.Topology.First, "api"),
            Mesh.Find("statefulsets", Mesh.Topology.First, "db"),
            Mesh.Find("namespaces", "", Mesh.Topology.Second),
        ];
        foreach (Target target in targets)
        {
            Dictionary<string, ExpectedEdge> expected = Mesh.Edges(target).Where(IsTold).ToDictionary(edge => edge.Key);
            TrafficItem[] items = [.. (await ListAsync($"{target.Path}/edges")).Where(item => expected.ContainsKey(item.EdgeKey))];
            Assert.NotEmpty(items);
            foreach (TrafficItem item in items)
            {
                await AssertPercentilesAsync(item, expected[item.EdgeKey].Buckets, $"{target} {item.EdgeKey}");
            }
        }
    }

    [Theory]
    [InlineData("to")]
    [InlineData("from")]
    public async Task Edges_of_one_direction_can_be_asked_for(string direction)
    {
        Target web = Mesh.Find("deployments", Mesh.Topology.First, "web");
        IReadOnlyList<TrafficItem> items = await ListAsync($"{web.Path}/edges?direction={direction}");
        Assert.Equal(
            Mesh.Edges(web).Where(edge => IsTold(edge) && edge.Direction == direction).Select(edge => edge.Key).Order(StringComparer.Ordinal),
            items.Where(IsTold).Select(item => item.EdgeKey).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("10s")]
    [InlineData("15s")]
    public async Task An_explicit_window_is_the_one_used(string window)
    {
        Target api = Mesh.Find("deployments", Mesh.Topology.First, "api");
        TrafficItem item = await GetAsync($"{api.Path}?window={window}");
        item.AssertShape("v1alpha2", TimeSpan.FromSeconds(int.Parse(window[..^1], CultureInfo.InvariantCulture)), Mesh.Name, Recorded.Instant);
        item.AssertCounts(Mesh.Received(api), $"{api} in {window}");
    }

    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task Both_versions_answer_alike(string version)
    {
        Target api = Mesh.Find("deployments", Mesh.Topology.First, "api");
        JsonNode answer = (await World.Admin.GetRawAsync($"/apis/metrics.smi-spec.io/{version}{api.Path}", Token)).Json;
        TrafficItem item = new(answer);
        item.AssertShape(version, RecordedWorld.Window, Mesh.Name, Recorded.Instant);
        item.AssertResource(api);
        item.AssertCounts(Mesh.Received(api), $"{api} in {version}");
    }

    [Fact]
    public async Task A_workload_without_traffic_is_idle_and_not_missing()
    {
        Workload idle = Mesh.Topology.Idle!;
        string list = $"/namespaces/{idle.Namespace}/deployments";
        TrafficItem single = await GetAsync($"{list}/{idle.Name}");
        TrafficItem listed = Assert.Single(await ListAsync(list), item => item.Name == idle.Name);
        foreach (TrafficItem item in new[] { single, listed })
        {
            Assert.Equal("idle", item.State);
            Assert.All(Enumerable.Range(0, 5), index => Assert.Equal(0, item.Value(index)));
        }

        Assert.Empty(await ListAsync($"{list}/{idle.Name}/edges"));
    }

    /// <summary>Whether the mesh can tell this object's numbers from another's.</summary>
    internal virtual bool IsTold(Target target) => true;

    internal virtual bool IsTold(ExpectedEdge edge) => true;

    internal virtual bool IsTold(TrafficItem edge) => true;

    internal async Task<TrafficItem> GetAsync(string path) => new(await ReadAsync(path));

    internal async Task<IReadOnlyList<TrafficItem>> ListAsync(string path) => TrafficItem.ListOf(await ReadAsync(path));

    private Task<JsonNode> ReadAsync(string path) => World.ControlPlane.Api.GetAsync(Api + path, Token);

    private static bool IsToItself(Target target, TrafficItem item) => target.Kind == "Namespace" && item.EdgeKey.EndsWith($"Namespace /{target.Name}", StringComparison.Ordinal);

    private void AssertItems(IReadOnlyList<TrafficItem> items, IReadOnlyList<Target> targets)
    {
        Assert.Equal(items.Count, items.Select(item => (item.Kind, item.Namespace, item.Name)).Distinct().Count());
        Dictionary<(string, string), Target> expected = targets.Where(target => Mesh.Received(target) != default).ToDictionary(target => (target.Namespace, target.Name));
        foreach (Target target in expected.Values.Where(IsTold))
        {
            TrafficItem item = Assert.Single(items, item => (item.Namespace, item.Name) == (target.Namespace, target.Name));
            item.AssertShape("v1alpha2", RecordedWorld.Window, Mesh.Name, Recorded.Instant);
            item.AssertResource(target);
            item.AssertCounts(Mesh.Received(target), $"{target} in a list");
        }

        // What a CronJob's Job receives counts under the CronJob: the Job is not idle, its traffic is just not told apart. Nor is idle what has
        // no proxy of this mesh: nobody sees it.
        HashSet<(string, string)> meshed = [.. targets.Select(target => (target.Namespace, target.Name))];
        Assert.All(items.Where(item => !expected.ContainsKey((item.Namespace, item.Name))), item =>
        {
            Assert.True(item.IsWithoutTraffic, $"{item.Kind} {item.Namespace}/{item.Name} had no traffic\n{item}");
            bool isRun = item.Kind == "Job" && item.Name.EndsWith(Workload.ScheduledRun, StringComparison.Ordinal);
            bool isUnseen = !meshed.Contains((item.Namespace, item.Name)) && item.Reason.StartsWith($"none of its pods has a proxy of {Mesh.Name}", StringComparison.Ordinal);
            Assert.True(item.State == (isRun || isUnseen ? "partial" : "idle"), $"{item}");
        });
    }

    private async Task AssertPercentilesAsync(TrafficItem item, string buckets, string what) =>
        item.AssertPercentiles(await Recorded.Prometheus.PercentilesAsync(buckets, item.Window, item.Timestamp, Token), $"{what}, {buckets}");
}

public sealed class LinkerdTests(World world, RecordedWorld recorded) : GoldenMetricsTests(world, recorded)
{
    internal override MeshUnderTest Mesh => World.Linkerd;

    internal override Source Source => Source.Prometheus;
}

public sealed class LinkerdScrapedTests(World world, RecordedWorld recorded) : GoldenMetricsTests(world, recorded)
{
    internal override MeshUnderTest Mesh => World.Linkerd;

    internal override Source Source => Source.Scrape;
}

public sealed class IstioTests(World world, RecordedWorld recorded) : IstioGoldenMetricsTests(world, recorded)
{
    internal override Source Source => Source.Prometheus;
}

public sealed class IstioScrapedTests(World world, RecordedWorld recorded) : IstioGoldenMetricsTests(world, recorded)
{
    internal override Source Source => Source.Scrape;
}

public abstract class IstioGoldenMetricsTests(World world, RecordedWorld recorded) : GoldenMetricsTests(world, recorded)
{
    internal override MeshUnderTest Mesh => World.Istio;

    /// <summary>
    /// Istio's series name <c>ledger</c>, not which. A server may know more through pods; what it must not do is to give one
    /// the other's numbers and say nothing.
    /// </summary>
    [Theory]
    [InlineData("deployments")]
    [InlineData("statefulsets")]
    public async Task A_name_that_two_workloads_share_is_never_attributed_silently(string resource)
    {
        Target ledger = Mesh.Find(resource, Mesh.Topology.First, "ledger");
        TrafficItem item = await GetAsync(ledger.Path);
        item.AssertResource(ledger);
        if (item.State == "ok")
        {
            item.AssertCounts(Mesh.Received(ledger), $"{ledger}");
        }
        else
        {
            Assert.Equal("partial", item.State);
            Assert.NotEmpty(item.Reason);
        }
    }

    internal override bool IsTold(Target target) => target.Name != "ledger" || target.Kind == "Service";

    internal override bool IsTold(ExpectedEdge edge) => edge.PeerName != "ledger";

    internal override bool IsTold(TrafficItem edge) => !edge.EdgeKey.EndsWith("/ledger", StringComparison.Ordinal);
}
