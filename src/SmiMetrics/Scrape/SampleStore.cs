using SmiMetrics.Kubernetes;

namespace SmiMetrics.Scrape;

/// <summary>
/// The samples of all targets that are scraped, and of those that were within the longest window. Targets come and go by the
/// <see cref="Scraper"/>; everybody else reads.
/// </summary>
/// <param name="retention">How long samples are kept: the longest window that can be asked about.</param>
internal sealed class SampleStore(SeriesSelection selection, TimeSpan retention, TimeProvider clock)
{
    /// <summary>A query is answered a moment after the instant that it is about.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Pool _pool = new(slots: 8192);
    private readonly Dictionary<TargetSeries, StoredTarget> _targets = [];
    private readonly Dictionary<ScrapeTarget, TargetSeries> _gone = [];
    private StoredTarget[]? _snapshot = [];
    private volatile bool _complete;
    private volatile SeriesSelection _selection = selection;

    /// <summary>Which series are kept.</summary>
    public SeriesSelection Selection => _selection;

    /// <summary>
    /// Whether the targets have been looked for at all. What is opened before is known for as long as its pod runs, for all that we can tell;
    /// what comes later is new.
    /// </summary>
    public bool Complete => _complete;

    /// <summary>How many series samples are held of.</summary>
    public long SeriesCount => Targets.Sum(target => (long)target.Series.State.Series.Length);

    /// <summary>Everything that may have samples, gone targets too. The same list until there is another.</summary>
    public IReadOnlyList<StoredTarget> Targets
    {
        get
        {
            lock (_lock)
            {
                return _snapshot ??= [.. _targets.Values];
            }
        }
    }

    /// <summary>
    /// Keeps other series from now on. If they are not the same as before, nothing that is held can be asked for any more: the targets must
    /// be closed and opened again.
    /// </summary>
    /// <returns>Whether it is so.</returns>
    public bool Select(SeriesSelection selection)
    {
        lock (_lock)
        {
            if (selection.IsSameAs(_selection))
            {
                return false;
            }

            _selection = selection;
            _gone.Clear();
            // As at the start: until all have been opened again nothing can be answered, and then their samples reach back only so far.
            _complete = false;
            return true;
        }
    }

    /// <summary>Makes room for a target's samples. One that has been away goes on where it was.</summary>
    public TargetSeries Open(ScrapeTarget target)
    {
        lock (_lock)
        {
            _snapshot = null;
            if (_gone.Remove(target, out TargetSeries? known))
            {
                _targets[known] = _targets[known] with { GoneSince = null };
                return known;
            }

            TargetSeries series = new(target, Selection, retention + Margin, _pool);
            _targets.Add(series, new StoredTarget(series, _complete ? clock.GetUtcNow() : DateTimeOffset.MinValue, GoneSince: null));
            return series;
        }
    }

    /// <summary>Says that a target is gone: it will not be scraped again, and its samples go with time.</summary>
    public void Close(TargetSeries series)
    {
        lock (_lock)
        {
            _snapshot = null;
            _targets[series] = _targets[series] with { GoneSince = clock.GetUtcNow() };
            if (series.Selection == _selection)
            {
                _gone[series.Target] = series;
            }
            else
            {
                _targets.Remove(series);
            }
        }
    }

    /// <summary>Forgets the targets that have been gone for longer than anybody can ask about.</summary>
    public void Forget()
    {
        DateTimeOffset now = clock.GetUtcNow();
        lock (_lock)
        {
            foreach ((TargetSeries series, StoredTarget stored) in _targets)
            {
                if (stored.GoneSince is { } since && now - since > retention + Margin)
                {
                    _targets.Remove(series);
                    if (_gone.GetValueOrDefault(series.Target) == series)
                    {
                        _gone.Remove(series.Target);
                    }

                    _snapshot = null;
                }
            }
        }
    }

    /// <summary>Says that all targets that there are have been opened.</summary>
    public void AllOpened() => _complete = true;
}

/// <param name="KnownSince">When the target appeared; the beginning of time for what was there when we came.</param>
/// <param name="GoneSince">Null while it is scraped.</param>
internal sealed record StoredTarget(TargetSeries Series, DateTimeOffset KnownSince, DateTimeOffset? GoneSince);
