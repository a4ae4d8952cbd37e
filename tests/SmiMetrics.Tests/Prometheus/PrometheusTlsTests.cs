using System.IO.Compression;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Prometheus;
using SmiMetrics.Tests.Transport;
using SmiMetrics.Traffic;
using SmiMetrics.Transport;

namespace SmiMetrics.Tests.Prometheus;

/// <summary>The client with the real transport against a real TLS server.</summary>
public sealed class PrometheusTlsTests : IDisposable
{
    private const string OneRow = """{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"5"]}]}}""";

    private readonly PrometheusMetrics _metrics = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("smi-metrics-tls").FullName;
    private bool _compressed;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _metrics.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task The_CA_file_is_what_is_trusted()
    {
        using Authority authority = new("CN=ours");
        using Authority stranger = new("CN=stranger");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null, AnswerAsync);

        Assert.Equal(5, await AskAsync(server.Url, Save("ca.pem", authority.Pem)));
        await AssertFailsAsync("Prometheus cannot be reached", server.Url, Save("stranger.pem", stranger.Pem));
        await AssertFailsAsync("Prometheus cannot be reached", server.Url, caFile: null);
    }

    [Fact]
    public async Task A_CA_file_without_a_certificate_trusts_nobody()
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null, AnswerAsync);

        await AssertFailsAsync("Prometheus refused access", server.Url, Save("ca.pem", ""));
    }

    [Fact]
    public async Task A_compressed_body_is_read_and_one_that_only_claims_to_be_is_unreadable()
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null, AnswerAsync);
        string ca = Save("ca.pem", authority.Pem);
        // Loopback is asked for no compression; the second URL, which only the handler knows, makes it think of a network.
        PrometheusOptions options = new() { Urls = [server.Url, "http://prometheus.invalid"], CaFile = ca, Timeout = Patience.Limit };
        using TransportHandler handler = new(options.Transport, TimeProvider.System);
        PrometheusClient ClientOf(string path) => new(
            options with { Urls = [server.Url + path] }, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);

        using PrometheusClient compressed = ClientOf("/gzip");
        Assert.Equal(5, await AskAsync(compressed));
        Assert.True(_compressed);
        using PrometheusClient garbled = ClientOf("/garbled");
        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(garbled));
        Assert.Equal("Prometheus gave an answer that cannot be read", e.Message);
    }

    private async Task AssertFailsAsync(string message, string url, string? caFile)
    {
        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(url, caFile));

        Assert.Equal(message, e.Message);
    }

    private async Task<double> AskAsync(string url, string? caFile)
    {
        PrometheusOptions options = new() { Urls = [url], CaFile = caFile, Timeout = Patience.Limit };
        using TransportHandler handler = new(options.Transport, TimeProvider.System);
        using PrometheusClient client = new(options, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);
        return await AskAsync(client);
    }

    private static async Task<double> AskAsync(PrometheusClient client) =>
        (await client.QueryAsync("x", DateTimeOffset.UnixEpoch, static () => new IncreaseRows([]), Token)).Rows[0].Value;

    private string Save(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Path.StartsWithSegments("/gzip") && context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal))
        {
            _compressed = true;
            context.Response.Headers.ContentEncoding = "gzip";
            await using GZipStream gzip = new(context.Response.Body, CompressionLevel.Fastest);
            await gzip.WriteAsync(Encoding.UTF8.GetBytes(OneRow), context.RequestAborted);
            return;
        }

        if (context.Request.Path.StartsWithSegments("/garbled"))
        {
            context.Response.Headers.ContentEncoding = "gzip";
        }

        await context.Response.WriteAsync(OneRow, context.RequestAborted);
    }
}
