using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Meshes;
using Outcome = SmiMetrics.EndToEnd.Harness.Outcome;

namespace SmiMetrics.EndToEnd;

/// <summary><c>--mesh-config</c>: a descriptor that changes is taken up, and one with a mistake leaves the one before.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class MeshConfigTests(World world) : ProgramTest(world)
{
    private static readonly DateTimeOffset Begin = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_success_definition_of_ones_own_is_taken_up_and_a_mistake_keeps_it()
    {
        await using PrometheusServer prometheus = await PrometheusServer.StartWithHistoryAsync(
            World.Programs, World.Workspace, "prometheus-of-mesh-config", text => Shop().Write(text, Begin - TimeSpan.FromMinutes(10), Begin + TimeSpan.FromMinutes(10)), Token);
        string file = World.Workspace.Write("mesh-config-in-process/istio.yaml", "extends: istio\nname: istio\n");
        FakeTimeProvider clock = new(Begin);
        await using InProcessServer server = await InProcessServer.StartAsync(Doors.Real, clock, snapshot: null, Flags(file, prometheus.Url), Token);
        await AssertFailuresAsync(server, 10);

        // 4xx too.
        Task changed = server.Services.GetRequiredService<ConfiguredMeshes>().Changed;
        File.WriteAllText(file, "extends: istio\nname: istio\noutcome: {failure: ['response_code=~\"[45]..|0\"']}\n");
        await PassUntilAsync(() => changed.IsCompleted, clock);
        await AssertFailuresAsync(server, 40);

        File.WriteAllText(file, "extends: istio\nname: istio\noutcome: {failur: []}\n");
        await PassUntilAsync(() => server.Services.GetRequiredService<ConfiguredMeshes>().Mistakes.Count > 0, clock);
        await AssertFailuresAsync(server, 40);
    }

    [Fact]
    public async Task A_mistake_is_told_wherever_one_may_look()
    {
        await using PrometheusServer prometheus = await PrometheusServer.StartWithHistoryAsync(
            World.Programs, World.Workspace, "prometheus-of-mistakes", Shop().WriteAroundNow, Token);
        string file = World.Workspace.Write("mesh-config/istio.yaml", "extends: istio\nname: istio\n");
        await using SmiMetricsServer server = await World.StartServerAsync("smi-metrics-mesh-config", Flags(file, prometheus.Url), Token);

        File.WriteAllText(file, "extends: istio\nname: istio\noutcome: {failur: []}\n");
        await Eventually.TrueAsync(
            "the server has read the mistake",
            async token => (await server.Admin.GetStringAsync("/metrics", token)).Contains("\nsmi_metrics_mesh_config_valid 0\n", StringComparison.Ordinal),
            () => server.Logs,
            Token);
        JsonNode list = (await server.GetAsync($"{Api}/meshes", Token)).Json;
        Assert.Contains("unknown key 'failur'", list["mistakes"]![0]!.GetValue<string>(), StringComparison.Ordinal);
        // kubectl drops what it does not know of a list, but prints warnings.
        Outcome outcome = await Command.RunAsync(
            World.Programs.Kubectl, ["--server", $"{server.Plain.BaseAddress}", "get", "meshes.metrics.smi-spec.io"], Token,
            ("HOME", World.Workspace.Folder("home/mesh-config")), ("KUBECONFIG", ""));
        Assert.StartsWith("NAME", outcome.Text, StringComparison.Ordinal);
        Assert.Contains("Warning: ", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("unknown key 'failur'", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("the descriptors of --mesh-config have changed, but those before stay: ", server.Logs, StringComparison.Ordinal);
        Assert.Contains("\nsmi_metrics_mesh_config_reload_failures_total 1\n", await server.Admin.GetStringAsync("/metrics", Token), StringComparison.Ordinal);
    }

    private static History Shop()
    {
        History history = new(TimeSpan.FromSeconds(5));
        string series = "reporter=\"destination\",destination_workload=\"web\",destination_workload_namespace=\"shop\",namespace=\"shop\",pod=\"web-1\"";
        history.Count("istio_requests_total", $"{series},response_code=\"200\"", 60);
        history.Count("istio_requests_total", $"{series},response_code=\"404\"", 30);
        history.Count("istio_requests_total", $"{series},response_code=\"503\"", 10);
        history.Observe("istio_request_duration_milliseconds", series, 100, [new(1, 20)], [10, 100], 1);
        return history;
    }

    private static string[] Flags(string file, string prometheusUrl) =>
        ["--kubernetes", "none", "--mesh", "istio", "--mesh-config", Path.GetDirectoryName(file)!, "--prometheus-url", prometheusUrl, "--cache-ttl", "1s", "--default-window", "60s"];

    /// <summary>Lets the server's time pass, in which it looks at its files every now and then.</summary>
    private static Task PassUntilAsync(Func<bool> seen, FakeTimeProvider clock) => Eventually.TrueAsync(
        "the server has read the file",
        _ =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return Task.FromResult(seen());
        },
        explain: null,
        Token);

    private static async Task AssertFailuresAsync(InProcessServer server, double perSecond)
    {
        await server.LookAsync(Token);
        (await server.ItemAsync("/namespaces/shop", Token)).AssertCounts(new(100 - perSecond, perSecond), "shop");
    }
}
