namespace SmiMetrics.Traffic;

/// <summary>
/// A classic Prometheus histogram: cumulative counts by upper bound. Counts of equal bounds add, so the buckets of many pods become
/// those of their workload. Quantiles follow <c>histogram_quantile</c> in every special case (Prometheus <c>promql/quantile.go</c>).
/// </summary>
internal sealed class Histogram
{
    // Prometheus takes neighbours this close (relatively) for equal: sums of floats in another order differ that little.
    private const double SmallDelta = 1e-12;

    private double[] _bounds = new double[32];
    private double[] _counts = new double[32];
    private int _length;

    /// <summary>Adds the cumulative count of a bucket.</summary>
    /// <param name="upperBound">The bucket's <c>le</c>; +∞ for the last one.</param>
    /// <param name="count">Finite and not negative.</param>
    public void Add(double upperBound, double count)
    {
        int at = _bounds.AsSpan(0, _length).BinarySearch(upperBound);
        if (at >= 0)
        {
            _counts[at] += count;
            return;
        }

        if (_length == _bounds.Length)
        {
            Array.Resize(ref _bounds, _length * 2);
            Array.Resize(ref _counts, _length * 2);
        }

        at = ~at;
        _bounds.AsSpan(at, _length - at).CopyTo(_bounds.AsSpan(at + 1));
        _counts.AsSpan(at, _length - at).CopyTo(_counts.AsSpan(at + 1));
        _bounds[at] = upperBound;
        _counts[at] = count;
        _length++;
    }

    /// <summary>
    /// Adds the observations of another histogram, whose bounds may be others. Where one has a bound that the other lacks, the other's
    /// observations are taken to be spread evenly within their bucket, as <see cref="Quantile"/> takes them to be.
    /// </summary>
    /// <param name="scale">What the other's unit is in this one's.</param>
    public void Merge(Histogram other, double scale)
    {
        Histogram added = new();
        for (int i = 0; i < other._length; i++)
        {
            added.Add(other._bounds[i] * scale, other._counts[i]);
        }

        double[] bounds = [.. _bounds.AsSpan(0, _length).ToArray().Union(added._bounds.AsSpan(0, added._length).ToArray()).Order()];
        double[] counts = [.. bounds.Select(bound => CountBelow(bound) + added.CountBelow(bound))];
        (_bounds, _counts, _length) = (bounds, counts, bounds.Length);
    }

    /// <summary>How many observations are not above a value, as far as the buckets tell.</summary>
    private double CountBelow(double value)
    {
        int above = _bounds.AsSpan(0, _length).BinarySearch(value);
        if (above >= 0)
        {
            return _counts[above];
        }

        above = ~above;
        double below = above == 0 ? 0 : _counts[above - 1];
        if (above == _length || double.IsPositiveInfinity(_bounds[above]))
        {
            return below;
        }

        double start = above == 0 ? Math.Min(0, _bounds[0]) : _bounds[above - 1];
        return value <= start ? below : below + ((_counts[above] - below) * ((value - start) / (_bounds[above] - start)));
    }

    /// <summary>The <paramref name="q"/>-quantile (0 to 1) in the histogram's own unit, interpolated within its bucket.</summary>
    /// <returns>Null where Prometheus answers NaN: no observation, no +Inf bucket, or nothing but a +Inf bucket.</returns>
    public double? Quantile(double q)
    {
        if (_length < 2 || !double.IsPositiveInfinity(_bounds[_length - 1]))
        {
            return null;
        }

        double[] counts = Monotonic();
        double observations = counts[^1];
        if (observations == 0)
        {
            return null;
        }

        double rank = q * observations;
        int bucket = 0;
        while (bucket < counts.Length - 1 && counts[bucket] < rank)
        {
            bucket++;
        }

        if (bucket == counts.Length - 1)
        {
            return _bounds[bucket - 1];
        }

        if (bucket == 0)
        {
            return _bounds[0] <= 0 ? _bounds[0] : _bounds[0] * (rank / counts[0]);
        }

        double start = _bounds[bucket - 1];
        double below = counts[bucket - 1];
        return start + ((_bounds[bucket] - start) * ((rank - below) / (counts[bucket] - below)));
    }

    /// <summary>Cumulative counts can only rise; where races between scrapes made one fall, the earlier count stands.</summary>
    private double[] Monotonic()
    {
        double[] counts = _counts.AsSpan(0, _length).ToArray();
        for (int i = 1; i < counts.Length; i++)
        {
            double previous = counts[i - 1];
            if (counts[i] < previous || Math.Abs(counts[i] - previous) < SmallDelta * (Math.Abs(counts[i]) + Math.Abs(previous)))
            {
                counts[i] = previous;
            }
        }

        return counts;
    }
}
