using System.Globalization;
using System.Net.Sockets;
using SmiMetrics.Transport;

namespace SmiMetrics.Scrape;

/// <summary>How a scrape ended, for the metrics: few words.</summary>
internal enum ScrapeOutcome
{
    Ok,

    /// <summary>The last byte was not there in time.</summary>
    TimedOut,

    /// <summary>There is no connection.</summary>
    Unreachable,

    /// <summary>A status other than 200.</summary>
    HttpError,

    /// <summary>The connection ended before the page did.</summary>
    CutShort,

    /// <summary>More than a page may hold.</summary>
    TooLarge,

    /// <summary>What came is no page of metrics.</summary>
    Unreadable,

    /// <summary>Our own token or certificate cannot be used.</summary>
    Credentials,

    /// <summary>A mistake of ours.</summary>
    Unexpected,
}

/// <summary>A page is refused before its lines are looked at. The message says why, in a few words that follow a target's name.</summary>
internal sealed class ScrapeException(ScrapeOutcome outcome, string message) : Exception(message)
{
    public ScrapeOutcome Outcome => outcome;
}

/// <summary>Why a scrape failed.</summary>
/// <param name="Reason">A few words that follow a target's name. They hold nothing that the target could choose at length, and no address.</param>
internal readonly record struct ScrapeFailure(ScrapeOutcome Outcome, string Reason)
{
    /// <param name="timeout">The deadline of a scrape.</param>
    public static ScrapeFailure Of(Exception exception, TimeSpan timeout) => exception switch
    {
        ScrapeException refused => new(refused.Outcome, refused.Message),
        PageException unreadable => new(ScrapeOutcome.Unreadable, unreadable.Message),
        // The handler reports a connection that is not made in time as a cancellation, too.
        OperationCanceledException => new(ScrapeOutcome.TimedOut, string.Create(CultureInfo.InvariantCulture, $"timed out after {timeout.TotalSeconds:0.###}s")),
        CredentialsException ours => new(ScrapeOutcome.Credentials, ours.Message),
        HttpRequestException failed => OfRequest(failed),
        InvalidDataException => new(ScrapeOutcome.Unreadable, "its gzip cannot be decompressed"),
        IOException => new(ScrapeOutcome.CutShort, "the connection broke off within the page"),
        _ => new(ScrapeOutcome.Unexpected, "unexpected error; see the log"),
    };

    private static ScrapeFailure OfRequest(HttpRequestException failed) => failed.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => new(ScrapeOutcome.Unreachable, "its name cannot be resolved"),
        HttpRequestError.ConnectionError => new(ScrapeOutcome.Unreachable, (failed.InnerException as SocketException)?.SocketErrorCode switch
        {
            SocketError.ConnectionRefused => "connection refused",
            SocketError.HostUnreachable or SocketError.NetworkUnreachable => "no route to it",
            SocketError.TimedOut => "no answer to a connection",
            _ => "cannot be connected to",
        }),
        HttpRequestError.SecureConnectionError => new(ScrapeOutcome.Unreachable, "TLS failed, or its certificate is not trusted"),
        HttpRequestError.ProxyTunnelError => new(ScrapeOutcome.Unreachable, "the HTTP proxy did not let us through"),
        HttpRequestError.ResponseEnded => new(ScrapeOutcome.CutShort, "the connection ended without an answer"),
        HttpRequestError.InvalidResponse => new(ScrapeOutcome.Unreadable, "did not answer in HTTP"),
        HttpRequestError.ConfigurationLimitExceeded => new(ScrapeOutcome.TooLarge, "its headers are too long"),
        _ => failed.InnerException is IOException
            ? new(ScrapeOutcome.CutShort, "the connection broke off")
            : new(ScrapeOutcome.Unreachable, "cannot be asked"),
    };
}
