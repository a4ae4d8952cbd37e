using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Scrape;

/// <summary>
/// Counters from the proxies themselves, by the samples that the <see cref="Scraper"/> has taken. Answers are those of a Prometheus that
/// scrapes the same pages. The same query at the same instant is worked out once however many ask, and no more at a time than there are
/// processors, which the scrapes need too.
/// </summary>
internal sealed class ScrapeTrafficSource : ITrafficSource, IDisposable
{
    /// <summary>How long a series counts as there after its last sample (Prometheus' <c>--query.lookback-delta</c>).</summary>
    private static readonly TimeSpan Lookback = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan MostLag = TimeSpan.FromSeconds(2);

    private readonly SampleStore _store;
    private readonly ScrapeOptions _options;
    private readonly TimeProvider _clock;
    private readonly TimeSpan _lag;
    private readonly SemaphoreSlim _processors = new(Environment.ProcessorCount);
    private readonly Lock _lock = new();
    private readonly Dictionary<IncreaseQuery, Task<IncreaseAnswer>> _answers = [];
    private DateTimeOffset _answersInstant;

    public ScrapeTrafficSource(SampleStore store, ScrapeOptions options, TimeProvider clock)
    {
        _store = store;
        _options = options;
        _clock = clock;
        TimeSpan half = options.Interval / 2;
        _lag = half < MostLag ? half : MostLag;
    }

    /// <remarks>
    /// A moment ago: a scrape that has begun has the time at which it began, but can be seen only when its page has come. A window of two
    /// intervals would now and then hold one sample of a proxy, which is none.
    /// </remarks>
    public DateTimeOffset Instant => DateTimeOffset.FromUnixTimeSeconds((_clock.GetUtcNow() - _lag).ToUnixTimeSeconds());

    public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            if (instant != _answersInstant)
            {
                _answers.Clear();
                _answersInstant = instant;
            }

            if (!_answers.TryGetValue(query, out Task<IncreaseAnswer>? answer) || answer.IsFaulted)
            {
                answer = Task.Run(() => AnswerAsync(query, instant), CancellationToken.None);
                _answers[query] = answer;
            }

            return answer.WaitAsync(cancellationToken);
        }
    }

    public Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken)
    {
        StoredTarget[] targets = [.. Recent()];
        IncreaseSum recent = Recently(series, matchers);
        long? newest = targets.Where(target => recent.Add(target.Series.State)).Max(target => target.Series.State.Newest?.Time);
        return Task.FromResult(newest is { } time
            ? new SeriesProbe(Exists: true, _options.Interval, DateTimeOffset.FromUnixTimeMilliseconds(time))
            : SeriesProbe.None);
    }

    public Task<IReadOnlySet<string>> FindLabelsAsync(
        string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken)
    {
        StoredTarget[] targets = [.. Recent()];
        return Task.FromResult<IReadOnlySet<string>>(labels
            .Where(label =>
            {
                IncreaseSum recent = Recently(series, [.. matchers, new Matcher(label, MatchOperator.NotEqual, "")]);
                return Array.Exists(targets, target => recent.Add(target.Series.State));
            })
            .ToHashSet());
    }

    public void Dispose() => _processors.Dispose();

    private async Task<IncreaseAnswer> AnswerAsync(IncreaseQuery query, DateTimeOffset instant)
    {
        await _processors.WaitAsync();
        try
        {
            return Answer(query, instant);
        }
        finally
        {
            _processors.Release();
        }
    }

    private IncreaseAnswer Answer(IncreaseQuery query, DateTimeOffset instant)
    {
        NamedSeries series = Kept(query.Series, query.Matchers.Select(matcher => matcher.Label).Concat(query.By));
        if (!_store.Complete)
        {
            throw new SourceUnavailableException("the server is starting: it has not looked for proxies yet", null);
        }

        IncreaseSum sum = new(query, series, instant.ToUnixTimeMilliseconds());
        Completeness completeness = new(query, series, instant, _options);
        foreach (StoredTarget target in _store.Targets)
        {
            if (completeness.CanHave(target.Series.Target))
            {
                TargetState state = target.Series.State;
                sum.Add(state);
                completeness.Add(target, state);
            }
        }

        return new IncreaseAnswer(sum.Rows, instant, completeness.Warnings(), StaleBecause: null);
    }

    /// <summary>The targets that are scraped, and could be.</summary>
    /// <exception cref="SourceUnavailableException">None has been scraped yet.</exception>
    private IEnumerable<StoredTarget> Recent()
    {
        StoredTarget[] targets = [.. _store.Targets.Where(target => target.GoneSince is null)];
        bool nothingYet = targets.Length > 0 && targets.All(target => target.Series.State.Newest is null && target.Series.LastError is null);
        return _store.Complete && !nothingYet
            ? targets.Where(target => target.Series.LastError is null)
            : throw new SourceUnavailableException("the server is starting: it has not scraped any proxy yet", null);
    }

    /// <summary>Adds up what series have had samples of late.</summary>
    private IncreaseSum Recently(string series, IReadOnlyList<Matcher> matchers) => new(
        new IncreaseQuery(series, matchers, [], Lookback),
        Kept(series, matchers.Select(matcher => matcher.Label)),
        _clock.GetUtcNow().ToUnixTimeMilliseconds());

    /// <exception cref="SourceUnavailableException">Right after a descriptor has changed questions may come before the samples.</exception>
    private NamedSeries Kept(string series, IEnumerable<string> labels) =>
        _store.Selection.Series.FirstOrDefault(named => named.Name == series) is { } kept && labels.All(label => label == "le" || kept.Labels.Contains(label))
            ? kept
            : throw new SourceUnavailableException("the meshes' descriptors have changed: what they name is not scraped yet", null);
}
