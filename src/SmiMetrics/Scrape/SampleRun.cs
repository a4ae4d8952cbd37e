using System.Runtime.InteropServices;

namespace SmiMetrics.Scrape;

/// <summary>What <c>increase</c> needs of a series' samples within a window. They are taken in from the newest to the oldest.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct SampleRun
{
    private double _first;
    private double _last;
    private double _beforeResets;
    private long _firstTime;
    private long _lastTime;

    /// <summary>The value of the sample that comes next; who undoes the frames keeps it here.</summary>
    public double Value { get; set; }

    public int Count { get; private set; }

    /// <summary>Takes in <see cref="Value"/> as the sample of this time, which is earlier than all so far.</summary>
    public void Add(long time)
    {
        if (Count++ == 0)
        {
            _last = Value;
            _lastTime = time;
        }
        else if (_first < Value)
        {
            // The counter fell: it began anew at zero in between.
            _beforeResets += Value;
        }

        _first = Value;
        _firstTime = time;
    }

    /// <summary>
    /// The increase, extrapolated to the window's ends as Prometheus does it since 2.53 (<c>promql/functions.go</c>, extrapolatedRate):
    /// to an end that is no further from the samples than these are from each other (and a tenth), else by half that distance, and never
    /// to before the counter was zero. (Before, the limit at zero came first; it differs only for a series that began just before its first sample.)
    /// </summary>
    /// <param name="from">The window's start, in milliseconds; samples of exactly this time are not in it.</param>
    /// <param name="to">Its end.</param>
    /// <returns>Null when there are fewer than two samples.</returns>
    public readonly double? Increase(long from, long to)
    {
        if (Count < 2)
        {
            return null;
        }

        double increase = _last - _first + _beforeResets;
        // In seconds, as Prometheus has it: where an end is exactly a tenth further, rounding decides, and it is another in milliseconds.
        double sampled = (_lastTime - _firstTime) / 1000.0;
        double distance = sampled / (Count - 1);
        double near = distance * 1.1;
        double toStart = (_firstTime - from) / 1000.0;
        double toEnd = (to - _lastTime) / 1000.0;
        if (toStart >= near)
        {
            toStart = distance / 2;
        }

        if (increase > 0)
        {
            toStart = Math.Min(toStart, sampled * (_first / increase));
        }

        if (toEnd >= near)
        {
            toEnd = distance / 2;
        }

        return increase * ((sampled + toStart + toEnd) / sampled);
    }
}
