using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// The embedded scraper beside a Prometheus that scrapes the same proxies at the same time: two servers, one by either, say the same of
/// everything, within one in a hundred.
/// </summary>
public sealed class SideBySideTests(World world) : WorldTest(world)
{
    private const int Attempts = 3;
    private static readonly TimeSpan LongestWindow = TimeSpan.FromSeconds(60);

    public static MatrixTheoryData<string, string> MeshesAndWindows => new(["linkerd", "istio"], ["5s", "10s", "20s", "60s"]);

    [Theory]
    [MemberData(nameof(MeshesAndWindows))]
    public async Task Every_list_agrees(string mesh, string window) =>
        await AssertAgreeAsync(mesh, MeshUnderTest.Resources.Select(resource => $"/{resource}"), window);

    [Theory]
    [MemberData(nameof(MeshesAndWindows))]
    public async Task Every_edge_agrees(string mesh, string window)
    {
        MeshUnderTest of = Of(mesh);
        await AssertAgreeAsync(mesh, of.ResourcesWithEdges.SelectMany(of.AllTargets).Select(target => $"{target.Path}/edges"), window);
    }

    private static MeshUnderTest Of(string mesh) => mesh == "linkerd" ? World.Linkerd : World.Istio;

    private async Task AssertAgreeAsync(string name, IEnumerable<string> paths, string window)
    {
        MeshUnderTest mesh = Of(name);
        SmiMetricsServer byPrometheus = await World.ServerAsync(mesh, Source.Prometheus, Token);
        SmiMetricsServer byScrapes = await World.ServerAsync(mesh, Source.Scrape, Token);
        foreach (DateTimeOffset since in (DateTimeOffset[])[World.Prometheus.SteadySince, byScrapes.ReadySince, World.QuietSince])
        {
            await World.SettledAsync(since, LongestWindow, Token);
        }

        int compared = 0;
        foreach (string path in paths)
        {
            for (int attempt = 1; ; attempt++)
            {
                string url = $"{Api}{path}?window={window}";
                IReadOnlyList<TrafficItem>[] lists = await Task.WhenAll(ListAsync(byPrometheus, url), ListAsync(byScrapes, url));
                try
                {
                    compared += await AssertAgreeAsync(mesh, lists[0], lists[1], $"{name} {path} in {window}");
                    break;
                }
                catch (Xunit.Sdk.XunitException) when (attempt < Attempts)
                {
                    // A busy machine may delay one scrape of a short window. Asked again, about a later moment.
                    await Task.Delay(TimeSpan.FromSeconds(1.3), TimeProvider.System, Token);
                }
            }
        }

        Assert.True(compared > 40, $"only {compared} objects were compared");
    }

    private async Task<int> AssertAgreeAsync(MeshUnderTest mesh, IReadOnlyList<TrafficItem> byPrometheus, IReadOnlyList<TrafficItem> byScrapes, string what)
    {
        Dictionary<string, TrafficItem> expected = byPrometheus.ToDictionary(Key);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), byScrapes.Select(Key).Order(StringComparer.Ordinal));
        foreach (TrafficItem item in byScrapes)
        {
            TrafficItem other = expected[Key(item)];
            Assert.Equal((other.State, other.Side), (item.State, item.Side));
            foreach (int count in (int[])[3, 4])
            {
                Assert.True(
                    Math.Abs(item.Value(count) - other.Value(count)) <= TrafficItem.ScraperTolerance * other.Value(count),
                    $"{what}: {Key(item)}\nPrometheus: {other}\nthe scraper: {item}");
            }

            foreach ((int percentile, _) in TrafficItem.Percentiles)
            {
                if (Math.Abs(item.Value(percentile) - other.Value(percentile)) > TrafficItem.ScraperTolerance * other.Value(percentile))
                {
                    await AssertEitherIsRightAsync(mesh, other, item, $"{what}: {Key(item)}");
                }
            }
        }

        return byScrapes.Count(item => !item.IsWithoutTraffic);
    }

    // A percentile whose rank is where one bucket ends and a far one begins is either: a single request decides.
    private async Task AssertEitherIsRightAsync(MeshUnderTest mesh, TrafficItem byPrometheus, TrafficItem byScrapes, string what)
    {
        Target target = mesh.AllTargets($"{byScrapes.Kind.ToLowerInvariant()}s").Single(target => (target.Namespace, target.Name) == (byScrapes.Namespace, byScrapes.Name));
        if (mesh == World.Istio && (byScrapes.Peer ?? byScrapes.Name) == "ledger" && byScrapes.Kind != "Service")
        {
            // Istio's series do not say which: no selector finds what the servers find through pods.
            return;
        }

        string? buckets = byScrapes.Peer is null ? mesh.Buckets(target) : mesh.Edges(target).SingleOrDefault(edge => edge.Key == byScrapes.EdgeKey)?.Buckets;
        if (buckets is null)
        {
            // From a namespace to itself, which the tables leave out.
            return;
        }

        foreach (TrafficItem item in (TrafficItem[])[byPrometheus, byScrapes])
        {
            item.AssertPercentilesBetween(
                await World.Prometheus.PercentilesAsync(buckets, item.Window, item.Timestamp, -TrafficItem.RankTolerance, Token),
                await World.Prometheus.PercentilesAsync(buckets, item.Window, item.Timestamp, TrafficItem.RankTolerance, Token),
                what);
        }
    }

    private static string Key(TrafficItem item) => $"{item.Kind} {item.Namespace}/{item.Name}{(item.Peer is null ? "" : $" {item.EdgeKey}")}";

    private static async Task<IReadOnlyList<TrafficItem>> ListAsync(SmiMetricsServer server, string url)
    {
        HttpAnswer answer = await server.GetAsync(url, Token);
        Assert.True(answer.Code == HttpStatusCode.OK, $"{url}: {(int)answer.Code} {answer.Body}");
        return TrafficItem.ListOf(answer.Json);
    }
}
