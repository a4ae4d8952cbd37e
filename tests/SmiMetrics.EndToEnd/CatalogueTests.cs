using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// Every mesh of the catalogue, by a real Prometheus and by the embedded scraper: what a server says is the traffic that was made, in each
/// kind that the mesh tells, and of all others it says that the mesh cannot tell them, and why.
/// </summary>
public sealed class CatalogueTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    public static TheoryData<string, string> Meshes
    {
        get
        {
            TheoryData<string, string> meshes = [];
            foreach (CatalogueMesh mesh in Catalogues.All)
            {
                meshes.Add(mesh.Name, nameof(Source.Prometheus));
                if (mesh.CanBeScraped)
                {
                    meshes.Add(mesh.Name, nameof(Source.Scrape));
                }
            }

            return meshes;
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Every_object_has_the_numbers_of_what_it_received(string name, string source)
    {
        (CatalogueMesh mesh, InProcessServer server) = await BeginAsync(name, source);
        foreach (string kind in mesh.ToldKinds)
        {
            IReadOnlyDictionary<End, Rates> expected = mesh.Received(kind);
            Assert.NotEmpty(expected);
            Dictionary<End, TrafficItem> items = (await server.ListAsync($"/{kind}", Token)).ToDictionary(EndOf);
            foreach ((End end, Rates rates) in expected)
            {
                Assert.True(items.Remove(end, out TrafficItem? item), $"{end} is not in the list of {kind}");
                await AssertAsync(mesh, item, rates, mesh.ReceivedSide(kind), mesh.Buckets(end), $"{end}");
            }

            // Idle, not seen, or a workload of another mesh.
            Assert.All(items.Values, item => Assert.True(item.IsWithoutTraffic, $"{item.Kind} {item.Namespace}/{item.Name} had no traffic\n{item}"));
            End one = expected.Keys.OrderBy(end => end.ToString(), StringComparer.Ordinal).First();
            TrafficItem alone = await server.ItemAsync(one.Path, Token);
            await AssertAsync(mesh, alone, expected[one], mesh.ReceivedSide(kind), mesh.Buckets(one), $"{one} by its name");
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task A_list_of_a_namespace_has_its_numbers_and_no_others(string name, string source)
    {
        (CatalogueMesh mesh, InProcessServer server) = await BeginAsync(name, source);
        foreach (string kind in mesh.ToldKinds.Except(["namespaces", "nodes"]))
        {
            IReadOnlyDictionary<End, Rates> expected = mesh.Received(kind);
            foreach (string @namespace in new[] { mesh.Topology.First, mesh.Topology.Second, Topology.Outside })
            {
                IReadOnlyList<TrafficItem> items = await server.ListAsync($"/namespaces/{@namespace}/{kind}", Token);
                Assert.All(items, item => Assert.Equal(@namespace, item.Namespace));
                foreach (End end in expected.Keys.Where(end => end.Namespace == @namespace))
                {
                    Assert.Single(items, item => EndOf(item) == end).AssertCounts(expected[end], $"{end} in {@namespace}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Every_object_has_its_edges_and_no_others(string name, string source)
    {
        (CatalogueMesh mesh, InProcessServer server) = await BeginAsync(name, source);
        foreach (string kind in mesh.KindsWithEdges)
        {
            foreach (IGrouping<End, ToldEdge> edges in mesh.Edges(kind))
            {
                Dictionary<string, ToldEdge> expected = edges.ToDictionary(edge => edge.Key);
                TrafficItem[] items = [.. (await server.ListAsync($"{edges.Key.Path}/edges", Token)).Where(item => item.EdgeKey.Split(' ', 2)[1] != edges.Key.ToString())];
                Assert.True(
                    expected.Keys.Order(StringComparer.Ordinal).SequenceEqual(items.Select(item => item.EdgeKey).Order(StringComparer.Ordinal)),
                    $"edges of {edges.Key}\n  expected: {string.Join("; ", expected.Keys.Order())}\n  reported: {string.Join("; ", items.Select(item => item.EdgeKey).Order())}");
                foreach (TrafficItem item in items)
                {
                    ToldEdge edge = expected[item.EdgeKey];
                    await AssertAsync(mesh, item, edge.Rates, edge.Side, edge.Buckets, $"{edges.Key} {edge.Key}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task What_the_mesh_cannot_tell_is_not_found_and_the_answer_says_why(string name, string source)
    {
        (CatalogueMesh mesh, InProcessServer server) = await BeginAsync(name, source);
        foreach (string kind in CatalogueMesh.Kinds)
        {
            End some = new($"{char.ToUpperInvariant(kind[0])}{kind[1..^1]}", "", kind is "namespaces" or "nodes" ? "" : mesh.Topology.First, "some");
            if (!mesh.ToldKinds.Contains(kind))
            {
                AssertCannot(await server.GetAsync($"{Api}/{kind}", Token), name, $"the traffic of {kind}");
            }

            if (!mesh.KindsWithEdges.Contains(kind))
            {
                AssertCannot(await server.GetAsync($"{Api}{some.Path}/edges", Token), name, $"the edges of {kind}");
            }
        }
    }

    private static void AssertCannot(HttpAnswer answer, string mesh, string what)
    {
        Statuses.Assert(answer, HttpStatusCode.NotFound, "NotFound");
        string message = answer.Json["message"]!.GetValue<string>();
        Assert.Contains($"{mesh} cannot tell {what}: ", message, StringComparison.Ordinal);
    }

    private static End EndOf(TrafficItem item) =>
        new(item.Kind, item.Json["resource"]!["apiVersion"]!.GetValue<string>(), item.Namespace, item.Name);

    private async Task<(CatalogueMesh Mesh, InProcessServer Server)> BeginAsync(string name, string source) =>
        (Catalogues.Find(name), await Recorded.ServerAsync(name, Enum.Parse<Source>(source), Token));

    private async Task AssertAsync(CatalogueMesh mesh, TrafficItem item, Rates rates, string side, string? buckets, string what)
    {
        item.AssertShape("v1alpha2", RecordedWorld.Window, mesh.Name, Recorded.Instant);
        item.AssertCounts(rates, what);
        Assert.Equal(side, item.Side);
        Assert.True(item.State == (mesh.HasLatency ? "ok" : "partial"), $"{what}: {item}");
        if (mesh.HasLatency && buckets is not null)
        {
            IReadOnlyList<double?> percentiles = await Recorded.Prometheus.PercentilesAsync(buckets, item.Window, item.Timestamp, Token);
            item.AssertPercentiles([.. percentiles.Select(percentile => percentile * mesh.MillisecondsPerUnit)], $"{what}, {buckets}");
        }
    }
}
