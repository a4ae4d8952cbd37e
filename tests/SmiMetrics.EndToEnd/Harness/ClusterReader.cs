using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>The server's informers without the server: what it knows of a cluster, for servers whose clock is not the cluster's.</summary>
internal sealed class ClusterReader : IAsyncDisposable
{
    private readonly IHost _host;
    private readonly Cluster _cluster;

    private ClusterReader(IHost host)
    {
        _host = host;
        _cluster = host.Services.GetRequiredService<Cluster>();
    }

    /// <summary>The newest snapshot. It remembers pods that are gone, as the server does.</summary>
    public ClusterSnapshot Snapshot => _cluster.Snapshot;

    /// <summary>Starts, and waits until it has read everything once.</summary>
    public static async Task<ClusterReader> StartAsync(string kubeconfig, CancellationToken cancellationToken)
    {
        // Of the numbers' source nothing is asked.
        ServeOptions options = await ServerInProcess.OptionsAsync("--kubeconfig", kubeconfig, "--prometheus-url", "http://127.0.0.1:1", "--log-level", "error");
        ClusterReader reader = new(Server.BuildCheck(options, Doors.Real, TimeProvider.System));
        await reader._host.StartAsync(cancellationToken);
        await Eventually.TrueAsync("the cluster has been read", _ => Task.FromResult(reader._cluster.Synced), explain: null, cancellationToken);
        return reader;
    }

    /// <summary>Waits until a pod runs, or is not there any more.</summary>
    /// <returns>The snapshot in which it is so.</returns>
    public Task<ClusterSnapshot> SeesAsync(string @namespace, string pod, bool running, CancellationToken cancellationToken) => Eventually.SomeAsync(
        $"pod {@namespace}/{pod} {(running ? "runs" : "is gone")}",
        _ => Task.FromResult(
            Snapshot is var snapshot && snapshot.List(ResourceKind.Pod, @namespace).Cast<Pod>().SingleOrDefault(known => known.Key.Name == pod)?.Phase == (running ? Pod.Running : null)
                ? snapshot
                : null),
        explain: null,
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
