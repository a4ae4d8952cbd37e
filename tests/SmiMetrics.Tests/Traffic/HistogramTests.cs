using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

/// <summary>Each expected value was worked out by hand from Prometheus' rules; the end-to-end tests compare with Prometheus itself.</summary>
public sealed class HistogramTests
{
    private const double Inf = double.PositiveInfinity;

    [Theory]
    [InlineData(0.5, 15.0)] // rank 10: 5 of the 10 between 10 and 20
    [InlineData(0.25, 10.0)] // rank 5: exactly the first bound
    [InlineData(0.1, 4.0)] // rank 2 of 5 between 0 and 10
    [InlineData(0.9, 40.0)] // rank 18: 3 of the 4.5 between 20 and 50
    public void A_quantile_is_interpolated_within_its_bucket(double q, double expected)
    {
        Histogram histogram = Of((10, 5), (20, 15), (50, 19.5), (Inf, 20));
        Assert.Equal(expected, histogram.Quantile(q)!.Value, 1e-9);
    }

    [Fact]
    public void A_histogram_without_an_infinite_bucket_has_no_quantile() => Assert.Null(Of((10, 5), (20, 15)).Quantile(0.5));

    [Fact]
    public void An_infinite_bucket_alone_has_no_quantile() => Assert.Null(Of((Inf, 15)).Quantile(0.5));

    [Fact]
    public void No_bucket_has_no_quantile() => Assert.Null(new Histogram().Quantile(0.5));

    [Fact]
    public void No_observation_has_no_quantile() => Assert.Null(Of((10, 0), (Inf, 0)).Quantile(0.99));

    [Fact]
    public void What_lies_beyond_the_last_bound_answers_that_bound() => Assert.Equal(20, Of((10, 0), (20, 0), (Inf, 7)).Quantile(0.5));

    [Fact]
    public void A_first_bound_of_zero_or_less_answers_itself()
    {
        Assert.Equal(0, Of((0, 5), (1, 6), (Inf, 6)).Quantile(0.5));
        Assert.Equal(-2, Of((-2, 5), (1, 6), (Inf, 6)).Quantile(0.5));
    }

    [Fact]
    public void A_count_that_falls_is_taken_for_the_one_before_it() =>
        Assert.Equal(Of((10, 8), (20, 8), (50, 10), (Inf, 10)).Quantile(0.9), Of((10, 8), (20, 7), (50, 10), (Inf, 10)).Quantile(0.9));

    [Fact]
    public void A_difference_of_float_noise_does_not_make_a_bucket() =>
        Assert.Equal(10, Of((10, 0.3), (20, 0.1 + 0.2), (Inf, 0.1 + 0.2)).Quantile(1)!.Value, 1e-9);

    [Fact]
    public void Buckets_may_come_in_any_order_and_equal_bounds_add()
    {
        Histogram shuffled = Of((Inf, 10), (20, 7), (10, 3), (20, 8), (Inf, 10), (10, 2), (50, 19.5));
        Assert.Equal(15.0, shuffled.Quantile(0.5)!.Value, 1e-9);
    }

    [Fact]
    public void More_buckets_than_usual_are_no_trouble()
    {
        Histogram histogram = new();
        for (int bound = 200; bound > 0; bound--)
        {
            histogram.Add(bound, bound);
        }

        histogram.Add(Inf, 200);
        Assert.Equal(100, histogram.Quantile(0.5)!.Value, 1e-9);
    }

    /// <summary>Two meshes measure a namespace's workloads in buckets of their own, one in seconds.</summary>
    [Fact]
    public void Histograms_of_other_bounds_and_units_are_added_as_if_each_bucket_were_evenly_filled()
    {
        Histogram milliseconds = Of((10, 10), (20, 30), (Inf, 40));
        milliseconds.Merge(Of((0.005, 2), (0.015, 12), (Inf, 20)), scale: 1000);
        // At 5: half of the first ten, and 2. At 10: 10, and 2 + 5 of the ten between 5 and 15. At 15: 10 + 10 of twenty, and 12. At 20: 30, and 12,
        // for beyond 15 nothing is known but that there are 8 more.
        foreach ((double rank, double expected) in new[] { (7.0, 5.0), (17.0, 10.0), (32.0, 15.0), (42.0, 20.0), (59.0, 20.0) })
        {
            Assert.Equal(expected, milliseconds.Quantile(rank / 60)!.Value, 1e-9);
        }
    }

    [Fact]
    public void Adding_nothing_or_to_nothing_changes_nothing()
    {
        Histogram histogram = Of((10, 5), (Inf, 10));
        histogram.Merge(new Histogram(), scale: 1);
        Assert.Equal(2, histogram.Quantile(0.1)!.Value, 1e-9);
        Histogram empty = new();
        empty.Merge(histogram, scale: 1000);
        Assert.Equal(2000, empty.Quantile(0.1)!.Value, 1e-9);
    }

    private static Histogram Of(params (double Bound, double Count)[] buckets)
    {
        Histogram histogram = new();
        foreach ((double bound, double count) in buckets)
        {
            histogram.Add(bound, count);
        }

        return histogram;
    }
}
