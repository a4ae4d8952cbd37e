using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Scrape;

/// <summary>
/// Follows the cluster and keeps one <see cref="TargetLoop"/> running for every target: when a pod comes a loop starts, when it goes
/// its loop ends, and what has not changed is not disturbed.
/// </summary>
internal sealed partial class Scraper : BackgroundService
{
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);

    private readonly Cluster _cluster;
    private readonly ScrapeOptions _options;
    private readonly ConfiguredMeshes _meshes;
    private readonly IReadOnlyList<ScrapeTarget> _named;
    private readonly SampleStore _store;
    private readonly PageClient _client;
    private readonly ScrapeMetrics _metrics;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly ScrapeLanes _lanes = new();
    private readonly Dictionary<ScrapeTarget, Running> _running = [];
    private readonly Lock _lock = new();

    /// <param name="cluster">Whose pods are looked at, once a second at most.</param>
    /// <param name="meshes">Those with a <see cref="MeshDescriptor.Scrape"/> section say which pods are targets.</param>
    /// <param name="options">Without <see cref="ScrapeOptions.Problems"/>.</param>
    /// <param name="store">Takes the samples.</param>
    /// <param name="client">Fetches the pages.</param>
    /// <param name="metrics">Counts the scrapes and shows the targets by state.</param>
    /// <param name="timeProvider">The clock of all turns and deadlines.</param>
    /// <param name="logger">Learns when a target begins to fail, and when it is back.</param>
    public Scraper(
        Cluster cluster,
        ConfiguredMeshes meshes,
        ScrapeOptions options,
        SampleStore store,
        PageClient client,
        ScrapeMetrics metrics,
        TimeProvider timeProvider,
        ILogger<Scraper> logger)
    {
        _cluster = cluster;
        _options = options;
        _meshes = meshes;
        _named = options.NamedTargets;
        _store = store;
        _client = client;
        _metrics = metrics;
        _timeProvider = timeProvider;
        _logger = logger;
        metrics.ShowTargets(Count);
        metrics.ShowSeries(() => store.SeriesCount);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (ScrapeTarget target in _named.Where(target => target.Labels.Count == 0))
        {
            Log.Nobodys(_logger, target.Name);
        }

        using PeriodicTimer timer = new(LookPeriod, _timeProvider);
        ClusterSnapshot? seen = null;
        IReadOnlyList<MeshDescriptor> meshes = _meshes.Current;
        try
        {
            do
            {
                // Asked first: if it is so, the snapshot read afterwards is whole.
                bool synced = _cluster.Synced;
                ClusterSnapshot snapshot = _cluster.Snapshot;
                if (!ReferenceEquals(_meshes.Current, meshes))
                {
                    meshes = _meshes.Current;
                    seen = null;
                    if (_store.Select(new SeriesSelection(meshes)))
                    {
                        // What was not kept is not there to be asked for: every target begins anew, with the series that are wanted now.
                        await KeepAsync([]);
                    }
                }

                if (!ReferenceEquals(snapshot, seen))
                {
                    Follow(snapshot, meshes);
                    seen = snapshot;
                }

                if (synced && !_store.Complete)
                {
                    _store.AllOpened();
                    Log.Started(_logger, _options.Interval.TotalSeconds, _running.Count);
                }

                _store.Forget();
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }

        await KeepAsync([]);
    }

    private void Follow(ClusterSnapshot snapshot, IReadOnlyList<MeshDescriptor> meshes)
    {
        HashSet<ScrapeTarget> targets;
        try
        {
            targets = [.. TargetDiscovery.Find(snapshot, meshes, _named)];
        }
        catch (Exception e)
        {
            // A mistake of ours. The targets before stay, and so does the loop.
            Log.NotFollowed(_logger, e);
            return;
        }

        // Those that go end by themselves; nobody waits for them.
        _ = KeepAsync(targets);
        lock (_lock)
        {
            int kept = _running.Count;
            foreach (ScrapeTarget target in targets)
            {
                if (!_running.ContainsKey(target))
                {
                    _running.Add(target, Start(target));
                }
            }

            Log.Followed(_logger, targets.Count, targets.Count - kept);
        }
    }

    private Running Start(ScrapeTarget target)
    {
        TargetLoop loop = new(target, _options, _client, _lanes, _metrics, _timeProvider, _logger);
        CancellationTokenSource stop = new();
        return new Running(loop, stop, RunAsync(loop, _store.Open(target), stop.Token));
    }

    private async Task RunAsync(TargetLoop loop, TargetSeries series, CancellationToken stoppingToken)
    {
        await loop.RunAsync(series, stoppingToken);
        _store.Close(series);
    }

    /// <summary>Ends the loops of all other targets.</summary>
    /// <returns>Completes when they have ended.</returns>
    private Task KeepAsync(HashSet<ScrapeTarget> targets)
    {
        KeyValuePair<ScrapeTarget, Running>[] gone;
        lock (_lock)
        {
            gone = [.. _running.Where(running => !targets.Contains(running.Key))];
            foreach ((ScrapeTarget target, _) in gone)
            {
                _running.Remove(target);
            }
        }

        return Task.WhenAll(gone.Select(running => EndAsync(running.Value)));
    }

    private static async Task EndAsync(Running running)
    {
        await running.Stop.CancelAsync();
        await running.Task;
        running.Stop.Dispose();
    }

    private int Count(TargetHealth health)
    {
        lock (_lock)
        {
            return _running.Values.Count(running => running.Loop.Health == health);
        }
    }

    private sealed record Running(TargetLoop Loop, CancellationTokenSource Stop, Task Task);

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "scraping every {Seconds} s; proxies found: {Targets}")]
        public static partial void Started(ILogger logger, double seconds, int targets);

        [LoggerMessage(LogLevel.Warning, "{Target} has no labels: series that do not say themselves whose they are will be nobody's; add #namespace=…&deployment=… to its URL")]
        public static partial void Nobodys(ILogger logger, string target);

        [LoggerMessage(LogLevel.Debug, "{Targets} targets, {Added} of them new")]
        public static partial void Followed(ILogger logger, int targets, int added);

        [LoggerMessage(LogLevel.Error, "The targets could not be found in the cluster; those before stay.")]
        public static partial void NotFollowed(ILogger logger, Exception exception);
    }
}
