using System.Globalization;
using System.Text;

namespace SmiMetrics.EndToEnd;

/// <summary>A target whose pages were made up.</summary>
/// <param name="Labels">What its scrape adds to its series.</param>
internal sealed record RandomTarget(IReadOnlyDictionary<string, string> Labels, IReadOnlyList<RandomScrape> Scrapes);

/// <param name="At">In milliseconds since 1970.</param>
/// <param name="Samples">As a page prints them: series and value.</param>
/// <param name="Fails">After half of its page was read.</param>
internal sealed record RandomScrape(long At, IReadOnlyList<(string Series, string Value)> Samples, bool Fails);

/// <summary>
/// Pages of counters that do everything that counters of proxies ever do: grow by little and by much, by fractions or not at all, fall,
/// come late, leave early, come and go, show themselves once; on targets that are scraped at even, uneven and rare intervals, that
/// come late, leave early, restart and fail. The same pages in every run.
/// </summary>
internal sealed class RandomPages
{
    public const string Counter = "response_total";
    public const string Histogram = "response_latency_ms_bucket";

    /// <summary>Two blocks of Prometheus' store meet within it.</summary>
    public static readonly DateTimeOffset Begin = new(2026, 1, 1, 1, 52, 30, TimeSpan.Zero);

    public static readonly TimeSpan Length = TimeSpan.FromMinutes(16);

    private static readonly string[] Bounds = ["1", "2.5", "10", "1e+02", "+Inf"];

    private readonly Random _random = new(4711);

    private RandomPages()
    {
    }

    public static IReadOnlyList<RandomTarget> Generate()
    {
        RandomPages pages = new();
        return
        [
            pages.Target("steady", (_, _) => 5000),
            pages.Target("steady", (_, _) => 5000),
            pages.Target("jittery", (random, _) => random.Next(4000, 6000)),
            pages.Target("uneven", (random, _) => random.Next(1500, 20000)),
            pages.Target("sparse", (_, _) => 30_000),
            pages.Target("late", (_, _) => 5000, from: 0.4),
            pages.Target("short", (_, _) => 5000, to: 0.6),
            pages.Target("failing", (_, _) => 5000, failing: 0.4),
            // For minutes nothing, then again for a while.
            pages.Target("gaps", (random, _) => random.Next(20) == 0 ? random.Next(60_000, 200_000) : 5000),
            pages.Target("rare", (random, _) => random.Next(200_000, 400_000)),
            pages.Target("restarting", (_, _) => 5000, restarting: 0.1),
        ];
    }

    /// <summary>All of it as promtool reads it: every series with the labels of its target.</summary>
    public static string OpenMetrics(IEnumerable<RandomTarget> targets)
    {
        StringBuilder text = new();
        foreach (RandomTarget target in targets)
        {
            string labels = string.Join(',', target.Labels.Select(label => $"{label.Key}=\"{label.Value}\""));
            foreach (RandomScrape scrape in target.Scrapes.Where(scrape => !scrape.Fails))
            {
                foreach ((string series, string value) in scrape.Samples)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{series[..^1]},{labels}}} {value} {Seconds(scrape.At)}\n");
                }
            }
        }

        return text.Append("# EOF\n").ToString();
    }

    private RandomTarget Target(
        string name, Func<Random, int, int> interval, double from = 0, double to = 1, double failing = 0, double restarting = 0)
    {
        int number = _random.Next(1000, 10_000);
        List<RandomSeries> series = [.. Series()];
        List<RandomScrape> scrapes = [];
        double first = Begin.ToUnixTimeMilliseconds() + (from * Length.TotalMilliseconds) + _random.Next(1, 4999);
        double end = Begin.ToUnixTimeMilliseconds() + (to * Length.TotalMilliseconds);
        for (long at = (long)first; at < end; at += interval(_random, scrapes.Count))
        {
            bool restarts = _random.NextDouble() < restarting;
            foreach (RandomSeries one in series)
            {
                one.Move(_random, restarts);
            }

            List<(string, string)> samples = [.. series.Where(one => one.Shown).Select(one => (Text(one.Name, one.Labels), one.Value.ToString("R", CultureInfo.InvariantCulture)))];
            scrapes.Add(new RandomScrape(Promtools(at), samples, Fails: _random.NextDouble() < failing));
        }

        Dictionary<string, string> labels = new()
        {
            ["namespace"] = number % 2 == 0 ? "shop" : "billing",
            ["pod"] = $"{name}-{number}",
            ["deployment"] = name,
        };
        return new RandomTarget(labels, scrapes);
    }

    private IEnumerable<RandomSeries> Series()
    {
        foreach (string classification in (string[])["success", "failure"])
        {
            for (int copy = 0; copy < 4; copy++)
            {
                yield return Make(Counter, [("direction", "inbound"), ("target_port", "8080"), ("classification", classification), ("authority", $"\\\"a\\\\b\\n{copy}\\\"")]);
                yield return Make(Counter,
                [
                    ("direction", "outbound"), ("dst_namespace", copy % 2 == 0 ? "shop" : "bills"), ("dst_deployment", $"peer-{copy}"), ("classification", classification),
                ]);
            }

            yield return Make(Counter, [("direction", "inbound"), ("target_port", "4191"), ("classification", classification)]);
            yield return Make(Counter, [("direction", "inbound"), ("target_port", "8080"), ("route_name", "probe"), ("classification", classification)]);
        }

        foreach (string status in (string[])["200", "503"])
        {
            foreach (string bound in Bounds)
            {
                yield return Make(Histogram, [("direction", "inbound"), ("target_port", "8080"), ("status_code", status), ("le", bound)]);
            }
        }
    }

    private RandomSeries Make(string name, (string, string)[] labels) => new(name, labels, _random);

    // A page may print the labels of a series in another order each time.
    private string Text(string name, (string Name, string Value)[] labels)
    {
        if (_random.Next(10) == 0)
        {
            _random.Shuffle(labels);
        }

        return $"{name}{{{string.Join(',', labels.Select(label => $"{label.Name}=\"{label.Value}\""))}}}";
    }

    // OpenMetrics has seconds; Prometheus multiplies and cuts off, and so may lose a millisecond.
    private static long Promtools(long at) => (long)(double.Parse(Seconds(at), CultureInfo.InvariantCulture) * 1000);

    private static string Seconds(long at) => $"{at / 1000}.{at % 1000:000}";

    /// <summary>A counter with a character of its own.</summary>
    private sealed class RandomSeries
    {
        private readonly int _growth;
        private readonly double _falls;
        private readonly double _comes;
        private readonly double _goes;

        public RandomSeries(string name, (string, string)[] labels, Random random)
        {
            (Name, Labels) = (name, labels);
            _growth = random.Next(7);
            _falls = random.Next(4) == 0 ? 0.1 : 0;
            // There from the first, or late; for ever, or coming and going, or seen once and then for long not.
            Shown = random.Next(3) > 0;
            (_comes, _goes) = random.Next(4) switch
            {
                0 => (0.2, 0.1),
                1 => (0.05, 1),
                _ => (0.1, 0),
            };
            Value = random.Next(4) switch
            {
                0 => 0,
                1 => random.Next(100),
                2 => random.Next(1_000_000) / 8.0,
                _ => 1e9 + random.Next(),
            };
        }

        public string Name { get; }

        public (string Name, string Value)[] Labels { get; }

        public double Value { get; private set; }

        public bool Shown { get; private set; }

        public void Move(Random random, bool restarts)
        {
            Shown = Shown ? random.NextDouble() >= _goes : random.NextDouble() < _comes;
            Value += _growth switch
            {
                0 => 0,
                1 => random.Next(10),
                2 => random.Next(100_000),
                3 => random.NextDouble(),
                4 => random.Next(10) == 0 ? random.Next() : 0,
                5 => random.NextInt64(1L << 40),
                _ => random.Next(200, 300),
            };
            if (restarts || random.NextDouble() < _falls)
            {
                Value = random.Next(3) switch
                {
                    0 => 0,
                    1 => random.Next(20),
                    _ => Math.Floor(Value / 2),
                };
            }
        }
    }
}
