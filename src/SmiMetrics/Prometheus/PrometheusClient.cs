using System.Globalization;
using System.Net;
using Polly;
using Polly.CircuitBreaker;
using Polly.Hedging;
using Polly.Retry;
using Polly.Timeout;
using SmiMetrics.Traffic;
using SmiMetrics.Transport;

namespace SmiMetrics.Prometheus;

/// <summary>
/// Asks Prometheus' query API, and keeps asking within the deadline where that can help. From the outside in, a query passes
/// through: the deadline; retries; with several replicas, hedging to the next one; a bound on queries at a time; and, for each
/// replica, a circuit breaker that leaves it alone for a moment once it keeps failing.
/// </summary>
internal sealed partial class PrometheusClient : IDisposable
{
    private const int Retries = 2;
    private const long MaxErrorBytes = 64 * 1024;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>Short, so that right answers come again within seconds of Prometheus' return.</summary>
    private static readonly TimeSpan BreakDuration = TimeSpan.FromSeconds(2);

    /// <summary>How much of the deadline a replica has for itself before the next one is asked too.</summary>
    private const double HedgingShare = 0.25;

    /// <summary>
    /// An attempt ends this much before the deadline, so that the breaker learns of it as a failure rather than as a query that
    /// nobody wants any more.
    /// </summary>
    private static readonly TimeSpan AttemptMargin = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan QuietAfterWarning = TimeSpan.FromSeconds(10);
    private static readonly ResiliencePropertyKey<Question> QuestionKey = new("question");

    private readonly PrometheusOptions _options;
    private readonly TimeProvider _timeProvider;
    private readonly PrometheusMetrics _metrics;
    private readonly ILogger _logger;
    private readonly Credentials _credentials;
    private readonly HttpClient _http;
    private readonly SemaphoreSlim _slots;
    private readonly Replica[] _replicas;
    private readonly ResiliencePipeline<QueryResult> _pipeline;

    // The replica that answered last is asked first: one that hangs then costs the hedging delay once, not at every query.
    private volatile int _preferred;
    private long _quietUntil;

    /// <param name="options">Without <see cref="PrometheusOptions.Problems"/>.</param>
    /// <param name="handler">The <c>prometheus</c> door: a <see cref="TransportHandler"/>, or what a test puts in its place. Disposed with the client.</param>
    /// <param name="timeProvider">The clock of all delays and deadlines.</param>
    /// <param name="metrics">Counts the attempts.</param>
    /// <param name="logger">Learns the details that callers do not.</param>
    public PrometheusClient(
        PrometheusOptions options, HttpMessageHandler handler, TimeProvider timeProvider, PrometheusMetrics metrics, ILogger<PrometheusClient> logger)
    {
        _options = options;
        _timeProvider = timeProvider;
        _metrics = metrics;
        _logger = logger;
        _credentials = new Credentials(options, timeProvider);
        _http = new HttpClient(handler, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("smi-metrics");
        _slots = new SemaphoreSlim(options.MaxConcurrentQueries);
        _replicas = [.. options.Urls.Select(NewReplica)];
        _pipeline = NewPipeline();
    }

    /// <summary>Puts one instant query.</summary>
    /// <param name="promQl">The query.</param>
    /// <param name="instant">Its evaluation time, in whole seconds. Always sent: Prometheus' own clock may differ from ours.</param>
    /// <param name="newResult">Makes what collects the answer, anew for each attempt.</param>
    /// <param name="cancellationToken">Given up by the caller.</param>
    /// <exception cref="SourceUnavailableException">No attempt succeeded before the deadline.</exception>
    public async Task<TResult> QueryAsync<TResult>(
        string promQl, DateTimeOffset instant, Func<TResult> newResult, CancellationToken cancellationToken)
        where TResult : QueryResult
    {
        ResilienceContext context = ResilienceContextPool.Shared.Get(cancellationToken);
        try
        {
            context.Properties.Set(QuestionKey, new Question(promQl, instant, newResult, _timeProvider.GetTimestamp(), _preferred));
            Outcome<QueryResult> outcome = await _pipeline.ExecuteOutcomeAsync(
                static (attempt, client) => client.AskNextReplicaAsync(attempt), context, this);
            if (outcome.Exception is { } e && FailureOf(e) is { } failure)
            {
                LogFailure(failure, promQl, e);
                throw UpstreamException.ForCallers(failure, e);
            }

            outcome.ThrowIfException();
            return (TResult)outcome.Result!;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    // The slots stay: without a wait handle they hold nothing, and a hedged attempt that lost may yet give its one back.
    public void Dispose() => _http.Dispose();

    /// <summary>Null for what is not Prometheus' doing: the caller's cancellation, or an error of ours.</summary>
    private static UpstreamFailure? FailureOf(Exception e) => e switch
    {
        UpstreamException upstream => upstream.Failure,
        TimeoutRejectedException => UpstreamFailure.TimedOut,
        BrokenCircuitException => UpstreamFailure.Resting,
        _ => null,
    };

    private ResiliencePipeline<QueryResult> NewPipeline()
    {
        ResiliencePipelineBuilder<QueryResult> builder = new() { TimeProvider = _timeProvider };
        builder.AddTimeout(new TimeoutStrategyOptions { Timeout = _options.Timeout });
        builder.AddRetry(new RetryStrategyOptions<QueryResult>
        {
            MaxRetryAttempts = Retries,
            Delay = RetryDelay,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            // What took too long is not asked again: that would double the load that made it slow. A query that finds another on trial, after
            // an outage, has only to wait for its end.
            ShouldHandle = args => ValueTask.FromResult(
                args.Outcome.Exception is UpstreamException
                {
                    Failure: UpstreamFailure.Unreachable or UpstreamFailure.Broken or UpstreamFailure.Overloaded,
                }
                || (args.Outcome.Exception is BrokenCircuitException && Array.Exists(_replicas, replica => replica.Circuit.CircuitState != CircuitState.Open))),
        });
        if (_replicas.Length > 1)
        {
            builder.AddHedging(new HedgingStrategyOptions<QueryResult>
            {
                MaxHedgedAttempts = Math.Min(_replicas.Length - 1, 10),
                Delay = _options.Timeout * HedgingShare,
                ShouldHandle = static args => ValueTask.FromResult(
                    args.Outcome.Exception is { } e && FailureOf(e) is { } failure && failure != UpstreamFailure.QueryRefused),
            });
        }

        return builder.Build();
    }

    private Replica NewReplica(string url)
    {
        Uri queryUri = new(url.TrimEnd('/') + "/api/v1/query");
        ResiliencePipelineBuilder<QueryResult> builder = new() { TimeProvider = _timeProvider };
        CircuitBreakerStateProvider circuit = new();
        bool failing = false;
        builder.AddCircuitBreaker(new CircuitBreakerStrategyOptions<QueryResult>
        {
            FailureRatio = 0.8,
            MinimumThroughput = 5,
            SamplingDuration = TimeSpan.FromSeconds(10),
            BreakDuration = BreakDuration,
            StateProvider = circuit,
            // Not what one bad or huge query brings about, timeouts included: the others would suffer for it.
            ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Exception is UpstreamException
            {
                Failure: UpstreamFailure.Unreachable or UpstreamFailure.Broken or UpstreamFailure.Overloaded,
            }),
            OnOpened = args =>
            {
                // Opens again after every rest while the failure lasts: that is no news.
                LogLevel level = Interlocked.Exchange(ref failing, true) ? LogLevel.Debug : LogLevel.Warning;
                Log.Resting(_logger, level, queryUri, args.BreakDuration.TotalSeconds, args.Outcome.Exception?.Message);
                return ValueTask.CompletedTask;
            },
            OnClosed = _ =>
            {
                Volatile.Write(ref failing, false);
                Log.Recovered(_logger, queryUri);
                return ValueTask.CompletedTask;
            },
        });
        builder.AddTimeout(new TimeoutStrategyOptions { TimeoutGenerator = args => ValueTask.FromResult(TimeLeft(QuestionOf(args.Context))) });
        return new Replica(queryUri, builder.Build(), circuit);
    }

    private static Question QuestionOf(ResilienceContext context) =>
        context.Properties.TryGetValue(QuestionKey, out Question? question)
            ? question
            : throw new InvalidOperationException("an attempt without a question");

    private TimeSpan TimeLeft(Question question)
    {
        TimeSpan left = _options.Timeout - AttemptMargin - _timeProvider.GetElapsedTime(question.AskedAt);
        return left > TimeSpan.FromMilliseconds(1) ? left : TimeSpan.FromMilliseconds(1);
    }

    private async ValueTask<Outcome<QueryResult>> AskNextReplicaAsync(ResilienceContext context)
    {
        Question question = QuestionOf(context);
        int index = question.NextReplica(_replicas.Length);
        try
        {
            await _slots.WaitAsync(context.CancellationToken);
        }
        catch (OperationCanceledException e)
        {
            return Outcome.FromException<QueryResult>(e);
        }

        try
        {
            Replica replica = _replicas[index];
            long start = _timeProvider.GetTimestamp();
            Outcome<QueryResult> outcome = await replica.Pipeline.ExecuteOutcomeAsync(
                static (attempt, state) => state.Client.PostAsync(state.QueryUri, state.Question, attempt.CancellationToken),
                context,
                (Client: this, replica.QueryUri, Question: question));
            if (outcome.Exception is null)
            {
                _preferred = index;
                _metrics.QueryEnded(failure: null, _timeProvider.GetElapsedTime(start));
            }
            else if (FailureOf(outcome.Exception) is { } failure)
            {
                _metrics.QueryEnded(failure, _timeProvider.GetElapsedTime(start));
            }
            else
            {
                _metrics.QueryCancelled();
            }

            return outcome;
        }
        finally
        {
            _slots.Release();
        }
    }

    private async ValueTask<Outcome<QueryResult>> PostAsync(Uri queryUri, Question question, CancellationToken cancellationToken)
    {
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Post, queryUri)
            {
                Content = new FormUrlEncodedContent(
                [
                    new("query", question.PromQl),
                    new("time", question.Instant.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture)),
                    new("timeout", PromQl.Duration(TimeSpan.FromMilliseconds(Math.Ceiling(_options.Timeout.TotalMilliseconds)))),
                ]),
            };
            _credentials.Apply(request);
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                return Outcome.FromException<QueryResult>(await RefusalAsync(response.StatusCode, body, cancellationToken));
            }

            QueryResult result = question.NewResult();
            await QueryResponseReader.ReadAsync(body, result, _options.MaxResponseBytes, cancellationToken);
            return Outcome.FromResult(result);
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // HttpClient reports a connection that is not made in time as a cancellation.
            return Outcome.FromException<QueryResult>(
                new UpstreamException(UpstreamFailure.Unreachable, $"no answer from {queryUri}: {e.Message}", e));
        }
        catch (CredentialsException e)
        {
            return Outcome.FromException<QueryResult>(new UpstreamException(UpstreamFailure.AccessDenied, e.Message, e));
        }
        catch (InvalidDataException e)
        {
            return Outcome.FromException<QueryResult>(
                new UpstreamException(UpstreamFailure.Unreadable, "the body is not what its Content-Encoding says", e));
        }
        catch (Exception e)
        {
            return Outcome.FromException<QueryResult>(e);
        }
    }

    /// <summary>
    /// What an HTTP status means, with Prometheus' own words if the body has them (Prometheus <c>web/api/v1/api.go</c>, <c>respondError</c>).
    /// </summary>
    private static async Task<UpstreamException> RefusalAsync(HttpStatusCode status, Stream body, CancellationToken cancellationToken)
    {
        UpstreamException? said = null;
        try
        {
            await QueryResponseReader.ReadAsync(body, new IncreaseRows([]), MaxErrorBytes, cancellationToken);
        }
        catch (UpstreamException e)
        {
            said = e;
        }

        UpstreamFailure failure = status switch
        {
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => UpstreamFailure.QueryRefused,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.ProxyAuthenticationRequired => UpstreamFailure.AccessDenied,
            HttpStatusCode.RequestTimeout or HttpStatusCode.GatewayTimeout => UpstreamFailure.TimedOut,
            HttpStatusCode.TooManyRequests => UpstreamFailure.Overloaded,
            >= HttpStatusCode.InternalServerError => said?.Failure == UpstreamFailure.TimedOut ? UpstreamFailure.TimedOut : UpstreamFailure.Broken,
            // A redirection or a "not found": the URL is not one of Prometheus.
            _ => UpstreamFailure.Unreadable,
        };
        return new UpstreamException(failure, $"HTTP status {(int)status}: {said?.Message ?? "a body that says success"}", said);
    }

    /// <summary>One warning in a while tells the operator; a line per query would bury it, and an open circuit was told of when it opened.</summary>
    private void LogFailure(UpstreamFailure failure, string promQl, Exception e)
    {
        long now = _timeProvider.GetUtcNow().UtcTicks;
        long quietUntil = Interlocked.Read(ref _quietUntil);
        bool loud = failure != UpstreamFailure.Resting && now >= quietUntil && Interlocked.CompareExchange(ref _quietUntil, now + QuietAfterWarning.Ticks, quietUntil) == quietUntil;
        Exception told = e is TimeoutRejectedException ? new TimeoutException(string.Create(CultureInfo.InvariantCulture, $"no answer within {_options.Timeout.TotalSeconds:0.###} s")) : e;
        Log.Failed(_logger, loud ? LogLevel.Warning : LogLevel.Debug, failure, promQl, told);
    }

    /// <param name="AskedAt">A timestamp of the time provider.</param>
    private sealed record Question(string PromQl, DateTimeOffset Instant, Func<QueryResult> NewResult, long AskedAt, int FirstReplica)
    {
        private int _attempts = -1;

        /// <summary>Goes round the replicas, whether it is a retry or a hedged attempt that asks.</summary>
        public int NextReplica(int count) => (FirstReplica + Interlocked.Increment(ref _attempts)) % count;
    }

    private sealed record Replica(Uri QueryUri, ResiliencePipeline<QueryResult> Pipeline, CircuitBreakerStateProvider Circuit);

    private static partial class Log
    {
        [LoggerMessage(EventName = "QueryFailed", Message = "Prometheus did not answer ({Failure}) the query {Query}")]
        public static partial void Failed(ILogger logger, LogLevel level, UpstreamFailure failure, string query, Exception exception);

        [LoggerMessage(EventName = "Resting", Message = "{Url} keeps failing: it is asked every {Seconds} s until it answers ({Reason})")]
        public static partial void Resting(ILogger logger, LogLevel level, Uri url, double seconds, string? reason);

        [LoggerMessage(LogLevel.Information, "{Url} answers again")]
        public static partial void Recovered(ILogger logger, Uri url);
    }
}
