using System.Globalization;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>The ground under the other tests: what Prometheus holds is the traffic that the topology says, without any server of ours.</summary>
public sealed class SimulationTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    [Fact]
    public Task Linkerd_inbound_traffic_in_Prometheus_is_what_was_made() => AssertReceivedAsync(
        World.Linkerd,
        """sum by (namespace, pod, classification) (increase(response_total{direction="inbound",target_port!="4191",route_name!="probe"}[20s]))""",
        row => (Label(row, "namespace"), Label(row, "pod")),
        row => Label(row, "classification") == "failure");

    [Fact]
    public Task Istio_inbound_traffic_in_Prometheus_is_what_was_made() => AssertReceivedAsync(
        World.Istio,
        """sum by (namespace, pod, response_code, grpc_response_status) (increase(istio_requests_total{reporter="destination"}[20s]))""",
        row => (Label(row, "namespace"), Label(row, "pod")),
        row => Label(row, "response_code")[0] == '5' || Label(row, "grpc_response_status") is "2" or "4" or "7" or "13" or "14" or "15");

    [Fact]
    public async Task Every_latency_selector_of_the_tests_finds_as_many_requests_as_were_made()
    {
        foreach (MeshUnderTest mesh in new[] { World.Linkerd, World.Istio })
        {
            foreach (Target target in MeshUnderTest.Resources.SelectMany(mesh.Targets).Where(target => mesh == World.Linkerd || target.Name != "ledger"))
            {
                await AssertRequestsAsync(mesh.Buckets(target), mesh.Received(target), $"{mesh.Name} {target}");
            }

            foreach (Target target in mesh.ResourcesWithEdges.SelectMany(mesh.AllTargets))
            {
                foreach (ExpectedEdge edge in mesh.Edges(target).Where(edge => mesh == World.Linkerd || edge.PeerName != "ledger"))
                {
                    await AssertRequestsAsync(edge.Buckets, edge.Rates, $"{mesh.Name} {target} {edge.Key}");
                }
            }
        }
    }

    [Fact]
    public async Task A_restarting_pod_resets_its_counters_within_every_window()
    {
        double? resets = await Recorded.Prometheus.QueryAsync("""max(resets(response_total{deployment="crashy",direction="inbound",target_port="8080"}[20s]))""", Recorded.Instant, Token);
        Assert.InRange(resets ?? 0, 2, 4);
    }

    private async Task AssertRequestsAsync(string buckets, Rates expected, string what)
    {
        string all = buckets.Replace("}", ",le=\"+Inf\"}", StringComparison.Ordinal);
        double? found = await Recorded.Prometheus.QueryAsync($"sum(increase({all}[20s]))", Recorded.Instant, Token);
        double made = (expected.Success + expected.Failure) * 20;
        Assert.True(found is { } count && Math.Abs(count - made) <= 0.02 * made, $"{what}: {made} made, {found} found by {all}");
    }

    private async Task AssertReceivedAsync(MeshUnderTest mesh, string query, Func<JsonNode, (string, string)> podOf, Func<JsonNode, bool> isFailure)
    {
        Dictionary<(string, string), Rates> found = [];
        foreach (JsonNode? row in await Recorded.Prometheus.VectorAsync(query, Recorded.Instant, Token))
        {
            double value = double.Parse(row!["value"]![1]!.GetValue<string>(), CultureInfo.InvariantCulture) / RecordedWorld.Window.TotalSeconds;
            (string, string) pod = podOf(row);
            found[pod] = found.GetValueOrDefault(pod) + (isFailure(row) ? new Rates(0, value) : new Rates(value, 0));
        }

        foreach (SimulatedPod pod in mesh.Topology.MeshedPods)
        {
            Rates expected = mesh.Topology.Received(candidate => candidate == pod);
            Rates actual = found.GetValueOrDefault((pod.Workload.Namespace, pod.Name));
            Assert.True(
                Math.Abs(actual.Success - expected.Success) <= 0.02 * expected.Success && Math.Abs(actual.Failure - expected.Failure) <= 0.02 * expected.Failure,
                $"{pod.Name}: {expected} made, {actual} found");
        }
    }

    private static string Label(JsonNode row, string name) => row["metric"]![name]?.GetValue<string>() ?? "";
}
