using System.Collections.Frozen;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>
/// Looks every minute which of the configured meshes the source has series of, and how often they are scraped. Requests read the last
/// look and never wait for one, but for the first.
/// </summary>
internal sealed partial class MeshMonitor(IReadOnlyList<MeshDescriptor> configured, ITrafficSource source, TimeProvider clock, ILogger<MeshMonitor> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>While something is still unknown (Prometheus starting, a mesh scraped once) the next look comes sooner.</summary>
    private static readonly TimeSpan SoonPeriod = TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _firstLook = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _noneTold;
    private volatile FrozenDictionary<string, SeriesProbe> _seen = FrozenDictionary<string, SeriesProbe>.Empty;

    /// <summary>Completes when every mesh has been looked at once, or the source has failed to say.</summary>
    public Task FirstLook => _firstLook.Task;

    /// <summary>
    /// The meshes to ask, in order of preference: those whose series exist. While none is known to, all of them, so that the first
    /// traffic of a new mesh is not missed.
    /// </summary>
    public IReadOnlyList<MeshDescriptor> Active
    {
        get
        {
            FrozenDictionary<string, SeriesProbe> seen = _seen;
            MeshDescriptor[] found = [.. configured.Where(mesh => seen.GetValueOrDefault(mesh.Name) is { Exists: true })];
            return found.Length > 0 ? found : configured;
        }
    }

    /// <summary>Whether the last look found no series of this mesh at all; false while there was no look.</summary>
    public bool IsMissing(MeshDescriptor mesh) => _seen.GetValueOrDefault(mesh.Name) is { Exists: false };

    /// <summary>The longest scrape interval among the active meshes; null while none is known.</summary>
    public TimeSpan? ScrapeInterval
    {
        get
        {
            FrozenDictionary<string, SeriesProbe> seen = _seen;
            return Active.Select(mesh => seen.GetValueOrDefault(mesh.Name)?.ScrapeInterval).Max();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                bool complete = await LookAsync(stoppingToken);
                _firstLook.TrySetResult();
                await Task.Delay(complete ? Period : SoonPeriod, clock, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            _firstLook.TrySetResult();
        }
    }

    /// <returns>Whether a mesh was found and its scrape interval is known.</returns>
    private async Task<bool> LookAsync(CancellationToken cancellationToken)
    {
        Dictionary<string, SeriesProbe> seen = new(_seen);
        bool answered = true;
        foreach (MeshDescriptor mesh in configured)
        {
            MeshSide side = mesh.Server ?? mesh.Client!;
            SeriesProbe? before = seen.GetValueOrDefault(mesh.Name);
            try
            {
                SeriesProbe probe = await source.ProbeAsync(side.Requests, side.Where, cancellationToken);
                if (probe.Exists && before is not { Exists: true })
                {
                    Log.Found(logger, mesh.Name, side.Requests);
                }
                else if (!probe.Exists && before is { Exists: true })
                {
                    Log.Lost(logger, mesh.Name, side.Requests);
                }

                // An interval once measured stays until another is: a moment without two samples does not unlearn it.
                seen[mesh.Name] = probe with { ScrapeInterval = probe.ScrapeInterval is { } measured ? Rounded(measured) : before?.ScrapeInterval };
            }
            catch (SourceUnavailableException)
            {
                // The source logs its own failures; what was known of this mesh stays known, and the others are looked at all the same.
                answered = false;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // Whatever it is, it must not end the loop, and with it the server.
                Log.Unexpected(logger, e, mesh.Name);
                answered = false;
            }
        }

        // Told once: when it becomes so, not at every look.
        bool none = answered && seen.Values.All(probe => !probe.Exists);
        if (none && !_noneTold)
        {
            Log.None(logger, string.Join(", ", configured.Select(mesh => mesh.Name)));
        }

        _noneTold = none || (_noneTold && !answered);
        _seen = seen.ToFrozenDictionary();
        return answered && seen.Values.Any(probe => probe is { Exists: true, ScrapeInterval: not null });
    }

    /// <summary>
    /// Scrapes come a few milliseconds early or late, and some stores keep that. Nobody configures 15.002 s, and a client that asks for
    /// 30 s must not be refused because of it.
    /// </summary>
    private static TimeSpan Rounded(TimeSpan interval)
    {
        TimeSpan whole = TimeSpan.FromSeconds(Math.Round(interval.TotalSeconds));
        return whole > TimeSpan.Zero && (interval - whole).Duration() < interval * 0.05 ? whole : interval;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "mesh {Mesh} could not be looked at")]
        public static partial void Unexpected(ILogger logger, Exception exception, string mesh);

        [LoggerMessage(LogLevel.Information, "mesh {Mesh} has series ({Series})")]
        public static partial void Found(ILogger logger, string mesh, string series);

        [LoggerMessage(LogLevel.Warning, "mesh {Mesh} has no series any more ({Series})")]
        public static partial void Lost(ILogger logger, string mesh, string series);

        [LoggerMessage(LogLevel.Warning, "no mesh has series, so there is no traffic; looked for {Meshes}")]
        public static partial void None(ILogger logger, string meshes);
    }
}
