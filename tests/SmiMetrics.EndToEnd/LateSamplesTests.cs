using Microsoft.Extensions.Time.Testing;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// What the server says when samples are late: it was seen to call numbers <c>ok</c> that were far too low, with a store or proxies that lagged.
/// These tests hold what it says today, and are expected to change when it learns what a window's numbers rest on.
/// </summary>
public sealed class LateSamplesTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    private static readonly Target Web = World.Linkerd.Find("deployments", "shop", "web");

    [Fact]
    public async Task Expected_to_change_a_store_that_is_behind_is_called_ok_with_half_of_the_requests()
    {
        TrafficItem web = await AskBehindAsync(TimeSpan.FromSeconds(10));
        Assert.Equal("ok", web.State);
        Assert.InRange(Share(web), 0.5, 0.6);
    }

    [Fact]
    public async Task Expected_to_change_a_store_that_is_a_window_behind_is_called_idle()
    {
        TrafficItem web = await AskBehindAsync(TimeSpan.FromSeconds(25));
        Assert.Equal("idle", web.State);
        Assert.True(web.IsWithoutTraffic);
    }

    [Fact]
    public async Task Expected_to_change_proxies_that_have_just_gone_silent_are_called_ok_with_two_thirds_of_the_requests()
    {
        DateTimeOffset begin = Recorded.Instant - RecordedWorld.LongestWindow;
        await using VirtualScraping scraping = await VirtualScraping.StartAsync(
            begin, begin, Recorded.Proxies, Recorded.Cluster, TimeSpan.FromSeconds(1), ["--mesh", "linkerd", "--default-window", "5s"], Token);
        await scraping.PassAsync(TimeSpan.FromSeconds(10.6), stepped: null, Token);
        await scraping.Server.LookAsync(Token);
        foreach ((ScrapeTarget target, _) in Recorded.Proxies)
        {
            scraping.Mesh.Hide(target.Url);
        }

        await scraping.PassAsync(TimeSpan.FromSeconds(2), stepped: null, Token);
        TrafficItem web = await scraping.Server.ItemAsync(Web.Path, Token);
        Assert.Equal("ok", web.State);
        Assert.InRange(Share(web), 0.6, 0.8);
    }

    /// <summary>How many of the requests that were made are told.</summary>
    private static double Share(TrafficItem web)
    {
        Rates made = World.Linkerd.Received(Web);
        return (web.Value(3) + web.Value(4)) / ((made.Success + made.Failure) * web.Window.TotalSeconds);
    }

    /// <summary>Asks a server whose clock is so much further than the newest sample.</summary>
    private async Task<TrafficItem> AskBehindAsync(TimeSpan behind)
    {
        await using InProcessServer server = await InProcessServer.StartAsync(
            Doors.Real,
            new FakeTimeProvider(Recorded.Instant + behind),
            Recorded.Cluster,
            ["--prometheus-url", Recorded.Prometheus.Url, "--cache-ttl", "1s", "--mesh", "linkerd", "--default-window", "20s"],
            Token);
        await server.LookAsync(Token);
        return await server.ItemAsync(Web.Path, Token);
    }
}
