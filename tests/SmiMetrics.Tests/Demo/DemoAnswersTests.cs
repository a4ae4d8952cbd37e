using System.Text.Json.Nodes;
using SmiMetrics.Demo;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Demo;

/// <summary>What the demo's server finds out by scraping is what the demo declares, within two percent.</summary>
[Collection(nameof(RunningDemos))]
public sealed class DemoAnswersTests(RunningDemos demos) : IClassFixture<RunningDemos>
{
    private const double Window = 10;
    private const double Tolerance = 0.02;

    public static TheoryData<string> Meshes => [.. SimulatedMesh.All.Select(mesh => mesh.Name)];

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Every_kind_of_workload(string mesh)
    {
        foreach (ResourceKind kind in Shop.World.Workloads.Select(workload => workload.Kind).Distinct().Where(kind => kind != ResourceKind.CronJob))
        {
            IReadOnlyList<Answer> answers = await demos[mesh].ListAsync($"/{kind.Resource}");
            foreach (Workload workload in Shop.World.Workloads.Where(workload => workload.Kind == kind))
            {
                Assert.True(answers.SingleOrDefault(answer => (answer.Namespace, answer.Name) == (workload.Namespace, workload.Name)) is not null, $"{kind} {workload.Name}");
                Answer answer = answers.Single(answer => (answer.Namespace, answer.Name) == (workload.Namespace, workload.Name));
                AssertReceived(answer, Shop.World.Flows.Where(flow => flow.To == workload));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Namespaces(string mesh) =>
        Assert.All(
            await demos[mesh].ListAsync("/namespaces"),
            answer => AssertReceived(answer, Shop.World.Flows.Where(flow => flow.To.Namespace == answer.Name)));

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Services(string mesh)
    {
        IReadOnlyList<Answer> answers = await demos[mesh].ListAsync("/services");
        Assert.Equal(14, answers.Count);
        // Linkerd's Services are seen by callers with a proxy, which those of the front page do not have.
        Assert.All(answers, answer => AssertReceived(
            answer,
            Shop.World.Flows.Where(flow => (flow.To.Namespace, flow.To.Service) == (answer.Namespace, answer.Name) && (mesh != "linkerd" || flow.From is not null))));
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Pods_and_ReplicaSets_share_what_their_workload_receives(string mesh)
    {
        Answer[] pods = [.. (await demos[mesh].ListAsync("/namespaces/shop/pods")).Where(pod => pod.Name.StartsWith("web-", StringComparison.Ordinal))];
        Assert.Equal(3, pods.Length);
        Assert.All(pods, pod => AssertReceived(pod, Shop.World.Flows.Where(flow => flow.To.Name == "web"), 1 / 3.0));

        Answer[] sets = [.. (await demos[mesh].ListAsync("/namespaces/shop/replicasets")).Where(set => set.Name.StartsWith("catalog-canary-", StringComparison.Ordinal))];
        AssertReceived(Assert.Single(sets), Shop.World.Flows.Where(flow => flow.To.Name == "catalog-canary"));
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Nodes_together_receive_everything(string mesh)
    {
        IReadOnlyList<Answer> nodes = await demos[mesh].ListAsync("/nodes");
        Assert.Equal(Shop.World.Nodes, nodes.Select(node => node.Name));
        Assert.All(nodes, node => Assert.Equal("ok", node.State));
        double expected = Window * Shop.World.Flows.Sum(flow => flow.PerSecond);
        Assert.InRange(nodes.Sum(node => node.Success + node.Failure), expected * (1 - Tolerance), expected * (1 + Tolerance));
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Edges_of_every_workload_in_both_directions(string mesh)
    {
        foreach (Workload workload in Shop.World.Workloads.Where(workload => workload.Kind != ResourceKind.CronJob))
        {
            Dictionary<string, Flow> expected = [];
            foreach (Flow flow in Shop.World.Flows.Where(flow => flow.From is not null))
            {
                // Istio names no ReplicaSet, not even a bare one, and of the other end it names no pod that could tell.
                if (flow.From == workload && (flow.To.Kind != ResourceKind.ReplicaSet || mesh != "istio"))
                {
                    expected.Add($"to {Name(flow.To)}", flow);
                }

                if (flow.To == workload)
                {
                    expected.Add($"from {Name(flow.From!)}", flow);
                }
            }

            IReadOnlyList<Answer> edges = await demos[mesh].ListAsync($"/namespaces/{workload.Namespace}/{workload.Kind.Resource}/{workload.Name}/edges");
            Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), edges.Select(edge => edge.Edge).Order(StringComparer.Ordinal));
            Assert.All(edges, edge => AssertReceived(edge, [expected[edge.Edge]]));
        }

        static string Name(Workload workload) => $"{workload.Kind} {workload.Namespace}/{workload.Name}";
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Latencies(string mesh)
    {
        foreach (IGrouping<Workload, Flow> flows in Shop.World.Flows.GroupBy(flow => flow.To).Where(flows => flows.Count() == 1 && flows.Sum(flow => flow.PerSecond) * Window > 1000))
        {
            Workload workload = flows.Key;
            Answer answer = new(await demos[mesh].GetAsync($"/namespaces/{workload.Namespace}/{workload.Kind.Resource}/{workload.Name}"));
            Latency latency = flows.Single().Latency;
            Assert.InRange(answer.P50, latency.P50 * 0.95, latency.P50 * 1.05);
            // Above a percentile the next bucket is wide: three requests more or less of a thousand shift it by a tenth.
            Assert.InRange(answer.P90, latency.P90 * 0.9, latency.P90 * 1.15);
            Assert.InRange(answer.P99, latency.P99 * 0.9, latency.P99 * 1.3);
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task The_commands_that_are_printed_ask_what_is_answered(string mesh)
    {
        RunningDemo demo = demos[mesh];
        string server = $"http://127.0.0.1:{demo.Options.Port}";
        int asked = 0;
        foreach (string command in new Guide(Shop.World, demo.Options.Mesh, demo.Options.Port).Commands)
        {
            string[] words = [.. command.Split(' ').Select(word => word.Trim('\''))];
            if (words is ["kubectl", "--server", var ours, "explain", _] && ours == server)
            {
                // What it says is for the tests of OpenAPI to judge.
                continue;
            }

            string url = words switch
            {
                ["curl", var address] => address,
                ["kubectl", "--server", var own, "get", var resource, "--all-namespaces"] when own == server => $"{own}{Guide.Api}/{Bare(resource)}",
                ["kubectl", "--server", var own, "get", var resource, "-n", var @namespace, "-l", var labels] when own == server =>
                    $"{own}{Guide.Api}/namespaces/{@namespace}/{Bare(resource)}?labelSelector={labels}",
                ["kubectl", "--server", var own, "get", var resource, "-n", var @namespace, ..] when own == server => $"{own}{Guide.Api}/namespaces/{@namespace}/{Bare(resource)}",
                _ => throw new InvalidDataException(command),
            };
            JsonNode answer = JsonNode.Parse(await demo.Client.GetStringAsync(url, TestContext.Current.CancellationToken))!;
            Answer[] items = answer["items"] is JsonArray list ? [.. list.Select(item => new Answer(item!))] : [new Answer(answer)];
            Assert.Contains(items, item => item.State == "ok" && item.Success > 0);
            asked++;
        }

        Assert.True(asked >= 6, $"only {asked} commands");

        static string Bare(string resource) => resource.Split('.')[0];
    }

    /// <param name="share">The part of the flows' requests that must be in the answer.</param>
    private static void AssertReceived(Answer answer, IEnumerable<Flow> flows, double share = 1)
    {
        double total = share * Window * flows.Sum(flow => flow.PerSecond);
        double failure = share * Window * flows.Sum(flow => flow.PerSecond * flow.Replies.Where(reply => reply.Failure).Sum(reply => reply.Share));
        Assert.Equal(total == 0 ? "idle" : "ok", answer.State);
        Assert.True(Math.Abs(answer.Success + answer.Failure - total) <= total * Tolerance, $"{answer.Namespace}/{answer.Name}: {answer.Success} + {answer.Failure}, not {total}");
        Assert.True(Math.Abs(answer.Failure - failure) <= total * Tolerance, $"{answer.Namespace}/{answer.Name}: {answer.Failure} failures, not {failure}");
    }
}
