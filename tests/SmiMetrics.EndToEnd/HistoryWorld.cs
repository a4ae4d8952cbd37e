using Microsoft.Extensions.Time.Testing;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// A Prometheus that holds series whose past is made up, and a server that is told of it alone, by a clock that stands at the end of that past: it has
/// to find out which meshes there are.
/// </summary>
/// <param name="name">Of the Prometheus, for its files.</param>
public abstract class HistoryWorld(World world, string name) : IAsyncLifetime
{
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(60);

    internal World World { get; } = world;

    /// <summary>What all numbers are about.</summary>
    internal DateTimeOffset Instant { get; private set; }

    internal InProcessServer Server { get; private set; } = null!;

    internal PrometheusServer Prometheus { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (World.Unable is not null)
        {
            return;
        }

        CancellationToken token = TestContext.Current.CancellationToken;
        History history = await PrepareAsync(token);
        Instant = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
        Prometheus = await PrometheusServer.StartWithHistoryAsync(World.Programs, World.Workspace, name, text => history.Write(text, Instant - (10 * Window), Instant), token);
        Server = await InProcessServer.StartAsync(
            Doors.Real, new FakeTimeProvider(Instant), await World.ReadClusterAsync(token), ["--prometheus-url", Prometheus.Url, "--cache-ttl", "1s", "--default-window", "60s"], token);
        await Server.LookAsync(token);
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
