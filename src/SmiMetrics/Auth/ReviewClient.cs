using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Polly;
using Polly.Retry;
using Polly.Timeout;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>kube-apiserver did not answer a review. The message is for the log: it may name addresses.</summary>
/// <param name="IsPassing">Whether asking again may help.</param>
internal sealed class ReviewException(string message, bool isPassing, Exception? innerException) : Exception(message, innerException)
{
    public bool IsPassing { get; } = isPassing;
}

/// <summary>
/// Puts reviews of one kind to kube-apiserver. What passes by itself (no connection, 429, 5xx) is tried again after half a second, and with each
/// failure half as long again, five times in all (apiserver <c>pkg/util/webhook/webhook.go</c>); all of it within ten seconds.
/// </summary>
[SuppressMessage("Design", "CA1001", Justification = "A semaphore without a wait handle holds nothing to dispose of.")]
internal sealed class ReviewClient<TReview>
{
    private const int Attempts = 5;
    private const double BackoffGrowth = 1.5;

    /// <summary>Requests to kube-apiserver at a time; Go's clients send 200 a second. A stranger with many tokens shall not flood it through us.</summary>
    private const int MaxConcurrency = 100;

    /// <summary>How many more may wait for their turn: more would not be answered in time, and each costs memory.</summary>
    private const int MaxWaiting = 1_000;

    private const int MaxErrorLength = 300;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(500);

    private readonly KubernetesApi _api;
    private readonly string _path;
    private readonly JsonTypeInfo<TReview> _type;
    private readonly Action<int?, TimeSpan> _measure;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _slots = new(MaxConcurrency);
    private readonly ResiliencePipeline _pipeline;
    private int _underWay;
    private volatile string? _trouble;

    /// <param name="measure">Told of each attempt: its HTTP status, or null without an answer, and how long it took.</param>
    public ReviewClient(KubernetesApi api, string path, JsonTypeInfo<TReview> type, Action<int?, TimeSpan> measure, TimeProvider time)
    {
        (_api, _path, _type, _measure, _time) = (api, path, type, measure, time);
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddTimeout(new TimeoutStrategyOptions { Timeout = Deadline })
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = Attempts - 1,
                DelayGenerator = static args => ValueTask.FromResult<TimeSpan?>(FirstBackoff * Math.Pow(BackoffGrowth, args.AttemptNumber)),
                ShouldHandle = static args => ValueTask.FromResult(args.Outcome.Exception is ReviewException { IsPassing: true }),
            })
            .Build();
    }

    /// <summary>Why the latest attempt, of whatever review, has failed; null when it has not.</summary>
    public string? Trouble => _trouble;

    /// <summary>Returns the review as kube-apiserver completed it. Ends by itself after ten seconds.</summary>
    /// <exception cref="ReviewException">It did not.</exception>
    public async Task<TReview> PostAsync(TReview review)
    {
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(review, _type);
        ReviewException? last = null;
        try
        {
            if (Interlocked.Increment(ref _underWay) > MaxConcurrency + MaxWaiting)
            {
                throw new ReviewException("too many reviews are under way", isPassing: false, innerException: null);
            }

            return await _pipeline.ExecuteAsync(
                async attempt =>
                {
                    try
                    {
                        TReview answer = await TryAsync(body, attempt);
                        _trouble = null;
                        return answer;
                    }
                    catch (ReviewException e)
                    {
                        last = e;
                        _trouble = e.Message;
                        throw;
                    }
                },
                CancellationToken.None);
        }
        catch (TimeoutRejectedException e)
        {
            throw new ReviewException($"no answer within {Deadline.TotalSeconds:0} s{(last is null ? "" : $"; last: {last.Message}")}", isPassing: true, e);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    private async ValueTask<TReview> TryAsync(byte[] body, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        long start = _time.GetTimestamp();
        int? code = null;
        try
        {
            using ByteArrayContent content = new(body) { Headers = { ContentType = new("application/json") } };
            using HttpResponseMessage response = await _api.PostAsync(_path, content, cancellationToken);
            code = (int)response.StatusCode;
            await using Stream answer = await response.Content.ReadAsStreamAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                using StreamReader reader = new(answer);
                char[] text = new char[MaxErrorLength];
                int length = await reader.ReadBlockAsync(text, cancellationToken);
                throw new ReviewException(
                    $"HTTP status {code}: {new string(text, 0, length).ReplaceLineEndings(" ")}",
                    response.StatusCode is HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError,
                    innerException: null);
            }

            return await JsonSerializer.DeserializeAsync(answer, _type, cancellationToken)
                ?? throw new ReviewException("the answer is null", isPassing: false, innerException: null);
        }
        catch (Exception e) when (e is HttpRequestException or IOException
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // HttpClient reports a connection that is not made in time as a cancellation.
            throw new ReviewException(e.Message, isPassing: true, e);
        }
        catch (JsonException e)
        {
            throw new ReviewException($"the answer is not a review: {e.Message}", isPassing: false, e);
        }
        finally
        {
            _slots.Release();
            _measure(code, _time.GetElapsedTime(start));
        }
    }
}
