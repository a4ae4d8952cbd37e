using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

public sealed class ScrapeMetricsTests
{
    [Theory]
    [InlineData("Ok", "ok")]
    [InlineData("TimedOut", "timeout")]
    [InlineData("Unreachable", "unreachable")]
    [InlineData("HttpError", "http_error")]
    [InlineData("CutShort", "cut_short")]
    [InlineData("TooLarge", "too_large")]
    [InlineData("Unreadable", "unreadable")]
    [InlineData("Credentials", "credentials")]
    [InlineData("Unexpected", "unexpected")]
    public void Every_outcome_has_its_word(string outcome, string word)
    {
        using ScrapeCounts counts = new(() => { });
        ScrapeMetrics metrics = new(counts);

        metrics.Failed(Enum.Parse<ScrapeOutcome>(outcome), TimeSpan.FromSeconds(1));

        Assert.Equal(1, counts.Scrapes(word));
    }

    [Fact]
    public void All_outcomes_are_tested() => Assert.Equal(9, Enum.GetValues<ScrapeOutcome>().Length);

    [Fact]
    public void What_was_on_pages_is_added_up_and_gauges_are_asked_when_somebody_looks()
    {
        using ScrapeCounts counts = new(() => { });
        ScrapeMetrics metrics = new(counts);
        int up = 3;
        metrics.ShowTargets(health => health == TargetHealth.Up ? up : health == TargetHealth.Failing ? 2 : 1);
        metrics.ShowSeries(() => 700);

        metrics.Scraped(new PageCounts(10, 20, 3), TimeSpan.FromSeconds(1));
        metrics.Scraped(new PageCounts(1, 2, 0), TimeSpan.FromSeconds(1));
        metrics.Late(0);
        metrics.Late(4);
        up = 5;

        Assert.Equal(2, counts.Scrapes("ok"));
        Assert.Equal(11, counts["smi_metrics_scrape_samples_kept_total"]);
        Assert.Equal(22, counts["smi_metrics_scrape_samples_dropped_total"]);
        Assert.Equal(3, counts["smi_metrics_scrape_bad_lines_total"]);
        Assert.Equal(4, counts.Late);
        Assert.Equal(5, counts.Targets("up"));
        Assert.Equal(2, counts.Targets("failing"));
        Assert.Equal(1, counts.Targets("pending"));
        Assert.Equal(700, counts["smi_metrics_scrape_series"]);
    }
}
