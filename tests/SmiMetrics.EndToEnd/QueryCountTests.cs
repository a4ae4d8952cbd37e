using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>What a request costs Prometheus.</summary>
public sealed class QueryCountTests(World world) : WorldTest(world)
{
    private PrometheusDoor _door = null!;
    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _door = await PrometheusDoor.OpenAsync(World.Prometheus.Url, Token);
        _server = await World.StartServerAsync(
            "smi-metrics-counted",
            ["--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--prometheus-url", _door.Url, "--cache-ttl", "60s"],
            Token);
        // Whatever the server asks once, to know the mesh, is asked.
        Assert.Equal(HttpStatusCode.OK, (await _server.GetAsync($"{Api}/namespaces/shop/deployments/web?window=5s", Token)).Code);
    }

    [Theory]
    [InlineData("/namespaces/shop/deployments/web", 2)]
    [InlineData("/namespaces/shop/pods/db-0", 2)]
    [InlineData("/namespaces/shop/services/api", 2)]
    [InlineData("/namespaces/shop", 2)]
    [InlineData("/nodes/node-1", 2)]
    [InlineData("/namespaces/shop/deployments", 2)]
    [InlineData("/deployments", 2)]
    [InlineData("/pods", 2)]
    [InlineData("/services", 2)]
    [InlineData("/nodes", 2)]
    [InlineData("/namespaces/shop/deployments/web/edges", 4)]
    [InlineData("/namespaces/shop/edges", 4)]
    public async Task A_request_asks_few_queries_and_all_at_once(string path, int most)
    {
        _door.Forget();
        HttpAnswer answer = await _server.GetAsync(Api + path, Token);
        Assert.Equal(HttpStatusCode.OK, answer.Code);
        Assert.True(_door.AllQueries.Count <= most, $"{_door.AllQueries.Count} queries:\n{string.Join('\n', _door.AllQueries)}");
        Assert.InRange(_door.IncreaseQueries.Count, 1, most);
        Assert.Equal(_door.AllQueries.Count, _door.MostInFlight);
    }

    [Fact]
    public async Task Callers_who_ask_the_same_at_once_share_the_queries()
    {
        _door.Forget();
        HttpAnswer[] answers = await Task.WhenAll(
            Enumerable.Range(0, 20).Select(_ => _server.GetAsync($"{Api}/namespaces/shop/deployments?window=7s", Token)));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Code));
        Assert.InRange(_door.IncreaseQueries.Count, 1, 2);
    }

    [Fact]
    public async Task An_answer_is_reused_for_the_stated_time()
    {
        string path = $"{Api}/namespaces/shop/deployments?window=8s";
        JsonNode first = (await _server.GetAsync(path, Token)).Json;
        _door.Forget();
        JsonNode second = (await _server.GetAsync(path, Token)).Json;
        Assert.Empty(_door.IncreaseQueries);
        Assert.Equal(first["items"]![0]!["timestamp"]!.GetValue<string>(), second["items"]![0]!["timestamp"]!.GetValue<string>());
    }

    [Fact]
    public async Task A_source_that_fails_is_bridged_by_a_stale_answer_that_says_so()
    {
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-stale",
            ["--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--prometheus-url", _door.Url, "--cache-ttl", "1s", "--default-window", "20s"],
            Token);
        string path = $"{Api}/namespaces/shop/deployments/web";
        TrafficItem fresh = new((await server.GetAsync(path, Token)).Json);
        Assert.Equal("ok", fresh.State);

        _door.Shut = true;
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

        _door.Shut = false;
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

    public override async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        if (_door is not null)
        {
            await _door.DisposeAsync();
        }

        await base.DisposeAsync();
    }
}
