using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

/// <summary>A real Kestrel on 127.0.0.1 with our TLS and our authentication. It answers with what it knows of the user, a line each.</summary>
internal sealed class HttpsServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly DirectoryInfo _directory;

    private HttpsServer(WebApplication app, DirectoryInfo directory, AuthenticationTrust trust, ServingCertificate certificate, FakeTimeProvider time)
    {
        _app = app;
        _directory = directory;
        Trust = trust;
        Certificate = certificate;
        Time = time;
        Port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
    }

    public AuthenticationTrust Trust { get; }
    public ServingCertificate Certificate { get; }
    public FakeTimeProvider Time { get; }
    public int Port { get; }

    public string CertificateFile => Path.Combine(_directory.FullName, "tls.crt");
    public string KeyFile => Path.Combine(_directory.FullName, "tls.key");

    public static async Task<HttpsServer> StartAsync(TestAuthority serving, TlsVersion minimum = TlsVersion.VersionTLS12)
    {
        FakeTimeProvider time = new(TestAuthority.Now);
        DirectoryInfo directory = Directory.CreateTempSubdirectory("smi-metrics-");
        ServingOptions options = new()
        {
            TlsCertFile = Path.Combine(directory.FullName, "tls.crt"),
            TlsPrivateKeyFile = Path.Combine(directory.FullName, "tls.key"),
        };
        WritePair(serving, options.TlsCertFile, options.TlsPrivateKeyFile);
        ServingCertificate certificate = new(options, time, NullLogger<ServingCertificate>.Instance);
        AuthenticationTrust trust = new(new AuthenticationOptions(), time, NullLogger<AuthenticationTrust>.Instance);

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.UseServingLimits();
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseServingCertificate(certificate, minimum));
        });
        builder.Services.AddSingleton<TimeProvider>(time);
        builder.Services.AddSingleton(trust);
        builder.Services.AddSingleton<FrontProxyAuthenticator>();
        builder.Services.AddSingleton<ClientCertificateAuthenticator>();
        builder.Services.AddSingleton<AuthMetrics>();
        builder.Services.AddSingleton(provider => new RequestAuthenticator(
            provider.GetRequiredService<FrontProxyAuthenticator>(),
            provider.GetRequiredService<ClientCertificateAuthenticator>(),
            bearerToken: null,
            _ => false,
            time,
            NullLogger<RequestAuthenticator>.Instance));

        WebApplication app = builder.Build();
        app.UseRequestAuthentication(
            refuse: context =>
            {
                context.Response.StatusCode = StatusCodes.Status401Unauthorized;
                return context.Response.WriteAsync($"refused\npresented {context.Features.Get<PresentedCertificates>()!.Intermediates.Count}");
            },
            fail: _ => throw new InvalidOperationException("nobody is asked"));
        app.Run(context =>
        {
            RequestUser user = context.Features.Get<RequestUser>()!;
            int presented = context.Features.Get<PresentedCertificates>()!.Intermediates.Count;
            IEnumerable<string> extra = user.Extra.SelectMany(pair => pair.Value.Select(value => $"extra {pair.Key}={value}"));
            string[] lines = [context.Request.Protocol, $"presented {presented}", $"user {user.Name}", .. user.Groups.Select(group => $"group {group}"), .. extra];
            return context.Response.WriteAsync(string.Join('\n', lines));
        });
        await app.StartAsync(TestContext.Current.CancellationToken);
        return new HttpsServer(app, directory, trust, certificate, time);
    }

    public void TrustIn(params TestAuthority[] authorities) =>
        TrustIn(string.Concat(authorities.Select(authority => authority.Pem)), names: """["front-proxy-client"]""");

    public void TrustIn(string bundle, string names) => Trust.Apply(new Dictionary<string, string>
    {
        ["requestheader-client-ca-file"] = bundle,
        ["requestheader-allowed-names"] = names,
        ["requestheader-username-headers"] = """["X-Remote-User"]""",
        ["requestheader-group-headers"] = """["X-Remote-Group"]""",
        ["requestheader-extra-headers-prefix"] = """["X-Remote-Extra-"]""",
    });

    public static void WritePair(TestAuthority authority, string certificateFile, string keyFile)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = authority.IssueServing(key);
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem() + "\n" + authority.Pem);
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _directory.Delete(recursive: true);
    }
}

/// <summary>
/// One TLS connection that speaks HTTP/1.1 by hand: <see cref="HttpClient"/> would join the lines of a header with commas, which is
/// just what a front proxy does not do.
/// </summary>
internal sealed class HttpsPeer : IDisposable
{
    private readonly SslStream _stream;
    private readonly StreamReader _reader;

    private HttpsPeer(SslStream stream)
    {
        _stream = stream;
        _reader = new StreamReader(stream, Encoding.Latin1);
    }

    /// <summary>The certificate that the server showed.</summary>
    public X509Certificate2 ServerCertificate => (X509Certificate2)_stream.RemoteCertificate!;

    /// <summary>What the server sent with it.</summary>
    public List<string> ServerChain { get; } = [];

    public static async Task<HttpsPeer> ConnectAsync(int port, string? serverName, X509Certificate2? leaf, params X509Certificate2[] chain)
    {
        TcpClient tcp = new();
        await tcp.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        List<string> serverChain = [];
        SslStream stream = new(tcp.GetStream());
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = serverName ?? "",
                ClientCertificateContext = leaf is null ? null : SslStreamCertificateContext.Create(leaf, [.. chain], offline: true),
                RemoteCertificateValidationCallback = (_, _, served, _) =>
                {
                    serverChain.AddRange(served!.ChainPolicy.ExtraStore.Select(certificate => certificate.Subject));
                    return true;
                },
            },
            TestContext.Current.CancellationToken);
        HttpsPeer peer = new(stream);
        peer.ServerChain.AddRange(serverChain);
        return peer;
    }

    public async Task<(int Code, string[] Lines)> GetAsync(params string[] headers)
    {
        StringBuilder request = new("GET / HTTP/1.1\r\nHost: 10.0.0.17:443\r\n");
        foreach (string header in headers)
        {
            request.Append(header).Append("\r\n");
        }

        await _stream.WriteAsync(Encoding.UTF8.GetBytes(request.Append("\r\n").ToString()), TestContext.Current.CancellationToken);
        await _stream.FlushAsync(TestContext.Current.CancellationToken);

        string status = await LineAsync();
        bool chunked = false;
        int length = 0;
        string line;
        while ((line = await LineAsync()).Length > 0)
        {
            Assert.False(line.StartsWith("Server:", StringComparison.OrdinalIgnoreCase), line);
            chunked |= line.Equals("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase);
            if (line.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase))
            {
                length = int.Parse(line["Content-Length: ".Length..]);
            }
        }

        StringBuilder body = new();
        do
        {
            if (chunked)
            {
                length = Convert.ToInt32(await LineAsync(), 16);
            }

            char[] part = new char[length];
            await _reader.ReadBlockAsync(part, TestContext.Current.CancellationToken);
            body.Append(part);
            if (chunked)
            {
                await LineAsync();
            }
        }
        while (chunked && length > 0);

        return (int.Parse(status.Split(' ')[1]), body.ToString().Split('\n'));
    }

    public void Dispose()
    {
        _reader.Dispose();
        _stream.Dispose();
    }

    private async Task<string> LineAsync() =>
        await _reader.ReadLineAsync(TestContext.Current.CancellationToken) ?? throw new EndOfStreamException();
}
