using System.Net.Sockets;
using SmiMetrics.Scrape;
using SmiMetrics.Transport;

namespace SmiMetrics.Tests.Scrape;

public sealed class ScrapeFailureTests
{
    public static TheoryData<Exception, string, string> Failures => new()
    {
        { new ScrapeException(ScrapeOutcome.HttpError, "answered 503"), "HttpError", "answered 503" },
        { new ScrapeException(ScrapeOutcome.TooLarge, "huge"), "TooLarge", "huge" },
        { new PageException("nothing in it is a sample"), "Unreadable", "nothing in it is a sample" },
        { new OperationCanceledException(), "TimedOut", "timed out after 2.5s" },
        { new TaskCanceledException("", new TimeoutException()), "TimedOut", "timed out after 2.5s" },
        { new CredentialsException("the token or password file cannot be read"), "Credentials", "the token or password file cannot be read" },
        { Request(HttpRequestError.NameResolutionError, new SocketException((int)SocketError.HostNotFound)), "Unreachable", "its name cannot be resolved" },
        { Request(HttpRequestError.ConnectionError, new SocketException((int)SocketError.ConnectionRefused)), "Unreachable", "connection refused" },
        { Request(HttpRequestError.ConnectionError, new SocketException((int)SocketError.HostUnreachable)), "Unreachable", "no route to it" },
        { Request(HttpRequestError.ConnectionError, new SocketException((int)SocketError.NetworkUnreachable)), "Unreachable", "no route to it" },
        { Request(HttpRequestError.ConnectionError, new SocketException((int)SocketError.TimedOut)), "Unreachable", "no answer to a connection" },
        { Request(HttpRequestError.ConnectionError, new SocketException((int)SocketError.AccessDenied)), "Unreachable", "cannot be connected to" },
        { Request(HttpRequestError.ConnectionError, null), "Unreachable", "cannot be connected to" },
        { Request(HttpRequestError.SecureConnectionError, null), "Unreachable", "TLS failed, or its certificate is not trusted" },
        { Request(HttpRequestError.ProxyTunnelError, null), "Unreachable", "the HTTP proxy did not let us through" },
        { Request(HttpRequestError.ResponseEnded, null), "CutShort", "the connection ended without an answer" },
        { Request(HttpRequestError.InvalidResponse, null), "Unreadable", "did not answer in HTTP" },
        { Request(HttpRequestError.ConfigurationLimitExceeded, null), "TooLarge", "its headers are too long" },
        { Request(HttpRequestError.Unknown, new IOException("reset")), "CutShort", "the connection broke off" },
        { Request(HttpRequestError.Unknown, null), "Unreachable", "cannot be asked" },
        { new HttpIOException(HttpRequestError.ResponseEnded), "CutShort", "the connection broke off within the page" },
        { new IOException("10.1.2.3 reset"), "CutShort", "the connection broke off within the page" },
        { new InvalidDataException("bad"), "Unreadable", "its gzip cannot be decompressed" },
        { new InvalidOperationException("10.1.2.3"), "Unexpected", "unexpected error; see the log" },
    };

    [Theory]
    [MemberData(nameof(Failures), DisableDiscoveryEnumeration = true)]
    public void Every_failure_has_its_word_and_its_words(Exception exception, string outcome, string reason)
    {
        ScrapeFailure failure = ScrapeFailure.Of(exception, TimeSpan.FromSeconds(2.5));

        Assert.Equal(outcome, failure.Outcome.ToString());
        Assert.Equal(reason, failure.Reason);
    }

    private static HttpRequestException Request(HttpRequestError error, Exception? inner) => new(error, "https://10.1.2.3/secret", inner);
}
