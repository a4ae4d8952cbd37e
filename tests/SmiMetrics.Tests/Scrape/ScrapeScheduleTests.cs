using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

public sealed class ScrapeScheduleTests
{
    private static readonly DateTimeOffset Start = new(2031, 5, 17, 11, 43, 7, 123, TimeSpan.Zero);
    private static readonly Uri[] Urls = [.. Enumerable.Range(0, 1000).Select(pod => new Uri($"http://10.0.{pod / 250}.{pod % 250}:4191/metrics"))];

    [Theory]
    [InlineData(1, 1000)] // never beyond the interval
    [InlineData(5, 1000)]
    [InlineData(10, 1000)]
    [InlineData(60, 6000)]
    [InlineData(300, 30_000)]
    public void The_first_scrapes_are_spread_over_a_second_or_a_tenth_of_the_interval(int interval, int spread)
    {
        double[] waits = [.. Urls.Select(url => (Schedule(url, interval).First(Start) - Start).TotalMilliseconds).Order()];

        Assert.InRange(waits[0], 0, 0.01 * spread);
        Assert.InRange(waits[500], 0.45 * spread, 0.55 * spread);
        Assert.InRange(waits[^1], 0.99 * spread, spread);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(300)]
    public void The_second_scrape_is_on_the_grid_and_half_an_interval_to_one_and_a_half_after_the_first(int interval)
    {
        TimeSpan length = TimeSpan.FromSeconds(interval);
        foreach (Uri url in Urls)
        {
            ScrapeSchedule schedule = Schedule(url, interval);
            DateTimeOffset first = schedule.First(Start);
            DateTimeOffset second = schedule.Second(first);

            Assert.InRange(second - first, length / 2, length * 1.5);
            // The grid does not depend on when we came.
            DateTimeOffset later = schedule.Second(Start.AddSeconds(12345.678));
            Assert.Equal(0, (later - second).Ticks % length.Ticks);
        }
    }

    [Fact]
    public void Turns_on_the_grid_are_spread_over_the_interval()
    {
        int[] perSecond = new int[10];
        foreach (Uri url in Urls)
        {
            perSecond[Schedule(url, 10).Second(Start).ToUnixTimeSeconds() % 10]++;
        }

        Assert.All(perSecond, count => Assert.InRange(count, 70, 130));
    }

    [Fact]
    public void A_target_has_the_same_turns_after_every_restart() =>
        // Computed once; a process that disagreed would disturb the spread of all others.
        Assert.Equal(
            Schedule(Urls[0], 10).Second(Start),
            Schedule(new Uri("http://10.0.0.0:4191/metrics"), 10).Second(Start));

    [Theory]
    [InlineData(-3, 0, 0)]
    [InlineData(0, 0, 0)]
    [InlineData(0.001, 1, 10)]
    [InlineData(10, 1, 10)]
    [InlineData(10.001, 2, 20)]
    [InlineData(86400, 8640, 86400)]
    public void Turns_that_have_passed_are_counted_and_skipped(double late, int passed, int next)
    {
        Assert.Equal(Start.AddSeconds(next), Schedule(Urls[0], 10).NotPassed(Start, Start.AddSeconds(late), out int count));
        Assert.Equal(passed, count);
    }

    private static ScrapeSchedule Schedule(Uri url, int interval) => new(url, TimeSpan.FromSeconds(interval));
}
