using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Scrape;

public sealed class ScrapeTrafficSourceTests
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(30);
    private readonly FakeTimeProvider _clock = new(ScrapedPages.Start);
    private readonly SampleStore _store;
    private readonly ScrapeTrafficSource _source;

    public ScrapeTrafficSourceTests()
    {
        _store = new SampleStore(ScrapedPages.Selection, TimeSpan.FromMinutes(10), _clock);
        _source = new ScrapeTrafficSource(_store, new ScrapeOptions(), _clock);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void The_instant_is_the_current_second()
    {
        _clock.Advance(TimeSpan.FromSeconds(12.9));
        Assert.Equal(ScrapedPages.Start.AddSeconds(12), _source.Instant);
    }

    [Fact]
    public async Task Series_of_all_targets_are_matched_and_grouped()
    {
        Scraped("shop/web-1", deployment: "web", 10, 1);
        Scraped("shop/web-2", deployment: "web", 20, 2);
        Scraped("shop/api-1", deployment: "api", 40, 3);
        Scraped("other/web-1", deployment: "web", 80, 4);
        Assert.Equal(["shop/api 40", "shop/web 30"], await AskAsync("""namespace="shop",classification="success" """, "namespace", "deployment"));
        Assert.Equal(["failure 10", "success 150"], await AskAsync("""direction="inbound" """, "classification"));
        Assert.Equal([" 43"], await AskAsync("""deployment=~"api|none",direction=~"in.*" """, ""));
        Assert.Equal(["api-1 40", "web-1 90", "web-2 20"], await AskAsync("""classification!="failure" """, "pod"));
        Assert.Empty(await AskAsync("""namespace="none" """, "pod"));
    }

    [Fact]
    public async Task Buckets_are_grouped_by_their_bound_as_printed()
    {
        TargetSeries target = Open("shop/web-1");
        for (int scrape = 0; scrape <= 1; scrape++)
        {
            target.Scrape(scrape * 30, $$"""
                response_latency_ms_bucket{direction="inbound",le="1"} {{scrape * 3}}
                response_latency_ms_bucket{direction="inbound",le="+Inf"} {{scrape * 5}}

                """);
        }

        _store.AllOpened();
        _clock.Advance(TimeSpan.FromSeconds(30));
        IncreaseAnswer answer = await _source.QueryAsync(
            new IncreaseQuery("response_latency_ms_bucket", [], ["pod", "le"], TimeSpan.FromSeconds(31)), _source.Instant, Token);
        Assert.Equal(["web-1 +Inf 5", "web-1 1 3"], answer.Rows.Select(row => $"{row.Labels[0]} {row.Labels[1]} {row.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_was_not_kept_is_a_mistake_of_ours_and_no_empty_answer()
    {
        _store.AllOpened();
        await Assert.ThrowsAsync<InvalidOperationException>(() => _source.QueryAsync(new IncreaseQuery("nosuch", [], [], Window), _source.Instant, Token));
        await Assert.ThrowsAsync<InvalidOperationException>(
            () => _source.QueryAsync(new IncreaseQuery("response_total", [], ["tls"], Window), _source.Instant, Token));
    }

    [Fact]
    public async Task A_target_that_is_gone_keeps_its_samples_for_the_longest_window()
    {
        TargetSeries gone = Scraped("shop/web-1", "web", 10, 0);
        _store.Close(gone);
        Assert.Equal(["web-1 10"], await AskAsync("""classification="success" """, "pod"));
        _clock.Advance(TimeSpan.FromMinutes(12));
        TargetSeries other = Open("shop/web-2");
        _store.Close(other);
        Assert.Equal(["web-2"], _store.Targets.Select(target => target.Series.Target.Pod!.Value.Name));
    }

    [Fact]
    public async Task The_probe_finds_series_that_are_there_now()
    {
        MeshSide side = ScrapedPages.Meshes[0].Server!;
        Assert.Equal(new SeriesProbe(false, null), await _source.ProbeAsync(side.Requests, side.Where, Token));
        Assert.Equal(new SeriesProbe(false, null), await _source.ProbeAsync("nosuch", [], Token));
        TargetSeries target = Scraped("shop/web-1", "web", 10, 0);
        Assert.Equal(new SeriesProbe(true, TimeSpan.FromSeconds(10)), await _source.ProbeAsync(side.Requests, side.Where, Token));
        Assert.False((await _source.ProbeAsync(side.Requests, [Matcher.Parse("direction=\"outbound\"")], Token)).Exists);
        target.Begin(_clock.GetUtcNow()).Fail("answered 500");
        Assert.False((await _source.ProbeAsync(side.Requests, side.Where, Token)).Exists);
        target.Scrape(31, ScrapedPages.Responses("a", 1));
        _clock.Advance(TimeSpan.FromSeconds(4 * 60));
        Assert.True((await _source.ProbeAsync(side.Requests, side.Where, Token)).Exists);
        _clock.Advance(TimeSpan.FromSeconds(2 * 60));
        Assert.False((await _source.ProbeAsync(side.Requests, side.Where, Token)).Exists);
    }

    [Fact]
    public async Task Until_targets_have_been_looked_for_nothing_is_known()
    {
        SourceUnavailableException starting = await Assert.ThrowsAsync<SourceUnavailableException>(
            () => _source.QueryAsync(new IncreaseQuery("response_total", [], [], Window), _source.Instant, Token));
        Assert.Contains("starting", starting.Message);
        _store.AllOpened();
        Assert.Empty((await AnswerAsync("")).Rows);
    }

    [Fact]
    public async Task Before_the_second_scrape_there_is_no_answer()
    {
        TargetSeries target = Open("shop/web-1");
        _store.AllOpened();
        target.Scrape(0, ScrapedPages.Responses("a", 1));
        _clock.Advance(TimeSpan.FromSeconds(5));
        SourceUnavailableException early = await Assert.ThrowsAsync<SourceUnavailableException>(() => AnswerAsync(""));
        Assert.Equal("1 of 1 proxies have not been scraped twice within the window", early.Message);
        target.Scrape(10, ScrapedPages.Responses("a", 2));
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Empty((await AnswerAsync("")).Warnings);
    }

    [Fact]
    public async Task A_proxy_that_cannot_be_scraped_is_named_to_who_asks_about_its_namespace()
    {
        Open("shop/web-2").Begin(_clock.GetUtcNow()).Fail("timed out after 5s");
        Scraped("shop/web-1", "web", 10, 0);
        Assert.Equal(
            ["the proxy of shop/web-2 cannot be scraped: timed out after 5s"],
            (await AnswerAsync("""namespace="shop" """)).Warnings);
        Assert.Empty((await AnswerAsync("""namespace="other" """)).Warnings);
        Assert.Empty((await AnswerAsync("""namespace="shop",pod="web-1" """)).Warnings);
        SourceUnavailableException nothing = await Assert.ThrowsAsync<SourceUnavailableException>(() => AnswerAsync("""namespace="shop",pod="web-2" """));
        Assert.Equal("the proxy of shop/web-2 cannot be scraped: timed out after 5s", nothing.Message);
        // Who asks about no namespace in particular, or about one end of what any proxy may report, hears a number.
        Assert.Equal(["1 of 2 proxies have not been scraped twice within the window"], (await AnswerAsync("""dst_namespace="shop" """)).Warnings);
    }

    [Fact]
    public async Task One_of_many_that_cannot_be_scraped_is_no_word_worth_to_who_asks_about_all()
    {
        Open("shop/broken").Begin(_clock.GetUtcNow()).Fail("answered 500");
        for (int i = 0; i < 20; i++)
        {
            Scraped($"shop/web-{i}", "web", 10, 0);
        }

        Assert.Empty((await AnswerAsync("""direction="inbound" """)).Warnings);
        Assert.Single((await AnswerAsync("""namespace="shop" """)).Warnings);
    }

    [Fact]
    public async Task A_proxy_of_another_mesh_and_a_new_or_gone_one_are_not_missing()
    {
        Scraped("shop/web-1", "web", 10, 0);
        _store.Open(ScrapedPages.Pod("shop/books-1", "istio"));
        _store.Close(Open("shop/gone-1"));
        _clock.Advance(TimeSpan.FromSeconds(20));
        Open("shop/new-1");
        _clock.Advance(TimeSpan.FromSeconds(5));
        Assert.Empty((await AnswerAsync("""namespace="shop" """, TimeSpan.FromMinutes(2))).Warnings);
        // Not even web-1 was scraped in the last four seconds, and the new one is no longer new.
        Assert.Equal(2, (await AnswerAsync("""namespace="shop" """, TimeSpan.FromSeconds(4))).Warnings.Count);
    }

    [Fact]
    public async Task Who_gives_up_is_not_answered()
    {
        Scraped("shop/web-1", "web", 10, 0);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _source.QueryAsync(new IncreaseQuery("response_total", [], [], Window), _source.Instant, new CancellationToken(canceled: true)));
    }

    private TargetSeries Open(string pod, params (string, string)[] labels) => _store.Open(ScrapedPages.Pod(pod, "linkerd", labels));

    /// <summary>A target with this many successes and failures in the 30 s up to half a minute after the start, which is then.</summary>
    private TargetSeries Scraped(string pod, string deployment, double successes, double failures)
    {
        TargetSeries target = Open(pod, ("deployment", deployment));
        for (int scrape = 0; scrape <= 3; scrape++)
        {
            target.Scrape(scrape * 10, FormattableString.Invariant($$"""
                response_total{direction="inbound",target_port="80",classification="success"} {{successes * scrape / 3}}
                response_total{direction="inbound",target_port="80",classification="failure"} {{failures * scrape / 3}}

                """));
        }

        _store.AllOpened();
        TimeSpan ahead = ScrapedPages.Start.AddSeconds(30) - _clock.GetUtcNow();
        _clock.Advance(ahead > TimeSpan.Zero ? ahead : TimeSpan.Zero);
        return target;
    }

    private Task<IncreaseAnswer> AnswerAsync(string matchers, TimeSpan? window = null) =>
        _source.QueryAsync(
            new IncreaseQuery(
                "response_total", [.. matchers.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Matcher.Parse)], [], window ?? Window),
            _source.Instant,
            Token);

    private async Task<IReadOnlyList<string>> AskAsync(string matchers, params string[] by)
    {
        IncreaseQuery query = new(
            "response_total",
            [.. matchers.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Matcher.Parse)],
            [.. by.Where(label => label.Length > 0)],
            TimeSpan.FromSeconds(31));
        IncreaseAnswer answer = await _source.QueryAsync(query, ScrapedPages.Start.AddSeconds(30), Token);
        return [.. answer.Rows.Select(row => FormattableString.Invariant($"{string.Join('/', row.Labels)} {Math.Round(row.Value, 9)}")).Order(StringComparer.Ordinal)];
    }
}
