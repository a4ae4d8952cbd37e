using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Hosting;
using SmiMetrics.Tests.Api;

namespace SmiMetrics.Tests.Hosting;

public sealed class GracefulShutdownTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Unready_first_then_deaf_and_gone_when_all_is_answered()
    {
        FakeTimeProvider clock = new(TimeProvider.System.GetUtcNow());
        FakePrometheus prometheus = new() { AnswerOnlyWhenInFlight = int.MaxValue };
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(prometheus, null, clock, "--shutdown-delay-duration=10s", "--prometheus-timeout=10m");
        Task<HttpResponseMessage> inFlight = server.Client.GetAsync($"{Root}/namespaces/a/deployments/x", Token);
        await Patience.UntilAsync(() => prometheus.AskedSoFar.Count > 0);

        Task stopping = server.StopAsync();
        // On connections of their own, as a caller's who has not heard of it yet.
        (HttpStatusCode code, string text) = await GetAsync(server.Admin, "/readyz");
        Assert.Equal(HttpStatusCode.InternalServerError, code);
        Assert.Contains("[-]shutdown failed", text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(server.Admin, "/livez")).Code);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(server.Admin, "/healthz")).Code);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(server.Client, Root)).Code);
        clock.Advance(TimeSpan.FromSeconds(9.9));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(server.Client, Root)).Code);
        Assert.False(stopping.IsCompleted);

        clock.Advance(TimeSpan.FromSeconds(0.2));
        await Patience.UntilAsync(() => !Accepts(server.Client));
        Assert.False(stopping.IsCompleted);
        Assert.False(inFlight.IsCompleted);

        prometheus.AnswerAtOnce();
        using HttpResponseMessage answer = await inFlight;
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.Equal("application/json", answer.Content.Headers.ContentType!.ToString());
        await stopping.WaitAsync(Patience.Limit, Token);
    }

    [Fact]
    public async Task A_caller_who_keeps_a_connection_does_not_keep_the_server()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(null, "--request-timeout=1h");
        for (int i = 0; i < 3; i++)
        {
            using HttpResponseMessage response = await server.Client.GetAsync(Root, Token);
            Assert.NotEqual(true, response.Headers.ConnectionClose);
        }

        await server.StopAsync().WaitAsync(Patience.Limit, Token);
    }

    [Fact]
    public async Task Without_a_delay_nothing_is_waited_for()
    {
        FakeTimeProvider clock = new();
        await new ShutdownDelay(Options(TimeSpan.Zero), clock, NullLogger<ShutdownDelay>.Instance).StoppingAsync(Token);
        Assert.False(new ShutdownDelay(Options(TimeSpan.FromSeconds(1)), clock, NullLogger<ShutdownDelay>.Instance).StoppingAsync(Token).IsCompleted);
    }

    [Fact]
    public void The_whole_end_has_time_for_the_delay_and_for_the_longest_request() =>
        Assert.Equal(TimeSpan.FromSeconds(10 + 55 + 5), Options(TimeSpan.FromSeconds(10)).ShutdownTimeout);

    /// <summary>kubelet kills after the grace period, and then requests are lost.</summary>
    [Fact]
    public async Task The_manifests_grace_period_is_as_long_as_the_end_may_take()
    {
        string manifest = await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "apiservice", "deployment.yaml"), Token);
        const string Delay = "--shutdown-delay-duration=";
        string delay = manifest.Split('\n').Single(line => line.Contains(Delay, StringComparison.Ordinal)).Split(Delay)[1].TrimEnd('s', ' ');
        string grace = manifest.Split('\n').Single(line => line.Contains("terminationGracePeriodSeconds:", StringComparison.Ordinal)).Split(':')[1];
        // With something to spare, or the kill comes at the last moment that is right.
        Assert.InRange(TimeSpan.FromSeconds(int.Parse(grace)) - Options(TimeSpan.FromSeconds(int.Parse(delay))).ShutdownTimeout, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(10));
    }

    private static HostingOptions Options(TimeSpan delay) =>
        new() { MaxRequestsInFlight = 0, RequestTimeout = HostingOptions.DefaultRequestTimeout, ShutdownDelay = delay, GoAwayChance = 0 };

    private static async Task<(HttpStatusCode Code, string Text)> GetAsync(HttpClient like, string path)
    {
        using HttpClient client = new() { BaseAddress = like.BaseAddress };
        using HttpResponseMessage response = await client.GetAsync(path, Token);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Token));
    }

    private static bool Accepts(HttpClient like)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, like.BaseAddress!.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
