using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>What stands around the server goes away and comes back; the server is never restarted.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class DisruptionTests(World world) : WorldTest(world)
{
    private const string Deployments = $"{Api}/namespaces/shop/deployments";
    [Fact]
    public async Task A_cut_watch_is_mended_and_what_came_meanwhile_is_seen()
    {
        await using TcpForwarder forwarder = new(World.ControlPlane.Port);
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-watching",
            [
                "--kubeconfig", World.ServerKubeconfigAt($"https://127.0.0.1:{forwarder.Port}"),
                "--mesh", "linkerd", "--prometheus-url", World.Prometheus.Url, "--cache-ttl", "1s",
            ],
            Token);
        await AssertWebAsync(path => server.GetAsync(path, Token));

        await forwarder.CutAsync();
        await CreateDeploymentAsync("latecomer-of-the-cut");
        await AssertWebAsync(path => server.GetAsync(path, Token));
        Assert.Equal(HttpStatusCode.NotFound, (await server.GetAsync($"{Deployments}/latecomer-of-the-cut", Token)).Code);

        forwarder.Mend();
        await AppearsAsync("latecomer-of-the-cut", server, path => server.GetAsync(path, Token));

        // And the mended watch is a live one.
        await CreateDeploymentAsync("latecomer-of-the-mending");
        await AppearsAsync("latecomer-of-the-mending", server, path => server.GetAsync(path, Token));
        await AssertWebAsync(path => server.GetAsync(path, Token));
    }

    [Fact]
    public async Task Prometheus_stopped_is_503_and_its_return_is_noticed()
    {
        SmiMetricsServer server = await World.RouteAsync(Token);
        await AssertWebAsync(GetAsync);
        await World.Prometheus.StopAsync(Token);
        try
        {
            await Eventually.TrueAsync("the last answer is used up", async _ => (await GetAsync($"{Deployments}/web")).Code != HttpStatusCode.OK, () => server.Logs, Token);
            foreach (string path in new[] { $"{Deployments}/web", Deployments, $"{Deployments}/web/edges", $"{Api}/nodes" })
            {
                double before = await server.Requests.ErrorsAsync(Token);
                Outcome outcome = await World.Admin.GetRawAsync(path, Token);
                Assert.Equal(1, outcome.Status);
                Assert.Contains("ServiceUnavailable", outcome.Error, StringComparison.Ordinal);
                await Eventually.TrueAsync("its request is counted", async token => await server.Requests.ErrorsAsync(token) > before, () => server.Logs, Token);
                // kubectl would repeat it for ten seconds if it were told to.
                Assert.Equal(1, await server.Requests.ErrorsAsync(Token) - before);
                Statuses.Assert(await GetAsync(path), HttpStatusCode.ServiceUnavailable, "ServiceUnavailable");
            }

            // Whatever depends on discovery must not hang: namespace deletion, kubectl.
            await World.Installation.AvailableAsync(() => server.Logs, Token);
            using HttpResponseMessage ready = await server.Admin.GetAsync("/readyz", Token);
            Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        }
        finally
        {
            await World.Prometheus.StartAsync(Token);
        }

        await AnswersAgainAsync(server);
        await AssertWebAsync(GetAsync);
    }

    [Fact]
    public async Task A_restart_of_kube_apiserver_is_survived()
    {
        SmiMetricsServer server = await World.RouteAsync(Token);
        await World.ControlPlane.StopApiServerAsync(Token);
        try
        {
            // Without kube-apiserver, on the last snapshot.
            await AssertWebAsync(path => server.GetAsync(path, Token));
        }
        finally
        {
            await World.ControlPlane.StartApiServerAsync(Token);
        }

        await World.Installation.AvailableAsync(() => server.Logs, Token);
        await AnswersAgainAsync(server);
        await AssertWebAsync(GetAsync);
        await CreateDeploymentAsync("latecomer-of-the-restart");
        await AppearsAsync("latecomer-of-the-restart", server, GetAsync);
    }

    private Task<HttpAnswer> GetAsync(string path) => World.ControlPlane.Api.SendAsync(HttpMethod.Get, path, null, [], Token);

    private static async Task AssertWebAsync(Func<string, Task<HttpAnswer>> get)
    {
        HttpAnswer answer = await get($"{Deployments}/web");
        Assert.True(answer.Code == HttpStatusCode.OK, $"{(int)answer.Code} {answer.Body}");
        TrafficItem web = new(answer.Json);
        web.AssertShape("v1alpha2", World.Window, "linkerd", instant: null);
        Assert.Equal("ok", web.State);
    }

    private Task AnswersAgainAsync(SmiMetricsServer server) => Eventually.TrueAsync(
        "it answers again", async _ => (await GetAsync($"{Deployments}/web")).Code == HttpStatusCode.OK, () => server.Logs, Token);

    private Task CreateDeploymentAsync(string name) => new ClusterContent(World.ControlPlane.Api).WriteAsync(
        new Workload("Deployment", "shop", name, podCount: 1, number: 240, meshed: false), sidecar: null, Token);

    /// <summary>Reconnecting informers back off, up to half a minute.</summary>
    private static async Task AppearsAsync(string name, SmiMetricsServer server, Func<string, Task<HttpAnswer>> get)
    {
        HttpAnswer answer = await Eventually.SomeAsync(
            $"{name} appears", async _ => await get($"{Deployments}/{name}") is { Code: HttpStatusCode.OK } found ? found : null, () => server.Logs, Token);
        Assert.True(new TrafficItem(answer.Json).IsWithoutTraffic);
        JsonNode list = (await get(Deployments)).Json;
        Assert.Contains(list["items"]!.AsArray(), item => item!["resource"]!["name"]!.GetValue<string>() == name);
    }
}
