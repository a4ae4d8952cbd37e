using System.Globalization;
using System.Text.RegularExpressions;
using CsCheck;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed partial class QuantityTests
{
    /// <summary>The right column is what Go's NewMilliQuantity(v, DecimalSI).String() gave (aggregated API reference, §3.7).</summary>
    [Theory]
    [InlineData(296.875, "296875m")]
    [InlineData(294, "294")]
    [InlineData(0, "0")]
    [InlineData(0.001, "1m")]
    [InlineData(1000, "1k")]
    [InlineData(100000, "100k")]
    [InlineData(1500, "1500")]
    [InlineData(1e6, "1M")]
    [InlineData(1234.567, "1234567m")]
    [InlineData(123000, "123k")]
    [InlineData(0.0004, "0")]
    [InlineData(0.0005, "1m")]
    [InlineData(1e12, "1T")]
    public void A_number_is_written_in_canonical_form(double value, string expected) => Assert.Equal(expected, Quantity.Format(value));

    /// <summary>field.md B14: the reference server printed -9223372036854775808m for an idle workload.</summary>
    [Theory]
    [InlineData(double.NaN, "0")]
    [InlineData(double.NegativeInfinity, "0")]
    [InlineData(-1, "0")]
    [InlineData(double.PositiveInfinity, "9T")]
    [InlineData(1e300, "9T")]
    public void What_is_no_number_never_reaches_a_quantity(double value, string expected) => Assert.Equal(expected, Quantity.Format(value));

    [Fact]
    public void A_quantity_reads_back_to_the_nearest_thousandth() => Gen.Double[0, 1e9].Sample(value =>
    {
        Match match = Form().Match(Quantity.Format(value));
        Assert.True(match.Success);
        double factor = Math.Pow(1000, "m kMGTPE".IndexOf(match.Groups[2].Length == 0 ? ' ' : match.Groups[2].Value[0], StringComparison.Ordinal) - 1);
        Assert.Equal(value, double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * factor, 0.00051);
    });

    [GeneratedRegex("^([0-9]+)([mkMGTPE]?)$")]
    private static partial Regex Form();
}
