using SmiMetrics.Prometheus;

namespace SmiMetrics.Tests.Prometheus;

public sealed class PrometheusOptionsTests
{
    [Fact]
    public void What_the_flags_say_by_default_is_in_order() => Assert.Empty(new PrometheusOptions { Urls = ["http://localhost:9090"] }.Problems());

    [Theory]
    [InlineData("https://a.invalid/prefix/")]
    [InlineData("http://[::1]:9090")]
    public void A_URL_that_serves(string url) => Assert.Empty(new PrometheusOptions { Urls = [url] }.Problems());

    [Theory]
    [InlineData("")]
    [InlineData("localhost:9090")]
    [InlineData("prometheus")]
    [InlineData("ftp://a.invalid")]
    [InlineData("/var/run/x")]
    [InlineData("http://a.invalid/?x=y")]
    [InlineData("http://a.invalid/#x")]
    [InlineData("http://me:s3cret@a.invalid")]
    [InlineData("me:s3cret@a.invalid")]
    public void A_URL_that_does_not(string url)
    {
        string problem = Assert.Single(new PrometheusOptions { Urls = [url] }.Problems());

        Assert.StartsWith("--prometheus-url ", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-Scope-OrgID=team-a", true)]
    [InlineData("X-Empty=", true)]
    [InlineData("X-Base64=Zm9v==", true)]
    [InlineData("s3cret", false)]
    [InlineData("=s3cret", false)]
    [InlineData("Bad Name=s3cret", false)]
    [InlineData("Content-Type=s3cret", false)]
    [InlineData("X-Two=s3cret\r\nX-Three: 1", false)]
    public void A_header_is_a_name_and_a_value(string header, bool fine)
    {
        string[] problems = [.. new PrometheusOptions { Urls = ["http://a.invalid"], Headers = [header] }.Problems()];

        Assert.Equal(fine ? 0 : 1, problems.Length);
        Assert.All(problems, problem => Assert.DoesNotContain("s3cret", problem, StringComparison.Ordinal));
    }

    [Fact]
    public void All_problems_are_told_at_once()
    {
        PrometheusOptions options = new()
        {
            Urls = [],
            BearerTokenFile = "/nonexistent/token",
            Username = "a:b",
            ClientKeyFile = "/nonexistent/key",
            Headers = ["Authorization=Basic xyz"],
            Timeout = TimeSpan.Zero,
            CacheTtl = TimeSpan.FromSeconds(-1),
            MaxStale = TimeSpan.FromDays(2),
        };

        Assert.Equal(
            [
                "--prometheus-url is missing",
                "--prometheus-header Authorization: stands against --prometheus-bearer-token-file or --prometheus-username",
                "--prometheus-bearer-token-file and --prometheus-username exclude each other",
                "--prometheus-username and --prometheus-password-file need each other",
                "--prometheus-username: must not contain a colon (RFC 7617)",
                "--prometheus-client-key-file needs --prometheus-client-cert-file",
                "--prometheus-bearer-token-file /nonexistent/token: no such file",
                "--prometheus-client-key-file /nonexistent/key: no such file",
                "--prometheus-timeout: must be between 50ms and 10m",
                "--cache-ttl: must be between 0s and 1h",
                "--max-stale: must be between 0s and 24h",
            ],
            options.Problems());
    }
}
