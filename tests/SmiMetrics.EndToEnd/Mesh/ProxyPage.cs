using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// The metrics page of one proxy. Every counter is rate × age, a pure function of the moment at which it is read, so the increase
/// over any window is rate × window.
/// </summary>
internal sealed class ProxyPage
{
    // Long-lived counters do not start at zero: increase() treats the neighbourhood of zero in its own way.
    private const double AgeAtStart = 3600;
    private const int ScrapesBetweenRestarts = 7;

    private readonly Dictionary<string, SortedDictionary<string, double>> _families = [];
    private readonly Dictionary<string, string> _types = [];
    private readonly Dictionary<string, long> _constants = [];
    private readonly bool _restarts;
    private readonly Lock _gate = new();
    private readonly long _begun = Stopwatch.GetTimestamp();
    private readonly Dictionary<int, Life> _lives = [];

    /// <param name="restarts">
    /// Whether the proxy starts anew after every seventh scrape: right after it, so that no request falls between the last scrape of
    /// one life and the start of the next. That moment is another for every scraper, so each sees lives of its own.
    /// </param>
    public ProxyPage(bool restarts)
    {
        _restarts = restarts;
    }

    /// <summary>Adds to a counter's rate. Series of one name and equal labels are one series.</summary>
    public void Count(string family, string labels, double perSecond) => Add(family, "counter", $"{family}{{{labels}}}", perSecond);

    /// <summary>A counter that has stopped.</summary>
    public void Stopped(string family, string labels, long value)
    {
        Add(family, "counter", $"{family}{{{labels}}}", 0);
        _constants[$"{family}{{{labels}}}"] = value;
    }

    /// <summary>Adds requests to a classic histogram.</summary>
    /// <param name="bounds">The finite upper bounds as the mesh prints them.</param>
    public void Observe(string family, string labels, double perSecond, IReadOnlyList<Duration> durations, IReadOnlyList<string> bounds)
    {
        foreach (string bound in bounds)
        {
            double limit = double.Parse(bound, CultureInfo.InvariantCulture);
            double share = durations.Where(duration => duration.Milliseconds <= limit).Sum(duration => duration.Share);
            Add(family, "histogram", $"{family}_bucket{{{labels},le=\"{bound}\"}}", perSecond * share);
        }

        Add(family, "histogram", $"{family}_bucket{{{labels},le=\"+Inf\"}}", perSecond);
        Add(family, "histogram", $"{family}_sum{{{labels}}}", perSecond * durations.Sum(duration => duration.Share * duration.Milliseconds));
        Add(family, "histogram", $"{family}_count{{{labels}}}", perSecond);
    }

    /// <summary>The page as a scrape sees it now.</summary>
    /// <param name="scraper">Tells one scraper from another.</param>
    public string Render(int scraper)
    {
        lock (_gate)
        {
            Life life = _lives.GetValueOrDefault(scraper, new Life(AgeAtStart, _begun, 0));
            double age = life.AgeAtBirth + Stopwatch.GetElapsedTime(life.Born).TotalSeconds;
            StringBuilder page = new();
            foreach ((string family, SortedDictionary<string, double> series) in _families)
            {
                page.Append(CultureInfo.InvariantCulture, $"# TYPE {family} {_types[family]}\n");
                foreach ((string line, double perSecond) in series)
                {
                    long value = _constants.GetValueOrDefault(line, (long)(perSecond * age));
                    page.Append(CultureInfo.InvariantCulture, $"{line} {value}\n");
                }
            }

            if (_restarts)
            {
                _lives[scraper] = life.Scrapes + 1 < ScrapesBetweenRestarts
                    ? life with { Scrapes = life.Scrapes + 1 }
                    : new Life(AgeAtBirth: 0, Stopwatch.GetTimestamp(), Scrapes: 0);
            }

            return page.ToString();
        }
    }

    private void Add(string family, string type, string line, double perSecond)
    {
        _types[family] = type;
        if (!_families.TryGetValue(family, out SortedDictionary<string, double>? series))
        {
            _families[family] = series = new SortedDictionary<string, double>(StringComparer.Ordinal);
        }

        series[line] = series.GetValueOrDefault(line) + perSecond;
    }

    /// <param name="Scrapes">That it has seen so far.</param>
    private readonly record struct Life(double AgeAtBirth, long Born, int Scrapes);
}
