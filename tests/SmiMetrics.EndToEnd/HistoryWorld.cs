using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>A Prometheus that holds series whose past and future are made up, and a server that is told of it alone: it has to find out which meshes there are.</summary>
/// <param name="name">Of the server, for its files and logs.</param>
public abstract class HistoryWorld(World world, string name) : IAsyncLifetime
{
    internal World World { get; } = world;

    internal SmiMetricsServer Server { get; private set; } = null!;

    internal PrometheusServer Prometheus { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (World.Unable is not null)
        {
            return;
        }

        CancellationToken token = TestContext.Current.CancellationToken;
        History history = await PrepareAsync(token);
        Prometheus = await PrometheusServer.StartWithHistoryAsync(World.Programs, World.Workspace, $"{name}-history", history.OpenMetrics(endsNow: false), token);
        Server = await World.StartServerAsync(
            name,
            ["--kubeconfig", World.ServerKubeconfig, "--prometheus-url", Prometheus.Url, "--cache-ttl", "1s", "--max-stale", "0s", "--default-window", "60s"],
            token);
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[Server, Prometheus])
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }
    }

    /// <summary>Writes what belongs to it into the cluster.</summary>
    /// <returns>The series of all meshes.</returns>
    internal abstract Task<History> PrepareAsync(CancellationToken cancellationToken);
}
