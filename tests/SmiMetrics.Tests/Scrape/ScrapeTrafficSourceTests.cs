using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Scrape;

public sealed class ScrapeTrafficSourceTests : IDisposable
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

    public void Dispose() => _source.Dispose();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void The_instant_lies_back_by_the_time_that_a_page_may_take()
    {
        _clock.Advance(TimeSpan.FromSeconds(12.9));
        Assert.Equal(ScrapedPages.Start.AddSeconds(10), _source.Instant);
        using ScrapeTrafficSource everySecond = new(_store, new ScrapeOptions { Interval = TimeSpan.FromSeconds(1) }, _clock);
        Assert.Equal(ScrapedPages.Start.AddSeconds(12), everySecond.Instant);
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
            new IncreaseQuery("response_latency_ms_bucket", [], ["pod", "le"], TimeSpan.FromSeconds(31)), ScrapedPages.Start.AddSeconds(30), Token);
        Assert.Equal(["web-1 +Inf 5", "web-1 1 3"], answer.Rows.Select(row => $"{row.Labels[0]} {row.Labels[1]} {row.Value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_is_not_kept_yet_is_unavailable_and_no_empty_answer()
    {
        _store.AllOpened();
        await Assert.ThrowsAsync<SourceUnavailableException>(() => _source.QueryAsync(new IncreaseQuery("nosuch", [], [], Window), _source.Instant, Token));
        await Assert.ThrowsAsync<SourceUnavailableException>(
            () => _source.QueryAsync(new IncreaseQuery("response_total", [], ["tls"], Window), _source.Instant, Token));
    }

    [Fact]
    public async Task A_target_that_is_gone_keeps_its_samples_for_the_longest_window()
    {
        TargetSeries gone = Scraped("shop/web-1", "web", 10, 0);
        _store.Close(gone);
        Assert.Equal(["web-1 10"], await AskAsync("""classification="success" """, "pod"));
        _clock.Advance(TimeSpan.FromMinutes(10));
        _store.Forget();
        Assert.Single(_store.Targets);
        _clock.Advance(TimeSpan.FromMinutes(2));
        _store.Forget();
        Assert.Empty(_store.Targets);
    }

    [Fact]
    public void A_target_that_goes_and_comes_back_goes_on_where_it_was()
    {
        TargetSeries first = Open("shop/web-1");
        _store.Close(first);
        Assert.Same(first, Open("shop/web-1"));
        Assert.Null(Assert.Single(_store.Targets).GoneSince);
        Assert.NotSame(first, Open("shop/web-1")); // the one before is not gone
        _store.Close(first);
        _clock.Advance(TimeSpan.FromMinutes(12));
        _store.Forget();
        Assert.NotSame(first, Open("shop/web-1"));
    }

    [Fact]
    public async Task The_same_query_at_the_same_instant_is_worked_out_once()
    {
        Scraped("shop/web-1", "web", 10, 0);
        IncreaseQuery Query() => new("response_total", [], ["pod"], Window);
        IncreaseAnswer first = await _source.QueryAsync(Query(), ScrapedPages.Start.AddSeconds(30), Token);
        Assert.Same(first, await _source.QueryAsync(Query(), ScrapedPages.Start.AddSeconds(30), Token));
        Assert.NotSame(first, await _source.QueryAsync(Query(), ScrapedPages.Start.AddSeconds(29), Token));
        Assert.NotSame(first, await _source.QueryAsync(Query(), ScrapedPages.Start.AddSeconds(30), Token));
    }

    [Theory]
    // A window of two minutes, of which 30 s were scraped.
    [InlineData(120, 32, "the samples of 1 of 1 proxies reach back only 30 s")]
    [InlineData(45, 32, null)]
    // Not scraped for 28 of the last 60 s, and said to fail.
    [InlineData(60, 60, "the proxy of shop/web-1 cannot be scraped: answered 500")]
    public async Task An_answer_about_a_part_of_its_window_says_so(int window, int now, string? warning)
    {
        TargetSeries target = Scraped("shop/web-1", "web", 10, 0);
        _clock.Advance(ScrapedPages.Start.AddSeconds(now) - _clock.GetUtcNow());
        if (now > 40)
        {
            target.Begin(_clock.GetUtcNow()).Fail("answered 500");
        }

        IncreaseAnswer answer = await AnswerAsync("""namespace="shop" """, TimeSpan.FromSeconds(window));
        Assert.Equal(warning is null ? [] : [warning], answer.Warnings);
        Assert.Single(answer.Rows);
    }

    [Fact]
    public async Task A_scrape_that_is_not_finished_does_not_make_its_target_missing_from_the_shortest_window()
    {
        TargetSeries target = Open("shop/web-1");
        _store.AllOpened();
        target.Scrape(0, ScrapedPages.Responses("a", 1));
        target.Scrape(10, ScrapedPages.Responses("a", 2));
        // The page of the scrape at 20 s takes a second.
        PageInProgress slow = target.Begin(ScrapedPages.Start.AddSeconds(20));
        _clock.Advance(TimeSpan.FromSeconds(20.9));
        IncreaseAnswer answer = await _source.QueryAsync(new IncreaseQuery("response_total", [], [], TimeSpan.FromSeconds(20)), _source.Instant, Token);
        Assert.Empty(answer.Warnings);
        Assert.Single(answer.Rows);
        slow.Complete();
    }

    /// <summary>Istio's labels are not the target's, but the reporter's namespace is that of its pod.</summary>
    [Fact]
    public async Task A_proxy_that_cannot_be_scraped_concerns_its_own_namespace_whatever_the_mesh_calls_it()
    {
        _store.Open(ScrapedPages.Pod("shop/web-1", "istio")).Begin(_clock.GetUtcNow()).Fail("answered 500");
        for (int i = 0; i < 20; i++)
        {
            _store.Open(ScrapedPages.Pod($"other/web-{i}", "istio")).Scrape(0, "istio_requests_total{reporter=\"destination\"} 0\n");
        }

        _store.AllOpened();
        foreach (StoredTarget target in _store.Targets.Skip(1))
        {
            target.Series.Scrape(10, "istio_requests_total{reporter=\"destination\"} 1\n");
        }

        _clock.Advance(TimeSpan.FromSeconds(20));
        SourceUnavailableException shop = await Assert.ThrowsAsync<SourceUnavailableException>(() => IstioAsync("""reporter="destination",app!="ztunnel",destination_workload_namespace="shop" """));
        Assert.Equal("the proxy of shop/web-1 cannot be scraped: answered 500", shop.Message);
        Assert.Empty((await IstioAsync("""reporter="destination",app!="ztunnel",destination_workload_namespace="other" """)).Warnings);
        Assert.Empty((await IstioAsync("""reporter="source",app!="ztunnel",destination_workload_namespace="shop" """)).Warnings);

        Task<IncreaseAnswer> IstioAsync(string matchers) => _source.QueryAsync(
            new IncreaseQuery("istio_requests_total", [.. matchers.Split(',').Select(Matcher.Parse)], [], TimeSpan.FromSeconds(22)), _source.Instant, Token);
    }

    [Fact]
    public async Task A_target_without_a_label_is_not_the_one_that_the_label_names()
    {
        Scraped("shop/web-1", "web", 10, 0);
        _store.Open(ScrapedPages.Pod("shop/db-0", "linkerd", ("deployment", ""), ("statefulset", "db"))).Begin(_clock.GetUtcNow()).Fail("answered 500");
        Assert.Empty((await AnswerAsync("""namespace="shop",deployment="web" """)).Warnings);
        Assert.Empty((await AnswerAsync("""namespace="shop",deployment="idle" """)).Warnings);
    }

    [Fact]
    public async Task What_the_operator_named_is_told_by_its_labels_and_never_by_its_address()
    {
        foreach ((string url, LabelSet labels) in new[]
        {
            ("http://10.9.9.9/metrics?token=s3cret", new LabelSet([KeyValuePair.Create("namespace", "shop"), KeyValuePair.Create("pod", "web-1")])),
            ("http://10.9.9.9/other?token=s3cret", LabelSet.Empty),
        })
        {
            _store.Open(new ScrapeTarget(new Uri(url), null, labels)).Begin(_clock.GetUtcNow()).Fail("answered 500");
        }

        _store.AllOpened();
        SourceUnavailableException failure = await Assert.ThrowsAsync<SourceUnavailableException>(() => AnswerAsync("""namespace="shop" """));
        Assert.Equal("2 of 2 proxies cannot be scraped", failure.Message);
        Assert.Equal(["http://10.9.9.9/metrics", "http://10.9.9.9/other"], _store.Targets.Select(target => target.Series.Target.Name));
        Assert.Equal("shop/web-1", _store.Targets[0].Series.Target.PodName);
    }

    [Fact]
    public async Task The_probe_finds_series_that_are_there_now()
    {
        MeshSide side = ScrapedPages.Meshes[0].Server!;
        await Assert.ThrowsAsync<SourceUnavailableException>(() => _source.ProbeAsync(side.Requests, side.Where, Token));
        _store.AllOpened();
        Assert.Equal(new SeriesProbe(false, null), await _source.ProbeAsync(side.Requests, side.Where, Token));
        await Assert.ThrowsAsync<SourceUnavailableException>(() => _source.ProbeAsync("nosuch", [], Token));
        TargetSeries target = Scraped("shop/web-1", "web", 10, 0);
        Assert.Equal(new SeriesProbe(true, TimeSpan.FromSeconds(10), ScrapedPages.Start.AddSeconds(30)), await _source.ProbeAsync(side.Requests, side.Where, Token));
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
        _clock.Advance(TimeSpan.FromSeconds(7));
        SourceUnavailableException early = await Assert.ThrowsAsync<SourceUnavailableException>(() => AnswerAsync(""));
        Assert.Equal("1 of 1 proxies has not been scraped twice within the window", early.Message);
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
        Assert.Equal(["1 of 2 proxies cannot be scraped"], (await AnswerAsync("""dst_namespace="shop" """)).Warnings);
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
        _ = _store.Open(ScrapedPages.Pod("shop/books-1", "istio"));
        _store.Close(Open("shop/gone-1"));
        _clock.Advance(TimeSpan.FromSeconds(8));
        Open("shop/new-1");
        _clock.Advance(TimeSpan.FromSeconds(7));
        Assert.Empty((await AnswerAsync("""namespace="shop" """, TimeSpan.FromSeconds(45))).Warnings);
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
