using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

/// <summary>Over real TLS connections to a real Kestrel.</summary>
public sealed class ServingEndpointTests
{
    private const string Usage = TestAuthority.ClientAuthentication;

    private static readonly TestAuthority Serving = TestAuthority.Root("serving-ca");
    private static readonly TestAuthority FrontProxies = TestAuthority.Root("front-proxy-ca");
    private static readonly X509Certificate2 FrontProxy = FrontProxies.Issue("CN=front-proxy-client", Usage);

    [Theory]
    [InlineData(null)]
    [InlineData("localhost")]
    [InlineData("smi-metrics.smi-metrics.svc")]
    [InlineData("no.such.name")]
    public async Task The_front_proxy_is_served_under_every_server_name(string? serverName)
    {
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);

        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, serverName, FrontProxy);

        (int code, string[] lines) = await peer.GetAsync("X-Remote-User: alice", "X-Remote-Group: g,2");
        Assert.Equal(200, code);
        Assert.Equal(["HTTP/1.1", "presented 0", "user alice", "group g,2", "group system:authenticated"], lines);
    }

    [Fact]
    public async Task A_peer_without_certificate_connects_and_is_refused()
    {
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);

        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", leaf: null);

        Assert.Equal(401, (await peer.GetAsync("X-Remote-User: alice")).Code);
    }

    [Fact]
    public async Task A_presented_intermediate_reaches_the_verification()
    {
        TestAuthority intermediate = FrontProxies.Intermediate("intermediate");
        X509Certificate2 leaf = intermediate.Issue("CN=front-proxy-client", Usage);
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);

        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", leaf, intermediate.Certificate);
        (int code, string[] lines) = await peer.GetAsync("X-Remote-User: alice");
        Assert.Equal(200, code);
        Assert.Equal("presented 1", lines[1]);

        using HttpsPeer without = await HttpsPeer.ConnectAsync(server.Port, "localhost", leaf);
        Assert.Equal(401, (await without.GetAsync("X-Remote-User: alice")).Code);
    }

    /// <summary>field.md A5.</summary>
    [Fact]
    public async Task The_genuine_certificate_appended_to_a_wrong_chain_is_refused()
    {
        // SslStream sends only what forms a chain, so the wrong leaf is one that the genuine certificate's own key signed.
        X509Certificate2 wrong = TestAuthority.Usurp("CN=intruder", FrontProxy);
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", wrong, FrontProxy);

        server.TrustIn(FrontProxies);
        (int code, string[] lines) = await peer.GetAsync("X-Remote-User: alice");
        Assert.Equal(401, code);
        Assert.Equal(["refused", "presented 1"], lines);

        server.TrustIn(FrontProxies.Pem, names: "[]");
        Assert.Equal(401, (await peer.GetAsync("X-Remote-User: alice")).Code);
    }

    [Fact]
    public async Task A_chain_with_a_forged_signature_does_not_get_as_far_as_a_request()
    {
        X509Certificate2 wrong = TestAuthority.Forge("CN=intruder", FrontProxy);
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies.Pem, names: "[]");

        // .NET ends the handshake of its own accord; with TLS 1.3 a client learns of it when it reads.
        await Assert.ThrowsAnyAsync<IOException>(async () =>
        {
            using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", wrong, FrontProxy);
            await peer.GetAsync("X-Remote-User: alice");
        });
    }

    [Fact]
    public async Task Two_hundred_groups_and_a_long_extra_fit_into_a_request()
    {
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);
        string[] groups = [.. Enumerable.Range(0, 200).Select(i => $"cn=group-{i},ou={new string('x', 400)},dc=example")];
        string extra = new('e', 60_000);

        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", FrontProxy);
        (int code, string[] lines) = await peer.GetAsync(
            ["X-Remote-User: alice", .. groups.Select(group => $"X-Remote-Group: {group}"), $"x-remote-extra-example.com%2fscopes: {extra}"]);

        Assert.Equal(200, code);
        Assert.Equal([.. groups.Select(group => $"group {group}"), "group system:authenticated", $"extra example.com/scopes={extra}"], lines[3..]);
    }

    [Fact]
    public async Task Http2_is_spoken_and_knows_the_peer_and_takes_as_many_headers()
    {
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);
        using SocketsHttpHandler handler = new();
        handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(FrontProxy, [], offline: true);
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Issuer == "CN=serving-ca";
        using HttpClient client = new(handler);
        using HttpRequestMessage request = new(HttpMethod.Get, $"https://localhost:{server.Port}/")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Headers.Add("X-Remote-User", "alice");
        for (int i = 0; i < 200; i++)
        {
            request.Headers.TryAddWithoutValidation($"X-Remote-Extra-{i}", new string('v', 300));
        }

        request.Headers.TryAddWithoutValidation("X-Remote-Extra-Long", new string('v', 60_000));

        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);

        string[] lines = (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split('\n');
        Assert.Equal(["HTTP/2", "presented 0", "user alice", "group system:authenticated"], lines[..4]);
        Assert.Equal(201, lines.Count(line => line.StartsWith("extra ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_replaced_certificate_is_shown_to_new_connections_and_old_ones_live_on()
    {
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);
        using HttpsPeer before = await HttpsPeer.ConnectAsync(server.Port, "localhost", FrontProxy);
        Assert.Equal("CN=serving-ca", before.ServerCertificate.Issuer);

        HttpsServer.WritePair(TestAuthority.Root("renewed-ca"), server.CertificateFile, server.KeyFile);
        server.Certificate.Refresh();

        using HttpsPeer after = await HttpsPeer.ConnectAsync(server.Port, "localhost", FrontProxy);
        Assert.Equal("CN=renewed-ca", after.ServerCertificate.Issuer);
        Assert.Equal(200, (await after.GetAsync("X-Remote-User: alice")).Code);
        Assert.Equal(200, (await before.GetAsync("X-Remote-User: alice")).Code);
    }

    [Fact]
    public async Task The_intermediates_of_the_serving_certificate_are_sent_along()
    {
        TestAuthority intermediate = Serving.Intermediate("serving-intermediate");
        await using HttpsServer server = await HttpsServer.StartAsync(intermediate);

        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", leaf: null);

        Assert.Contains("CN=serving-intermediate", peer.ServerChain);
    }

    [Fact]
    public async Task A_replaced_bundle_judges_open_connections_anew()
    {
        TestAuthority next = TestAuthority.Root("front-proxy-ca");
        await using HttpsServer server = await HttpsServer.StartAsync(Serving);
        server.TrustIn(FrontProxies);
        using HttpsPeer peer = await HttpsPeer.ConnectAsync(server.Port, "localhost", FrontProxy);
        Assert.Equal(200, (await peer.GetAsync("X-Remote-User: alice")).Code);

        server.TrustIn(next);
        Assert.Equal(401, (await peer.GetAsync("X-Remote-User: alice")).Code);

        server.TrustIn(next, FrontProxies);
        Assert.Equal(200, (await peer.GetAsync("X-Remote-User: alice")).Code);

        server.Time.SetUtcNow(new DateTimeOffset(FrontProxy.NotAfter).AddSeconds(1));
        Assert.Equal(401, (await peer.GetAsync("X-Remote-User: alice")).Code);
    }

    [Theory]
    [InlineData(nameof(TlsVersion.VersionTLS12), 0x01, false)]
    [InlineData(nameof(TlsVersion.VersionTLS12), 0x02, false)]
    [InlineData(nameof(TlsVersion.VersionTLS12), 0x03, true)]
    [InlineData(nameof(TlsVersion.VersionTLS13), 0x03, false)]
    public async Task Older_protocols_than_the_minimum_are_refused(string minimum, byte offered, bool accepted)
    {
        const byte Alert = 21;
        const byte Handshake = 22;
        await using HttpsServer server = await HttpsServer.StartAsync(Serving, Enum.Parse<TlsVersion>(minimum));
        using TcpClient tcp = new();
        await tcp.ConnectAsync(IPAddress.Loopback, server.Port, TestContext.Current.CancellationToken);

        await tcp.GetStream().WriteAsync(ClientHello(offered), TestContext.Current.CancellationToken);

        byte[] answer = new byte[7];
        await tcp.GetStream().ReadExactlyAsync(answer, TestContext.Current.CancellationToken);
        Assert.Equal(accepted ? Handshake : Alert, answer[0]);
        if (!accepted)
        {
            const byte Fatal = 2;
            const byte ProtocolVersion = 70;
            Assert.Equal([Fatal, ProtocolVersion], answer[5..]);
        }
    }

    // By hand, because client libraries no longer offer TLS 1.1 even when asked to (RFC 4346, 7.4.1.2).
    private static byte[] ClientHello(byte minorVersion)
    {
        byte[] suites = [0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x09, 0xc0, 0x0a, 0xc0, 0x13, 0xc0, 0x14];
        byte[] extensions =
        [
            0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, // groups: P-256
            0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, // uncompressed points
            0x00, 0x0d, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03, // signatures: ECDSA with SHA-256
        ];
        byte[] body =
        [
            3, minorVersion, .. RandomNumberGenerator.GetBytes(32), 0,
            0, (byte)suites.Length, .. suites, 1, 0, 0, (byte)extensions.Length, .. extensions,
        ];
        return [22, 3, 1, 0, (byte)(body.Length + 4), 1, 0, 0, (byte)body.Length, .. body];
    }
}
