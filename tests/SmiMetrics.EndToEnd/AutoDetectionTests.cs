using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>One Prometheus with the series of three meshes, and a server that is told of none of them.</summary>
public sealed class MixedWorld(World world) : HistoryWorld(world, "prometheus-of-three-meshes")
{
    private static readonly Duration[] Durations = [new(0.5, 20), new(0.4, 80), new(0.1, 400)];
    private static readonly double[] Milliseconds = [1, 10, 50, 100, 250, 500, 1000];

    // By namespace and name: who sees it, with how many requests a second. Cilium lies beneath Istio and sees the same requests a little otherwise.
    internal static readonly IReadOnlyList<(string Namespace, string Name, (string Mesh, Rates Rates)[] Seen)> Workloads =
    [
        ("mixed", "both", [("istio", new(50, 5)), ("cilium", new(49, 4))]),
        ("mixed", "new", [("istio", new(30, 0))]),
        ("mixed", "old", [("linkerd", new(40, 10))]),
        ("mixed", "under", [("cilium", new(20, 2))]),
        ("only-cilium", "web", [("cilium", new(60, 6))]),
        ("only-istio", "web", [("istio", new(70, 7)), ("cilium", new(69, 6))]),
        ("only-linkerd", "web", [("linkerd", new(80, 8))]),
    ];

    internal override async Task<History> PrepareAsync(CancellationToken cancellationToken)
    {
        ClusterContent content = new(World.ControlPlane.Api);
        foreach (string @namespace in Workloads.Select(workload => workload.Namespace).Distinct())
        {
            JsonObject body = new() { ["metadata"] = new JsonObject { ["name"] = @namespace } };
            await World.ControlPlane.Api.CreateAsync("/api/v1/namespaces", body, cancellationToken);
        }

        History history = new(TimeSpan.FromSeconds(5));
        int number = 700;
        foreach ((string @namespace, string name, (string Mesh, Rates Rates)[] seen) in Workloads)
        {
            Workload workload = new("Deployment", @namespace, name, 1, number++, meshed: false);
            await content.WriteAsync(workload, sidecar: null, cancellationToken);
            foreach ((string mesh, Rates rates) in seen)
            {
                Add(history, mesh, workload, rates);
            }
        }

        return history;
    }

    private static void Add(History history, string mesh, Workload workload, Rates rates)
    {
        (string counter, string success, string failure, string histogram, string labels, double unit) = mesh switch
        {
            "linkerd" => (
                "response_total", "classification=\"success\"", "classification=\"failure\"", "response_latency_ms",
                $"direction=\"inbound\",target_port=\"8080\",namespace=\"{workload.Namespace}\",pod=\"{workload.Pods[0].Name}\",deployment=\"{workload.Name}\"", 1),
            "istio" => (
                "istio_requests_total", "response_code=\"200\"", "response_code=\"503\"", "istio_request_duration_milliseconds",
                $"reporter=\"destination\",destination_workload=\"{workload.Name}\",destination_workload_namespace=\"{workload.Namespace}\"," +
                $"namespace=\"{workload.Namespace}\",pod=\"{workload.Pods[0].Name}\"", 1),
            _ => (
                "hubble_http_requests_total", "status=\"200\"", "status=\"500\"", "hubble_http_request_duration_seconds",
                $"reporter=\"server\",method=\"GET\",destination_namespace=\"{workload.Namespace}\",destination_pod=\"{workload.Pods[0].Name}\",destination_workload=\"{workload.Name}\"", 1000.0),
        };
        history.Count(counter, $"{labels},{success}", rates.Success);
        history.Count(counter, $"{labels},{failure}", rates.Failure);
        history.Observe(histogram, labels, rates.Success + rates.Failure, Durations, [.. Milliseconds.Select(bound => bound / unit)], unit);
    }
}

/// <summary>With <c>--mesh auto</c> each object is answered for by the first mesh that sees it, and no request is counted twice.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class AutoDetectionTests(World world, MixedWorld mixed) : WorldTest(world), IClassFixture<MixedWorld>
{
    private static readonly string[] InOrder = ["linkerd", "istio", "cilium"];

    [Fact]
    public async Task Every_workload_is_answered_for_by_the_first_mesh_that_sees_it()
    {
        Dictionary<(string, string), TrafficItem> items = (await mixed.Server.ListAsync("/deployments", Token)).ToDictionary(item => (item.Namespace, item.Name));
        foreach ((string @namespace, string name, (string Mesh, Rates Rates)[] seen) in MixedWorld.Workloads)
        {
            (string mesh, Rates rates) = seen.MinBy(by => Array.IndexOf(InOrder, by.Mesh));
            TrafficItem item = items[(@namespace, name)];
            item.AssertShape("v1alpha2", HistoryWorld.Window, mesh, mixed.Instant);
            Assert.Equal("ok", item.State);
            item.AssertCounts(rates, $"{@namespace}/{name}");
        }
    }

    [Fact]
    public async Task A_namespace_has_each_of_its_workloads_once_whichever_mesh_sees_it()
    {
        Dictionary<string, TrafficItem> items = (await mixed.Server.ListAsync("/namespaces", Token)).ToDictionary(item => item.Name);
        foreach (IGrouping<string, (string Namespace, string Name, (string Mesh, Rates Rates)[] Seen)> workloads in MixedWorld.Workloads.GroupBy(workload => workload.Namespace))
        {
            (string Mesh, Rates Rates)[] first = [.. workloads.Select(workload => workload.Seen.MinBy(by => Array.IndexOf(InOrder, by.Mesh)))];
            TrafficItem item = items[workloads.Key];
            item.AssertShape("v1alpha2", HistoryWorld.Window, string.Join(',', InOrder.Intersect(first.Select(by => by.Mesh))), mixed.Instant);
            Assert.True(item.State == "ok", $"{item}");
            item.AssertCounts(first.Aggregate(default(Rates), (sum, by) => sum + by.Rates), workloads.Key);
        }
    }

    [Fact]
    public async Task What_nobody_sees_is_not_called_idle_by_meshes_of_which_one_needs_no_proxy_in_the_pod()
    {
        // Cilium sees pods without any proxy, so that there was no request can be said.
        Workload idle = World.Linkerd.Topology.Idle!;
        TrafficItem item = new((await mixed.Server.GetAsync($"{Api}/namespaces/{idle.Namespace}/deployments/{idle.Name}", Token)).Json);
        Assert.Equal("idle", item.State);
    }

    [Fact]
    public async Task Meshes_tells_which_were_found_and_how()
    {
        JsonNode list = (await mixed.Server.GetAsync($"{Api}/meshes", Token)).Json;
        Assert.Equal("MeshList", list["kind"]!.GetValue<string>());
        Dictionary<string, JsonNode> meshes = list["items"]!.AsArray().ToDictionary(mesh => mesh!["metadata"]!["name"]!.GetValue<string>(), mesh => mesh!["status"]!);
        Assert.Equal(InOrder, meshes.Where(mesh => mesh.Value["presence"]!.GetValue<string>() == "Found").Select(mesh => mesh.Key));
        Assert.All(meshes.Where(mesh => !InOrder.Contains(mesh.Key)), mesh => Assert.Equal("Missing", mesh.Value["presence"]!.GetValue<string>()));
        JsonNode linkerd = (await mixed.Server.GetAsync($"{Api}/meshes/linkerd", Token)).Json;
        Assert.Equal(("Mesh", "5s", "10s"), (linkerd["kind"]!.GetValue<string>(), linkerd["status"]!["scrapeInterval"]!.GetValue<string>(), linkerd["status"]!["shortestWindow"]!.GetValue<string>()));
        Assert.Equal("response_total", linkerd["status"]!["series"]![0]!["requests"]!.GetValue<string>());
        Assert.Contains("statefulset", linkerd["status"]!["series"]![0]!["missingLabels"]!.AsArray().Select(label => label!.GetValue<string>()));
        Statuses.Assert(await mixed.Server.GetAsync($"{Api}/meshes/nosuch", Token), System.Net.HttpStatusCode.NotFound, "NotFound");
    }
}
