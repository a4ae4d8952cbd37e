using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

public sealed class QueryWindowTests
{
    private static readonly WindowOptions Limits = new(TimeSpan.FromSeconds(30), TimeSpan.FromHours(1));

    [Theory]
    [InlineData(null, 10, 30)]
    [InlineData(null, 15, 30)]
    [InlineData(null, 30, 60)] // field.md B27: two scrapes do not fit into the default
    [InlineData(null, null, 30)]
    [InlineData(20, 10, 20)]
    [InlineData(3600, 10, 3600)]
    [InlineData(1, null, 1)]
    public void The_window_is_what_was_asked_or_what_can_be_answered(int? asked, int? interval, int expected) =>
        Assert.Equal(TimeSpan.FromSeconds(expected), QueryWindow.Choose(Seconds(asked), Seconds(interval), Limits));

    [Theory]
    [InlineData(0, "longer than zero", null)]
    [InlineData(-300_000, "longer than zero", null)]
    [InlineData(500, "the shortest window is", 20)]
    [InlineData(19_999, "the shortest window is", 20)]
    [InlineData(315_360_000_000, "the longest window is", 3600)]
    public void A_window_that_cannot_be_answered_is_refused_with_the_limit(long milliseconds, string reason, int? limit)
    {
        WindowException e = Assert.Throws<WindowException>(
            () => QueryWindow.Choose(TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromSeconds(10), Limits));
        Assert.Contains(reason, e.Message);
        Assert.Equal(Seconds(limit), e.Limit);
    }

    [Fact]
    public void A_window_below_the_millisecond_has_no_form_in_PromQL() =>
        Assert.Throws<WindowException>(() => QueryWindow.Choose(TimeSpan.FromTicks(12_345_678), null, Limits));

    private static TimeSpan? Seconds(int? seconds) => seconds is { } value ? TimeSpan.FromSeconds(value) : null;
}
