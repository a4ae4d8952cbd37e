using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>A server whose answers are reused for a minute, by a clock that stands: none grows old between two requests.</summary>
public sealed class CountedServer(World world) : ServerBehindDoor(world)
{
    private protected override string[] Flags => ["--cache-ttl", "60s"];
}

/// <summary>What a request costs Prometheus.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class QueryCountTests(World world, CountedServer counted) : WorldTest(world), IClassFixture<CountedServer>
{
    private PrometheusDoor Door => counted.Door;

    private InProcessServer Server => counted.Server;

    // Every case has a window of its own, so that none is answered from what another has asked.
    [Theory]
    [InlineData("/namespaces/shop/deployments/web?window=40s", 2)]
    [InlineData("/namespaces/shop/pods/db-0?window=41s", 2)]
    [InlineData("/namespaces/shop/services/api?window=42s", 2)]
    [InlineData("/namespaces/shop?window=43s", 2)]
    [InlineData("/nodes/node-1?window=44s", 2)]
    [InlineData("/namespaces/shop/deployments?window=45s", 2)]
    [InlineData("/deployments?window=46s", 2)]
    [InlineData("/pods?window=47s", 2)]
    [InlineData("/services?window=48s", 2)]
    [InlineData("/nodes?window=49s", 2)]
    [InlineData("/namespaces/shop/deployments/web/edges?window=50s", 4)]
    [InlineData("/namespaces/shop/edges?window=51s", 4)]
    public async Task A_request_asks_few_queries_and_at_once(string path, int queries)
    {
        // None is answered before all have been asked.
        Door.Forget(together: queries);
        HttpAnswer answer = await Server.GetAsync(Api + path, Token);
        Assert.Equal(HttpStatusCode.OK, answer.Code);
        Assert.True(Door.IncreaseQueries.Count == queries, $"{Door.IncreaseQueries.Count} queries:\n{string.Join('\n', Door.AllQueries)}");
    }

    [Fact]
    public async Task Callers_who_ask_the_same_at_once_share_the_queries()
    {
        const int Callers = 20;
        Door.Forget(together: int.MaxValue);
        Task<HttpAnswer>[] asked = [.. Enumerable.Range(0, Callers).Select(_ => Server.GetAsync($"{Api}/namespaces/shop/deployments?window=37s", Token))];
        await counted.InFlightAsync(Callers, Token);
        Door.Open();
        Assert.All(await Task.WhenAll(asked), answer => Assert.Equal(HttpStatusCode.OK, answer.Code));
        Assert.Equal(2, Door.IncreaseQueries.Count);
    }

    [Fact]
    public async Task An_answer_is_reused_for_the_stated_time()
    {
        string path = $"{Api}/namespaces/shop/deployments?window=38s";
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
            ["--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--prometheus-url", door.Url, "--cache-ttl", "1s"],
            Token);
        string path = $"{Api}/namespaces/shop/deployments/web";
        TrafficItem fresh = new((await server.GetAsync(path, Token)).Json);
        Assert.Equal("ok", fresh.State);

        door.Shut = true;
        TrafficItem stale = await StateAsync("stale");
        Assert.NotEmpty(stale.Reason);
        Assert.DoesNotContain("127.0.0.1", stale.Reason, StringComparison.Ordinal);
        stale.AssertSameNumbers(fresh, "stale");

        door.Shut = false;
        Assert.True((await StateAsync("ok")).Timestamp > stale.Timestamp);

        Task<TrafficItem> StateAsync(string state) => Eventually.SomeAsync(
            $"the answer is {state}",
            async token => await server.GetAsync(path, token) is { Code: HttpStatusCode.OK } answer && new TrafficItem(answer.Json) is var item && item.State == state ? item : null,
            () => server.Logs,
            Token);
    }
}
