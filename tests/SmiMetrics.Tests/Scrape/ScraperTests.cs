using System.Collections.Concurrent;
using System.Net;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

/// <summary>Which targets are scraped, when, and with what in the request.</summary>
public sealed class ScraperTests
{
    private const string Page = "process_open_fds 7\nresponse_total{direction=\"inbound\",classification=\"success\"} 42\n";

    private static readonly MeshDescriptor[] Meshes =
    [
        ScrapeWorld.Mesh("linkerd", new ProxyEndpoint("proxy", new Dictionary<string, string>(), "4191", "/metrics", new Dictionary<string, TargetLabel>
        {
            ["pod"] = new TargetLabel.PodName(),
        })),
    ];

    [Fact]
    public async Task A_target_is_scraped_within_a_second_and_then_once_an_interval()
    {
        PageDoor door = new();
        ScrapeOptions options = new() { Targets = [.. Enumerable.Range(0, 20).Select(target => $"http://10.0.0.{target}/")] };
        await using ScrapeWorld world = new(options, door: door);
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(20, world.Begun.Select(scrape => scrape.Url).Distinct().Count());
        await world.PassAsync(TimeSpan.FromSeconds(50));

        foreach (IGrouping<Uri, (DateTimeOffset At, Uri Url)> target in world.Begun.GroupBy(scrape => scrape.Url))
        {
            double[] gaps = [.. target.Zip(target.Skip(1), (before, after) => (after.At - before.At).TotalSeconds)];
            Assert.InRange(gaps[0], 4.9, 15.1);
            Assert.All(gaps.Skip(1), gap => Assert.InRange(gap, 9.8, 10.2));
            // The grid is that of the clock, not of our start.
            Assert.InRange(new ScrapeSchedule(target.Key, options.Interval).Second(ScrapeWorld.Start).Ticks % options.Interval.Ticks - target.Last().At.Ticks % options.Interval.Ticks, -ScrapeWorld.Step.Ticks, 0);
        }

        Assert.Equal(0, world.Counts.Late);
        Assert.Equal(world.Begun.Count, world.Counts.Scrapes("ok"));
        // Two samples on each page; a test of the store tells which are kept.
        Assert.Equal(2 * world.Begun.Count, world.Counts["smi_metrics_scrape_samples_kept_total"] + world.Counts["smi_metrics_scrape_samples_dropped_total"]);
        Assert.Equal(world.Begun.Count, world.Counts["smi_metrics_scrape_samples_kept_total"]);
        Assert.Equal(0, world.Counts["smi_metrics_scrape_bad_lines_total"]);
        Assert.Equal(20, world.Counts.Targets("up"));
    }

    [Fact]
    public async Task One_connection_serves_all_scrapes_of_a_target()
    {
        await using ProxyServer server = new(exchange => exchange.PageAsync(Page));
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = [server.Url + "/metrics"] });
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(60));

        Assert.InRange(server.Requests, 6, 7);
        Assert.Equal(1, server.Connections);
    }

    [Fact]
    public async Task A_turn_that_comes_while_the_scrape_before_still_runs_is_skipped_and_late()
    {
        await using ProxyServer server = new(exchange => exchange.HangAsync());
        ScrapeOptions options = new() { Timeout = TimeSpan.FromSeconds(10) };
        // A turn that lies on a step does not come before the scrape that began an interval ago is given up.
        string url = ChosenTurns.Url(server, options, room => Fraction(room) >= TimeSpan.FromMilliseconds(1));
        await using ScrapeWorld world = new(options with { Targets = [url] });
        world.Watch(server);
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(65));

        // Every second turn at most, and never two at a time.
        Assert.InRange(world.Begun.Count, 3, 4);
        Assert.InRange(world.Counts.Late, 2, 4);
        Assert.InRange(world.Begun.Count - world.Counts.Scrapes("timeout"), 0, 1);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_second_turn_is_late_only_if_it_comes_before_a_first_scrape_that_hangs_is_given_up(bool before)
    {
        await using ProxyServer server = new(exchange => exchange.HangAsync());
        ScrapeOptions options = new();
        string url = ChosenTurns.Url(server, options, room => before ? room < TimeSpan.Zero : room >= TimeSpan.Zero && room < ScrapeWorld.Step);
        await using ScrapeWorld world = new(options with { Targets = [url] });
        world.Watch(server);
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(25));

        Assert.Equal(before ? 1 : 0, world.Counts.Late);
        Assert.Equal(before ? 2 : 3, world.Begun.Count);
    }

    /// <summary>The world took the timer of such a turn for a deadline's, and waited for the turn's in vain.</summary>
    [Fact]
    public async Task A_turn_may_be_as_far_off_as_the_deadline()
    {
        await using ProxyServer server = new(exchange => exchange.HangAsync());
        ScrapeOptions options = new();
        // So the second scrape begins less than a millisecond before its turn, and the third turn is five seconds and so much after its end.
        string url = ChosenTurns.Url(
            server, options, room => room > TimeSpan.Zero && room < TimeSpan.FromSeconds(4) && Fraction(room) < TimeSpan.FromMilliseconds(1));
        await using ScrapeWorld world = new(options with { Targets = [url] });
        world.Watch(server);
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(24));

        Assert.Equal(3, world.Begun.Count);
        Assert.Equal(0, world.Counts.Late);
    }

    [Fact]
    public async Task A_scrape_that_begins_late_because_all_places_are_taken_is_counted()
    {
        const int TooMany = 10;
        await using ProxyServer server = new(exchange => exchange.HangAsync());
        ScrapeOptions options = new() { Targets = [.. Enumerable.Range(0, ScrapeLanes.Wide + TooMany).Select(target => $"{server.Url}/{target}")] };
        await using ScrapeWorld world = new(options) { Crowded = true };
        world.Watch(server);
        await world.StartAsync();

        await world.PassAsync(TimeSpan.FromSeconds(2));
        Assert.Equal(ScrapeLanes.Wide, world.Begun.Count);
        Assert.Equal(0, world.Counts.Late);
        await world.PassAsync(TimeSpan.FromSeconds(5));

        Assert.True(world.Counts.Late >= TooMany, $"{world.Counts.Late} are late");
        Assert.Equal(ScrapeLanes.Wide + TooMany, world.Begun.Select(scrape => scrape.Url).Distinct().Count());
    }

    [Fact]
    public async Task Pods_that_come_are_scraped_and_those_that_go_are_not_and_the_others_are_not_disturbed()
    {
        PageDoor door = new();
        await using ScrapeWorld world = new(new ScrapeOptions(), Cluster.Watched(), Meshes, door);
        await world.StartAsync();
        Assert.False(world.Store.Complete); // nothing is known yet

        await world.PublishAsync(Snapshot(("web-1", "10.0.0.1"), ("web-2", "10.0.0.2")));
        await world.PassAsync(TimeSpan.FromSeconds(21));
        StoredTarget second = world.Target(Url(2));
        Assert.True(world.Store.Complete);
        Assert.Equal(2, world.Counts.Targets("up"));

        await world.PublishAsync(Snapshot(("web-2", "10.0.0.2"), ("web-3", "10.0.0.3")));
        DateTimeOffset changed = world.Time.GetUtcNow();
        await world.PassAsync(TimeSpan.FromSeconds(21));

        Assert.DoesNotContain(world.Begun, scrape => scrape.Url == new Uri(Url(1)) && scrape.At > changed);
        Assert.Contains(world.Begun, scrape => scrape.Url == new Uri(Url(2)) && scrape.At > changed);
        Assert.Contains(world.Begun, scrape => scrape.Url == new Uri(Url(3)) && scrape.At > changed);
        await world.GoneAsync(Url(1));
        Assert.Same(second.Series, world.Target(Url(2)).Series);
        Assert.Equal(DateTimeOffset.MinValue, world.Target(Url(2)).KnownSince);
        Assert.NotEqual(DateTimeOffset.MinValue, world.Target(Url(3)).KnownSince);
        Assert.Equal(3, world.Store.Targets.Count);
        Assert.Equal(2, world.Counts.Targets("up"));
    }

    [Fact]
    public async Task A_pod_that_came_back_with_another_address_is_another_target()
    {
        PageDoor door = new();
        await using ScrapeWorld world = new(new ScrapeOptions(), Cluster.Watched(), Meshes, door);
        await world.StartAsync();

        await world.PublishAsync(Snapshot(("db-0", "10.0.0.1")));
        await world.PassAsync(TimeSpan.FromSeconds(2));
        await world.PublishAsync(Snapshot(("db-0", "10.0.0.2")));
        await world.PassAsync(TimeSpan.FromSeconds(2));

        Assert.Equal([Url(1), Url(2)], world.Store.Targets.Select(target => target.Series.Target.Url.AbsoluteUri));
        await world.GoneAsync(Url(1));
        Assert.Null(world.Store.Targets[1].GoneSince);
    }

    [Fact]
    public async Task A_pod_that_goes_while_it_hangs_is_let_go_at_once()
    {
        TaskCompletionSource letGo = new(TaskCreationOptions.RunContinuationsAsynchronously);
        PageDoor door = new(async (_, cancellationToken) =>
        {
            using CancellationTokenRegistration given = cancellationToken.Register(letGo.SetResult);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return null!;
        });
        await using ScrapeWorld world = new(new ScrapeOptions { Interval = TimeSpan.FromMinutes(5), Timeout = TimeSpan.FromMinutes(5) }, Cluster.Watched(), Meshes, door);
        await world.StartAsync();
        await world.PublishAsync(Snapshot(("web-1", "10.0.0.1")));
        world.Time.Advance(TimeSpan.FromSeconds(30));
        Assert.Single(world.Begun);

        await world.PublishAsync(Snapshot());

        await letGo.Task.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);
        await world.GoneAsync(Url(1));
        Assert.DoesNotContain(world.Log.Lines, line => line.Contains("fails", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_cluster_is_looked_at_once_a_second()
    {
        PageDoor door = new();
        await using ScrapeWorld world = new(new ScrapeOptions(), Cluster.Watched(), Meshes, door);
        await world.StartAsync();

        for (int pod = 1; pod <= 20; pod++)
        {
            world.Cluster.Publish(Snapshot(($"web-{pod}", "10.0.0.9")));
            await world.PassAsync(TimeSpan.FromMilliseconds(200));
        }

        await world.PublishAsync(Snapshot(("web-99", "10.0.0.9")));
        Assert.InRange(world.Log.Lines.Count(line => line.Contains(" targets, ", StringComparison.Ordinal)), 4, 6);
    }

    [Fact]
    public async Task It_ends_while_targets_hang()
    {
        await using ProxyServer server = new(exchange => exchange.HangAsync());
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = [server.Url] });
        world.Watch(server);
        await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(1, server.Hanging);

        await world.StopAsync();

        Assert.NotNull(world.Target(server.Url).GoneSince);
    }

    [Fact]
    public async Task A_request_says_what_it_wants_and_who_asks()
    {
        PageDoor door = new();
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = ["http://10.0.0.1/metrics?all=1"], Timeout = TimeSpan.FromMilliseconds(2500) }, door: door);
        await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(1));

        (Uri url, string headers) = Assert.Single(door.Asked);
        Assert.Equal("http://10.0.0.1/metrics?all=1", url.AbsoluteUri);
        Assert.Equal(
            """
            Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1
            User-Agent: smi-metrics/1.2.3
            X-Prometheus-Scrape-Timeout-Seconds: 2.5

            """,
            headers,
            ignoreLineEndingDifferences: true);
    }

    [Fact]
    public async Task The_token_is_shown_to_named_https_targets_and_to_nobody_else()
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "s3cret\n", TestContext.Current.CancellationToken);
            PageDoor door = new();
            ScrapeOptions options = new() { Targets = ["https://10.0.0.8/metrics", "http://10.0.0.9/metrics"], BearerTokenFile = file };
            await using ScrapeWorld world = new(options, Cluster.Fixed(Snapshot(("web-1", "10.0.0.1"))), Meshes, door);
            await world.StartAsync();
            await world.PassAsync(TimeSpan.FromSeconds(1));

            Assert.Equal(3, door.Asked.Count);
            Assert.All(door.Asked, asked => Assert.Equal(asked.Url.Scheme == "https", asked.Headers.Contains("Authorization: Bearer s3cret", StringComparison.Ordinal)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_token_that_cannot_be_read_is_told_at_its_targets()
    {
        string missing = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = ["https://10.0.0.8/", "http://10.0.0.9/"], BearerTokenFile = missing }, door: new PageDoor());
        await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Equal("the token or password file cannot be read", world.LastError("https://10.0.0.8/"));
        Assert.Null(world.LastError("http://10.0.0.9/"));
    }

    [Fact]
    public async Task A_mistake_of_ours_is_logged_and_the_next_turn_comes()
    {
        PageDoor door = new((_, _) => throw new InvalidOperationException("ours"));
        await using ScrapeWorld world = new(new ScrapeOptions { Targets = ["http://10.0.0.1/"] }, door: door);
        await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(25));

        Assert.InRange(world.Counts.Scrapes("unexpected"), 2, 3);
        Assert.Equal("unexpected error; see the log", world.LastError("http://10.0.0.1/"));
    }

    /// <summary>What is beyond whole steps.</summary>
    private static TimeSpan Fraction(TimeSpan time) => TimeSpan.FromTicks(((time.Ticks % ScrapeWorld.Step.Ticks) + ScrapeWorld.Step.Ticks) % ScrapeWorld.Step.Ticks);

    private static string Url(int pod) => $"http://10.0.0.{pod}:4191/metrics";

    private static ClusterSnapshot Snapshot(params (string Name, string Ip)[] pods) => new(
        new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
        {
            [ResourceKind.Pod] =
            [
                .. pods.Select(pod => new Pod(new ObjectKey("shop", pod.Name), new Dictionary<string, string>(), Owner: null, "node-1", "Running", pod.Ip)
                {
                    Containers = new PodContainers([new PodContainer("proxy", [])]),
                }),
            ],
        },
        []);

    /// <summary>In place of the network.</summary>
    private sealed class PageDoor(Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>>? answer = null) : HttpMessageHandler
    {
        private readonly ConcurrentQueue<(Uri, string)> _asked = [];

        public IReadOnlyList<(Uri Url, string Headers)> Asked => [.. _asked];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            _asked.Enqueue((request.RequestUri!, request.Headers.ToString()));
            return answer is not null
                ? answer(request, cancellationToken)
                : Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(Page) });
        }
    }
}
