using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Prometheus;

public sealed class PrometheusClientTests : IDisposable
{
    private const string Url = "http://prometheus.invalid:9090";
    private const string OtherUrl = "http://other.invalid:9090";

    private static readonly DateTimeOffset Instant = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    private readonly PrometheusMetrics _metrics = new();
    private readonly ListLogger<PrometheusClient> _log = new();
    private readonly CountedTime _time = new(Instant);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _metrics.Dispose();

    [Theory]
    [InlineData("http://prometheus.invalid:9090", "http://prometheus.invalid:9090/api/v1/query")]
    [InlineData("http://prometheus.invalid:9090/", "http://prometheus.invalid:9090/api/v1/query")]
    [InlineData("https://mimir.invalid/prometheus", "https://mimir.invalid/prometheus/api/v1/query")]
    [InlineData("https://mimir.invalid/prometheus/", "https://mimir.invalid/prometheus/api/v1/query")]
    public async Task A_query_is_a_form_posted_below_the_base_URL_and_says_its_time_and_deadline(string url, string expected)
    {
        FakePrometheus prometheus = new(_ => FakePrometheus.One(1));
        using PrometheusClient client = Client(Options(url) with { Timeout = TimeSpan.FromMilliseconds(2500) }, prometheus);

        await AskAsync(client, "sum(x{a=\"ü&=\"})");

        Asked asked = Assert.Single(prometheus.Asked);
        Assert.Equal(HttpMethod.Post, asked.Method);
        Assert.Equal(expected, asked.Uri.AbsoluteUri);
        Assert.Equal("sum(x{a=\"ü&=\"})", asked.Query);
        Assert.Equal("1700000000", asked.Form["time"]);
        Assert.Equal("2500ms", asked.Form["timeout"]);
        Assert.Null(asked.Headers.Authorization);
    }

    [Fact]
    public async Task Credentials_and_tenant_go_along_and_never_into_the_log()
    {
        using TemporaryFile token = new("s3cret\n");
        FakePrometheus prometheus = new(_ => throw FakePrometheus.Refused());
        PrometheusOptions options = Options(Url) with { BearerTokenFile = token.Path, Headers = ["X-Scope-OrgID=team-a", "X-Key=k3y=="] };
        using PrometheusClient client = Client(options, prometheus, TimeProvider.System);

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));

        Assert.All(prometheus.Asked, asked =>
        {
            Assert.Equal("Bearer s3cret", asked.Headers.Authorization?.ToString());
            Assert.Equal("team-a", Assert.Single(asked.Headers.GetValues("X-Scope-OrgID")));
            Assert.Equal("k3y==", Assert.Single(asked.Headers.GetValues("X-Key")));
        });
        string everything = e + string.Concat(_log.Lines.Select(line => line.Text)) + options;
        Assert.DoesNotContain("s3cret", everything, StringComparison.Ordinal);
        Assert.DoesNotContain("k3y", everything, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Basic_authentication_encodes_name_and_password()
    {
        using TemporaryFile password = new("pässword\n");
        FakePrometheus prometheus = new(_ => FakePrometheus.One(1));
        using PrometheusClient client = Client(Options(Url) with { Username = "me", PasswordFile = password.Path }, prometheus);

        await AskAsync(client);

        Assert.Equal("Basic bWU6cMOkc3N3b3Jk", Assert.Single(prometheus.Asked).Headers.Authorization?.ToString());
    }

    [Fact]
    public async Task A_renewed_token_is_used_within_a_minute_and_a_vanished_one_stays()
    {
        using TemporaryFile token = new("first");
        FakePrometheus prometheus = new(_ => FakePrometheus.One(1));
        using PrometheusClient client = Client(Options(Url) with { BearerTokenFile = token.Path }, prometheus);

        await AskAsync(client);
        await File.WriteAllTextAsync(token.Path, "second", Token);
        await AskAsync(client);
        _time.Advance(TimeSpan.FromMinutes(1));
        await AskAsync(client);
        File.Delete(token.Path);
        _time.Advance(TimeSpan.FromMinutes(1));
        await AskAsync(client);

        Assert.Equal(["first", "first", "second", "second"], prometheus.Asked.Select(asked => asked.Headers.Authorization?.Parameter));
    }

    /// <summary>Two tokens in one file: not a reason for the process to end, as an exception out of the header would be.</summary>
    [Fact]
    public async Task A_token_of_two_lines_is_a_matter_of_access()
    {
        using TemporaryFile token = new("first\nsecond\n");
        FakePrometheus prometheus = new(_ => FakePrometheus.One(1));
        using PrometheusClient client = Client(Options(Url) with { BearerTokenFile = token.Path }, prometheus);

        SourceUnavailableException refused = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));
        Assert.Equal("Prometheus refused access", refused.Message);
        Assert.Empty(prometheus.Asked);
    }

    [Fact]
    public async Task A_token_that_cannot_be_read_is_a_matter_of_access()
    {
        FakePrometheus prometheus = new(_ => FakePrometheus.One(1));
        using PrometheusClient client = Client(Options(Url) with { BearerTokenFile = "/nonexistent/token" }, prometheus);

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));

        Assert.Equal("Prometheus refused access", e.Message);
        Assert.Empty(prometheus.Asked);
    }

    [Theory]
    [InlineData(HttpStatusCode.BadRequest, """{"status":"error","errorType":"bad_data","error":"parse error at 10.0.0.1"}""", "Prometheus refused the query", false)]
    [InlineData(HttpStatusCode.UnprocessableEntity, """{"status":"error","errorType":"execution","error":"too many samples"}""", "Prometheus refused the query", false)]
    [InlineData(HttpStatusCode.Unauthorized, "who are you", "Prometheus refused access", false)]
    [InlineData(HttpStatusCode.Forbidden, "", "Prometheus refused access", false)]
    [InlineData(HttpStatusCode.Found, "", "Prometheus gave an answer that cannot be read", false)]
    [InlineData(HttpStatusCode.NotFound, "404 page not found", "Prometheus gave an answer that cannot be read", false)]
    [InlineData(HttpStatusCode.OK, "<html>welcome to 10.0.0.1</html>", "Prometheus gave an answer that cannot be read", false)]
    [InlineData(HttpStatusCode.OK, "", "Prometheus gave an answer that cannot be read", false)]
    [InlineData(HttpStatusCode.OK, """{"status":"error","errorType":"execution","error":"x"}""", "Prometheus refused the query", false)]
    [InlineData(HttpStatusCode.ServiceUnavailable, """{"status":"error","errorType":"timeout","error":"query timed out"}""", "Prometheus did not answer in time", true)]
    [InlineData(HttpStatusCode.GatewayTimeout, "<html>", "Prometheus did not answer in time", true)]
    public async Task What_asking_again_cannot_mend_is_asked_once(HttpStatusCode status, string body, string message, bool timedOut)
    {
        FakePrometheus prometheus = new(_ => FakePrometheus.Json(body, status));
        using PrometheusClient client = Client(Options(Url), prometheus);

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));

        Assert.Equal(message, e.Message);
        Assert.Equal(timedOut, e.TimedOut);
        Assert.NotNull(e.InnerException);
        Assert.Single(prometheus.Asked);
    }

    [Theory]
    [InlineData(HttpStatusCode.InternalServerError, "Prometheus answers with an error")]
    [InlineData(HttpStatusCode.BadGateway, "Prometheus answers with an error")]
    [InlineData(HttpStatusCode.ServiceUnavailable, "Prometheus answers with an error")]
    [InlineData(HttpStatusCode.TooManyRequests, "Prometheus is overloaded")]
    public async Task What_may_pass_is_asked_three_times(HttpStatusCode status, string message)
    {
        FakePrometheus prometheus = new(_ => FakePrometheus.Json("<html>proxy 10.0.0.1</html>", status));
        using PrometheusClient client = Client(Options(Url), prometheus, TimeProvider.System);

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));

        Assert.Equal(message, e.Message);
        Assert.False(e.TimedOut);
        Assert.Equal(3, prometheus.Asked.Count);
    }

    [Fact]
    public async Task A_refused_connection_is_asked_three_times_and_told_without_the_address()
    {
        FakePrometheus prometheus = new(_ => throw FakePrometheus.Refused());
        using PrometheusClient client = Client(Options(Url), prometheus, TimeProvider.System);

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));

        Assert.Equal("Prometheus cannot be reached", e.Message);
        Assert.Contains("10.1.2.3", e.InnerException!.ToString(), StringComparison.Ordinal);
        Assert.Equal(3, prometheus.Asked.Count);
    }

    [Fact]
    public async Task An_error_that_passes_is_not_noticed()
    {
        int times = 0;
        FakePrometheus prometheus = new(_ => Interlocked.Increment(ref times) == 1 ? FakePrometheus.Json("", HttpStatusCode.InternalServerError) : FakePrometheus.One(7));
        using PrometheusClient client = Client(Options(Url), prometheus, TimeProvider.System);

        Assert.Equal(7, await AskAsync(client));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task A_server_that_hangs_costs_the_deadline_and_no_more()
    {
        Gate gate = new();
        FakePrometheus prometheus = Hanging(gate);
        using PrometheusClient client = Client(Options(Url), prometheus);

        Task<double> asking = AskAsync(client);
        await gate.EnteredAsync(Token);
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.False(asking.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.1));

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => asking);
        Assert.True(e.TimedOut);
        Assert.Equal("Prometheus did not answer in time", e.Message);
        Assert.Single(prometheus.Asked);
        await gate.Abandoned.WaitAsync(Token);
    }

    [Fact]
    public async Task A_body_that_stalls_costs_the_deadline_and_no_more()
    {
        using StalledStream body = new();
        FakePrometheus prometheus = new(_ => new HttpResponseMessage { Content = new StreamContent(body) });
        using PrometheusClient client = Client(Options(Url), prometheus);

        Task<double> asking = AskAsync(client);
        await body.Stalled.WaitAsync(Token);
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.True((await Assert.ThrowsAsync<SourceUnavailableException>(() => asking)).TimedOut);
    }

    [Fact]
    public async Task A_caller_who_gives_up_takes_the_request_along()
    {
        Gate gate = new();
        using PrometheusClient client = Client(Options(Url), Hanging(gate));
        using CancellationTokenSource caller = new();

        Task asking = client.QueryAsync("x", Instant, static () => new IncreaseRows([]), caller.Token);
        await gate.EnteredAsync(Token);
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        await gate.Abandoned.WaitAsync(Token);
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task After_failing_again_and_again_it_is_left_alone_for_two_seconds_and_then_tried()
    {
        bool back = false;
        FakePrometheus prometheus = new(_ => back ? FakePrometheus.One(1) : throw FakePrometheus.Refused());
        using PrometheusClient client = Client(Options(Url), prometheus);
        await OpenCircuitAsync(client);
        int asked = prometheus.Asked.Count;

        SourceUnavailableException resting = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));
        Assert.Equal("Prometheus cannot be reached; it is asked again in a moment", resting.Message);
        Assert.Equal(asked, prometheus.Asked.Count);

        back = true;
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(1, await AskAsync(client));
        Assert.Equal(1, await AskAsync(client));
    }

    /// <summary>A request asks two queries at once: the second must not fail because the first is the trial.</summary>
    [Fact]
    public async Task Queries_that_come_together_after_an_outage_all_get_an_answer()
    {
        bool back = false;
        Gate gate = new();
        FakePrometheus prometheus = new(async (_, cancellationToken) =>
        {
            if (!back)
            {
                throw FakePrometheus.Refused();
            }

            await gate.WaitAsync(cancellationToken);
            return FakePrometheus.One(1);
        });
        using PrometheusClient client = Client(Options(Url), prometheus);
        await OpenCircuitAsync(client);

        back = true;
        _time.Advance(TimeSpan.FromSeconds(2));
        Task<double> trial = AskAsync(client);
        await gate.EnteredAsync(Token);
        Task<double> second = AskAsync(client, "another");
        gate.Open();
        Assert.Equal(1, await trial);
        Assert.Equal(1, await PassTimeUntilAsync(second));
    }

    [Fact]
    public async Task Timeouts_of_one_query_do_not_stop_the_others()
    {
        Gate gate = new();
        FakePrometheus prometheus = new(async (asked, cancellationToken) =>
        {
            if (asked.Query == "huge")
            {
                await gate.WaitAsync(cancellationToken);
            }

            return FakePrometheus.One(1);
        });
        using PrometheusClient client = Client(Options(Url), prometheus);
        Task<double>[] asking = [.. Enumerable.Range(0, 8).Select(_ => AskAsync(client, "huge"))];
        for (int i = 0; i < asking.Length; i++)
        {
            await gate.EnteredAsync(Token);
        }

        _time.Advance(TimeSpan.FromSeconds(5));
        foreach (Task<double> ask in asking)
        {
            Assert.True((await Assert.ThrowsAsync<SourceUnavailableException>(() => ask)).TimedOut);
        }

        Assert.Equal(1, await AskAsync(client, "small"));
    }

    private async Task OpenCircuitAsync(PrometheusClient client)
    {
        for (int i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<SourceUnavailableException>(() => PassTimeUntilAsync(AskAsync(client)));
        }
    }

    /// <summary>Lets the delays between attempts pass, little by little: no more than they need, and never an attempt's own time.</summary>
    private async Task<T> PassTimeUntilAsync<T>(Task<T> asking)
    {
        while (!asking.IsCompleted)
        {
            if (_time.Waiting > 0)
            {
                _time.Advance(TimeSpan.FromMilliseconds(10));
            }
            else
            {
                await Task.WhenAny(asking, Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Token));
            }
        }

        return await asking;
    }

    [Fact]
    public async Task A_query_that_Prometheus_refuses_does_not_stop_the_others()
    {
        FakePrometheus prometheus = new(asked => asked.Query == "bad" ? FakePrometheus.Json("{}", HttpStatusCode.UnprocessableEntity) : FakePrometheus.One(1));
        using PrometheusClient client = Client(Options(Url), prometheus);
        for (int i = 0; i < 20; i++)
        {
            await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client, "bad"));
        }

        Assert.Equal(1, await AskAsync(client, "good"));
    }

    [Fact]
    public async Task Failures_are_logged_loudly_once_in_ten_seconds()
    {
        FakePrometheus prometheus = new(_ => FakePrometheus.Json("{}", HttpStatusCode.UnprocessableEntity));
        using PrometheusClient client = Client(Options(Url), prometheus);
        for (int i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));
        }

        Assert.Equal([LogLevel.Warning, LogLevel.Debug, LogLevel.Debug], _log.Lines.Select(line => line.Level));
        _time.Advance(TimeSpan.FromSeconds(10));
        await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));
        Assert.Equal(LogLevel.Warning, _log.Lines[^1].Level);
    }

    [Fact]
    public async Task When_one_replica_fails_the_other_is_asked_at_once_and_first_from_then_on()
    {
        FakePrometheus prometheus = new(asked => asked.Uri.Host == "prometheus.invalid" ? throw FakePrometheus.Refused() : FakePrometheus.One(2));
        using PrometheusClient client = Client(Options(Url, OtherUrl), prometheus);

        Assert.Equal(2, await AskAsync(client));
        Assert.Equal(2, await AskAsync(client));

        Assert.Equal(["prometheus.invalid", "other.invalid", "other.invalid"], prometheus.Asked.Select(asked => asked.Uri.Host));
    }

    [Fact]
    public async Task When_one_replica_hangs_the_other_is_asked_after_a_quarter_of_the_deadline()
    {
        Gate gate = new();
        FakePrometheus prometheus = new(async (asked, cancellationToken) =>
        {
            if (asked.Uri.Host == "prometheus.invalid")
            {
                await gate.WaitAsync(cancellationToken);
            }

            return FakePrometheus.One(2);
        });
        using PrometheusClient client = Client(Options(Url, OtherUrl), prometheus);

        Task<double> asking = AskAsync(client);
        await gate.EnteredAsync(Token);
        _time.Advance(TimeSpan.FromSeconds(1.2));
        Assert.Single(prometheus.Asked);
        _time.Advance(TimeSpan.FromSeconds(0.05));

        Assert.Equal(2, await asking.WaitAsync(Token));
        await gate.Abandoned.WaitAsync(Token);
    }

    [Fact]
    public async Task A_query_that_one_replica_refuses_is_not_put_to_the_other()
    {
        FakePrometheus prometheus = new(_ => FakePrometheus.Json("{}", HttpStatusCode.UnprocessableEntity));
        using PrometheusClient client = Client(Options(Url, OtherUrl), prometheus);

        await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));

        Assert.Single(prometheus.Asked);
    }

    [Fact]
    public async Task No_more_than_sixteen_queries_are_under_way()
    {
        Gate gate = new();
        int now = 0;
        int most = 0;
        FakePrometheus prometheus = new(async (_, cancellationToken) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            await gate.WaitAsync(cancellationToken);
            Interlocked.Decrement(ref now);
            return FakePrometheus.One(1);
        });
        using PrometheusClient client = Client(Options(Url), prometheus);

        Task<double>[] asking = [.. Enumerable.Range(0, 50).Select(i => AskAsync(client, $"x{i}"))];
        for (int i = 0; i < 16; i++)
        {
            await gate.EnteredAsync(Token);
        }

        Assert.Equal(16, prometheus.Asked.Count);
        gate.Open();
        await Task.WhenAll(asking).WaitAsync(Token);

        Assert.Equal(50, prometheus.Asked.Count);
        Assert.InRange(most, 1, 16);
    }

    [Fact]
    public async Task Waiting_for_a_slot_counts_towards_the_deadline()
    {
        Gate gate = new();
        FakePrometheus prometheus = Hanging(gate);
        using PrometheusClient client = Client(Options(Url) with { MaxConcurrentQueries = 1 }, prometheus);

        Task<double> first = AskAsync(client, "first");
        await gate.EnteredAsync(Token);
        Task<double> second = AskAsync(client, "second");
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.True((await Assert.ThrowsAsync<SourceUnavailableException>(() => first)).TimedOut);
        Assert.True((await Assert.ThrowsAsync<SourceUnavailableException>(() => second)).TimedOut);
    }

    [Theory]
    [InlineData(UpstreamFailure.Unreachable)]
    [InlineData(UpstreamFailure.Broken)]
    [InlineData(UpstreamFailure.Overloaded)]
    [InlineData(UpstreamFailure.TimedOut)]
    [InlineData(UpstreamFailure.Resting)]
    [InlineData(UpstreamFailure.Unreadable)]
    [InlineData(UpstreamFailure.QueryRefused)]
    [InlineData(UpstreamFailure.AccessDenied)]
    internal void Every_failure_has_words_of_its_own_and_only_lateness_is_a_timeout(UpstreamFailure failure)
    {
        string message = UpstreamException.ForCallers(failure, new IOException("x")).Message;

        Assert.StartsWith("Prometheus ", message, StringComparison.Ordinal);
        Assert.Single(Enum.GetValues<UpstreamFailure>(), other => UpstreamException.ForCallers(other, new IOException("x")).Message == message);
        Assert.Equal(failure == UpstreamFailure.TimedOut, UpstreamException.ForCallers(failure, new IOException("x")).TimedOut);
    }

    [Fact]
    public async Task Attempts_are_counted_by_outcome()
    {
        using CounterReader counters = new();
        using PrometheusMetrics metrics = new();
        int times = 0;
        FakePrometheus prometheus = new(asked =>
            asked.Query == "bad" ? FakePrometheus.Json("{}", HttpStatusCode.UnprocessableEntity)
            : Interlocked.Increment(ref times) == 1 ? FakePrometheus.Json("", HttpStatusCode.BadGateway)
            : FakePrometheus.One(1));
        using PrometheusClient client = new(Options(Url), prometheus, TimeProvider.System, metrics, NullLogger<PrometheusClient>.Instance);

        await AskAsync(client);
        await AskAsync(client);
        await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client, "bad"));

        Assert.Equal(2, counters["smi_metrics_prometheus_queries_total{outcome=ok}"]);
        Assert.Equal(1, counters["smi_metrics_prometheus_queries_total{outcome=broken}"]);
        Assert.Equal(1, counters["smi_metrics_prometheus_queries_total{outcome=query_refused}"]);
        Assert.Equal(4, counters["smi_metrics_prometheus_query_duration_seconds"]);
    }

    private static PrometheusOptions Options(params string[] urls) => new() { Urls = urls };

    private static FakePrometheus Hanging(Gate gate) => new(async (_, cancellationToken) =>
    {
        await gate.WaitAsync(cancellationToken);
        return FakePrometheus.One(1);
    });

    private PrometheusClient Client(PrometheusOptions options, HttpMessageHandler prometheus, TimeProvider? time = null) =>
        new(options, prometheus, time ?? _time, _metrics, _log);

    private static async Task<double> AskAsync(PrometheusClient client, string query = "x")
    {
        IncreaseRows rows = await client.QueryAsync(query, Instant, static () => new IncreaseRows([]), Token);
        return rows.Rows[0].Value;
    }

    /// <summary>Begins an answer and never goes on.</summary>
    private sealed class StalledStream : MemoryStream
    {
        private readonly TaskCompletionSource _stalled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private bool _begun;

        public Task Stalled => _stalled.Task;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (!_begun)
            {
                _begun = true;
                return Encoding.ASCII.GetBytes("{\"status\":", buffer.Span);
            }

            _stalled.TrySetResult();
            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
            return 0;
        }
    }
}

/// <summary>A file that goes with the test.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile(string content) => File.WriteAllText(Path, content);

    public string Path { get; } = System.IO.Path.GetTempFileName();

    public void Dispose() => File.Delete(Path);
}
