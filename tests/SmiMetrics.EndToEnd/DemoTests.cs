using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using SmiMetrics.Demo;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary><c>smi-metrics demo</c>, as a newcomer meets it. It needs nothing of the world but the programs.</summary>
[Trait(Runs.Trait, Runs.Published)]
public sealed class DemoTests(World world) : ProgramTest(world)
{
    // Both at once: most of the time they fill their first window.
    [Fact]
    public Task The_commands_work_as_printed() => Task.WhenAll(SimulatedMesh.All.Select(mesh => TryAsync(mesh.Name)));

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
        int port = FreePort.Next();
        await using ChildProcess demo = ChildProcess.Start($"smi-metrics-demo-{mesh}", World.Server, ["demo", "--port", $"{port}", "--mesh", mesh]);
        await Eventually.TrueAsync(
            "the commands are printed",
            _ => Task.FromResult(demo.FirstLines.Any(line => line.Contains("Ctrl-C", StringComparison.Ordinal))),
            () => demo.Tail,
            Token);
        string[] commands = [.. demo.FirstLines.Where(line => line.StartsWith("  curl ", StringComparison.Ordinal) || line.StartsWith("  kubectl ", StringComparison.Ordinal))];
        Assert.True(commands.Length >= 6, demo.Tail);
        IPEndPoint[] listening = [.. IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Where(endpoint => endpoint.Port == port)];
        Assert.Equal([new IPEndPoint(IPAddress.Loopback, port)], listening);

        using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await Eventually.TrueAsync(
            $"the demo of {mesh} has scraped every proxy for a whole window",
            async token =>
            {
                using HttpResponseMessage response = await client.GetAsync($"{Api}/namespaces", token);
                return response.IsSuccessStatusCode
                    && TrafficItem.ListOf(JsonNode.Parse(await response.Content.ReadAsStringAsync(token))!) is { Count: > 0 } namespaces
                    && namespaces.All(item => item.State == "ok");
            },
            () => demo.Tail,
            Token);

        string path = $"{Path.GetDirectoryName(World.Programs.Kubectl)}:{Environment.GetEnvironmentVariable("PATH")}";
        foreach (string command in commands)
        {
            Outcome outcome = await Command.RunAsync(
                "bash", ["-c", command], Token, ("PATH", path), ("HOME", World.Workspace.Folder($"home-of-{mesh}")), ("KUBECONFIG", ""));
            AssertWorks(command, outcome.Text);
        }

        // By itself: whom it takes long is killed, and then that is no status of 0.
        await demo.InterruptAsync(Token);
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
}
