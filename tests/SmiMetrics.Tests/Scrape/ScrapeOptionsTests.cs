using SmiMetrics.Scrape;
using SmiMetrics.Transport;

namespace SmiMetrics.Tests.Scrape;

public sealed class ScrapeOptionsTests
{
    /// <summary>A file that exists.</summary>
    private static readonly string File = typeof(ScrapeOptionsTests).Assembly.Location;

    [Fact]
    public void Defaults_are_right_and_so_is_everything_that_fits_together()
    {
        Assert.Empty(new ScrapeOptions().Problems());
        Assert.Empty(new ScrapeOptions
        {
            Interval = TimeSpan.FromSeconds(1),
            Timeout = TimeSpan.FromSeconds(1),
            Targets = ["http://a/metrics", "https://[fd00::7]:8443/metrics?all#namespace=shop&pod=web-1"],
            BearerTokenFile = File,
            CaFile = File,
            ClientCertFile = File,
            ClientKeyFile = File,
            ProxyUrl = "http://proxy:3128",
        }.Problems());
    }

    [Fact]
    public void Every_mistake_is_told_at_once()
    {
        ScrapeOptions options = new()
        {
            Interval = TimeSpan.FromMilliseconds(999),
            Timeout = TimeSpan.FromMilliseconds(999), // the interval's by default, so nothing is said of it
            Targets = ["ftp://x/", "http://u:secret@x/#a=b", "http://x", "http://x/#a=b"],
            BearerTokenFile = "/no/token",
            CaFile = "/no/ca",
            ClientKeyFile = "/no/key",
            ProxyUrl = "https://proxy",
        };

        Assert.Equal(
            [
                "--scrape-interval: must be between 1s and 5m",
                "--scrape-target ftp://x/: not an http or https URL",
                "--scrape-target …@x/#a=b: must not hold credentials; --scrape-bearer-token-file is for https targets",
                "--scrape-target http://x/#a=b: given twice",
                "--scrape-bearer-token-file: is shown to https targets only, and no --scrape-target is one",
                "--scrape-client-key-file needs --scrape-client-cert-file",
                "--scrape-bearer-token-file /no/token: no such file",
                "--scrape-ca-file /no/ca: no such file",
                "--scrape-client-key-file /no/key: no such file",
                "--scrape-proxy-url https://proxy: not an http URL",
            ],
            options.Problems());
    }

    [Fact]
    public void A_timeout_longer_than_the_interval_is_named() =>
        Assert.Equal(
            ["--scrape-timeout: must be between 50ms and --scrape-interval"],
            new ScrapeOptions { Interval = TimeSpan.FromSeconds(2), Timeout = TimeSpan.FromSeconds(3) }.Problems());

    [Theory]
    [InlineData(1000, 50, true)]
    [InlineData(1000, 49, false)]
    [InlineData(1000, 1001, false)]
    [InlineData(300_000, 300_000, true)]
    [InlineData(300_001, 1000, false)]
    [InlineData(0, 0, false)]
    [InlineData(-1000, -1000, false)]
    public void Interval_and_timeout_have_limits(int interval, int timeout, bool right) =>
        Assert.Equal(right, !new ScrapeOptions { Interval = TimeSpan.FromMilliseconds(interval), Timeout = TimeSpan.FromMilliseconds(timeout) }.Problems().Any());

    [Theory]
    [InlineData("proxy:3128")]
    [InlineData("socks5://proxy:1080")]
    [InlineData("http://")]
    [InlineData("http://u:secret@proxy")]
    public void Only_an_http_proxy_without_credentials_will_do(string url)
    {
        string problem = Assert.Single(new ScrapeOptions { ProxyUrl = url }.Problems());

        Assert.StartsWith("--scrape-proxy-url ", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://a:1/m", "http://a:1/m", "")]
    [InlineData("http://a:1/m#", "http://a:1/m", "")]
    [InlineData("http://a:1/m?x=1#pod=web-1&namespace=shop", "http://a:1/m?x=1", "namespace=shop pod=web-1")]
    [InlineData("http://a/#pod=", "http://a/", "")] // an empty label is none
    [InlineData("http://a/#p=a%26b%3Dc%23d%20e+f", "http://a/", "p=a&b=c#d e+f")]
    [InlineData("http://a/#p=a=b", "http://a/", "p=a=b")]
    [InlineData("http://a/#p=%C3%A9", "http://a/", "p=é")]
    [InlineData("http://a/#%70od=x&&", "http://a/", "pod=x")]
    [InlineData("HTTPS://A/#_x1=y", "https://a/", "_x1=y")]
    public void The_fragment_of_a_target_holds_its_labels(string text, string url, string labels)
    {
        ScrapeTarget target = Assert.Single(new ScrapeOptions { Targets = [text] }.NamedTargets);

        Assert.Equal(url, target.Url.AbsoluteUri);
        Assert.Equal(labels, string.Join(' ', target.Labels.Select(label => $"{label.Key}={label.Value}")));
        Assert.Null(target.Pod);
        Assert.Empty(target.Meshes);
    }

    [Theory]
    [InlineData("", "not an http or https URL")]
    [InlineData("#a=b", "not an http or https URL")]
    [InlineData("web:4191/metrics", "not an http or https URL")]
    [InlineData("/metrics", "not an http or https URL")]
    [InlineData("http://a/#pod", "'pod' after the # is not LABEL=VALUE")]
    [InlineData("http://a/#=x", "'=x' after the # is not LABEL=VALUE")]
    [InlineData("http://a/#1a=x", "'1a=x' after the # is not LABEL=VALUE")]
    [InlineData("http://a/#a-b=x", "'a-b=x' after the # is not LABEL=VALUE")]
    [InlineData("http://a/#é=x", "'é=x' after the # is not LABEL=VALUE")]
    [InlineData("http://a/#__name__=x", "'__name__=x' after the # is not LABEL=VALUE")]
    [InlineData("http://a/#a=1&b=2&a=3", "label a is given twice")]
    public void A_target_that_makes_no_sense_is_told_with_the_reason(string text, string problem)
    {
        Assert.Equal([$"--scrape-target {text}: {problem}"], new ScrapeOptions { Targets = [text] }.Problems());
        Assert.Throws<FormatException>(() => new ScrapeOptions { Targets = [text] }.NamedTargets);
    }

    [Fact]
    public void A_connection_outlives_the_time_between_two_scrapes_and_the_environments_proxy_never_counts()
    {
        TransportOptions transport = new ScrapeOptions { Interval = TimeSpan.FromMinutes(5) }.Transport;

        Assert.True(transport.IdleTimeout > TimeSpan.FromMinutes(5));
        Assert.True(transport.ConnectionLifetime > TimeSpan.FromMinutes(5));
        Assert.Null(transport.Proxy);
        Assert.Equal(new Uri("http://p:1"), new ScrapeOptions { ProxyUrl = "http://p:1" }.Transport.Proxy!.GetProxy(new Uri("http://10.0.0.1/")));
    }
}
