using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Meshes;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Prometheus;

public sealed class PrometheusTrafficSourceTests : IDisposable
{
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
    private static readonly IncreaseQuery Query = new("response_total", [], [], TimeSpan.FromSeconds(30));

    private readonly CounterReader _counters = new();
    private readonly PrometheusMetrics _metrics = new();
    private readonly FakeTimeProvider _time = new(Start);
    private readonly List<IDisposable> _clients = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        _metrics.Dispose();
        _counters.Dispose();
    }

    [Theory]
    [InlineData(0, 0, 1_700_000_000)]
    [InlineData(0, 999, 1_700_000_000)]
    [InlineData(0, 1000, 1_700_000_001)]
    [InlineData(200, 1999, 1_700_000_001)]
    [InlineData(5000, 4999, 1_700_000_000)]
    [InlineData(5000, 5000, 1_700_000_005)]
    [InlineData(7000, 0, 1_699_999_994)] // 242857142 * 7
    [InlineData(7000, 6999, 1_700_000_001)]
    [InlineData(1500, 1999, 1_700_000_001)] // the slot began at 1700000001.0
    [InlineData(1500, 2500, 1_700_000_002)] // the slot began at 1700000002.5
    public void The_instant_is_whole_seconds_on_the_grid_of_the_time_to_live(int ttlMilliseconds, int afterMilliseconds, long expected)
    {
        PrometheusTrafficSource source = Source(_ => FakePrometheus.One(1), out _, new() { Urls = [Url], CacheTtl = TimeSpan.FromMilliseconds(ttlMilliseconds) });
        _time.Advance(TimeSpan.FromMilliseconds(afterMilliseconds));

        Assert.Equal(expected, source.Instant.ToUnixTimeMilliseconds() / 1000.0);
    }

    [Fact]
    public async Task An_answer_has_its_rows_its_instant_and_what_Prometheus_said_about_it()
    {
        PrometheusTrafficSource source = Source(
            _ => FakePrometheus.Json("""
                {"status":"success","data":{"resultType":"vector","result":[
                {"metric":{"b":"2","a":"1","c":"3"},"value":[1,"4.5"]},{"metric":{"a":"x"},"value":[1,"NaN"]}]},
                "warnings":["receive series from Addr: 10.0.0.7:10901 failed"],"infos":["might not be a counter"]}
                """),
            out FakePrometheus prometheus);

        IncreaseAnswer answer = await source.QueryAsync(Query with { By = ["a", "b"] }, source.Instant, Token);

        IncreaseRow row = Assert.Single(answer.Rows);
        Assert.Equal(["1", "2"], row.Labels);
        Assert.Equal(4.5, row.Value);
        Assert.Equal(Start, answer.Instant);
        Assert.Equal(["receive series from Addr: … failed"], answer.Warnings);
        Assert.Null(answer.StaleBecause);
        Assert.Equal("sum by (a,b) (increase(response_total[30s]))", Assert.Single(prometheus.Asked).Query);
        Assert.Equal(1, _counters["smi_metrics_prometheus_dropped_rows_total"]);
    }

    [Fact]
    public async Task A_hundred_who_ask_the_same_at_once_are_one_request()
    {
        Gate gate = new();
        PrometheusTrafficSource source = Source(Gated(gate), out FakePrometheus prometheus);

        Task<IncreaseAnswer>[] asking = [.. Enumerable.Range(0, 100).Select(_ => source.QueryAsync(Query with { By = [] }, source.Instant, Token))];
        await gate.EnteredAsync(Token);
        gate.Open();
        IncreaseAnswer[] answers = await Task.WhenAll(asking);

        Assert.Single(prometheus.Asked);
        Assert.All(answers, answer => Assert.Equal(1, answer.Rows[0].Value));
        Assert.Equal(1, _counters["smi_metrics_prometheus_answers_total{from=upstream}"]);
        Assert.Equal(99, _counters["smi_metrics_prometheus_answers_total{from=shared}"]);
    }

    [Fact]
    public async Task Different_windows_matchers_groups_and_instants_are_different_questions()
    {
        PrometheusTrafficSource source = Source(_ => FakePrometheus.One(1), out FakePrometheus prometheus);

        await source.QueryAsync(Query, Start, Token);
        await source.QueryAsync(Query with { Window = TimeSpan.FromSeconds(31) }, Start, Token);
        await source.QueryAsync(Query with { Matchers = [new("a", MatchOperator.Equal, "b")] }, Start, Token);
        await source.QueryAsync(Query with { Matchers = [new("a", MatchOperator.NotEqual, "b")] }, Start, Token);
        await source.QueryAsync(Query with { By = ["a"] }, Start, Token);
        await source.QueryAsync(Query, Start.AddSeconds(-5), Token);

        Assert.Equal(6, prometheus.Asked.Count);
    }

    [Fact]
    public async Task A_sharer_who_leaves_disturbs_nobody()
    {
        Gate gate = new();
        PrometheusTrafficSource source = Source(Gated(gate), out FakePrometheus prometheus);
        using CancellationTokenSource leaving = new();

        Task<IncreaseAnswer> first = source.QueryAsync(Query, Start, leaving.Token);
        Task<IncreaseAnswer> second = source.QueryAsync(Query, Start, Token);
        await gate.EnteredAsync(Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        gate.Open();

        Assert.Equal(1, (await second).Rows[0].Value);
        Assert.Single(prometheus.Asked);
        Assert.False(gate.Abandoned.IsCompleted);
    }

    [Fact]
    public async Task When_the_last_sharer_leaves_the_request_ends_and_the_next_one_asks_anew()
    {
        Gate gate = new();
        PrometheusTrafficSource source = Source(Gated(gate), out FakePrometheus prometheus);
        using CancellationTokenSource leaving = new();

        Task<IncreaseAnswer> first = source.QueryAsync(Query, Start, leaving.Token);
        Task<IncreaseAnswer> second = source.QueryAsync(Query, Start, leaving.Token);
        await gate.EnteredAsync(Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await gate.Abandoned.WaitAsync(Token);

        gate.Open();
        Assert.Equal(1, (await source.QueryAsync(Query, Start, Token)).Rows[0].Value);
        Assert.Equal(2, prometheus.Asked.Count);
    }

    [Fact]
    public async Task An_answer_serves_until_the_instant_moves_on()
    {
        PrometheusTrafficSource source = Source(_ => FakePrometheus.One(1), out FakePrometheus prometheus);

        IncreaseAnswer first = await source.QueryAsync(Query, source.Instant, Token);
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Same(first, await source.QueryAsync(Query, source.Instant, Token));
        Assert.Equal(1, _counters["smi_metrics_prometheus_answers_total{from=remembered}"]);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.NotSame(first, await source.QueryAsync(Query, source.Instant, Token));

        Assert.Equal(["1700000000", "1700000005"], prometheus.Asked.Select(asked => asked.Form["time"]));
    }

    [Fact]
    public async Task Without_a_time_to_live_nothing_is_reused()
    {
        PrometheusTrafficSource source = Source(_ => FakePrometheus.One(1), out FakePrometheus prometheus, new() { Urls = [Url], CacheTtl = TimeSpan.Zero });

        await source.QueryAsync(Query, source.Instant, Token);
        await source.QueryAsync(Query, source.Instant, Token);

        Assert.Equal(2, prometheus.Asked.Count);
    }

    [Fact]
    public async Task Without_a_time_to_live_those_who_ask_at_once_still_share()
    {
        Gate gate = new();
        PrometheusTrafficSource source = Source(Gated(gate), out FakePrometheus prometheus, new() { Urls = [Url], CacheTtl = TimeSpan.Zero });

        Task<IncreaseAnswer>[] asking = [.. Enumerable.Range(0, 10).Select(_ => source.QueryAsync(Query, source.Instant, Token))];
        await gate.EnteredAsync(Token);
        gate.Open();
        await Task.WhenAll(asking);

        Assert.Single(prometheus.Asked);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(0)]
    public async Task While_Prometheus_fails_an_earlier_answer_is_given_as_stale_until_it_is_too_old(int ttlSeconds)
    {
        bool down = false;
        PrometheusTrafficSource source = Source(
            _ => down ? FakePrometheus.Json("{}", HttpStatusCode.Forbidden) : FakePrometheus.One(1),
            out _,
            new() { Urls = [Url], CacheTtl = TimeSpan.FromSeconds(ttlSeconds) });
        await source.QueryAsync(Query, source.Instant, Token);

        down = true;
        _time.Advance(TimeSpan.FromSeconds(60));
        IncreaseAnswer stale = await source.QueryAsync(Query, source.Instant, Token);
        Assert.Equal("Prometheus refused access", stale.StaleBecause);
        Assert.Equal(Start, stale.Instant);
        Assert.Equal(1, stale.Rows[0].Value);
        Assert.Equal(1, _counters["smi_metrics_prometheus_answers_total{from=stale}"]);

        await Assert.ThrowsAsync<SourceUnavailableException>(() => source.QueryAsync(Query with { By = ["other"] }, source.Instant, Token));
        _time.Advance(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<SourceUnavailableException>(() => source.QueryAsync(Query, source.Instant, Token));

        down = false;
        Assert.Null((await source.QueryAsync(Query, source.Instant, Token)).StaleBecause);
    }

    [Fact]
    public async Task Without_a_stale_time_a_failure_is_a_failure_at_once()
    {
        bool down = false;
        PrometheusTrafficSource source = Source(
            _ => down ? FakePrometheus.Json("{}", HttpStatusCode.Forbidden) : FakePrometheus.One(1), out _, new() { Urls = [Url], MaxStale = TimeSpan.Zero });
        IncreaseAnswer first = await source.QueryAsync(Query, source.Instant, Token);
        down = true;

        Assert.Same(first, await source.QueryAsync(Query, source.Instant, Token));
        _time.Advance(TimeSpan.FromSeconds(5));
        await Assert.ThrowsAsync<SourceUnavailableException>(() => source.QueryAsync(Query, source.Instant, Token));
    }

    [Fact]
    public async Task An_answer_of_a_later_instant_does_not_stand_in_for_an_earlier_one()
    {
        bool down = false;
        PrometheusTrafficSource source = Source(_ => down ? FakePrometheus.Json("{}", HttpStatusCode.Forbidden) : FakePrometheus.One(1), out _);
        await source.QueryAsync(Query, Start, Token);
        down = true;

        await Assert.ThrowsAsync<SourceUnavailableException>(() => source.QueryAsync(Query, Start.AddSeconds(-5), Token));
    }

    [Fact]
    public async Task A_probe_tells_the_median_time_between_samples()
    {
        PrometheusTrafficSource source = Source(
            asked => FakePrometheus.Json(asked.Query.StartsWith("topk", StringComparison.Ordinal)
                ? """{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"response_total","pod":"a\"b","direction":"inbound"},"value":[1700000000,"9"]}]}}"""
                // The longer series matches too; it is another one. Of ours one scrape was late and one was missed.
                : """
                  {"status":"success","data":{"resultType":"matrix","result":[
                  {"metric":{"__name__":"response_total","pod":"a\"b","direction":"inbound","tls":"true"},"values":[[1,"1"],[2,"1"],[3,"1"]]},
                  {"metric":{"__name__":"response_total","pod":"a\"b","direction":"inbound"},
                  "values":[[1699999900.0,"1"],[1699999915.0,"2"],[1699999930.2,"3"],[1699999945.001,"4"],[1699999975.002,"5"],[1699999990.002,"9"]]}]}}
                  """),
            out FakePrometheus prometheus);
        _time.Advance(TimeSpan.FromSeconds(1.7));

        SeriesProbe probe = await source.ProbeAsync("response_total", [new("direction", MatchOperator.Equal, "inbound")], Token);

        Assert.Equal(new SeriesProbe(Exists: true, TimeSpan.FromSeconds(15), DateTimeOffset.FromUnixTimeMilliseconds(1699999990002)), probe);
        Assert.Equal(
            ["topk(1, response_total{direction=\"inbound\"})", "response_total{direction=\"inbound\",pod=\"a\\\"b\"}[600s]"],
            prometheus.Asked.Select(asked => asked.Query));
        Assert.All(prometheus.Asked, asked => Assert.Equal("1700000001", asked.Form["time"]));
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("[1700000000,\"1\"]", null)]
    [InlineData("[1700000000,\"1\"],[1700000030,\"1\"]", 30_000)]
    [InlineData("[1700000000,\"1\"],[1700000010,\"1\"],[1700000025,\"1\"]", 12_500)]
    [InlineData("[1700000000.0001,\"1\"],[1700000005.0009,\"1\"]", 5_001)]
    [InlineData("[5,\"1\"],[5,\"1\"]", null)]
    [InlineData("[5,\"1\"],[1e999,\"1\"]", null)]
    public async Task The_scrape_interval_is_known_from_two_samples_on(string samples, int? milliseconds)
    {
        PrometheusTrafficSource source = Source(
            asked => FakePrometheus.Json(asked.Query.StartsWith("topk", StringComparison.Ordinal)
                ? """{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"x"},"value":[1,"9"]}]}}"""
                : string.Create(CultureInfo.InvariantCulture, $$$"""{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"x"},"values":[{{{samples}}}]}]}}""")),
            out _);

        SeriesProbe probe = await source.ProbeAsync("x", [], Token);

        Assert.True(probe.Exists);
        Assert.Equal(milliseconds, probe.ScrapeInterval?.TotalMilliseconds);
    }

    [Fact]
    public async Task A_probe_that_finds_nothing_asks_once()
    {
        PrometheusTrafficSource source = Source(
            _ => FakePrometheus.Json("""{"status":"success","data":{"resultType":"vector","result":[]}}"""), out FakePrometheus prometheus);

        Assert.Equal(new SeriesProbe(Exists: false, ScrapeInterval: null), await source.ProbeAsync("x", [], Token));
        Assert.Single(prometheus.Asked);
    }

    [Fact]
    public async Task A_probe_of_a_failing_Prometheus_says_so()
    {
        PrometheusTrafficSource source = Source(_ => FakePrometheus.Json("{}", HttpStatusCode.Forbidden), out _);

        await Assert.ThrowsAsync<SourceUnavailableException>(() => source.ProbeAsync("x", [], Token));
    }

    private const string Url = "http://prometheus.invalid:9090";

    private static Func<Asked, CancellationToken, Task<HttpResponseMessage>> Gated(Gate gate) => async (_, cancellationToken) =>
    {
        await gate.WaitAsync(cancellationToken);
        return FakePrometheus.One(1);
    };

    private PrometheusTrafficSource Source(Func<Asked, HttpResponseMessage> answer, out FakePrometheus prometheus, PrometheusOptions? options = null) =>
        Source((asked, _) => Task.FromResult(answer(asked)), out prometheus, options);

    private PrometheusTrafficSource Source(
        Func<Asked, CancellationToken, Task<HttpResponseMessage>> answer, out FakePrometheus prometheus, PrometheusOptions? options = null)
    {
        options ??= new() { Urls = [Url] };
        prometheus = new FakePrometheus(answer);
        PrometheusClient client = new(options, prometheus, _time, _metrics, NullLogger<PrometheusClient>.Instance);
        _clients.Add(client);
        return new PrometheusTrafficSource(client, options, _metrics, _time, NullLogger<PrometheusTrafficSource>.Instance);
    }
}
