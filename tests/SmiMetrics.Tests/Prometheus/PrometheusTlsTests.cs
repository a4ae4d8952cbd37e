using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Prometheus;

/// <summary>The real transport against a real TLS server.</summary>
public sealed class PrometheusTlsTests : IDisposable
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private readonly PrometheusMetrics _metrics = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("smi-metrics-tls").FullName;

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
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null);

        Assert.Equal(5, await AskAsync(server.Url, options => options with { CaFile = Save("ca.pem", authority.Pem) }));
        await AssertUnreachableAsync(server.Url, options => options with { CaFile = Save("stranger.pem", stranger.Pem) });
        await AssertUnreachableAsync(server.Url, options => options);
    }

    [Fact]
    public async Task A_certificate_for_another_name_is_refused_even_from_the_trusted_CA()
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null);

        await AssertUnreachableAsync(server.Url.Replace("localhost", "127.0.0.1", StringComparison.Ordinal), options => options with { CaFile = Save("ca.pem", authority.Pem) });
    }

    [Fact]
    public async Task The_client_certificate_is_shown_with_its_key_in_a_file_of_its_own_or_in_the_same_one()
    {
        using Authority authority = new("CN=ours");
        using Authority clients = new("CN=clients");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients);
        using X509Certificate2 certificate = clients.Issue("CN=smi-metrics");
        string pem = certificate.ExportCertificatePem();
        string key = certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        string ca = Save("ca.pem", authority.Pem);

        Assert.Equal(5, await AskAsync(server.Url, options => options with { CaFile = ca, ClientCertFile = Save("tls.crt", pem), ClientKeyFile = Save("tls.key", key) }));
        Assert.Equal("CN=smi-metrics", server.LastClient);
        Assert.Equal(5, await AskAsync(server.Url, options => options with { CaFile = ca, ClientCertFile = Save("both.pem", pem + "\n" + key) }));
        await AssertUnreachableAsync(server.Url, options => options with { CaFile = ca });
    }

    [Fact]
    public async Task Renewed_certificate_files_are_used_within_a_minute()
    {
        using Authority authority = new("CN=ours");
        using Authority stranger = new("CN=stranger");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null);
        FakeTimeProvider time = new(Now);
        PrometheusOptions options = new() { Urls = [server.Url], CaFile = Save("ca.pem", stranger.Pem) };
        using PrometheusHandler handler = new(options, time);
        using PrometheusClient client = new(options, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);

        await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(client));
        Save("ca.pem", authority.Pem);
        time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(5, await AskAsync(client));
    }

    /// <summary>While files are renewed, one is there before the other: queries must not stop for that.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN CERT")]
    public async Task A_CA_file_that_is_being_written_leaves_the_one_before_it_in_use(string half)
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null);
        FakeTimeProvider time = new(Now);
        PrometheusOptions options = new() { Urls = [server.Url], CaFile = Save("ca.pem", authority.Pem) };
        using PrometheusHandler handler = new(options, time);
        using PrometheusClient client = new(options, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);

        Assert.Equal(5, await AskAsync(client));
        Save("ca.pem", half);
        time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(5, await AskAsync(client));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    public async Task A_CA_file_without_a_certificate_trusts_nobody(string content)
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null);

        await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(server.Url, options => options with { CaFile = Save("ca.pem", content) }));
    }

    [Fact]
    public async Task A_compressed_body_is_read_and_one_that_only_claims_to_be_is_unreadable()
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients: null);
        string ca = Save("ca.pem", authority.Pem);
        // Loopback is asked for no compression; the second URL, which only the handler knows, makes it think of a network.
        PrometheusOptions options = new() { Urls = [server.Url, "http://prometheus.invalid"], CaFile = ca };
        using PrometheusHandler handler = new(options, TimeProvider.System);
        PrometheusClient ClientOf(string path) => new(
            options with { Urls = [server.Url + path] }, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);

        using PrometheusClient compressed = ClientOf("/gzip");
        Assert.Equal(5, await AskAsync(compressed));
        Assert.True(server.Compressed);
        using PrometheusClient garbled = ClientOf("/garbled");
        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(garbled));
        Assert.Equal("Prometheus gave an answer that cannot be read", e.Message);
    }

    private async Task AssertUnreachableAsync(string url, Func<PrometheusOptions, PrometheusOptions> with)
    {
        SourceUnavailableException e = await Assert.ThrowsAsync<SourceUnavailableException>(() => AskAsync(url, with));

        Assert.Equal("Prometheus cannot be reached", e.Message);
    }

    private async Task<double> AskAsync(string url, Func<PrometheusOptions, PrometheusOptions> with)
    {
        PrometheusOptions options = with(new() { Urls = [url] });
        using PrometheusHandler handler = new(options, TimeProvider.System);
        using PrometheusClient client = new(options, handler, TimeProvider.System, _metrics, NullLogger<PrometheusClient>.Instance);
        return await AskAsync(client);
    }

    private static async Task<double> AskAsync(PrometheusClient client) =>
        (await client.QueryAsync("x", Now, static () => new IncreaseRows([]), Token)).Rows[0].Value;

    private string Save(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }

    private sealed class Authority : IDisposable
    {
        private readonly X509Certificate2 _root;

        public Authority(string name)
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new(name, key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
            request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
            _root = request.CreateSelfSigned(Now.AddHours(-1), Now.AddHours(1));
        }

        public string Pem => _root.ExportCertificatePem();

        public bool Issued(X509Certificate2 certificate)
        {
            using X509Chain chain = new();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.CustomTrustStore.Add(_root);
            return chain.Build(certificate);
        }

        public X509Certificate2 Issue(string name)
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new(name, key, HashAlgorithmName.SHA256);
            SubjectAlternativeNameBuilder names = new();
            names.AddDnsName("localhost");
            request.CertificateExtensions.Add(names.Build());
            using X509Certificate2 signed = request.Create(_root, Now.AddHours(-1), Now.AddMinutes(50), RandomNumberGenerator.GetBytes(8));
            return signed.CopyWithPrivateKey(key);
        }

        public void Dispose() => _root.Dispose();
    }

    private sealed class TlsServer(WebApplication application, X509Certificate2 certificate) : IAsyncDisposable
    {
        private const string OneRow = """{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"5"]}]}}""";

        public string Url => application.Urls.Single().Replace("127.0.0.1", "localhost", StringComparison.Ordinal);

        public string? LastClient { get; private set; }

        public bool Compressed { get; private set; }

        public static async Task<TlsServer> StartAsync(Authority authority, Authority? clients)
        {
            X509Certificate2 certificate = authority.Issue("CN=localhost");
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseKestrelHttpsConfiguration();
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
            {
                https.ServerCertificate = certificate;
                https.ClientCertificateMode = clients is null ? ClientCertificateMode.NoCertificate : ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (client, _, _) => clients!.Issued(client);
            })));
            WebApplication application = builder.Build();
            TlsServer server = new(application, certificate);
            application.Run(server.AnswerAsync);
            await application.StartAsync(Token);
            return server;
        }

        public async ValueTask DisposeAsync()
        {
            await application.DisposeAsync();
            certificate.Dispose();
        }

        private async Task AnswerAsync(HttpContext context)
        {
            LastClient = context.Connection.ClientCertificate?.Subject;
            if (context.Request.Path.StartsWithSegments("/gzip") && context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.Ordinal))
            {
                Compressed = true;
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
}
