using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Scrape;

/// <summary>
/// Whether an answer is whole: which of the proxies that a query is about were not scraped throughout its window. A proxy that appeared
/// within the window, or has gone, is not expected to have been.
/// </summary>
internal sealed class Completeness
{
    /// <summary>How many of all proxies are worth a word to who asks about no pods in particular. In a large cluster some are always broken.</summary>
    private const double WorthSaying = 0.1;

    private const int MostNamed = 3;

    private readonly IncreaseQuery _query;
    private readonly NamedSeries _series;
    private readonly long _from;
    private readonly long _to;
    private readonly long _interval;
    private readonly long _timeout;
    private readonly string[] _reporterNamespaces;

    private readonly List<StoredTarget> _failing = [];
    private readonly List<StoredTarget> _unscraped = [];
    private int _late;
    private int _silent;
    private int _asked;
    private bool _selected;
    private long _reach = long.MaxValue;

    public Completeness(IncreaseQuery query, NamedSeries series, DateTimeOffset instant, ScrapeOptions options)
    {
        _query = query;
        _series = series;
        _to = instant.ToUnixTimeMilliseconds();
        _from = _to - (long)query.Window.TotalMilliseconds;
        _interval = (long)options.Interval.TotalMilliseconds;
        _timeout = (long)options.Timeout.TotalMilliseconds;
        _reporterNamespaces =
        [
            .. series.Reporters
                .Where(reporter => reporter.NamespaceLabel is not null && reporter.Where.All(query.Matchers.Contains))
                .Select(reporter => reporter.NamespaceLabel!)
                .Distinct(),
        ];
    }

    /// <summary>Whether a target's series can match at all, as far as its own labels tell.</summary>
    public bool CanHave(ScrapeTarget target) => _query.Matchers.All(matcher =>
        !target.Labels.TryGetValue(matcher.Label, out string? value) || value.Length == 0 || matcher.Matches(value));

    /// <summary>Takes note of a target that <see cref="CanHave"/> matching series.</summary>
    public void Add(StoredTarget target, TargetState state)
    {
        if (!Concerns(target.Series.Target, out bool selected))
        {
            return;
        }

        _asked++;
        if (target.GoneSince is not null || target.KnownSince.ToUnixTimeMilliseconds() > _from)
        {
            return;
        }

        (int count, long oldest, long newest) = state.ScrapesWithin(_from, _to);
        _silent += count < 2 ? 1 : 0;
        if (target.Series.LastError is not null && (count < 2 || newest < _to - (2 * _interval) - _timeout))
        {
            _failing.Add(target);
        }
        else if (count < 2)
        {
            _unscraped.Add(target);
        }
        else if (oldest > _from + (2 * _interval))
        {
            _late++;
            _reach = Math.Min(_reach, _to - oldest);
        }
        else
        {
            return;
        }

        _selected |= selected;
    }

    /// <exception cref="SourceUnavailableException">None of them was scraped often enough to tell anything.</exception>
    public string[] Warnings()
    {
        int partial = _failing.Count + _unscraped.Count + _late;
        if (partial == 0 || (!_selected && partial < WorthSaying * _asked))
        {
            return [];
        }

        List<string> warnings =
        [
            .. Describe(_failing, "cannot be scraped"),
            .. Describe(_unscraped, _unscraped.Count == 1 || Named(_unscraped) ? "has not been scraped twice within the window" : "have not been scraped twice within the window"),
        ];
        if (_late > 0)
        {
            warnings.Add($"the samples of {_late} of {_asked} proxies reach back only {_reach / 1000} s");
        }

        return _silent < _asked
            ? [.. warnings]
            : throw new SourceUnavailableException(string.Join("; ", warnings), null);
    }

    private IEnumerable<string> Describe(List<StoredTarget> targets, string what) =>
        targets.Count == 0 ? []
        : Named(targets) ? targets.Select(target => $"the proxy of {target.Series.Target.PodName} {what}{(target.Series.LastError is { } error ? $": {error}" : "")}")
        : [$"{targets.Count} of {_asked} proxies {what}"];

    /// <summary>Names go only to who asked about these very pods.</summary>
    private bool Named(List<StoredTarget> targets) =>
        _selected && targets.Count <= MostNamed && targets.TrueForAll(target => target.Series.Target.PodName is not null);

    /// <param name="selected">Whether the query picks targets, by the labels that they give their series or by the reporter's namespace.</param>
    private bool Concerns(ScrapeTarget target, out bool selected)
    {
        selected = false;
        if (target.Meshes.Count > 0 && !target.Meshes.Any(_series.Meshes.Contains))
        {
            return false;
        }

        foreach (Matcher matcher in _query.Matchers)
        {
            bool known = target.Labels.TryGetValue(matcher.Label, out string? value);
            if (!known && target.Pod is { } pod && _reporterNamespaces.Contains(matcher.Label))
            {
                (known, value) = (true, pod.Namespace);
            }

            if (known)
            {
                if (!matcher.Matches(value!))
                {
                    return false;
                }

                selected |= matcher.Operator is MatchOperator.Equal or MatchOperator.Matches;
            }
        }

        return true;
    }
}
