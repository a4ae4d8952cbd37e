namespace SmiMetrics.Traffic;

/// <summary>The limits of the query window (<c>--default-window</c>, <c>--max-window</c>).</summary>
internal sealed record WindowOptions(TimeSpan Default, TimeSpan Max)
{
    public static readonly TimeSpan DefaultWindow = TimeSpan.FromSeconds(30);
    public static readonly TimeSpan MaxWindow = TimeSpan.FromHours(1);
}

/// <summary>A window that cannot be answered rightly.</summary>
/// <param name="problem">What is wrong with it, in words that go before the limit.</param>
/// <param name="limit">What it would have to be; null when the problem says it all.</param>
internal sealed class WindowException(string problem, TimeSpan? limit = null) : Exception(problem)
{
    public TimeSpan? Limit { get; } = limit;
}

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
            throw new WindowException("the longest window is", limits.Max);
        }

        if (window < shortest)
        {
            throw new WindowException("increase() needs two samples, so with this mesh's scrape interval the shortest window is", shortest);
        }

        // Prometheus' durations end at the millisecond; below it there is nothing to ask for.
        if (window.Ticks % TimeSpan.TicksPerMillisecond != 0)
        {
            throw new WindowException("it must be a whole number of milliseconds");
        }

        return window;
    }
}
