using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary><c>trafficedges</c>: the graph of a namespace, or of the cluster, in one answer.</summary>
public sealed class GraphTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    // Istio does not say which of two workloads of one name it is.
    private static bool IsTold(Flow flow) => flow.From.Meshed && flow.From.Name != "ledger" && flow.To.Name != "ledger";

    public static TheoryData<string, string> MeshesAndSources => new MatrixTheoryData<string, string>(["linkerd", "istio"], [nameof(Source.Prometheus), nameof(Source.Scrape)]);

    [Theory]
    [MemberData(nameof(MeshesAndSources))]
    public async Task The_cluster_has_every_edge_once(string name, string source)
    {
        (MeshUnderTest mesh, InProcessServer server) = await BeginAsync(name, source);
        Dictionary<string, Rates> expected = Expected(mesh, _ => true);
        TrafficItem[] items = [.. (await server.ListAsync("/trafficedges", Token)).Where(IsTold)];
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), items.Select(Key).Order(StringComparer.Ordinal));
        Assert.All(items, item =>
        {
            item.AssertShape("v1alpha2", RecordedWorld.Window, mesh.Name, Recorded.Instant);
            Assert.Equal(("to", "client", "ok"), (item.Direction, item.Side, item.State));
            item.AssertCounts(expected[Key(item)], Key(item));
        });
        Assert.Equal(items.Length, items.Select(item => item.Json["metadata"]!["name"]!.GetValue<string>() + item.Namespace).Distinct().Count());
    }

    [Theory]
    [MemberData(nameof(MeshesAndSources))]
    public async Task A_namespace_has_what_its_workloads_send_and_receive(string name, string source)
    {
        (MeshUnderTest mesh, InProcessServer server) = await BeginAsync(name, source);
        string home = mesh.Topology.Second;
        Dictionary<string, Rates> expected = Expected(mesh, flow => flow.From.Namespace == home || flow.To.Namespace == home);
        TrafficItem[] items = [.. (await server.ListAsync($"/namespaces/{home}/trafficedges", Token)).Where(IsTold)];
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), items.Select(Key).Order(StringComparer.Ordinal));
        Assert.All(items, item =>
        {
            // The resource of each is the namespace's own, so that nobody is shown another's objects as such.
            Assert.Equal(home, item.Namespace);
            item.AssertCounts(expected[Key(item)], Key(item));
        });
        Assert.Contains(items, item => item.Direction == "from");
        Assert.Contains(items, item => item.Direction == "to");
    }

    [Fact]
    public async Task The_servers_view_can_be_asked_for()
    {
        (MeshUnderTest mesh, InProcessServer server) = await BeginAsync("istio", nameof(Source.Prometheus));
        TrafficItem[] items = [.. (await server.ListAsync($"/namespaces/{mesh.Topology.First}/trafficedges?side=server", Token)).Where(IsTold)];
        Assert.NotEmpty(items);
        Assert.All(items, item => Assert.Equal("server", item.Side));
    }

    [Fact]
    public async Task A_graph_costs_four_queries_at_most()
    {
        (_, InProcessServer server) = await BeginAsync("istio", nameof(Source.Prometheus));
        double before = await QueriesAsync(server);
        await server.ListAsync($"/namespaces/{World.Istio.Topology.First}/trafficedges?window=19s", Token);
        Assert.InRange(await QueriesAsync(server) - before, 1, 4);
    }

    private static Dictionary<string, Rates> Expected(MeshUnderTest mesh, Func<Flow, bool> isWanted) =>
        mesh.Topology.Flows.Where(flow => IsTold(flow) && isWanted(flow))
            .GroupBy(flow => $"{flow.From} -> {flow.To}")
            .ToDictionary(flows => flows.Key, flows => flows.Aggregate(default(Rates), (sum, flow) => sum + flow.Rates));

    private static bool IsTold(TrafficItem item) => item.Name != "ledger" && item.Peer != "ledger";

    private static string Key(TrafficItem item)
    {
        string own = $"{item.Kind} {item.Namespace}/{item.Name}";
        string peer = item.EdgeKey.Split(' ', 2)[1];
        return item.Direction == "to" ? $"{own} -> {peer}" : $"{peer} -> {own}";
    }

    private static async Task<double> QueriesAsync(InProcessServer server)
    {
        string text = await server.Admin.GetStringAsync("/metrics", Token);
        return text.Split('\n')
            .Where(line => line.StartsWith("smi_metrics_prometheus_answers_total{", StringComparison.Ordinal))
            .Sum(line => double.Parse(line.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture));
    }

    private async Task<(MeshUnderTest Mesh, InProcessServer Server)> BeginAsync(string name, string source) =>
        (name == "linkerd" ? World.Linkerd : World.Istio, await Recorded.ServerAsync(name, Enum.Parse<Source>(source), Token));
}
