using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class GoDurationTests
{
    /// <summary>Left what Go's time.ParseDuration takes, right what time.Duration.String prints for it.</summary>
    [Theory]
    [InlineData("0", "0s")]
    [InlineData("0s", "0s")]
    [InlineData("-0", "0s")]
    [InlineData("30s", "30s")]
    [InlineData("60s", "1m0s")]
    [InlineData("1m", "1m0s")]
    [InlineData("90s", "1m30s")]
    [InlineData("1h", "1h0m0s")]
    [InlineData("1h30m", "1h30m0s")]
    [InlineData("24h", "24h0m0s")]
    [InlineData("87600h", "87600h0m0s")]
    [InlineData("100ms", "100ms")]
    [InlineData("500ms", "500ms")]
    [InlineData("1500ms", "1.5s")]
    [InlineData("1.5s", "1.5s")]
    [InlineData(".5s", "500ms")]
    [InlineData("5.s", "5s")]
    [InlineData("1.5us", "1.5µs")]
    [InlineData("1.5µs", "1.5µs")]
    [InlineData("1.5μs", "1.5µs")]
    [InlineData("100ns", "100ns")]
    [InlineData("-5m", "-5m0s")]
    [InlineData("+5m", "5m0s")]
    [InlineData("1m0.5s", "1m0.5s")]
    [InlineData("3m1h", "1h3m0s")]
    public void Durations_read_and_print_as_in_Go(string text, string printed)
    {
        Assert.True(GoDuration.TryParse(text, out TimeSpan duration));
        Assert.Equal(printed, GoDuration.Format(duration));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("x")]
    [InlineData("1")]
    [InlineData("1d")]
    [InlineData("1w")]
    [InlineData("s")]
    [InlineData(".s")]
    [InlineData("1..5s")]
    [InlineData("1 s")]
    [InlineData(" 1s")]
    [InlineData("1s ")]
    [InlineData("--1s")]
    [InlineData("1S")]
    [InlineData("1e3s")]
    [InlineData("1,5s")]
    [InlineData("١s")]
    [InlineData("9999999999h")]
    [InlineData("99999999999999999999999999999999999999h")]
    public void What_Go_refuses_is_refused(string text) => Assert.False(GoDuration.TryParse(text, out _));
}
