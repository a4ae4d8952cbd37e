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

    private readonly Dictionary<string, SortedDictionary<string, Line>> _families = [];
    private readonly Dictionary<string, string> _types = [];
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

    /// <summary>The page's age in seconds.</summary>
    private double Now => AgeAtStart + Stopwatch.GetElapsedTime(_begun).TotalSeconds;

    /// <summary>Adds to a counter's rate. Series of one name and equal labels are one series.</summary>
    public void Count(string family, string labels, double perSecond) => Add(family, "counter", $"{family}{{{labels}}}", perSecond);

    /// <summary>A counter that has stopped.</summary>
    public void Stopped(string family, string labels, long value)
    {
        Add(family, "counter", $"{family}{{{labels}}}", (double)value / AgeAtStart);
        _families[family][$"{family}{{{labels}}}"].End = AgeAtStart;
    }

    /// <summary>Adds requests to a classic histogram.</summary>
    /// <param name="bounds">The finite upper bounds as the mesh prints them.</param>
    public void Observe(string family, string labels, double perSecond, IReadOnlyList<Duration> durations, IReadOnlyList<string> bounds)
    {
        string before = labels.Length == 0 ? "" : $"{labels},";
        foreach (string bound in bounds)
        {
            double limit = double.Parse(bound, CultureInfo.InvariantCulture);
            double share = durations.Where(duration => duration.Milliseconds <= limit).Sum(duration => duration.Share);
            Add(family, "histogram", $"{family}_bucket{{{before}le=\"{bound}\"}}", perSecond * share);
        }

        Add(family, "histogram", $"{family}_bucket{{{before}le=\"+Inf\"}}", perSecond);
        Add(family, "histogram", $"{family}_sum{{{labels}}}", perSecond * durations.Sum(duration => duration.Share * duration.Milliseconds));
        Add(family, "histogram", $"{family}_count{{{labels}}}", perSecond);
    }

    /// <summary>The series whose text contains this count no further.</summary>
    public void Stop(string containing) => Change(containing, static (line, now) => line.End = now);

    /// <summary>They are no longer on the page.</summary>
    public void Hide(string containing) => Change(containing, static (line, _) => line.Hidden = true);

    /// <summary>They are on the page and count, from zero.</summary>
    public void BeginAnew(string containing) =>
        Change(containing, static (line, now) => (line.Begin, line.End, line.Hidden) = (now, double.PositiveInfinity, false));

    /// <summary>All counters are zero, and stay so.</summary>
    public void Cease() => Change("", static (line, _) => line.PerSecond = 0);

    /// <summary>The page as a scrape sees it now.</summary>
    /// <param name="scraper">Tells one scraper from another.</param>
    public string Render(int scraper)
    {
        lock (_gate)
        {
            Life life = _lives.GetValueOrDefault(scraper);
            double now = Now;
            StringBuilder page = new();
            foreach ((string family, SortedDictionary<string, Line> series) in _families)
            {
                page.Append(CultureInfo.InvariantCulture, $"# TYPE {family} {_types[family]}\n");
                foreach ((string text, Line line) in series.Where(line => !line.Value.Hidden))
                {
                    page.Append(CultureInfo.InvariantCulture, $"{text} {(long)(line.PerSecond * Math.Max(0, Math.Min(now, line.End) - Math.Max(life.Begin, line.Begin)))}\n");
                }
            }

            if (_restarts)
            {
                _lives[scraper] = life.Scrapes + 1 < ScrapesBetweenRestarts
                    ? life with { Scrapes = life.Scrapes + 1 }
                    : new Life(Begin: Now, Scrapes: 0);
            }

            return page.ToString();
        }
    }

    private void Add(string family, string type, string text, double perSecond)
    {
        _types[family] = type;
        if (!_families.TryGetValue(family, out SortedDictionary<string, Line>? series))
        {
            _families[family] = series = new SortedDictionary<string, Line>(StringComparer.Ordinal);
        }

        if (!series.TryGetValue(text, out Line? line))
        {
            series[text] = line = new Line();
        }

        line.PerSecond += perSecond;
    }

    private void Change(string containing, Action<Line, double> change)
    {
        lock (_gate)
        {
            double now = Now;
            foreach ((_, Line line) in _families.Values.SelectMany(series => series).Where(line => line.Key.Contains(containing, StringComparison.Ordinal)))
            {
                change(line, now);
            }
        }
    }

    private sealed class Line
    {
        public double PerSecond { get; set; }

        /// <summary>When it was zero.</summary>
        public double Begin { get; set; }

        /// <summary>Since when it stands still.</summary>
        public double End { get; set; } = double.PositiveInfinity;

        public bool Hidden { get; set; }
    }

    /// <param name="Begin">When all counters were zero.</param>
    /// <param name="Scrapes">That it has seen so far.</param>
    private readonly record struct Life(double Begin, int Scrapes);
}
