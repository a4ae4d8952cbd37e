using System.Globalization;
using System.Text;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// Series with a past and a near future, for a Prometheus that scrapes nobody: every counter grows evenly, so that its increase over any window
/// is rate × window, and nobody has to wait for a window to fill.
/// </summary>
/// <param name="interval">Between two samples.</param>
internal sealed class History(TimeSpan interval)
{
    private static readonly TimeSpan Past = TimeSpan.FromMinutes(10);

    // As long as any test runs.
    private static readonly TimeSpan Future = TimeSpan.FromMinutes(20);

    // Long-lived counters do not start at zero: increase() treats the neighbourhood of zero in its own way.
    private const double Begun = 3600;

    private readonly Dictionary<string, double> _rates = [];

    /// <summary>Adds to a counter's rate.</summary>
    public void Count(string family, string labels, double perSecond)
    {
        string series = $"{family}{{{labels}}}";
        _rates[series] = _rates.GetValueOrDefault(series) + perSecond;
    }

    /// <summary>Adds requests to a classic histogram.</summary>
    /// <param name="milliseconds">Milliseconds in its unit.</param>
    public void Observe(string family, string labels, double perSecond, IReadOnlyList<Duration> durations, IReadOnlyList<double> bounds, double milliseconds)
    {
        foreach (double bound in bounds)
        {
            double share = durations.Where(duration => duration.Milliseconds <= bound * milliseconds).Sum(duration => duration.Share);
            Count($"{family}_bucket", string.Create(CultureInfo.InvariantCulture, $"{labels},le=\"{bound}\""), perSecond * share);
        }

        Count($"{family}_bucket", $"{labels},le=\"+Inf\"", perSecond);
    }

    /// <summary>The samples, as promtool reads them. They go on after now unless <paramref name="endsNow"/>.</summary>
    public string OpenMetrics(bool endsNow)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        long begin = (now - Past).ToUnixTimeSeconds();
        long end = (endsNow ? now : now + Future).ToUnixTimeSeconds();
        StringBuilder text = new();
        foreach ((string series, double rate) in _rates)
        {
            for (long time = begin; time <= end; time += (long)interval.TotalSeconds)
            {
                text.Append(CultureInfo.InvariantCulture, $"{series} {rate * (Begun + time - begin):0.###} {time}\n");
            }
        }

        return text.Append("# EOF\n").ToString();
    }
}
