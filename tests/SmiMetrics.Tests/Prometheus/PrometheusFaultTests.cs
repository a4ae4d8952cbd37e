using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;
using SmiMetrics.Transport;
using WireMock.RequestBuilders;
using WireMock.ResponseBuilders;
using WireMock.Server;

namespace SmiMetrics.Tests.Prometheus;

/// <summary>The client with its real transport against servers that misbehave on the wire.</summary>
public sealed class PrometheusFaultTests : IDisposable
{
    private const string OneRow = """{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"web-0"},"value":[1,"5"]}]}}""";

    private readonly PrometheusMetrics _metrics = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _metrics.Dispose();

    [Fact]
    public async Task A_500_and_then_an_answer_is_an_answer()
    {
        using WireMockServer server = WireMockServer.Start();
        IRequestBuilder query = Request.Create().WithPath("/prefix/api/v1/query").UsingPost();
        server.Given(query).InScenario("passing").WillSetStateTo("fine").RespondWith(Response.Create().WithStatusCode(500));
        server.Given(query).InScenario("passing").WhenStateIs("fine").RespondWith(Response.Create().WithBody(OneRow));

        IncreaseRows rows = await AskAsync(server.Url + "/prefix/");

        Assert.Equal(5, Assert.Single(rows.Rows).Value);
        Assert.Equal(2, server.LogEntries.Count);
    }

    [Fact]
    public async Task An_HTML_page_with_503_is_told_in_our_words()
    {
        using WireMockServer server = WireMockServer.Start();
        server.Given(Request.Create()).RespondWith(
            Response.Create().WithStatusCode(503).WithHeader("Content-Type", "text/html").WithBody("<html>no healthy upstream 10.0.0.1</html>"));

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(server.Url!));

        Assert.Equal("Prometheus answers with an error", e.Message);
        Assert.Equal(3, server.LogEntries.Count);
    }

    [Fact]
    public async Task A_server_that_is_too_slow_is_a_timeout()
    {
        using WireMockServer server = WireMockServer.Start();
        server.Given(Request.Create()).RespondWith(Response.Create().WithBody(OneRow).WithDelay(TimeSpan.FromMinutes(1)));

        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(
            () => AskAsync(server.Url!, options => options with { Timeout = TimeSpan.FromMilliseconds(300) }));

        Assert.True(e.TimedOut);
    }

    [Fact]
    public async Task A_redirection_is_not_followed_because_headers_are_meant_for_one_host()
    {
        using WireMockServer server = WireMockServer.Start();
        server.Given(Request.Create().WithPath("/api/v1/query")).RespondWith(Response.Create().WithStatusCode(307).WithHeader("Location", "/elsewhere"));

        await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(server.Url!, options => options with { Headers = ["X-Key=secret"] }));

        Assert.Single(server.LogEntries);
    }

    [Theory]
    [InlineData("half a body, then the connection closes")]
    [InlineData("half a body, then the connection is reset")]
    [InlineData("half a chunked body, then the connection closes")]
    [InlineData("nothing at all")]
    [InlineData("not HTTP")]
    public async Task A_connection_that_breaks_off_once_is_made_again_and_one_that_always_does_is_told(string fault)
    {
        await using BreakingServer once = new(fault, breaks: 1);
        Assert.Equal(5, Assert.Single((await AskAsync(once.Url)).Rows).Value);
        Assert.Equal(2, once.Connections);

        await using BreakingServer always = new(fault, breaks: int.MaxValue);
        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(always.Url));
        Assert.Equal("Prometheus cannot be reached", e.Message);
        Assert.Equal(3, always.Connections);
    }

    [Fact]
    public async Task A_port_where_nobody_listens_is_unreachable()
    {
        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync($"http://127.0.0.1:{FreePort.Next()}"));

        Assert.Equal("Prometheus cannot be reached", e.Message);
        Assert.DoesNotContain("127.0.0.1", e.Message, StringComparison.Ordinal);
    }

    private async Task<IncreaseRows> AskAsync(string url, Func<PrometheusOptions, PrometheusOptions>? with = null)
    {
        PrometheusOptions options = new() { Urls = [url], Timeout = Patience.Limit };
        options = with?.Invoke(options) ?? options;
        using TransportHandler handler = new(options.Transport, TimeProvider.System);
        using PrometheusClient client = new(options, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);
        return await client.QueryAsync("x", DateTimeOffset.UnixEpoch, static () => new IncreaseRows(["pod"]), Token);
    }

    /// <summary>Breaks its first connections in one way and answers on the later ones.</summary>
    private sealed class BreakingServer : IAsyncDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _serving;
        private int _connections;

        public BreakingServer(string fault, int breaks)
        {
            _listener.Start();
            _serving = ServeAsync(fault, breaks);
        }

        public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

        public int Connections => _connections;

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _serving;
            _listener.Stop();
            _stop.Dispose();
        }

        private async Task ServeAsync(string fault, int breaks)
        {
            byte[] request = new byte[8192];
            while (true)
            {
                try
                {
                    using Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                    await socket.ReceiveAsync(request, _stop.Token);
                    string answer = _connections++ < breaks
                        ? fault switch
                        {
                            "half a chunked body, then the connection closes" =>
                                $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{OneRow.Length:x}\r\n{OneRow[..50]}",
                            "nothing at all" => "",
                            "not HTTP" => "SSH-2.0-OpenSSH_9.9\r\n\r\n",
                            _ => $"HTTP/1.1 200 OK\r\nContent-Length: {OneRow.Length}\r\n\r\n{OneRow[..50]}",
                        }
                        : $"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {OneRow.Length}\r\n\r\n{OneRow}";
                    await socket.SendAsync(Encoding.ASCII.GetBytes(answer));
                    if (fault.EndsWith("reset", StringComparison.Ordinal) && _connections <= breaks)
                    {
                        socket.LingerState = new LingerOption(enable: true, seconds: 0);
                    }
                }
                catch (OperationCanceledException)
                {
                    return;
                }
                catch (SocketException)
                {
                    // This client is gone; the next one is not.
                }
            }
        }
    }
}
