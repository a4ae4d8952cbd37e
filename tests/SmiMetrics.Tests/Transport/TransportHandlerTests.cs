using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Transport;

namespace SmiMetrics.Tests.Transport;

/// <summary>The real transport against a real TLS server, which answers with the name of its client.</summary>
public sealed class TransportHandlerTests : IDisposable
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private static readonly TransportOptions Plain = new()
    {
        ConnectTimeout = TimeSpan.FromSeconds(10),
        ConnectionLifetime = TimeSpan.FromMinutes(2),
        IdleTimeout = TimeSpan.FromMinutes(1),
        Compression = false,
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("smi-metrics-tls").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_CA_file_is_what_is_trusted()
    {
        using Authority authority = new("CN=ours");
        using Authority stranger = new("CN=stranger");
        await using TlsServer server = await ServeAsync(authority);

        await AskAsync(server.Url, Plain with { CaFile = Save("ca.pem", authority.Pem) });
        await AskAsync(server.Url, Plain with { CaFile = Save("both.pem", stranger.Pem + authority.Pem) });
        await AssertUntrustedAsync(server.Url, Plain with { CaFile = Save("stranger.pem", stranger.Pem) });
        await AssertUntrustedAsync(server.Url, Plain);
    }

    [Fact]
    public async Task An_intermediate_authority_alone_is_an_anchor_as_it_is_to_Go()
    {
        using Authority root = new("CN=root");
        using Authority intermediate = new("CN=intermediate", root);
        await using TlsServer server = await ServeAsync(intermediate);

        await AskAsync(server.Url, Plain with { CaFile = Save("ca.pem", intermediate.Pem) });
    }

    [Fact]
    public async Task Nobody_becomes_trusted_by_the_name_of_an_intermediate_authority()
    {
        using Authority root = new("CN=root");
        using Authority intermediate = new("CN=intermediate", root);
        using Authority sameName = new("CN=intermediate", root);
        using Authority sibling = new("CN=sibling", root);
        await using TlsServer impostor = await ServeAsync(sameName);
        await using TlsServer neighbour = await ServeAsync(sibling);
        TransportOptions options = Plain with { CaFile = Save("ca.pem", intermediate.Pem) };

        await AssertUntrustedAsync(impostor.Url, options);
        await AssertUntrustedAsync(neighbour.Url, options);
    }

    [Fact]
    public async Task An_expired_certificate_of_an_intermediate_authority_is_refused()
    {
        using Authority root = new("CN=root");
        using Authority intermediate = new("CN=intermediate", root);
        await using TlsServer server = await TlsServer.StartAsync(intermediate.Issue("CN=localhost", Now.AddMinutes(-1)), clients: null, AnswerAsync);

        await AssertUntrustedAsync(server.Url, Plain with { CaFile = Save("ca.pem", intermediate.Pem) });
    }

    [Fact]
    public async Task A_certificate_for_another_name_is_refused_even_from_the_trusted_CA()
    {
        using Authority root = new("CN=root");
        using Authority intermediate = new("CN=intermediate", root);
        foreach (Authority authority in new[] { root, intermediate })
        {
            await using TlsServer server = await ServeAsync(authority);

            await AssertUntrustedAsync(
                server.Url.Replace("localhost", "127.0.0.1", StringComparison.Ordinal), Plain with { CaFile = Save("ca.pem", authority.Pem) });
        }
    }

    [Fact]
    public async Task The_client_certificate_is_shown_with_its_key_in_a_file_of_its_own_or_in_the_same_one()
    {
        using Authority authority = new("CN=ours");
        using Authority clients = new("CN=clients");
        await using TlsServer server = await TlsServer.StartAsync(authority, clients, AnswerAsync);
        using X509Certificate2 certificate = clients.Issue("CN=smi-metrics");
        string pem = certificate.ExportCertificatePem();
        string key = certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        TransportOptions options = Plain with { CaFile = Save("ca.pem", authority.Pem) };

        Assert.Equal("CN=smi-metrics", await AskAsync(server.Url, options with { ClientCertFile = Save("tls.crt", pem), ClientKeyFile = Save("tls.key", key) }));
        Assert.Equal("CN=smi-metrics", await AskAsync(server.Url, options with { ClientCertFile = Save("both.pem", pem + "\n" + key) }));
        await AssertUntrustedAsync(server.Url, options);
    }

    [Fact]
    public async Task Renewed_certificate_files_are_used_within_a_minute()
    {
        using Authority authority = new("CN=ours");
        using Authority stranger = new("CN=stranger");
        await using TlsServer server = await ServeAsync(authority);
        FakeTimeProvider time = new(Now);
        using HttpMessageInvoker invoker = new(new TransportHandler(Plain with { CaFile = Save("ca.pem", stranger.Pem) }, time));

        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(server.Url, invoker));
        Save("ca.pem", authority.Pem);
        time.Advance(TimeSpan.FromMinutes(1));

        await AskAsync(server.Url, invoker);
    }

    /// <summary>While files are renewed, one is there before the other: requests must not stop for that.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN CERT")]
    public async Task A_CA_file_that_is_being_written_leaves_the_one_before_it_in_use(string half)
    {
        using Authority authority = new("CN=ours");
        await using TlsServer server = await ServeAsync(authority);
        FakeTimeProvider time = new(Now);
        using HttpMessageInvoker invoker = new(new TransportHandler(Plain with { CaFile = Save("ca.pem", authority.Pem) }, time));

        await AskAsync(server.Url, invoker);
        Save("ca.pem", half);
        time.Advance(TimeSpan.FromMinutes(1));

        await AskAsync(server.Url, invoker);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")]
    public async Task A_CA_file_without_a_certificate_trusts_nobody(string content)
    {
        TransportOptions options = Plain with { CaFile = Save("ca.pem", content) };

        await Assert.ThrowsAsync<CredentialsException>(() => AskAsync("https://localhost:1", options));
    }

    [Fact]
    public async Task Files_that_cannot_be_read_are_told_without_their_names()
    {
        CredentialsException e = await Assert.ThrowsAsync<CredentialsException>(
            () => AskAsync("https://localhost:1", Plain with { CaFile = Path.Combine(_folder, "missing.pem") }));

        Assert.Equal("the certificate files cannot be read", e.Message);
    }

    private static Task<TlsServer> ServeAsync(Authority authority) => TlsServer.StartAsync(authority, clients: null, AnswerAsync);

    private static Task AnswerAsync(HttpContext context) =>
        context.Response.WriteAsync(context.Connection.ClientCertificate?.Subject ?? "nobody", context.RequestAborted);

    private static async Task AssertUntrustedAsync(string url, TransportOptions options) =>
        await Assert.ThrowsAsync<HttpRequestException>(() => AskAsync(url, options));

    private static async Task<string> AskAsync(string url, TransportOptions options)
    {
        using HttpMessageInvoker invoker = new(new TransportHandler(options, TimeProvider.System));
        return await AskAsync(url, invoker);
    }

    private static async Task<string> AskAsync(string url, HttpMessageInvoker invoker)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, url);
        using HttpResponseMessage response = await invoker.SendAsync(request, Token);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync(Token);
    }

    private string Save(string name, string content)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, content);
        return path;
    }
}
