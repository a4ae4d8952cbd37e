using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

/// <summary><c>increase</c> of a series' samples. Expectations are worked out by hand from the rule; the end-to-end tests hold it against a real Prometheus.</summary>
public sealed class SampleRunTests
{
    [Theory]
    // Samples every 10 s from 2 s after the window's start to 8 s before its end: 60 in 20 s, and 10 s more are within reach.
    [InlineData(90.0, 30, "2:100 12:130 22:160")]
    // The whole window is sampled.
    [InlineData(60.0, 30, "0.001:0 30:60")]
    // Begins at zero: nothing was before it.
    [InlineData(60.0, 30, "10:0 20:30 30:60")]
    // Begins at 15, half an interval after zero: 5 s before its first sample is where zero lies.
    [InlineData(75.0, 30, "10:15 20:45 30:75")]
    // Appears late: half the distance between its samples is added, not all the time that it was not there.
    [InlineData(30.0 * 1.5, 30, "20:500 30:530")]
    // Disappears early.
    [InlineData(30.0 * (10 + 0.5 + 5) / 10, 30, "0.5:500 10.5:530")]
    // A reset: 10 more to 110, then from zero to 40.
    [InlineData(50.0, 20, "0.001:100 10:110 20:40")]
    // Two resets, one of them to zero itself.
    [InlineData(5 + 0 + 7, 30, "0.001:100 10:105 20:0 30:7")]
    // A reset to more than the half, unlike one to more than the whole, is still seen.
    [InlineData(99.0, 20, "0.001:100 20:99")]
    // Idle.
    [InlineData(0.0, 30, "10:7 20:7 30:7")]
    // A gap in the middle: 20 s for 3 samples make 10 s distance.
    [InlineData(40.0, 20, "0.001:0 1:2 20:40")]
    // Fractions.
    [InlineData(0.75, 10, "0.001:0 5:0.5 10:0.75")]
    public void The_increase_is_Prometheus(double expected, double window, string samples)
    {
        double? increase = Run(samples).Increase(0, (long)(window * 1000));
        Assert.NotNull(increase);
        // The window's start itself does not belong to it, so "0.001" stands for samples at the start: they are off by that millisecond.
        Assert.Equal(expected, increase.Value, expected * 1e-4);
    }

    [Theory]
    [InlineData("")]
    [InlineData("10:5")]
    public void One_sample_is_no_increase(string samples) => Assert.Null(Run(samples).Increase(0, 30_000));

    [Fact]
    public void Half_the_distance_never_reaches_beyond_zero()
    {
        // The window is long, so half of 10 s would be added; but 2 s before its first sample the counter was zero.
        double? increase = Run("100:6 110:36").Increase(0, 110_000);
        Assert.Equal(36, increase!.Value, 1e-9);
    }

    [Fact]
    public void An_end_that_is_a_tenth_further_than_the_samples_from_each_other_is_too_far()
    {
        Assert.Equal(10.0 * (10 + 10.9) / 10, Run("100:1000 110:1010").Increase(100_000 - 10_900, 110_000)!.Value, 1e-9);
        Assert.Equal(10.0 * (10 + 5) / 10, Run("100:1000 110:1010").Increase(100_000 - 11_001, 110_000)!.Value, 1e-9);
        Assert.Equal(10.0 * (10 + 10.9) / 10, Run("100:0 110:10").Increase(99_999, 120_900)!.Value, 1e-9);
        Assert.Equal(10.0 * (10 + 5) / 10, Run("100:0 110:10").Increase(99_999, 121_001)!.Value, 1e-9);
    }

    /// <summary>In milliseconds, 1.1 times the distance was rounded the other way than in Prometheus' seconds, and the whole time to an end was added or was not.</summary>
    [Fact]
    public void An_end_that_is_exactly_a_tenth_further_is_rounded_as_in_Prometheus()
    {
        Assert.Equal(10 * (3.25 + (3.25 / 2)) / 3.25, Run("100:1000 103.25:1010").Increase(100_000 - 3_575, 103_250)!.Value, 1e-9);
        Assert.Equal(10 * (4.25 + 4.675) / 4.25, Run("100:1000 104.25:1010").Increase(100_000 - 4_675, 104_250)!.Value, 1e-9);
    }

    private static SampleRun Run(string samples)
    {
        SampleRun run = default;
        foreach (string[] sample in samples.Split(' ', StringSplitOptions.RemoveEmptyEntries).Reverse().Select(text => text.Split(':')))
        {
            run.Value = double.Parse(sample[1], System.Globalization.CultureInfo.InvariantCulture);
            run.Add((long)Math.Round(double.Parse(sample[0], System.Globalization.CultureInfo.InvariantCulture) * 1000));
        }

        return run;
    }
}
