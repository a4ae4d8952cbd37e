using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Scrape;

/// <summary>
/// Counters from the proxies themselves, by the samples that the <see cref="Scraper"/> has taken. Answers are those of a Prometheus that
/// scrapes the same pages, and are computed anew each time: there is nothing upstream to be spared.
/// </summary>
internal sealed class ScrapeTrafficSource(SampleStore store, ScrapeOptions options, TimeProvider clock) : ITrafficSource
{
    /// <summary>How long a series counts as there after its last sample (Prometheus' <c>--query.lookback-delta</c>).</summary>
    private static readonly TimeSpan Lookback = TimeSpan.FromMinutes(5);

    /// <summary>How many missing proxies are worth a word in an answer about any number of them. Some always are, in a large cluster.</summary>
    private const double WorthSaying = 0.1;

    private const int MostNamed = 3;

    public DateTimeOffset Instant => DateTimeOffset.FromUnixTimeSeconds(clock.GetUtcNow().ToUnixTimeSeconds());

    public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken) =>
        // The queries of a request run at once.
        Task.Run(() => Query(query, instant, cancellationToken), cancellationToken);

    public Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken)
    {
        if (Named(series) is not { } named)
        {
            return Task.FromResult(new SeriesProbe(Exists: false, null));
        }

        IncreaseSum recent = new(new IncreaseQuery(series, matchers, [], Lookback), named, clock.GetUtcNow().ToUnixTimeMilliseconds());
        bool exists = store.Targets.Any(target => target.GoneSince is null && target.Series.LastError is null && recent.Add(target.Series.State));
        return Task.FromResult(new SeriesProbe(exists, exists ? options.Interval : null));
    }

    private IncreaseAnswer Query(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken)
    {
        NamedSeries series = Named(query.Series) ?? throw new InvalidOperationException($"{query.Series} is not kept: no descriptor names it");
        if (!store.Complete)
        {
            throw new SourceUnavailableException("the server is starting: it has not looked for proxies yet", null);
        }

        long to = instant.ToUnixTimeMilliseconds();
        long from = to - (long)query.Window.TotalMilliseconds;
        IncreaseSum sum = new(query, series, to);
        Completeness completeness = new(query, series, from, to);
        foreach (StoredTarget target in store.Targets)
        {
            cancellationToken.ThrowIfCancellationRequested();
            TargetState state = target.Series.State;
            sum.Add(state);
            completeness.Add(target, state);
        }

        return new IncreaseAnswer(sum.Rows, instant, completeness.Warnings(), StaleBecause: null);
    }

    private NamedSeries? Named(string series) => store.Selection.Series.FirstOrDefault(named => named.Name == series);

    /// <summary>Which of the proxies that a query is about could not be scraped often enough in its window.</summary>
    private sealed class Completeness(IncreaseQuery query, NamedSeries series, long from, long to)
    {
        private readonly List<StoredTarget> _missing = [];
        private int _asked;
        private bool _selected;

        public void Add(StoredTarget target, TargetState state)
        {
            if (!Concerns(target.Series.Target, out bool selected))
            {
                return;
            }

            _asked++;
            bool shouldHaveBeenScraped = target.GoneSince is null && target.KnownSince.ToUnixTimeMilliseconds() <= from;
            if (shouldHaveBeenScraped && state.ScrapesWithin(from, to) < 2)
            {
                _missing.Add(target);
                _selected |= selected;
            }
        }

        /// <exception cref="SourceUnavailableException">All of them are missing.</exception>
        public string[] Warnings()
        {
            if (_missing.Count == 0 || (!_selected && _missing.Count < WorthSaying * _asked))
            {
                return [];
            }

            // Names go only to who asked about these very pods.
            string[] named = _selected && _missing.Count <= MostNamed ? [.. _missing.Select(Describe)] : [];
            string[] warnings = named.Length > 0 ? named : [$"{_missing.Count} of {_asked} proxies have not been scraped twice within the window"];
            return _missing.Count < _asked
                ? warnings
                : throw new SourceUnavailableException(string.Join("; ", warnings), null);
        }

        private static string Describe(StoredTarget target) =>
            target.Series.LastError is { } error
                ? $"the proxy of {target.Series.Target.Name} cannot be scraped: {error}"
                : $"the proxy of {target.Series.Target.Name} has not been scraped twice within the window";

        /// <param name="selected">Whether the query picks targets, by the labels that they give their series.</param>
        private bool Concerns(ScrapeTarget target, out bool selected)
        {
            selected = false;
            if (target.Mesh is not null && !series.Meshes.Contains(target.Mesh))
            {
                return false;
            }

            foreach (Matcher matcher in query.Matchers)
            {
                if (target.Labels.TryGetValue(matcher.Label, out string? value))
                {
                    if (!matcher.Matches(value))
                    {
                        return false;
                    }

                    selected |= matcher.Operator is MatchOperator.Equal or MatchOperator.Matches;
                }
            }

            return true;
        }
    }
}
