using System.Net;
using System.Net.Sockets;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary><c>smi-metrics check</c> before Prometheis that lack something: it says what, in plain words, and what to do.</summary>
[Trait(Runs.Trait, Runs.Published)]
public sealed class CheckTests(World world) : ProgramTest(world)
{
    private static readonly double[] Bounds = [1, 10, 100];

    [Fact]
    public async Task Labels_that_the_scrape_should_add_are_named_with_the_remedy()
    {
        Outcome check = await CheckAsync("check-without-relabelling", Linkerd(TimeSpan.FromSeconds(10), scrapeLabels: ""), "--mesh", "linkerd");
        Assert.Equal(1, check.Status);
        Assert.Contains("linkerd: found; scraped every 10 s, newest sample ", check.Output, StringComparison.Ordinal);
        AssertHas(check, "linkerd: server: response_total has no label namespace, so nothing can be told of the receiver.");
        AssertHas(check, "linkerd: server: response_total has no label pod, so the receiver's pods cannot be told, nor what only they can tell.");
        AssertHas(check, "Copy all relabel_configs of the job linkerd-proxy in linkerd-viz");
    }

    [Fact]
    public async Task An_interval_that_is_longer_than_the_windows_is_told_with_what_it_means()
    {
        Outcome check = await CheckAsync("check-every-minute", Linkerd(TimeSpan.FromSeconds(60), "namespace=\"shop\",pod=\"web-1\",deployment=\"web\","));
        Assert.Equal(1, check.Status);
        Assert.Contains("linkerd: found; scraped every 60 s, newest sample ", check.Output, StringComparison.Ordinal);
        AssertHas(check, "linkerd: it is scraped every 60 s, and a window needs two samples: the shortest that can be answered is 120 s, longer than the default of 30 s.");
        AssertHas(check, "Scrape it every 15 s or more often; until then answers are about 120 s, and shorter windows are refused.");
        Assert.Contains("\n1 problem:\n", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_Prometheus_is_told_from_one_that_lacks_something()
    {
        Outcome check = await CheckAsync("check-empty", null);
        Assert.Equal(1, check.Status);
        AssertHas(check, "that were looked for, so there is no traffic to tell of.");
        AssertHas(check, "Have Prometheus scrape the mesh's proxies.");
        Outcome one = await CheckAsync("check-empty-of-linkerd", null, "--mesh", "linkerd");
        AssertHas(one, "there are no series of linkerd, so there is no traffic to tell of.");
        AssertHas(one, "Let Prometheus scrape the port linkerd-admin (4191)");
    }

    [Fact]
    public async Task What_is_as_it_should_be_has_no_problems()
    {
        Outcome check = await CheckAsync("check-good", Linkerd(TimeSpan.FromSeconds(10), "namespace=\"shop\",pod=\"web-1\",deployment=\"web\","));
        Assert.True(check.Status == 0, check.Output);
        Assert.Contains("\nNo problems.\n", check.Output, StringComparison.Ordinal);
        Assert.Contains("Not found: istio, ", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_that_cannot_be_scraped_is_the_problem()
    {
        Outcome check = await Command.RunAsync(World.Server, ["check", .. NowhereToScrape, "--scrape-interval", "1s"], Token);
        Assert.Equal(1, check.Status);
        AssertHas(check, "http://127.0.0.1:1/metrics cannot be scraped: connection refused.");
    }

    [Fact]
    public async Task A_Prometheus_that_cannot_be_reached_is_the_problem_with_its_cause()
    {
        Outcome check = await Command.RunAsync(World.Server, ["check", "--kubernetes", "none", "--prometheus-url", "http://127.0.0.1:1"], Token);
        Assert.Equal(1, check.Status);
        AssertHas(check, "the numbers cannot be read: Prometheus cannot be reached");
        AssertHas(check, "(Connection refused).");
    }

    /// <summary>It waited for two scrapes all the same.</summary>
    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    public async Task A_check_ends_when_it_is_told_to(string signal)
    {
        // Who accepts a connection and says nothing.
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        await using ChildProcess check = ChildProcess.Start(
            "smi-metrics check", World.Server, ["check", "--kubernetes", "none", "--scrape-target", $"http://{silent.LocalEndpoint}/metrics#namespace=shop&pod=web-1"]);
        using TcpClient scrape = await silent.AcceptTcpClientAsync(Token);
        await (signal == "TERM" ? check.StopAsync(Token) : check.InterruptAsync(Token));
        Assert.Equal(130, check.ExitCode);
        Assert.Equal("smi-metrics: interrupted", check.Errors[^1]);
    }

    private static readonly string[] NowhereToScrape = ["--kubernetes", "none", "--scrape-target", "http://127.0.0.1:1/metrics#namespace=shop&pod=web-1"];

    internal static History Linkerd(TimeSpan interval, string scrapeLabels)
    {
        History history = new(interval);
        foreach (string direction in new[] { "inbound", "outbound" })
        {
            string target = direction == "outbound"
                ? $"{scrapeLabels}direction=\"outbound\",target_port=\"8080\",dst_namespace=\"shop\",dst_pod=\"db-0\",dst_statefulset=\"db\",dst_service=\"db\""
                : $"{scrapeLabels}direction=\"inbound\",target_port=\"8080\"";
            history.Count("response_total", $"{target},classification=\"success\",status_code=\"200\"", 10);
            history.Observe("response_latency_ms", $"{target},status_code=\"200\"", 10, [new(1, 5)], Bounds, 1);
        }

        return history;
    }

    /// <param name="history">Null for a Prometheus that holds nothing.</param>
    private async Task<Outcome> CheckAsync(string name, History? history, params string[] flags)
    {
        await using PrometheusServer prometheus = await PrometheusServer.StartWithHistoryAsync(
            World.Programs, World.Workspace, name, history is null ? text => text.Write("# EOF\n") : history.WriteAroundNow, Token);
        return await Command.RunAsync(World.Server, ["check", "--kubernetes", "none", "--prometheus-url", prometheus.Url, .. flags], Token);
    }

    // Remedies are folded to the width of a terminal.
    internal static void AssertHas(Outcome check, string text) =>
        Assert.Contains(text, string.Join(' ', check.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
}

/// <summary>The same, where a cluster tells what should be there.</summary>
[Trait(Runs.Trait, Runs.Published)]
public sealed class CheckOfClusterTests(World world) : WorldTest(world)
{
    [Fact]
    public async Task The_cluster_tells_of_proxies_that_nobody_scrapes()
    {
        await using PrometheusServer prometheus = await PrometheusServer.StartWithHistoryAsync(
            World.Programs, World.Workspace, "check-unscraped", CheckTests.Linkerd(TimeSpan.FromSeconds(10), "namespace=\"shop\",pod=\"web-1\",deployment=\"web\",").WriteAroundNow, Token);
        Outcome check = await Command.RunAsync(
            World.Server, ["check", "--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd,istio", "--prometheus-url", prometheus.Url], Token);
        Assert.Equal(1, check.Status);
        CheckTests.AssertHas(check, "running pods have its proxy, but there are no series istio_requests_total.");
        Assert.Matches(@"Cluster: \d+ pods in \d+ namespaces on 2 nodes", check.Output);
        Assert.Matches(@"linkerd: found; scraped every 10 s, newest sample .* ago, windows from 20 s, \d+ pods with its proxy", check.Output);
    }

    [Fact]
    public async Task The_proxies_themselves_can_be_checked_too()
    {
        SimulatedMesh proxies = new(TimeProvider.System, TimeProvider.System.GetUtcNow());
        foreach ((ScrapeTarget target, ProxyPage page) in new LinkerdSimulation(World.Linkerd.Topology).Proxies())
        {
            proxies.Show(target.Url, page);
        }

        await using PodNetwork network = await PodNetwork.StartAsync(proxies, Token);
        Outcome check = await Command.RunAsync(
            World.Server,
            ["check", "--kubeconfig", World.ServerKubeconfig, "--mesh", "linkerd", "--scrape-interval", "1s", "--scrape-proxy-url", network.ProxyUrl],
            Token);
        Assert.True(check.Status == 0, check.Output + check.Error);
        Assert.Contains("linkerd: found; scraped every 1 s, ", check.Output, StringComparison.Ordinal);
    }
}
