using System.Globalization;
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

    // Longer than any run of the tests.
    private static readonly TimeSpan Future = TimeSpan.FromMinutes(80);

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

    /// <summary>Writes the samples as promtool reads them.</summary>
    /// <param name="begin">Of the first.</param>
    /// <param name="end">None is later.</param>
    public void Write(TextWriter output, DateTimeOffset begin, DateTimeOffset end)
    {
        long first = begin.ToUnixTimeSeconds();
        foreach ((string series, double rate) in _rates)
        {
            for (long time = first; time <= end.ToUnixTimeSeconds(); time += (long)interval.TotalSeconds)
            {
                output.Write(string.Create(CultureInfo.InvariantCulture, $"{series} {rate * (Begun + time - first):0.###} {time}\n"));
            }
        }

        output.Write("# EOF\n");
    }

    /// <summary>Writes samples from ten minutes ago to long after any run of the tests, for servers whose clock is the world's.</summary>
    public void WriteAroundNow(TextWriter output)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        Write(output, now - Past, now + Future);
    }
}
