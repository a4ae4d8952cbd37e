using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class CellTests
{
    [Theory]
    [InlineData(100, 0, "100.00%")]
    [InlineData(0, 100, "0.00%")]
    [InlineData(98.5, 1.5, "98.50%")]
    [InlineData(28.5, 1.5, "95.00%")]
    [InlineData(1, 2, "33.33%")]
    [InlineData(2, 1, "66.67%")]
    [InlineData(999_999, 1, "99.99%")]
    [InlineData(1, 999_999, "0.01%")]
    public void A_share_is_all_or_nothing_only_if_it_is(double part, double rest, string expected) => Assert.Equal(expected, Cell.Percent(part, rest));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.0001, "<0.001")]
    [InlineData(0.0004999, "<0.001")]
    [InlineData(0.0005, "0.001")]
    [InlineData(0.033333, "0.033")]
    [InlineData(0.5, "0.5")]
    [InlineData(0.9994, "0.999")]
    [InlineData(0.9996, "1.0")]
    [InlineData(1, "1.0")]
    [InlineData(3.3333, "3.3")]
    [InlineData(400, "400.0")]
    [InlineData(12345.67, "12345.7")]
    public void A_rate_is_never_rounded_to_none(double perSecond, string expected) => Assert.Equal(expected, Cell.Rate(perSecond));

    [Theory]
    [InlineData(null, "-")]
    [InlineData(0.0, "0ms")]
    [InlineData(0.0005, "<1µs")]
    [InlineData(0.001, "1µs")]
    [InlineData(0.25, "250µs")]
    [InlineData(0.9994, "999µs")]
    [InlineData(0.9999, "1ms")]
    [InlineData(1.0, "1ms")]
    [InlineData(4.987, "4.99ms")]
    [InlineData(9.996, "10ms")]
    [InlineData(19.8, "19.8ms")]
    [InlineData(99.96, "100ms")]
    [InlineData(496.4, "496ms")]
    [InlineData(999.4, "999ms")]
    [InlineData(999.6, "1s")]
    [InlineData(1234.0, "1.23s")]
    [InlineData(59_940.0, "59.9s")]
    [InlineData(600_000.0, "600s")]
    public void A_latency_has_three_digits_and_the_unit_that_fits(double? milliseconds, string expected) =>
        Assert.Equal(expected, Cell.Latency(milliseconds));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.01, "<0.1")]
    [InlineData(0.05, "0.1")]
    [InlineData(98.5, "98.5")]
    [InlineData(100, "100")]
    [InlineData(2554870.04, "2554870")]
    public void A_count_has_one_decimal_where_it_is_not_whole(double count, string expected) => Assert.Equal(expected, Cell.Count(count));
}
