namespace SmiMetrics.Traffic;

/// <summary>The limits of the query window (<c>--default-window</c>, <c>--max-window</c>).</summary>
internal sealed record WindowOptions(TimeSpan Default, TimeSpan Max)
{
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan MaxWindow = TimeSpan.FromHours(1);
}

/// <summary>A window that cannot be answered rightly. The message says the limit and is fit for callers.</summary>
internal sealed class WindowException(string message) : Exception(message);

internal static class QueryWindow
{
    /// <summary>
    /// The window to use. <c>increase</c> needs two samples, so nothing shorter than two scrape intervals can be answered: the default
    /// grows to that, and an explicit window that is shorter is refused rather than answered with silence.
    /// </summary>
    /// <param name="asked">The caller's window; null for the default.</param>
    /// <param name="scrapeInterval">As measured; null while unknown, and then only the fixed limits hold.</param>
    /// <exception cref="WindowException">The window is not positive, shorter than two scrape intervals, or longer than the limit.</exception>
    public static TimeSpan Choose(TimeSpan? asked, TimeSpan? scrapeInterval, WindowOptions limits)
    {
        TimeSpan shortest = (scrapeInterval ?? TimeSpan.Zero) * 2;
        if (asked is not { } window)
        {
            return limits.Default > shortest ? limits.Default : shortest;
        }

        if (window <= TimeSpan.Zero)
        {
            throw new WindowException("it must be longer than zero");
        }

        if (window > limits.Max)
        {
            throw new WindowException($"the longest window is {limits.Max.TotalSeconds:0.###}s");
        }

        if (window < shortest)
        {
            throw new WindowException(
                $"the shortest window is {shortest.TotalSeconds:0.###}s, two of the {shortest.TotalSeconds / 2:0.###}s between scrapes");
        }

        // Prometheus' durations end at the millisecond; below it there is nothing to ask for.
        if (window.Ticks % TimeSpan.TicksPerMillisecond != 0)
        {
            throw new WindowException("it must be a whole number of milliseconds");
        }

        return window;
    }
}
