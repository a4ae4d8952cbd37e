using System.Net;
using System.Net.Sockets;
using SmiMetrics.Demo;
using SmiMetrics.Tests.Api;

namespace SmiMetrics.Tests.Demo;

public sealed class DemoCommandTests
{

    [Fact]
    public async Task It_says_what_to_try_and_ends_when_it_is_told_to()
    {
        DemoOptions options = new(SimulatedMesh.All[0], FreePort.Next());
        AwaitedWriter output = new("first window");
        StringWriter errors = new();
        using CancellationTokenSource stop = new();
        Task<int> demo = DemoCommand.RunAsync(options, Screen.Plain, output, errors, TimeProvider.System, stop.Token);
        await output.Seen.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);

        using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{options.Port}") };
        Assert.Contains("metrics.smi-spec.io", await client.GetStringAsync("/apis", TestContext.Current.CancellationToken));

        await stop.CancelAsync();
        Assert.Equal(0, await demo.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken));
        Assert.Equal("", errors.ToString());
        string[] lines = output.ToString().Split('\n');
        Assert.StartsWith("smi-metrics demo: ", lines[0]);
        Assert.Equal(
            new Guide(Shop.World, options.Mesh, options.Port).Commands.Select(command => "  " + command),
            lines.Where(line => line.StartsWith("  ", StringComparison.Ordinal)));
        Assert.DoesNotContain('\e', output.ToString());
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_by_its_flag()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        StringWriter output = new();
        StringWriter errors = new();
        int status = await DemoCommand.RunAsync(
            new DemoOptions(SimulatedMesh.All[0], port), Screen.Plain, output, errors, TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.Equal(1, status);
        Assert.Equal($"smi-metrics: --port {port}: another program listens on this port already{Environment.NewLine}", errors.ToString());
        Assert.Equal("", output.ToString());
    }

    [Fact]
    public async Task Help_is_short()
    {
        (int status, string output, _, _) = await RunAsync("demo", "--help");
        Assert.Equal(0, status);
        Golden.Verify("cli/demo-help", output);
    }

    [Fact]
    public async Task Every_mesh_can_be_chosen_and_has_a_descriptor()
    {
        Assert.All(SimulatedMesh.All, mesh => Assert.NotNull(SmiMetrics.Meshes.MeshCatalogue.Load().Find(mesh.Name).Scrape));
        foreach (SimulatedMesh mesh in SimulatedMesh.All)
        {
            (_, _, _, DemoOptions? options) = await RunAsync("demo", "--mesh", mesh.Name, "--port=8123");
            Assert.Equal(new DemoOptions(mesh, 8123), options);
        }

        (_, _, _, DemoOptions? standard) = await RunAsync("demo");
        Assert.Equal(new DemoOptions(SimulatedMesh.All[0], 8080), standard);
    }

    [Theory]
    [InlineData("smi-metrics: --mesh: \"consul-connect\" is not one of linkerd, istio\n", "--mesh", "consul-connect")]
    [InlineData("smi-metrics: --port: \"0\" is not a port (1 to 65535)\n", "--port=0")]
    [InlineData("smi-metrics: --port: \"65536\" is not a port (1 to 65535)\n", "--port=65536")]
    [InlineData("smi-metrics: --port: \"http\" is not a port (1 to 65535)\n", "--port=http")]
    [InlineData("smi-metrics: --port: given more than once\n", "--port=1", "--port=2")]
    [InlineData("smi-metrics: --mesh: \"x\" is not one of linkerd, istio\nsmi-metrics: --port: \"x\" is not a port (1 to 65535)\n", "--mesh=x", "--port=x")]
    [InlineData("smi-metrics: Unrecognized command or argument '--source=scrape'.\nsmi-metrics: --mesh: \"x\" is not one of linkerd, istio\n", "--source=scrape", "--mesh=x")]
    public async Task A_mistake_is_a_line_and_exit_status_2(string expected, params string[] args)
    {
        (int status, _, string errors, DemoOptions? options) = await RunAsync(["demo", .. args]);
        Assert.Equal(2, status);
        Assert.Equal(expected, errors);
        Assert.Null(options);
    }

    private static async Task<(int Status, string Output, string Errors, DemoOptions? Options)> RunAsync(params string[] args)
    {
        DemoOptions? options = null;
        StringWriter output = new();
        StringWriter errors = new();
        int status = await CommandLine.RunAsync(
            args,
            _ => "nonsense",
            new Commands { Demo = (read, _) => Task.FromResult((options = read) is null ? 99 : 0) },
            output,
            errors,
            TestContext.Current.CancellationToken);
        return (status, output.ToString().ReplaceLineEndings("\n"), errors.ToString().ReplaceLineEndings("\n"), options);
    }

    /// <summary>Tells when something has been written.</summary>
    private sealed class AwaitedWriter(string awaited) : StringWriter
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public override async Task WriteLineAsync(string? value)
        {
            await base.WriteLineAsync(value);
            if (value?.Contains(awaited, StringComparison.Ordinal) == true)
            {
                _seen.TrySetResult();
            }
        }
    }
}
