using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Scrape;

/// <summary>The labels that series of one target share; <c>le</c>, which differs within a histogram, is apart.</summary>
/// <param name="Values">Of <see cref="NamedSeries.Labels"/>, in that order; empty for a label that is absent.</param>
internal sealed record SeriesLabels(NamedSeries Series, string[] Values);

/// <param name="Bound">The value of <c>le</c> as printed; empty for what is no bucket.</param>
internal readonly record struct StoredSeries(SeriesLabels Labels, string Bound);

/// <summary>
/// The samples of one target's series. One thread writes (the target's scrape loop), any number read without a lock: what they see is
/// the state after some whole scrape.
/// </summary>
/// <param name="retention">How long samples are kept: the longest window that can be asked about, and a little more.</param>
/// <param name="pool">Shares label values with other targets.</param>
internal sealed class TargetSeries(ScrapeTarget target, SeriesSelection selection, TimeSpan retention, Pool pool)
{
    /// <summary>What the frames of a target may take: a hundred thousand series that grow by a byte each time for an hour. It bounds what a pod can cost.</summary>
    private const long MostFrameBytes = 40 * 1024 * 1024;

    private readonly SeriesTable _table = new(target, selection, pool);
    private PageInProgress? _page;
    private volatile TargetState _state = TargetState.Empty;
    private volatile string? _lastError;

    public ScrapeTarget Target { get; } = target;

    /// <summary>Which series are kept.</summary>
    public SeriesSelection Selection => selection;

    /// <summary>What the last scrape failed with, in words for people; null when it succeeded, or there was none.</summary>
    public string? LastError => _lastError;

    /// <summary>The samples after the last scrape that succeeded.</summary>
    public TargetState State => _state;

    /// <summary>Starts to take in a page. The scrape before must have been completed or failed.</summary>
    /// <param name="at">When the scrape began: the time of all its samples. Timestamps in the page do not count, proxies have none.</param>
    public PageInProgress Begin(DateTimeOffset at)
    {
        if (_page is not null)
        {
            throw new InvalidOperationException($"{Target.Name} is being scraped already");
        }

        long time = at.ToUnixTimeMilliseconds();
        _table.Begin(time, Oldest(time));
        return _page = new PageInProgress(this, _table, time);
    }

    /// <summary>Makes the values that the table has seen the newest frame.</summary>
    /// <exception cref="PageException">The samples take more memory than those of any real proxy do.</exception>
    internal void Publish(long time)
    {
        Frame? newest = _state.Newest;
        // A clock that was set back: what it calls the future has to go, or differences would be undone in the wrong order.
        if (newest is not null && newest.Time >= time)
        {
            newest = null;
            _table.ForgetValues();
        }

        Frame frame = new(time, Frame.Encode(_table.Known, _table.Seen), newest);
        if (frame.Forget(Oldest(time)) > MostFrameBytes)
        {
            throw new PageException($"its samples take more than {MostFrameBytes >> 20} MiB");
        }

        _table.Commit();
        _state = new TargetState(_table.Series, _table.Known.ToArray(), frame);
        _lastError = null;
        _page = null;
    }

    internal void Fail(string reason)
    {
        // Prometheus marks every series stale now. A window of samples does not contain such marks, so nothing else has to be kept of it.
        _table.Forget();
        _lastError = reason;
        _page = null;
    }

    private long Oldest(long time) => time - (long)retention.TotalMilliseconds;
}

/// <summary>What there is of a target after a scrape; never changed.</summary>
/// <param name="Series">By slot.</param>
/// <param name="Values">The last sample of each slot's series, however long ago; NaN when there is none.</param>
/// <param name="Newest">The newest frame; null before the first scrape.</param>
internal sealed record TargetState(StoredSeries[] Series, double[] Values, Frame? Newest)
{
    public static readonly TargetState Empty = new([], [], null);

    /// <summary>
    /// The scrapes that succeeded after <paramref name="from"/> and not after <paramref name="to"/>: how many, and when the oldest and the newest
    /// began. All times are milliseconds since 1970.
    /// </summary>
    public (int Count, long Oldest, long Newest) ScrapesWithin(long from, long to)
    {
        (int count, long oldest, long newest) = (0, 0, 0);
        for (Frame? frame = Newest; frame is not null && frame.Time > from; frame = frame.Before)
        {
            if (frame.Time <= to)
            {
                newest = count++ == 0 ? frame.Time : newest;
                oldest = frame.Time;
            }
        }

        return (count, oldest, newest);
    }
}
