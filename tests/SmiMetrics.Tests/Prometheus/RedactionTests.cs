using SmiMetrics.Prometheus;

namespace SmiMetrics.Tests.Prometheus;

public sealed class RedactionTests
{
    [Theory]
    [InlineData("No StoreAPIs matched for this query", "No StoreAPIs matched for this query")]
    [InlineData("receive series from Addr: 10.0.0.7:10901 LabelSets: {a=\"b\"}", "receive series from Addr: … LabelSets: {a=\"b\"}")]
    [InlineData("Post \"https://store.invalid:9090/x?y\": refused", "Post \"…\": refused")]
    [InlineData("dial tcp [fd00::1]:10901: connect", "dial tcp … connect")]
    [InlineData("host fd00::1 is away", "host … is away")]
    [InlineData("lookup thanos-store.monitoring.svc on 10.96.0.10:53: no such host", "lookup … on … no such host")]
    [InlineData("thanos-store:10901 is slow.", "… is slow.")]
    [InlineData("bucket label \"le\" is missing in x (1:24)", "bucket label \"le\" is missing in x (1:24)")]
    [InlineData("ratio 0.5, at 12:30 e.g. now", "ratio 0.5, at 12:30 e.g. now")]
    [InlineData("two\nlines", "two lines")]
    [InlineData("", "")]
    public void Addresses_are_left_out_and_the_rest_stays(string text, string expected) => Assert.Equal(expected, Redaction.WithoutAddresses(text));

    [Fact]
    public void A_long_text_is_cut() => Assert.Equal(256, Redaction.WithoutAddresses(new string('x', 5000)).Length);
}
