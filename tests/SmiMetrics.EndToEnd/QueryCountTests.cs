using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>A server that reaches Prometheus through a door which counts.</summary>
public sealed class CountedServer(World world) : IAsyncLifetime
{
    internal PrometheusDoor Door { get; private set; } = null!;

    internal SmiMetricsServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        if (world.Unable is not null)
        {
            return;
        }

        CancellationToken cancellationToken = TestContext.Current.CancellationToken;
        Door = await PrometheusDoor.OpenAsync(world.Prometheus.Url, cancellationToken);
        Server = await world.StartServerAsync(
            "smi-metrics-counted",
            ["--kubeconfig", world.ServerKubeconfig, "--mesh", "linkerd", "--prometheus-url", Door.Url, "--cache-ttl", "60s"],
            cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable part in new IAsyncDisposable?[] { Server, Door }.OfType<IAsyncDisposable>())
        {
            await part.DisposeAsync();
        }
    }
}

/// <summary>What a request costs Prometheus.</summary>
public sealed class QueryCountTests(World world, CountedServer counted) : WorldTest(world), IClassFixture<CountedServer>
{
    private PrometheusDoor Door => counted.Door;

    private SmiMetricsServer Server => counted.Server;

    // Every case has a window of its own, so that none is answered from what another has asked.
    [Theory]
    [InlineData("/namespaces/shop/deployments/web?window=20s", 2)]
    [InlineData("/namespaces/shop/pods/db-0?window=21s", 2)]
    [InlineData("/namespaces/shop/services/api?window=22s", 2)]
    [InlineData("/namespaces/shop?window=23s", 2)]
    [InlineData("/nodes/node-1?window=24s", 2)]
    [InlineData("/namespaces/shop/deployments?window=25s", 2)]
    [InlineData("/deployments?window=26s", 2)]
    [InlineData("/pods?window=27s", 2)]
    [InlineData("/services?window=28s", 2)]
    [InlineData("/nodes?window=29s", 2)]
    [InlineData("/namespaces/shop/deployments/web/edges?window=30s", 4)]
    [InlineData("/namespaces/shop/edges?window=31s", 4)]
    public async Task A_request_asks_few_queries_and_at_once(string path, int most)
    {
        Door.Forget();
        HttpAnswer answer = await Server.GetAsync(Api + path, Token);
        Assert.Equal(HttpStatusCode.OK, answer.Code);
        Assert.True(Door.IncreaseQueries.Count is var count && count >= 1 && count <= most, $"{count} queries:\n{string.Join('\n', Door.AllQueries)}");
        Assert.True(Door.MostInFlight >= Math.Min(2, Door.IncreaseQueries.Count), "the queries were asked one after the other");
    }

    [Fact]
    public async Task Callers_who_ask_the_same_at_once_share_the_queries()
    {
        Door.Forget();
        HttpAnswer[] answers = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => Server.GetAsync($"{Api}/namespaces/shop/deployments?window=7s", Token)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Code));
        Assert.InRange(Door.IncreaseQueries.Count, 1, 2);
    }

    [Fact]
    public async Task An_answer_is_reused_for_the_stated_time()
    {
        string path = $"{Api}/namespaces/shop/deployments?window=8s";
        JsonNode first = (await Server.GetAsync(path, Token)).Json;
        Door.Forget();
        JsonNode second = (await Server.GetAsync(path, Token)).Json;
        Assert.Empty(Door.IncreaseQueries);
        Assert.Equal(first["items"]![0]!["timestamp"]!.GetValue<string>(), second["items"]![0]!["timestamp"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_source_that_fails_is_bridged_by_a_stale_answer_that_says_so()
    {
        await using PrometheusDoor door = await PrometheusDoor.OpenAsync(World.Prometheus.Url, Token);
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-stale",
            ["--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--prometheus-url", door.Url, "--cache-ttl", "1s", "--default-window", "20s"],
            Token);
        string path = $"{Api}/namespaces/shop/deployments/web";
        TrafficItem fresh = new((await server.GetAsync(path, Token)).Json);
        Assert.Equal("ok", fresh.State);

        door.Shut = true;
        TrafficItem stale = await Eventually.SucceedsAsync(
            "the answer is stale",
            TimeSpan.FromSeconds(20),
            async token =>
            {
                TrafficItem item = new((await server.GetAsync(path, token)).Json);
                Assert.Equal("stale", item.State);
                return item;
            },
            () => server.Logs,
            Token);
        Assert.NotEmpty(stale.Reason);
        Assert.DoesNotContain("127.0.0.1", stale.Reason, StringComparison.Ordinal);
        stale.AssertCounts(World.Linkerd.Received(World.Linkerd.Find("deployments", "shop", "web")), "web, stale");

        door.Shut = false;
        await Eventually.SucceedsAsync(
            "the answer is fresh again",
            TimeSpan.FromSeconds(20),
            async token =>
            {
                TrafficItem item = new((await server.GetAsync(path, token)).Json);
                Assert.Equal("ok", item.State);
                Assert.True(item.Timestamp > stale.Timestamp);
            },
            () => server.Logs,
            Token);
    }
}
