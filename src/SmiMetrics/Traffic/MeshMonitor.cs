using System.Collections.Concurrent;
using System.Collections.Frozen;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>
/// Looks every minute which of the configured meshes the source has series of, how often they are scraped and what is wrong with them.
/// Requests read the last look and never wait for one, but for the first.
/// </summary>
internal sealed partial class MeshMonitor(
    ConfiguredMeshes configured, ITrafficSource source, Cluster cluster, WindowOptions windows, TimeProvider clock, ILogger<MeshMonitor> logger)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>While something is still unknown (Prometheus starting, a mesh scraped once) the next look comes sooner, but later each time.</summary>
    private static readonly TimeSpan Soonest = TimeSpan.FromSeconds(2);

    /// <summary>While the source does not answer at all, which it says quickly, its return should not go unnoticed for longer.</summary>
    private static readonly TimeSpan LongestWithoutAnswer = TimeSpan.FromSeconds(4);

    private readonly TaskCompletionSource _firstLook = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, DateTimeOffset> _lastFound = [];
    private readonly SemaphoreSlim _looking = new(1);
    private bool _noneTold;
    private volatile Look _last = new([], [], null);

    /// <summary>Completes when every mesh has been looked at once, or the source has failed to say.</summary>
    public Task FirstLook => _firstLook.Task;

    /// <summary>
    /// The meshes to ask, in order of preference: those whose series exist, or did within the longest window. Empty when none does.
    /// </summary>
    public IReadOnlyList<MeshDescriptor> Active => _last.Active;

    /// <summary>All meshes that are configured, in order of preference.</summary>
    public IReadOnlyList<MeshDescriptor> Configured => configured.Current;

    /// <summary>What the last look saw of each mesh, in order of preference.</summary>
    public IReadOnlyList<MeshStatus> Statuses => _last.Statuses;

    /// <summary>Why the newest descriptors were not taken; empty when they were.</summary>
    public IReadOnlyList<string> Mistakes => configured.Mistakes;

    /// <summary>Why the last look could not see every mesh; null when it could.</summary>
    public SourceUnavailableException? Failure => _last.Failure;

    /// <summary>Whether the last look found no series of this mesh at all; false while there was no look.</summary>
    public bool IsMissing(MeshDescriptor mesh) => StatusOf(mesh.Name) is { Presence: MeshPresence.Missing };

    /// <summary>The longest scrape interval among the active meshes; null while none is known.</summary>
    public TimeSpan? ScrapeInterval => Active.Select(mesh => StatusOf(mesh.Name)?.ScrapeInterval).Max();

    /// <summary>Looks now, besides what the loop does or instead of it.</summary>
    public Task LookNowAsync(CancellationToken cancellationToken) => LookAsync(cancellationToken);

    public override void Dispose()
    {
        _looking.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            TimeSpan soon = Soonest;
            while (true)
            {
                Task changed = configured.Changed;
                bool complete = await LookAsync(stoppingToken);
                _firstLook.TrySetResult();
                TimeSpan longest = Failure is not null && Active.Count == 0 ? LongestWithoutAnswer : Period;
                soon = soon < longest ? soon : longest;
                await Task.WhenAny(changed, Task.Delay(complete ? Period : soon, clock, stoppingToken));
                stoppingToken.ThrowIfCancellationRequested();
                soon = complete || changed.IsCompleted ? Soonest : soon * 2;
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            _firstLook.TrySetResult();
        }
    }

    private MeshStatus? StatusOf(string mesh) => _last.Statuses.FirstOrDefault(status => status.Mesh.Name == mesh);

    /// <returns>Whether a mesh was found, its scrape interval is known, and the cluster was there to tell of its proxies.</returns>
    private async Task<bool> LookAsync(CancellationToken cancellationToken)
    {
        // One look at a time: each goes by what the one before has seen.
        await _looking.WaitAsync(cancellationToken);
        try
        {
            return await LookAloneAsync(cancellationToken);
        }
        finally
        {
            _looking.Release();
        }
    }

    private async Task<bool> LookAloneAsync(CancellationToken cancellationToken)
    {
        bool synced = cluster.Synced;
        IReadOnlyList<MeshDescriptor> meshes = configured.Current;
        ConcurrentDictionary<string, Task<SeriesProbe>> anywhere = [];
        (MeshStatus Status, Exception? Failure)[] looks = await Task.WhenAll(meshes.Select(mesh => LookAtAsync(mesh, anywhere, cancellationToken)));
        MeshStatus[] statuses = [.. looks.Select(look => look.Status)];
        if (configured.Auto && Array.Exists(statuses, status => status.Presence == MeshPresence.Found))
        {
            // Many descriptors know a proxy that another mesh has as well (Linkerd's has the series of routes only where there are routes): where
            // nobody asked for this mesh by its name, that its series are missing is as it may be.
            statuses = [.. statuses.Select(status => status.Presence != MeshPresence.Missing ? status : status with
            {
                Problems = [],
                Notes = [.. status.Notes, .. status.Problems.Select(problem => problem.Problem)],
            })];
        }

        foreach (MeshStatus status in statuses)
        {
            Tell(StatusOf(status.Mesh.Name), status);
        }

        // Told once: when it becomes so, not at every look.
        bool answered = Array.TrueForAll(looks, look => look.Failure is null);
        bool none = answered && statuses.All(status => status.Presence == MeshPresence.Missing);
        if (none && !_noneTold)
        {
            Log.None(logger, string.Join(", ", meshes.Select(mesh => mesh.Name)));
        }

        _noneTold = none || (_noneTold && !answered);
        _last = new Look(
            statuses,
            [.. statuses.Where(IsActive).Select(status => status.Mesh)],
            looks.Select(look => look.Failure).OfType<SourceUnavailableException>().FirstOrDefault());
        return answered && synced && statuses.Any(status => status is { Presence: MeshPresence.Found, ScrapeInterval: not null });
    }

    private bool IsActive(MeshStatus status)
    {
        DateTimeOffset now = clock.GetUtcNow();
        if (status.Presence == MeshPresence.Found)
        {
            _lastFound[status.Mesh.Name] = now;
            return true;
        }

        // What it counted before its series ended is still within the longest window.
        return _lastFound.TryGetValue(status.Mesh.Name, out DateTimeOffset last) && now - last <= windows.Max;
    }

    private void Tell(MeshStatus? before, MeshStatus status)
    {
        // What somebody has to mend is told when it begins, not at every look.
        foreach (MeshProblem problem in status.Problems.Where(problem => before?.Problems.Contains(problem) != true))
        {
            Log.Problem(logger, status.Mesh.Name, problem.Problem, problem.Remedy);
        }

        string series = string.Join(", ", status.Sides.Where(side => side.Found || status.Presence == MeshPresence.Missing).Select(side => side.Requests).Distinct());
        if (status.Presence == MeshPresence.Found && before?.Presence != MeshPresence.Found)
        {
            Log.Found(logger, status.Mesh.Name, series);
        }
        else if (status.Presence == MeshPresence.Missing && before?.Presence == MeshPresence.Found)
        {
            Log.Lost(logger, status.Mesh.Name, series);
        }
    }

    /// <returns>What was known before, and the failure, where the source does not answer.</returns>
    private async Task<(MeshStatus Status, Exception? Failure)> LookAtAsync(
        MeshDescriptor mesh, ConcurrentDictionary<string, Task<SeriesProbe>> anywhere, CancellationToken cancellationToken)
    {
        MeshStatus? before = StatusOf(mesh.Name);
        try
        {
            List<SideLook> sides = [];
            foreach ((Side side, MeshSide? series) in new[] { (Side.Server, mesh.Server), (Side.Client, mesh.Client) })
            {
                if (series is not null)
                {
                    sides.Add(await LookAtAsync(mesh, side, series, anywhere, cancellationToken));
                }
            }

            MeshStatus status = new MeshDiagnosis(mesh, windows, clock.GetUtcNow())
                // An interval once measured stays until another is: a moment without two samples does not unlearn it.
                .Describe([.. sides.Select(Rounded)], before?.ScrapeInterval, cluster.Snapshot);
            return (status, null);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // What is taken down under a question fails in many ways; when stopping, none of them matters.
            throw new OperationCanceledException(cancellationToken);
        }
        catch (SourceUnavailableException e)
        {
            // The source logs its own failures; what was known of this mesh stays known, and the others are looked at all the same.
            return (before ?? Unknown(mesh), e);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Whatever it is, it must not end the loop, and with it the server.
            Log.Unexpected(logger, e, mesh.Name);
            return (before ?? Unknown(mesh), e);
        }
    }

    /// <param name="anywhere">Whether series exist at all, whoever's they are: several meshes ask of the same.</param>
    private async Task<SideLook> LookAtAsync(
        MeshDescriptor mesh, Side side, MeshSide series, ConcurrentDictionary<string, Task<SeriesProbe>> anywhere, CancellationToken cancellationToken)
    {
        string requests = series.Requests;
        SeriesProbe probe = SeriesProbe.None;
        foreach (string name in series.OtherNames.Prepend(series.Requests))
        {
            probe = await source.ProbeAsync(name, series.Where, cancellationToken);
            if (probe.Exists)
            {
                requests = name;
                break;
            }
        }

        if (!probe.Exists)
        {
            bool elsewhere = series.Where.Count > 0 && (await anywhere.GetOrAdd(requests, name => source.ProbeAsync(name, [], cancellationToken))).Exists;
            return new SideLook(side, series, requests, probe, elsewhere, null, FrozenSet<string>.Empty);
        }

        // That the series are there is known; what is asked beyond that must not take the mesh away.
        IReadOnlySet<string>? labels = await OrNullAsync(source.FindLabelsAsync(requests, series.Where, MeshDiagnosis.LabelsOf(mesh, series), cancellationToken));
        SeriesProbe? buckets = series.Latency is { } latency
            // One bucket of each: there are twenty times as many buckets as counters.
            ? await OrNullAsync(source.ProbeAsync(latency.Series + "_bucket", [.. latency.Where, new Matcher("le", MatchOperator.Equal, "+Inf")], cancellationToken))
            : null;
        return new SideLook(side, series, requests, probe, Elsewhere: false, buckets, labels);
    }

    private static async Task<T?> OrNullAsync<T>(Task<T> question) where T : class
    {
        try
        {
            return await question;
        }
        catch (SourceUnavailableException)
        {
            return null;
        }
    }

    private static MeshStatus Unknown(MeshDescriptor mesh) => new(mesh, MeshPresence.Unknown, [], null, null, null, [], ["the source has not answered yet"]);

    /// <summary>
    /// Scrapes come a few milliseconds early or late, and some stores keep that. Nobody configures 15.002 s, and a client that asks for
    /// 30 s must not be refused because of it.
    /// </summary>
    private static SideLook Rounded(SideLook look)
    {
        if (look.Probe.ScrapeInterval is not { } interval)
        {
            return look;
        }

        TimeSpan whole = TimeSpan.FromSeconds(Math.Round(interval.TotalSeconds));
        return whole > TimeSpan.Zero && (interval - whole).Duration() < interval * 0.05 ? look with { Probe = look.Probe with { ScrapeInterval = whole } } : look;
    }

    /// <param name="Active">The meshes to ask.</param>
    private sealed record Look(IReadOnlyList<MeshStatus> Statuses, IReadOnlyList<MeshDescriptor> Active, SourceUnavailableException? Failure);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "mesh {Mesh} could not be looked at")]
        public static partial void Unexpected(ILogger logger, Exception exception, string mesh);

        [LoggerMessage(LogLevel.Warning, "mesh {Mesh}: {Problem}. {Remedy}")]
        public static partial void Problem(ILogger logger, string mesh, string problem, string remedy);

        [LoggerMessage(LogLevel.Information, "mesh {Mesh} has series ({Series})")]
        public static partial void Found(ILogger logger, string mesh, string series);

        [LoggerMessage(LogLevel.Warning, "mesh {Mesh} has no series any more ({Series})")]
        public static partial void Lost(ILogger logger, string mesh, string series);

        [LoggerMessage(LogLevel.Warning, "no mesh has series, so there is no traffic; looked for {Meshes}")]
        public static partial void None(ILogger logger, string meshes);
    }
}
