using System.Diagnostics;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using SmiMetrics.Demo;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.EndToEnd;

/// <summary><c>smi-metrics demo</c>, as a newcomer meets it. It needs nothing of the world but the programs.</summary>
public sealed class DemoTests(World world) : WorldTest(world)
{
    private const double Window = 10;
    private const double Tolerance = 0.02;
    private static readonly TimeSpan Promised = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan GuideDeadline = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EndDeadline = TimeSpan.FromSeconds(5);

    public override ValueTask InitializeAsync()
    {
        Assert.SkipWhen(World.Unable is not null, World.Unable ?? "");
        return ValueTask.CompletedTask;
    }

    // Both at once: most of the time they fill their first window.
    [Fact]
    public Task Numbers_are_right_in_time_and_the_commands_work_as_printed() => Task.WhenAll(SimulatedMesh.All.Select(mesh => TryAsync(mesh.Name)));

    [Fact]
    public async Task A_taken_port_is_said_in_one_line()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        Outcome outcome = await Command.RunAsync(World.Server, ["demo", "--port", $"{port}"], Token);
        Assert.Equal((1, "", $"smi-metrics: --port {port}: another program listens on this port already\n"), (outcome.Status, outcome.Output, outcome.Error));
    }

    private async Task TryAsync(string mesh)
    {
        int port = Workspace.FreePort();
        long started = Stopwatch.GetTimestamp();
        await using ChildProcess demo = ChildProcess.Start($"smi-metrics-demo-{mesh}", World.Server, ["demo", "--port", $"{port}", "--mesh", mesh]);
        IReadOnlyList<string> commands = await Eventually.SucceedsAsync(
            "the commands are printed",
            GuideDeadline,
            _ =>
            {
                Assert.Contains(demo.FirstLines, line => line.Contains("Ctrl-C", StringComparison.Ordinal));
                return Task.FromResult<IReadOnlyList<string>>([.. demo.FirstLines.Where(line => line.StartsWith("  curl ", StringComparison.Ordinal) || line.StartsWith("  kubectl ", StringComparison.Ordinal))]);
            },
            () => demo.Tail,
            Token);
        Assert.True(commands.Count >= 6, demo.Tail);
        IPEndPoint[] listening = [.. IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Where(endpoint => endpoint.Port == port)];
        Assert.Equal([new IPEndPoint(IPAddress.Loopback, port)], listening);

        using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await Eventually.SucceedsAsync(
            $"the demo of {mesh} answers what it declares",
            Promised - Stopwatch.GetElapsedTime(started),
            token => AssertDeclaredAsync(mesh, async path => TrafficItem.ListOf(JsonNode.Parse(await client.GetStringAsync(Api + path, token))!)),
            () => demo.Tail,
            Token);

        string path = $"{Path.GetDirectoryName(World.Programs.Kubectl)}:{Environment.GetEnvironmentVariable("PATH")}";
        foreach (string command in commands)
        {
            Outcome outcome = await Command.RunAsync(
                "bash", ["-c", command], Token, ("PATH", path), ("HOME", World.Workspace.Folder($"home-of-{mesh}")), ("KUBECONFIG", ""));
            AssertWorks(command, outcome.Text);
        }

        long asked = Stopwatch.GetTimestamp();
        await demo.InterruptAsync(Token);
        Assert.True(Stopwatch.GetElapsedTime(asked) < EndDeadline, demo.Tail);
        Assert.Equal(0, demo.ExitCode);
        Assert.Empty(demo.Errors);
    }

    /// <summary>That the answer has the numbers of something with traffic.</summary>
    private static void AssertWorks(string command, string output)
    {
        if (output.StartsWith('{'))
        {
            JsonNode answer = JsonNode.Parse(output)!;
            IReadOnlyList<TrafficItem> items = answer["items"] is null ? [new TrafficItem(answer)] : TrafficItem.ListOf(answer);
            Assert.Contains(items, item => item.State == "ok" && item.Value(3) > 0);
            return;
        }

        if (command.Contains(" explain ", StringComparison.Ordinal))
        {
            Assert.Contains("FIELD", output, StringComparison.Ordinal);
            return;
        }

        string[][] rows = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(row => row.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
        int rps = Array.IndexOf(rows[0], "RPS");
        Assert.True(rows.Length > 2 && rps > 0 && rows[1..].Any(row => row[rps] is not ("0" or "-")), $"{command}\n{output}");
    }

    private static async Task AssertDeclaredAsync(string mesh, Func<string, Task<IReadOnlyList<TrafficItem>>> list)
    {
        IReadOnlyList<Flow> flows = Shop.World.Flows;
        // What a CronJob's pods receive counts under their Job of the moment, if the mesh tells Jobs apart.
        ILookup<ResourceKind, Demo.Workload> kinds = Shop.World.Workloads.Where(workload => workload.Kind != ResourceKind.CronJob).ToLookup(workload => workload.Kind);
        foreach (IGrouping<ResourceKind, Demo.Workload> kind in kinds)
        {
            IReadOnlyList<TrafficItem> items = await list($"/{kind.Key.Resource}");
            foreach (Demo.Workload workload in kind)
            {
                TrafficItem item = Assert.Single(items, item => (item.Namespace, item.Name) == (workload.Namespace, workload.Name));
                AssertReceived(item, flows.Where(flow => flow.To == workload));
                await AssertEdgesAsync(mesh, workload, list);
            }
        }

        foreach (TrafficItem item in await list("/namespaces"))
        {
            AssertReceived(item, flows.Where(flow => flow.To.Namespace == item.Name));
        }

        foreach (TrafficItem item in await list("/services"))
        {
            // Of Linkerd it is the caller that knows the Service, and customers have no proxy.
            AssertReceived(item, flows.Where(flow => (flow.To.Namespace, flow.To.Service) == (item.Namespace, item.Name) && (mesh != "linkerd" || flow.From is not null)));
        }

        double all = Window * flows.Sum(flow => flow.PerSecond);
        foreach (string resource in (string[])["/nodes", "/pods"])
        {
            IReadOnlyList<TrafficItem> items = await list(resource);
            Assert.Contains(items, item => item.State == "ok");
            Assert.InRange(items.Sum(item => item.Value(3) + item.Value(4)), all * (1 - Tolerance), all * (1 + Tolerance));
        }

        IReadOnlyList<TrafficItem> sets = await list("/namespaces/shop/replicasets");
        AssertReceived(
            Assert.Single(sets, set => set.Name.StartsWith("catalog-canary-", StringComparison.Ordinal)), flows.Where(flow => flow.To.Name == "catalog-canary"));
    }

    private static async Task AssertEdgesAsync(string mesh, Demo.Workload workload, Func<string, Task<IReadOnlyList<TrafficItem>>> list)
    {
        static string Name(Demo.Workload workload) => $"{workload.Kind} {workload.Namespace}/{workload.Name}";
        Flow[] known = [.. Shop.World.Flows.Where(flow => flow.From is not null)];
        Dictionary<string, Flow> expected = known
            // Istio names no ReplicaSet, not even a bare one, and of the other end it names no pod that could tell.
            .Where(flow => flow.From == workload && (flow.To.Kind != ResourceKind.ReplicaSet || mesh != "istio"))
            .Select(flow => KeyValuePair.Create($"to {Name(flow.To)}", flow))
            .Concat(known.Where(flow => flow.To == workload).Select(flow => KeyValuePair.Create($"from {Name(flow.From!)}", flow)))
            .ToDictionary();
        IReadOnlyList<TrafficItem> edges = await list($"/namespaces/{workload.Namespace}/{workload.Kind.Resource}/{workload.Name}/edges");
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), edges.Select(edge => edge.EdgeKey).Order(StringComparer.Ordinal));
        Assert.All(edges, edge => AssertReceived(edge, [expected[edge.EdgeKey]]));
    }

    private static void AssertReceived(TrafficItem item, IEnumerable<Flow> flows)
    {
        double total = Window * flows.Sum(flow => flow.PerSecond);
        double failure = Window * flows.Sum(flow => flow.PerSecond * flow.Replies.Where(reply => reply.Failure).Sum(reply => reply.Share));
        Assert.Equal(total == 0 ? "idle" : "ok", item.State);
        Assert.True(
            Math.Abs(item.Value(3) + item.Value(4) - total) <= total * Tolerance && Math.Abs(item.Value(4) - failure) <= total * Tolerance,
            $"{item.Kind} {item.Namespace}/{item.Name}: {total} were made, of which {failure} failed\n{item}");
    }
}
