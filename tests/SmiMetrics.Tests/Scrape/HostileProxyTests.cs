using System.IO.Compression;
using System.Text;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

/// <summary>Whatever one target does costs that target alone.</summary>
public sealed class HostileProxyTests
{
    private const string Page = "process_open_fds 7\nresponse_total{direction=\"inbound\",classification=\"success\"} 42\n";
    private const int MegaByte = 1024 * 1024;

    private static readonly byte[] ManyLines = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("process_open_fds 7\n", 50_000)));
    private static readonly byte[] OneLine = Encoding.ASCII.GetBytes(new string('a', 256 * 1024));
    private static readonly Lazy<byte[]> Bomb = new(() => Gzip(output =>
    {
        for (int i = 0; i < 100 * MegaByte / ManyLines.Length; i++)
        {
            output.Write(ManyLines);
        }
    }));

    [Theory]
    [InlineData("hang before headers", "timeout", "timed out after 5s")]
    [InlineData("hang in mid body", "timeout", "timed out after 5s")]
    [InlineData("slow drip", "timeout", "timed out after 5s")]
    [InlineData("500", "http_error", "answered 500")]
    [InlineData("404", "http_error", "answered 404")]
    [InlineData("204", "http_error", "answered 204")]
    [InlineData("redirect", "http_error", "answered 302")]
    [InlineData("no HTTP", "unreadable", "did not answer in HTTP")]
    [InlineData("garbage", "unreadable", "the page is no metrics")]
    [InlineData("HTML", "unreadable", "answered with text/html, which is no page of metrics")]
    [InlineData("HTML that says it is metrics", "unreadable", "the page is no metrics")]
    [InlineData("JSON", "unreadable", "answered with application/json, which is no page of metrics")]
    [InlineData("long type", "unreadable", "answered with what is no page of metrics")]
    [InlineData("100 MB announced", "too_large", "page is larger than 64 MiB")]
    [InlineData("100 MB in chunks", "too_large", "page is larger than 64 MiB")]
    [InlineData("endless line", "too_large", "a line is longer than 1 MiB")]
    [InlineData("endless headers", "too_large", "its headers are too long")]
    [InlineData("half of what was announced", "cut_short", "the connection broke off within the page")]
    [InlineData("chunks cut", "cut_short", "the connection broke off within the page")]
    [InlineData("closed within a line", "unreadable", "the page ends in the middle of a line")]
    [InlineData("closed without an answer", "cut_short", "the connection ended without an answer")]
    [InlineData("gzip bomb", "too_large", "page is larger than 64 MiB")]
    [InlineData("gzip cut", "unreadable", "its gzip cannot be decompressed")]
    [InlineData("no gzip", "unreadable", "its gzip cannot be decompressed")]
    [InlineData("OpenMetrics cut", "unreadable", "the page ends before its # EOF")]
    public async Task A_broken_proxy_costs_itself_only(string fault, string outcome, string reason)
    {
        long sent = 0;
        await using ProxyServer healthy = new(exchange => exchange.PageAsync(Page));
        ScrapeWorld? world = null;
        await using ProxyServer broken = new(exchange => AnswerAsync(fault, exchange, world!, bytes => Interlocked.Add(ref sent, bytes)));
        ScrapeOptions options = new();
        // A second turn that comes before the first scrape is given up would be late, and rightly so.
        string url = ChosenTurns.Url(broken, options, room => room >= TimeSpan.Zero);
        await using (world = new ScrapeWorld(options with { Targets = [healthy.Url + "/1", url, healthy.Url + "/2"] }))
        {
            world.Watch(broken);
            await world.StartAsync();

            await world.PassAsync(TimeSpan.FromSeconds(25));

            Assert.Equal(reason, world.LastError(url));
            Assert.InRange(world.Counts.Scrapes(outcome), 2, 3);
            Assert.Equal(world.Begun.Count(scrape => scrape.Url.AbsolutePath != "/metrics"), world.Counts.Scrapes("ok"));
            Assert.Equal(0, world.Counts.Late);
            Assert.Null(world.LastError(healthy.Url + "/1"));
            Assert.Null(world.LastError(healthy.Url + "/2"));
            Assert.Equal(2, world.Counts.Targets("up"));
            Assert.Equal(1, world.Counts.Targets("failing"));
            Assert.Equal(0, world.Counts.Targets("pending"));
            Assert.DoesNotContain(world.Begun, scrape => scrape.Url.AbsolutePath == "/elsewhere");
            // What was not read any more was not sent either, but for what the sockets hold.
            Assert.InRange(sent / world.Counts.Scrapes(outcome), 0, 80L * MegaByte);
            // Told once, not at each turn.
            Assert.Equal($"scraping {broken.Url}/metrics fails: {reason}", Assert.Single(world.Log.Lines, line => line.Contains("fails", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task An_endless_line_is_given_up_after_a_mebibyte()
    {
        long sent = 0;
        await using ProxyServer broken = new(exchange => AnswerAsync("endless line", exchange, world: null!, bytes => Interlocked.Add(ref sent, bytes)));
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = [broken.Url] });
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(1, world.Counts.Scrapes("too_large"));
        Assert.InRange(sent, MegaByte, 20 * MegaByte);
    }

    [Fact]
    public async Task A_target_where_nobody_listens_is_told()
    {
        string url = $"http://127.0.0.1:{FreePort.Next()}/";
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = [url] });
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Equal("connection refused", world.LastError(url));
        Assert.Equal(1, world.Counts.Scrapes("unreachable"));
    }

    [Fact]
    public async Task A_target_that_comes_back_is_told_once_and_has_no_error_any_more()
    {
        bool broken = true;
        await using ProxyServer server = new(exchange => broken ? exchange.PageAsync("", status: "503 Not Yet") : exchange.PageAsync(Page));
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = [server.Url] });
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(25));
        Assert.Equal("answered 503", world.LastError(server.Url));
        broken = false;
        await world.PassAsync(TimeSpan.FromSeconds(25));

        Assert.Null(world.LastError(server.Url));
        Assert.Equal([$"scraping {server.Url}/ fails: answered 503", $"scraping {server.Url}/ works again"], world.Log.Lines.Where(line => line.Contains("http://", StringComparison.Ordinal) && line.StartsWith("scraping", StringComparison.Ordinal)));
        Assert.Equal(1, server.Connections); // a refusal is an answer, and the connection stays
    }

    /// <summary>More than there are places, so that they wait for each other.</summary>
    [Fact]
    public async Task Hundreds_that_hang_delay_only_one_another()
    {
        const int Hanging = 2 * ScrapeLanes.Wide;
        await using ProxyServer healthy = new(exchange => exchange.PageAsync(Page));
        await using ProxyServer broken = new(exchange => exchange.HangAsync());
        string[] well = [.. Enumerable.Range(0, 5).Select(target => $"{healthy.Url}/{target}")];
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = [.. Enumerable.Range(0, Hanging).Select(target => $"{broken.Url}/{target}"), .. well] }) { Crowded = true };
        world.Watch(broken);
        await world.StartAsync();

        // The first round, in which nobody is known to hang yet: two timeouts at most.
        await world.PassAsync(TimeSpan.FromSeconds(15));
        DateTimeOffset known = world.Time.GetUtcNow();
        await world.PassAsync(TimeSpan.FromSeconds(30));

        foreach (string url in well)
        {
            DateTimeOffset[] begun = [.. world.Begun.Where(scrape => scrape.Url == new Uri(url) && scrape.At >= known).Select(scrape => scrape.At)];
            Assert.InRange(begun.Length, 3, 4);
            Assert.All(begun.Zip(begun.Skip(1)), pair => Assert.InRange((pair.Second - pair.First).TotalSeconds, 9.8, 10.2));
        }

        // As the scraper sees it: the server learns later that it was given up.
        Assert.InRange(world.Begun.Count - world.Counts["smi_metrics_scrapes_total"], 1, ScrapeLanes.Narrow);
        Assert.True(world.Counts.Late > 0);
    }

    private static async Task AnswerAsync(string fault, ProxyServer.Exchange exchange, ScrapeWorld world, Action<long> sent)
    {
        const string Ok = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
        switch (fault)
        {
            case "hang before headers":
                await exchange.HangAsync();
                break;
            case "hang in mid body":
                await exchange.SendAsync(Ok + "Content-Length: 1000\r\n\r\n" + Page);
                await exchange.HangAsync();
                break;
            case "slow drip":
                await exchange.SendAsync(Ok + "Content-Length: 1000\r\n\r\n");
                await exchange.HangAsync("a 1\n", () => world.Stepped);
                break;
            case "500":
                await exchange.PageAsync("oops", status: "500 Internal Server Error");
                break;
            case "404":
                await exchange.PageAsync(Page, status: "404 Not Found");
                break;
            case "204":
                await exchange.SendAsync("HTTP/1.1 204 No Content\r\n\r\n");
                break;
            case "redirect":
                await exchange.PageAsync("", status: "302 Found", more: "Location: /elsewhere\r\n");
                break;
            case "no HTTP":
                await exchange.SendAsync("SSH-2.0-OpenSSH_9.6\r\n\r\n");
                exchange.Close();
                break;
            case "garbage":
                await exchange.PageAsync([.. new byte[1000].Select((_, at) => (byte)(at * 7)), (byte)'\n']);
                break;
            case "HTML":
                await exchange.PageAsync("<html>\n<body>welcome</body>\n</html>\n", contentType: "text/html; charset=utf-8");
                break;
            case "HTML that says it is metrics":
                await exchange.PageAsync("<html>\n<body>welcome</body>\n</html>\n");
                break;
            case "JSON":
                await exchange.PageAsync("{}\n", contentType: "application/json");
                break;
            case "long type":
                await exchange.PageAsync("a 1\n", contentType: "text/" + new string('x', 1000));
                break;
            case "100 MB announced":
                await exchange.SendAsync(Ok + $"Content-Length: {100 * MegaByte}\r\n\r\n");
                await SendManyAsync(chunks: false, ManyLines);
                break;
            case "100 MB in chunks":
                await exchange.SendAsync(Ok + "Transfer-Encoding: chunked\r\n\r\n");
                await SendManyAsync(chunks: true, ManyLines);
                break;
            case "endless line":
                await exchange.SendAsync(Ok + "Transfer-Encoding: chunked\r\n\r\n");
                await SendManyAsync(chunks: true, OneLine);
                break;
            case "endless headers":
                await exchange.SendAsync("HTTP/1.1 200 OK\r\nX-Header: ");
                await SendManyAsync(chunks: false, OneLine);
                break;
            case "half of what was announced":
                await exchange.SendAsync(Ok + $"Content-Length: {2 * Page.Length}\r\n\r\n" + Page);
                exchange.Close();
                break;
            case "chunks cut":
                await exchange.SendAsync(Ok + $"Transfer-Encoding: chunked\r\n\r\n{Page.Length:x}\r\n{Page}\r\n");
                exchange.Close();
                break;
            case "closed within a line":
                await exchange.SendAsync(Ok + "Connection: close\r\n\r\n" + Page + "process_open_fds 4");
                exchange.Close();
                break;
            case "closed without an answer":
                exchange.Close();
                break;
            case "gzip bomb":
                await exchange.PageAsync(Bomb.Value, more: "Content-Encoding: gzip\r\n");
                break;
            case "gzip cut":
                byte[] whole = Gzip(output => output.Write(ManyLines));
                await exchange.PageAsync(whole[..(whole.Length / 2)], more: "Content-Encoding: gzip\r\n");
                break;
            case "no gzip":
                await exchange.PageAsync(Page, more: "Content-Encoding: gzip\r\n");
                break;
            case "OpenMetrics cut":
                await exchange.PageAsync(Page, contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8");
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(fault), fault, "no such fault");
        }

        async Task SendManyAsync(bool chunks, byte[] bytes)
        {
            for (int length = 0; length < 100 * MegaByte; length += bytes.Length)
            {
                await exchange.SendAsync(chunks ? [.. Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), .. bytes, .. "\r\n"u8] : bytes);
                sent(bytes.Length);
            }

            exchange.Close();
        }
    }

    private static byte[] Gzip(Action<Stream> write)
    {
        using MemoryStream compressed = new();
        using (GZipStream gzip = new(compressed, CompressionLevel.Fastest))
        {
            write(gzip);
        }

        return compressed.ToArray();
    }
}
