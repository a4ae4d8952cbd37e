using Microsoft.Extensions.Time.Testing;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>A server that reaches Prometheus through a door, which counts queries and keeps them for as long as a test likes.</summary>
public abstract class ServerBehindDoor(World world) : IAsyncLifetime
{
    internal World World { get; } = world;

    internal PrometheusDoor Door { get; private set; } = null!;

    internal InProcessServer Server { get; private set; } = null!;

    /// <summary>Of the server, beside where it finds Prometheus and which mesh there is.</summary>
    private protected abstract string[] Flags { get; }

    public async ValueTask InitializeAsync()
    {
        if (World.Unable is not null)
        {
            return;
        }

        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        Door = await PrometheusDoor.OpenAsync(World.Prometheus.Url, cancellationToken);
        Server = await InProcessServer.StartAsync(
            Doors.Real,
            new FakeTimeProvider(TimeProvider.System.GetUtcNow()),
            await World.ReadClusterAsync(cancellationToken),
            ["--mesh", "linkerd", "--prometheus-url", Door.Url, .. Flags],
            cancellationToken);
        await Server.LookAsync(cancellationToken);
    }

    /// <summary>Waits until so many requests are in flight, those that only read.</summary>
    internal Task InFlightAsync(int requests, CancellationToken cancellationToken) => Eventually.TrueAsync(
        $"{requests} requests are in flight",
        async token => (await Server.Admin.GetStringAsync("/metrics", token)).Contains(
            $"\napiserver_current_inflight_requests{{request_kind=\"readOnly\"}} {requests}\n", StringComparison.Ordinal),
        explain: null,
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (IAsyncDisposable part in new IAsyncDisposable?[] { Server, Door }.OfType<IAsyncDisposable>())
        {
            await part.DisposeAsync();
        }
    }
}
