using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;
using SmiMetrics.Diagnostics;
using SmiMetrics.Hosting;
using SmiMetrics.Tests.Api;
using SmiMetrics.Tests.Auth;

namespace SmiMetrics.Tests.Hosting;

/// <summary>What happens to connections, over real ones.</summary>
public sealed class ConnectionTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 20)]
    public async Task A_goaway_moves_a_caller_on_and_loses_no_request(double chance, int connections)
    {
        await using WebApplication app = await ServeAsync(
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2),
            app =>
            {
                app.UseGoAway(chance);
                app.Run(context => context.Response.WriteAsync(context.Connection.Id));
            });
        using HttpClient client = new() { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        HashSet<string> seen = [];
        for (int i = 0; i < 20; i++)
        {
            seen.Add(await client.GetStringAsync(Address(app), Token));
        }

        Assert.Equal(connections, seen.Count);
    }

    [Fact]
    public async Task Whoever_ends_before_the_handshake_does_is_counted()
    {
        using RequestMeters meters = new();
        RequestMetrics metrics = new(meters);
        await using WebApplication app = await ServeTlsAsync((listen, tls) => listen.UseCountedHandshakes(metrics, tls));
        int port = new Uri(Address(app)).Port;

        using (HttpsPeer peer = await HttpsPeer.ConnectAsync(port, "localhost", leaf: null))
        {
            Assert.Equal(200, (await peer.GetAsync()).Code);
        }

        using (TcpClient plain = new())
        {
            await plain.ConnectAsync(IPAddress.Loopback, port, Token);
            await plain.GetStream().WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray(), Token);
            byte[] answer = new byte[100];
            while (await plain.GetStream().ReadAsync(answer, Token) > 0)
            {
            }
        }

        await Patience.UntilAsync(() => meters["apiserver_tls_handshake_errors_total{}"] > 0);
        await app.StopAsync(Token);
        Assert.Equal(1, meters["apiserver_tls_handshake_errors_total{}"]);
    }

    /// <summary>Closed at once, a connection is reset by what a caller had sent meanwhile, and with it go the GOAWAY and answers on their way.</summary>
    [Fact]
    public async Task After_a_goaway_the_connection_stays_open_for_what_is_on_its_way()
    {
        WatchedTime clock = new(TestAuthority.Now);
        await using WebApplication app = await ServeTlsAsync((listen, tls) => listen.UseLingeringClose(clock, tls));
        using TcpClient tcp = new();
        await using SslStream stream = await ConnectHttp2Async(tcp, app);

        Task stopping = app.StopAsync(Token);
        for (int? frame = 0; frame != Http2GoAway;)
        {
            frame = await FrameAsync(stream);
            Assert.NotNull(frame);
        }

        await clock.TimerSet;
        byte[] ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        for (int i = 0; i < 20; i++)
        {
            await stream.WriteAsync(ping, Token);
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
        }

        Assert.False(stopping.IsCompleted);
        clock.Advance(LingeringClose.Time);
        await stopping.WaitAsync(Patience.Limit, Token);
        // An end, not a reset.
        Assert.Null(await FrameAsync(stream));
    }

    [Fact]
    public async Task A_caller_who_closes_is_not_waited_for()
    {
        FakeTimeProvider clock = new();
        await using WebApplication app = await ServeTlsAsync((listen, tls) => listen.UseLingeringClose(clock, tls));
        using (TcpClient tcp = new())
        {
            await using SslStream stream = await ConnectHttp2Async(tcp, app);
            using HttpsPeer old = await HttpsPeer.ConnectAsync(new Uri(Address(app)).Port, "localhost", leaf: null);
            Assert.Equal(200, (await old.GetAsync()).Code);
        }

        await app.StopAsync(Token).WaitAsync(Patience.Limit, Token);
    }

    [Fact]
    public async Task The_limits_are_those_that_kube_apiserver_fits_into()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        KestrelServerLimits limits = server.Services.GetRequiredService<IOptions<KestrelServerOptions>>().Value.Limits;
        Assert.Equal(250, limits.Http2.MaxStreamsPerConnection);
        Assert.Equal(512 * 1024, limits.MaxRequestHeadersTotalSize);
        Assert.Equal(64 * 1024, limits.MaxRequestBodySize);
        // None is reached before the total is, each header counting 32 bytes more than it has: beyond the others Kestrel ends the connection of all.
        Assert.True((limits.MaxRequestHeaderCount + 1) * 33 > limits.MaxRequestHeadersTotalSize, $"{limits.MaxRequestHeaderCount} headers");
        Assert.True(limits.Http2.MaxRequestHeaderFieldSize >= 2 * limits.MaxRequestHeadersTotalSize, $"{limits.Http2.MaxRequestHeaderFieldSize} bytes in a header");
        Assert.True(limits.MaxRequestLineSize >= limits.MaxRequestHeadersTotalSize, $"{limits.MaxRequestLineSize} bytes in the first line");
    }

    /// <summary>The default of 100 would let the 101st user of a kube-apiserver wait for the first.</summary>
    [Fact]
    public async Task Two_hundred_and_fifty_requests_share_a_connection_at_once()
    {
        int inside = 0;
        TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using WebApplication app = await ServeAsync(
            kestrel =>
            {
                kestrel.UseServingLimits();
                kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
            },
            app => app.Run(async context =>
            {
                if (Interlocked.Increment(ref inside) == 250)
                {
                    all.SetResult();
                }

                await all.Task.WaitAsync(context.RequestAborted);
                await context.Response.WriteAsync(context.Connection.Id);
            }));
        using HttpClient client = new() { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        string[] connections = await Task.WhenAll(Enumerable.Range(0, 250).Select(_ => client.GetStringAsync(Address(app), Token)));
        Assert.Single(connections.Distinct());
    }

    [Theory]
    [InlineData("POST", Root + "/namespaces/shop/deployments", 405)]
    [InlineData("GET", Root, 200)]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web", 200)]
    [InlineData("DELETE", Root + "/nosuch", 404)]
    public async Task A_body_is_not_read_and_a_big_one_ends_the_connection(string method, string path, int code)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using TcpClient tcp = new();
        await tcp.ConnectAsync(IPAddress.Loopback, server.Client.BaseAddress!.Port, Token);
        NetworkStream stream = tcp.GetStream();
        // Of a terabyte that was announced not one byte is sent, nor waited for.
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n"), Token);
        using StreamReader reader = new(stream);
        string answer = await reader.ReadToEndAsync(Token);
        Assert.StartsWith($"HTTP/1.1 {code} ", answer, StringComparison.Ordinal);
    }

    private const int Http2GoAway = 7;

    /// <summary>The type of the next HTTP/2 frame; null at the end of the connection.</summary>
    private static async Task<int?> FrameAsync(Stream stream)
    {
        byte[] head = new byte[9];
        if (await stream.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, Token) < head.Length)
        {
            return null;
        }

        await stream.ReadExactlyAsync(new byte[(head[0] << 16) | (head[1] << 8) | head[2]], Token);
        return head[3];
    }

    private static async Task<SslStream> ConnectHttp2Async(TcpClient tcp, WebApplication app)
    {
        await tcp.ConnectAsync(IPAddress.Loopback, new Uri(Address(app)).Port, Token);
        SslStream stream = new(tcp.GetStream());
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                ApplicationProtocols = [SslApplicationProtocol.Http2],
                RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null,
            },
            Token);
        // The preface and empty settings.
        await stream.WriteAsync(new byte[][] { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), [0, 0, 0, 4, 0, 0, 0, 0, 0] }.SelectMany(part => part).ToArray(), Token);
        Assert.NotNull(await FrameAsync(stream));
        return stream;
    }

    private static async Task<WebApplication> ServeTlsAsync(Action<ListenOptions, Action<ListenOptions>> around)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("smi-metrics-");
        try
        {
            ServingOptions options = new() { TlsCertFile = Path.Combine(folder.FullName, "tls.crt"), TlsPrivateKeyFile = Path.Combine(folder.FullName, "tls.key") };
            HttpsServer.WritePair(TestAuthority.Root("serving-ca"), options.TlsCertFile, options.TlsPrivateKeyFile);
            ServingCertificate certificate = new(options, TimeProvider.System, NullLogger<ServingCertificate>.Instance);
            return await ServeAsync(
                kestrel =>
                {
                    kestrel.UseServingLimits();
                    kestrel.Listen(IPAddress.Loopback, 0, listen => around(listen, tls => tls.UseServingCertificate(certificate, TlsVersion.VersionTLS12)));
                },
                app => app.Run(context => context.Response.WriteAsync("ok")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<WebApplication> ServeAsync(Action<KestrelServerOptions> listen, Action<WebApplication> pipeline)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(listen);
        // Longer than is waited for: a connection that the host broke off would pass for one that has ended.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Patience.Limit * 2);
        WebApplication app = builder.Build();
        pipeline(app);
        await app.StartAsync(Token);
        return app;
    }

    private static string Address(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
}
