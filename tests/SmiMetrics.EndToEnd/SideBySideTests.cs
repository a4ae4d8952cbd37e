using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// The embedded scraper beside a Prometheus that holds the same samples: two servers, one by either, say the same of everything, but for the last
/// digit of a quantity.
/// </summary>
public sealed class SideBySideTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    public static MatrixTheoryData<string, string> MeshesAndWindows => new(["linkerd", "istio"], ["5s", "10s", "20s", "60s"]);

    [Theory]
    [MemberData(nameof(MeshesAndWindows))]
    public async Task Every_list_agrees(string mesh, string window) =>
        await AssertAgreeAsync(mesh, MeshUnderTest.Resources.Select(resource => $"/{resource}"), window);

    [Theory]
    [MemberData(nameof(MeshesAndWindows))]
    public async Task Every_edge_agrees(string mesh, string window)
    {
        MeshUnderTest of = mesh == "linkerd" ? World.Linkerd : World.Istio;
        await AssertAgreeAsync(mesh, of.ResourcesWithEdges.SelectMany(of.AllTargets).Select(target => $"{target.Path}/edges"), window);
    }

    private async Task AssertAgreeAsync(string mesh, IEnumerable<string> paths, string window)
    {
        int compared = 0;
        foreach (string path in paths)
        {
            IReadOnlyList<TrafficItem>[] lists = await Task.WhenAll(((Source[])[Source.Prometheus, Source.Scrape]).Select(async source =>
                await (await Recorded.ServerAsync(mesh, source, Token)).ListAsync($"{path}?window={window}", Token)));
            compared += AssertAgree(lists[0], lists[1], $"{mesh} {path} in {window}");
        }

        Assert.True(compared > 40, $"only {compared} objects were compared");
    }

    private static int AssertAgree(IReadOnlyList<TrafficItem> byPrometheus, IReadOnlyList<TrafficItem> byScrapes, string what)
    {
        Dictionary<string, TrafficItem> expected = byPrometheus.ToDictionary(item => item.Key);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), byScrapes.Select(item => item.Key).Order(StringComparer.Ordinal));
        foreach (TrafficItem item in byScrapes)
        {
            TrafficItem other = expected[item.Key];
            Assert.Equal((other.State, other.Side, other.Timestamp), (item.State, item.Side, item.Timestamp));
            item.AssertSameNumbers(other, what);
        }

        return byScrapes.Count(item => !item.IsWithoutTraffic);
    }
}
