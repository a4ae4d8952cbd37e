using SmiMetrics.Traffic;

namespace SmiMetrics.Prometheus;

/// <summary>Why Prometheus gave no answer.</summary>
internal enum UpstreamFailure
{
    /// <summary>No connection, or one that broke off.</summary>
    Unreachable,

    /// <summary>A server error.</summary>
    Broken,

    /// <summary>It asks for fewer queries (429).</summary>
    Overloaded,

    /// <summary>Our deadline, its own (<c>--query.timeout</c>) or that of a proxy between us has passed.</summary>
    TimedOut,

    /// <summary>The circuit is open: it has just failed again and again and is left alone for a moment.</summary>
    Resting,

    /// <summary>What came is not an answer of the query API.</summary>
    Unreadable,

    /// <summary>It understood and refuses: the query is wrong or too expensive.</summary>
    QueryRefused,

    /// <summary>Our credentials are missing, wrong or unreadable.</summary>
    AccessDenied,
}

/// <summary>What went wrong with one attempt. The message is for the log: it may quote Prometheus.</summary>
internal sealed class UpstreamException : Exception
{
    public UpstreamException(UpstreamFailure failure, string message, Exception? innerException = null) : base(message, innerException) => Failure = failure;

    public UpstreamFailure Failure { get; }

    /// <summary>What Prometheus answered with <c>status: error</c>, by its <c>errorType</c> (Prometheus <c>web/api/v1/api.go</c>).</summary>
    public static UpstreamException OfErrorType(string errorType, string error) => new(
        errorType switch
        {
            "bad_data" or "execution" => UpstreamFailure.QueryRefused,
            "timeout" => UpstreamFailure.TimedOut,
            _ => UpstreamFailure.Broken,
        },
        $"{errorType}: {error}");

    /// <summary>The same for callers, who learn neither where Prometheus is nor what it was asked.</summary>
    public static SourceUnavailableException ForCallers(UpstreamFailure failure, Exception cause) => new(
        failure == UpstreamFailure.Resting
            ? $"{InWords((cause.InnerException as UpstreamException)?.Failure ?? UpstreamFailure.TimedOut)}; it is asked again in a moment"
            : InWords(failure),
        cause,
        timedOut: failure == UpstreamFailure.TimedOut);

    private static string InWords(UpstreamFailure failure) => failure switch
    {
        UpstreamFailure.Unreachable => "Prometheus cannot be reached",
        UpstreamFailure.Broken => "Prometheus answers with an error",
        UpstreamFailure.Overloaded => "Prometheus is overloaded",
        UpstreamFailure.TimedOut => "Prometheus did not answer in time",
        UpstreamFailure.Unreadable => "Prometheus gave an answer that cannot be read",
        UpstreamFailure.QueryRefused => "Prometheus refused the query",
        UpstreamFailure.AccessDenied => "Prometheus refused access",
        _ => throw new ArgumentOutOfRangeException(nameof(failure), failure, "no such failure"),
    };
}
