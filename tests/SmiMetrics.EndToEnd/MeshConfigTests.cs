using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary><c>--mesh-config</c>: a descriptor that changes is taken up, and one with a mistake leaves the one before.</summary>
public sealed class MeshConfigTests(World world) : WorldTest(world)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task A_success_definition_of_ones_own_is_taken_up_and_a_mistake_keeps_it()
    {
        History history = new(TimeSpan.FromSeconds(5));
        string series = "reporter=\"destination\",destination_workload=\"web\",destination_workload_namespace=\"shop\",namespace=\"shop\",pod=\"web-1\"";
        history.Count("istio_requests_total", $"{series},response_code=\"200\"", 60);
        history.Count("istio_requests_total", $"{series},response_code=\"404\"", 30);
        history.Count("istio_requests_total", $"{series},response_code=\"503\"", 10);
        history.Observe("istio_request_duration_milliseconds", series, 100, [new(1, 20)], [10, 100], 1);
        await using PrometheusServer prometheus = await PrometheusServer.StartWithHistoryAsync(
            World.Programs, World.Workspace, "mesh-config-history", history.OpenMetrics(endsNow: false), Token);
        string file = World.Workspace.Write("mesh-config/istio.yaml", "extends: istio\nname: istio\n");
        await using SmiMetricsServer server = await World.StartServerAsync(
            "smi-metrics-mesh-config",
            [
                "--kubernetes", "none", "--mesh", "istio", "--mesh-config", Path.GetDirectoryName(file)!, "--prometheus-url", prometheus.Url,
                "--cache-ttl", "1s", "--max-stale", "0s", "--default-window", "60s",
            ],
            Token);
        await AssertFailuresAsync(server, 10);

        // 4xx too.
        File.WriteAllText(file, "extends: istio\nname: istio\noutcome: {failure: ['response_code=~\"[45]..|0\"']}\n");
        await Eventually.SucceedsAsync("the changed descriptor counts", Deadline, _ => AssertFailuresAsync(server, 40), () => server.Logs, Token);

        File.WriteAllText(file, "extends: istio\nname: istio\noutcome: {failur: []}\n");
        await Eventually.SucceedsAsync(
            "the mistake is told",
            Deadline,
            async _ =>
            {
                JsonNode list = (await server.GetAsync($"{Api}/meshes", Token)).Json;
                Assert.Contains("unknown key 'failur'", list["mistakes"]![0]!.GetValue<string>(), StringComparison.Ordinal);
            },
            () => server.Logs,
            Token);
        await AssertFailuresAsync(server, 40);
        // kubectl drops what it does not know of a list, but prints warnings.
        Outcome outcome = await Command.RunAsync(
            World.Programs.Kubectl, ["--server", $"{server.Plain.BaseAddress}", "get", "meshes.metrics.smi-spec.io"], Token,
            ("HOME", World.Workspace.Folder("home/mesh-config")), ("KUBECONFIG", ""));
        Assert.StartsWith("NAME", outcome.Text, StringComparison.Ordinal);
        Assert.Contains("Warning: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("unknown key 'failur'", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("the descriptors of --mesh-config have changed, but those before stay: ", server.Logs, StringComparison.Ordinal);
        string metrics = await server.Admin.GetStringAsync("/metrics", Token);
        Assert.Contains("\nsmi_metrics_mesh_config_valid 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nsmi_metrics_mesh_config_reload_failures_total 1\n", metrics, StringComparison.Ordinal);
    }

    private static async Task AssertFailuresAsync(SmiMetricsServer server, double perSecond)
    {
        TrafficItem shop = new((await server.GetAsync($"{Api}/namespaces/shop", Token)).Json);
        shop.AssertCounts(new(100 - perSecond, perSecond), "shop");
    }
}
