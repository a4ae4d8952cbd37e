using System.Diagnostics.Metrics;

namespace SmiMetrics.Scrape;

/// <summary>What the scraper tells about its own work: to anybody who may look, so nothing about a single target.</summary>
internal sealed class ScrapeMetrics
{
    private readonly Meter _meter;
    private readonly Counter<long> _scrapes;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _kept;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _bad;
    private readonly Counter<long> _late;

    public ScrapeMetrics(IMeterFactory meters)
    {
        _meter = meters.Create("SmiMetrics.Scrape");
        _scrapes = _meter.CreateCounter<long>("smi_metrics_scrapes_total", description: "Scrapes of targets by outcome.");
        _duration = _meter.CreateHistogram<double>(
            "smi_metrics_scrape_duration_seconds", "s", "Time from the request to the last byte of a page, or to the failure.");
        _kept = _meter.CreateCounter<long>("smi_metrics_scrape_samples_kept_total", description: "Samples on the pages of series that a mesh's descriptor names.");
        _dropped = _meter.CreateCounter<long>("smi_metrics_scrape_samples_dropped_total", description: "Samples on the pages of series that no mesh's descriptor names.");
        _bad = _meter.CreateCounter<long>("smi_metrics_scrape_bad_lines_total", description: "Lines of pages that could not be read.");
        _late = _meter.CreateCounter<long>("smi_metrics_scrape_late_total", description: "Scrapes that began late, or not at all because the one before still ran.");
    }

    public void Scraped(PageCounts counts, TimeSpan duration)
    {
        Ended(ScrapeOutcome.Ok, duration);
        _kept.Add(counts.Kept);
        _dropped.Add(counts.Dropped);
        _bad.Add(counts.Bad);
    }

    public void Failed(ScrapeOutcome outcome, TimeSpan duration) => Ended(outcome, duration);

    public void Late(int scrapes)
    {
        if (scrapes > 0)
        {
            _late.Add(scrapes);
        }
    }

    /// <summary>Shows how many targets are of each health, by asking when somebody looks.</summary>
    public void ShowTargets(Func<TargetHealth, int> count) => _meter.CreateObservableGauge(
        "smi_metrics_scrape_targets",
        () => Enum.GetValues<TargetHealth>().Select(state => new Measurement<int>(count(state), new KeyValuePair<string, object?>("state", Word(state)))),
        description: "Targets by how their last scrape ended; pending before the first.");

    /// <summary>Shows how many series are held, by asking when somebody looks.</summary>
    public void ShowSeries(Func<long> count) =>
        _meter.CreateObservableGauge("smi_metrics_scrape_series", count, description: "Series that samples are held of.");

    private void Ended(ScrapeOutcome outcome, TimeSpan duration)
    {
        _duration.Record(duration.TotalSeconds);
        _scrapes.Add(1, new KeyValuePair<string, object?>("outcome", Word(outcome)));
    }

    private static string Word(TargetHealth state) => state switch
    {
        TargetHealth.Pending => "pending",
        TargetHealth.Up => "up",
        TargetHealth.Failing => "failing",
        _ => throw new ArgumentOutOfRangeException(nameof(state)),
    };

    private static string Word(ScrapeOutcome outcome) => outcome switch
    {
        ScrapeOutcome.Ok => "ok",
        ScrapeOutcome.TimedOut => "timeout",
        ScrapeOutcome.Unreachable => "unreachable",
        ScrapeOutcome.HttpError => "http_error",
        ScrapeOutcome.CutShort => "cut_short",
        ScrapeOutcome.TooLarge => "too_large",
        ScrapeOutcome.Unreadable => "unreadable",
        ScrapeOutcome.Credentials => "credentials",
        ScrapeOutcome.Unexpected => "unexpected",
        _ => throw new ArgumentOutOfRangeException(nameof(outcome)),
    };
}
