using System.Buffers;
using System.Globalization;
using System.Text;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>What one scrape of a page has seen.</summary>
/// <param name="Values">In the order of the page's lines; less than zero for a line that was not there.</param>
internal sealed record PageSample(DateTimeOffset At, long[] Values);

/// <summary>
/// The metrics page of one proxy. Every counter is rate × age, a pure function of the moment at which it is read, so the increase
/// over any window is rate × window. All ages are in seconds.
/// </summary>
/// <param name="restarts">
/// Whether the proxy starts anew about every seven seconds: right after a scrape, so that no request falls between the last scrape of
/// one life and the start of the next. That moment is another for every scraper, so each sees lives of its own.
/// </param>
internal sealed class ProxyPage(bool restarts)
{
    /// <summary>Long-lived counters do not start at zero: increase() treats the neighbourhood of zero in its own way.</summary>
    public const double AgeAtStart = 3600;

    private const double LongestLife = 6.5;
    private const long NotThere = -1;

    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly Dictionary<int, double> _lives = [];

    /// <summary>Adds to a counter's rate. Series of one name and equal labels are one series.</summary>
    public void Count(string family, string labels, double perSecond) => Add(family, "counter", $"{family}{{{labels}}}", perSecond);

    /// <summary>A counter that has stopped.</summary>
    public void Stopped(string family, string labels, long value) =>
        Add(family, "counter", $"{family}{{{labels}}}", value / AgeAtStart).End = AgeAtStart;

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
    public void Stop(string containing, double age) => Change(containing, line => line.End = age);

    /// <summary>They are no longer on the page.</summary>
    public void Hide(string containing) => Change(containing, static line => line.Hidden = true);

    /// <summary>They are on the page and count, from zero.</summary>
    public void BeginAnew(string containing, double age) =>
        Change(containing, line => (line.Begin, line.End, line.Hidden) = (age, double.PositiveInfinity, false));

    /// <summary>The page's values as a scrape sees them at this age.</summary>
    /// <param name="scraper">Tells one scraper from another.</param>
    public PageSample Scrape(int scraper, DateTimeOffset at, double age)
    {
        lock (_gate)
        {
            double begin = _lives.GetValueOrDefault(scraper);
            if (restarts && age - begin >= LongestLife)
            {
                _lives[scraper] = age;
            }

            return new PageSample(at, [.. Lines().Select(line => line.At(age, begin))]);
        }
    }

    /// <summary>Prints the page as this scrape has seen it, in the text format of Prometheus.</summary>
    public void Write(PageSample sample, IBufferWriter<byte> output) => Write(output, (line, index) =>
    {
        if (sample.Values[index] != NotThere)
        {
            output.Write(line.Text.AsSpan());
            output.Write(Encoding.ASCII.GetBytes($" {sample.Values[index]}\n"));
        }
    });

    /// <summary>Prints a page that shows all that these scrapes have seen, each sample with its own time.</summary>
    /// <param name="samples">In order of time.</param>
    public void WriteHistory(IReadOnlyCollection<PageSample> samples, IBufferWriter<byte> output) => Write(output, (line, index) =>
    {
        foreach (PageSample sample in samples.Where(sample => sample.Values[index] != NotThere))
        {
            output.Write(line.Text.AsSpan());
            output.Write(Encoding.ASCII.GetBytes($" {sample.Values[index]} {sample.At.ToUnixTimeMilliseconds()}\n"));
        }
    });

    private IEnumerable<Line> Lines() => _families.Values.SelectMany(family => family.Lines.Values);

    private void Write(IBufferWriter<byte> output, Action<Line, int> write)
    {
        int index = 0;
        foreach ((string name, Family family) in _families)
        {
            output.Write(Encoding.UTF8.GetBytes($"# TYPE {name} {family.Type}\n"));
            foreach (Line line in family.Lines.Values)
            {
                write(line, index++);
            }
        }
    }

    private Line Add(string family, string type, string text, double perSecond)
    {
        if (!_families.TryGetValue(family, out Family? of))
        {
            _families[family] = of = new Family(type);
        }

        if (!of.Lines.TryGetValue(text, out Line? line))
        {
            of.Lines[text] = line = new Line(Encoding.UTF8.GetBytes(text));
        }

        line.PerSecond += perSecond;
        return line;
    }

    private void Change(string containing, Action<Line> change)
    {
        lock (_gate)
        {
            foreach ((_, Line line) in _families.Values.SelectMany(family => family.Lines).Where(line => line.Key.Contains(containing, StringComparison.Ordinal)))
            {
                change(line);
            }
        }
    }

    private sealed record Family(string Type)
    {
        public SortedDictionary<string, Line> Lines { get; } = new(StringComparer.Ordinal);
    }

    /// <param name="text">The series, as the page prints it.</param>
    private sealed class Line(byte[] text)
    {
        public byte[] Text { get; } = text;

        public double PerSecond { get; set; }

        /// <summary>When it was zero.</summary>
        public double Begin { get; set; }

        /// <summary>Since when it stands still.</summary>
        public double End { get; set; } = double.PositiveInfinity;

        public bool Hidden { get; set; }

        /// <param name="begun">When all counters were zero.</param>
        public long At(double age, double begun) => Hidden ? NotThere : (long)(PerSecond * Math.Max(0, Math.Min(age, End) - Math.Max(begun, Begin)));
    }
}
