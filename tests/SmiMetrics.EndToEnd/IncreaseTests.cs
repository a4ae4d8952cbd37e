using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Exposition;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.EndToEnd;

/// <summary>A Prometheus that holds random pages, and nothing else.</summary>
public sealed class PrometheusWithRandomPages(World world) : IAsyncLifetime
{
    internal IReadOnlyList<RandomTarget> Targets { get; } = RandomPages.Generate();

    internal PrometheusServer Prometheus { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (world.Unable is null)
        {
            Prometheus = await PrometheusServer.StartWithHistoryAsync(
                world.Programs, world.Workspace, "random-pages", text => text.Write(RandomPages.OpenMetrics(Targets)), TestContext.Current.CancellationToken);
        }
    }

    public ValueTask DisposeAsync() => Prometheus?.DisposeAsync() ?? ValueTask.CompletedTask;
}

/// <summary>
/// The embedded store's <c>increase</c> against Prometheus' own, over the same samples: not within a tolerance of timing, but to the digit.
/// </summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class IncreaseTests(World world, PrometheusWithRandomPages history) : ProgramTest(world), IClassFixture<PrometheusWithRandomPages>
{
    private const double Precision = 1e-9;
    private const string Inbound = """direction="inbound",target_port!="4191",route_name!="probe" """;
    private const string Outbound = """direction="outbound",target_port!="4191" """;

    private static readonly TimeSpan Step = TimeSpan.FromSeconds(11);
    private static readonly TimeSpan[] Windows =
        [TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(61), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(10)];

    // Queries are about a moment that has just passed: there are newer samples already.
    private static readonly TimeSpan Newer = TimeSpan.FromSeconds(7);

    [Theory]
    [InlineData(RandomPages.Counter, Inbound, "namespace", "pod", "classification")]
    [InlineData(RandomPages.Counter, Inbound)]
    [InlineData(RandomPages.Counter, Inbound + """,namespace="shop",deployment=~"steady|gaps|r.*",classification!="failure" """, "deployment")]
    [InlineData(RandomPages.Counter, Outbound + """,dst_namespace=~"bill.*" """, "pod", "dst_deployment", "classification")]
    [InlineData(RandomPages.Counter, Outbound + """,dst_namespace!~"bill.*",dst_statefulset="" """, "dst_namespace", "dst_statefulset")]
    [InlineData(RandomPages.Histogram, Inbound, "deployment", "le")]
    [InlineData(RandomPages.Histogram, Inbound + """,le=~"1|2.5|[+]Inf" """, "le")]
    public async Task The_store_answers_what_Prometheus_answers(string series, string matchers, params string[] by)
    {
        SampleStore store = new(new SeriesSelection([MeshCatalogue.Load().Find("linkerd")]), Windows[^1], TimeProvider.System);
        ScrapeTrafficSource source = new(store, new ScrapeOptions(), TimeProvider.System);
        Queue<(TargetSeries Target, RandomScrape Scrape)> scrapes = Open(store);
        Dictionary<TimeSpan, Dictionary<(long, string), double>> expected = [];
        foreach (TimeSpan window in Windows)
        {
            expected[window] = await ExpectedAsync($"sum by ({string.Join(',', by)}) (increase({series}{{{matchers}}}[{window.TotalSeconds:0}s]))", by);
        }

        int compared = 0;
        for (DateTimeOffset instant = RandomPages.Begin; instant <= RandomPages.Begin + RandomPages.Length; instant += Step)
        {
            while (scrapes.TryPeek(out (TargetSeries, RandomScrape Scrape) next) && next.Scrape.At <= (instant + Newer).ToUnixTimeMilliseconds())
            {
                Take(scrapes.Dequeue());
            }

            foreach (TimeSpan window in Windows)
            {
                IncreaseQuery query = new(series, [.. matchers.Split(',').Select(Matcher.Parse)], by, window);
                Dictionary<string, double> actual = await AnswerAsync(source, query, instant);
                Dictionary<string, double> right = expected[window].Where(row => row.Key.Item1 == instant.ToUnixTimeSeconds()).ToDictionary(row => row.Key.Item2, row => row.Value);
                Assert.Equal(right.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
                foreach ((string group, double value) in right)
                {
                    Assert.True(
                        Math.Abs(actual[group] - value) <= Precision * value,
                        $"{query.Series} [{window.TotalSeconds} s] by {group} at {instant:HH:mm:ss}: Prometheus says {value:R}, the store {actual[group]:R}");
                    compared++;
                }
            }
        }

        Assert.True(compared > 300, $"only {compared} values were compared");
    }

    private Queue<(TargetSeries, RandomScrape)> Open(SampleStore store)
    {
        List<(TargetSeries Target, RandomScrape Scrape)> scrapes = [];
        foreach (RandomTarget target in history.Targets)
        {
            TargetSeries series = store.Open(new Scrape.ScrapeTarget(
                new Uri($"http://{target.Labels["pod"]}/metrics"), new ObjectKey(target.Labels["namespace"], target.Labels["pod"]), new LabelSet([.. target.Labels])));
            scrapes.AddRange(target.Scrapes.Select(scrape => (series, scrape)));
        }

        store.AllOpened();
        return new(scrapes.OrderBy(scrape => scrape.Scrape.At));
    }

    private static void Take((TargetSeries Target, RandomScrape Scrape) scrape)
    {
        PageInProgress page = scrape.Target.Begin(DateTimeOffset.FromUnixTimeMilliseconds(scrape.Scrape.At));
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(scrape.Scrape.Samples.Select(sample => $"{sample.Series} {sample.Value}\n")));
        // In two parts, as pages come from the network.
        int middle = text.AsSpan(0, text.Length / 2).LastIndexOf((byte)'\n') + 1;
        page.Read(text.AsSpan(0, middle), ExpositionFormat.Text);
        if (scrape.Scrape.Fails)
        {
            page.Fail("it was cut off");
            return;
        }

        page.Read(text.AsSpan(middle), ExpositionFormat.Text);
        PageCounts counts = page.Complete();
        Assert.Equal((scrape.Scrape.Samples.Count, 0), (counts.Kept + counts.Dropped, counts.Bad));
    }

    private static async Task<Dictionary<string, double>> AnswerAsync(ScrapeTrafficSource source, IncreaseQuery query, DateTimeOffset instant)
    {
        try
        {
            return (await source.QueryAsync(query, instant, Token)).Rows.ToDictionary(row => string.Join('/', row.Labels), row => row.Value);
        }
        catch (SourceUnavailableException)
        {
            // It says so when no target has been scraped twice, where Prometheus says nothing.
            return [];
        }
    }

    private async Task<Dictionary<(long Instant, string Group), double>> ExpectedAsync(string promQl, string[] by)
    {
        Dictionary<(long, string), double> values = [];
        foreach (JsonNode? row in await history.Prometheus.MatrixAsync(promQl, RandomPages.Begin, RandomPages.Begin + RandomPages.Length, Step, Token))
        {
            string group = string.Join('/', by.Select(label => row!["metric"]![label]?.GetValue<string>() ?? ""));
            foreach (JsonNode? point in row!["values"]!.AsArray())
            {
                values.Add((point![0]!.GetValue<long>(), group), double.Parse(point[1]!.GetValue<string>(), CultureInfo.InvariantCulture));
            }
        }

        return values;
    }
}
