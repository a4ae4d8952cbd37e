using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Diagnostics;

namespace SmiMetrics.Tests.Api;

/// <summary>The whole server in this process, reached over its insecure port, with a fake Prometheus behind its door and a cluster that never changes.</summary>
internal sealed class ServerUnderTest : IAsyncDisposable
{
    private readonly WebApplication _app;

    private ServerUnderTest(WebApplication app, FakePrometheus prometheus, int port, int adminPort)
    {
        _app = app;
        Prometheus = prometheus;
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        Admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{adminPort}") };
    }

    public FakePrometheus Prometheus { get; }

    public IServiceProvider Services => _app.Services;

    public HttpClient Client { get; }

    public HttpClient Admin { get; }

    /// <param name="snapshot">The cluster; null for <c>--kubernetes none</c>.</param>
    /// <param name="flags">As <c>--flag=value</c>, instead of what a test server has by default.</param>
    public static Task<ServerUnderTest> StartAsync(ClusterSnapshot? snapshot = null, params string[] flags) =>
        StartAsync(new FakePrometheus(), snapshot, flags);

    public static Task<ServerUnderTest> StartAsync(FakePrometheus prometheus, ClusterSnapshot? snapshot, params string[] flags) =>
        StartAsync(new Doors(Prometheus: prometheus), snapshot, TimeProvider.System, flags);

    public static Task<ServerUnderTest> StartAsync(FakePrometheus prometheus, ClusterSnapshot? snapshot, TimeProvider clock, params string[] flags) =>
        StartAsync(new Doors(Prometheus: prometheus), snapshot, clock, flags);

    /// <param name="doors">That of Prometheus is a fake one.</param>
    public static async Task<ServerUnderTest> StartAsync(Doors doors, ClusterSnapshot? snapshot, TimeProvider clock, params string[] flags)
    {
        int port = FreePort.Next();
        int adminPort = FreePort.Next();
        string[] defaults =
        [
            "--kubernetes=none", "--mesh=linkerd", "--prometheus-url=http://prometheus.invalid", "--cache-ttl=0s", "--max-stale=0s",
            $"--insecure-port={port}", $"--admin-port={adminPort}", "--log-level=error",
        ];
        string[] args = [.. defaults.Where(flag => !flags.Any(other => other.Split('=')[0] == flag.Split('=')[0])), .. flags];
        WebApplication app = await ServerInProcess.BuildAsync(doors, clock, args);
        if (snapshot is not null)
        {
            app.Services.GetRequiredService<Cluster>().Publish(snapshot);
        }

        await app.StartAsync();
        return new ServerUnderTest(app, (FakePrometheus)doors.Prometheus!, port, adminPort);
    }

    /// <summary>The metrics, once they count so many requests: a request is counted when it has ended, a moment after its caller has the answer.</summary>
    public async Task<PrometheusText> CountedAsync(int requests)
    {
        PrometheusText metrics = null!;
        await Patience.UntilAsync(async () =>
        {
            metrics = PrometheusText.Parse(await Admin.GetStringAsync("/metrics", TestContext.Current.CancellationToken));
            return metrics.Samples.Where(sample => sample.Key.StartsWith("apiserver_request_total{", StringComparison.Ordinal)).Sum(sample => sample.Value) >= requests;
        });
        return metrics;
    }

    /// <summary>Changes the cluster.</summary>
    public void Publish(ClusterSnapshot snapshot) => _app.Services.GetRequiredService<Cluster>().Publish(snapshot);

    /// <summary>Ends as upon a signal; done when the process would end.</summary>
    public async Task StopAsync()
    {
        _app.Lifetime.StopApplication();
        await _app.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Admin.Dispose();
        await _app.DisposeAsync();
    }
}
