using System.Net;
using System.Net.Sockets;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>The command line is a contract: scripts outside this repository use it.</summary>
public sealed class CommandLineTests(World world) : ProgramTest(world)
{
    private static readonly string[] Flags =
    [
        "--kubeconfig", "--kubernetes", "--mesh", "--mesh-config", "--source", "--scrape-interval", "--scrape-timeout", "--scrape-target",
        "--scrape-bearer-token-file", "--scrape-ca-file", "--scrape-client-cert-file", "--scrape-client-key-file", "--scrape-proxy-url",
        "--prometheus-url", "--prometheus-bearer-token-file", "--prometheus-ca-file",
        "--prometheus-client-cert-file", "--prometheus-client-key-file", "--prometheus-username", "--prometheus-password-file", "--prometheus-header",
        "--prometheus-timeout", "--default-window", "--max-window", "--cache-ttl", "--max-stale", "--latency-unit", "--secure-port", "--bind-address",
        "--tls-cert-file", "--tls-private-key-file", "--cert-dir", "--tls-min-version", "--requestheader-client-ca-file",
        "--client-ca-file", "--authentication-token-webhook-cache-ttl", "--authorization-mode", "--authorization-webhook-cache-authorized-ttl",
        "--authorization-webhook-cache-unauthorized-ttl", "--authorization-always-allow-paths",
        "--insecure-port", "--admin-port", "--max-requests-in-flight", "--request-timeout", "--shutdown-delay-duration", "--goaway-chance", "--log-level", "--log-format", "--config",
    ];

    [Theory]
    [InlineData("--help")]
    [InlineData("serve", "--help")]
    public async Task Help_shows_every_flag(params string[] arguments)
    {
        (int status, string output, _) = await RunAsync(arguments);
        Assert.Equal(0, status);
        Assert.All(Flags, flag => Assert.Contains(flag, output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task All_wrong_flags_are_reported_together()
    {
        (int status, _, string error) = await RunAsync("serve", "--secure-port=many", "--default-window=1d", "--mesh=nosuch", "--log-level=loud", "--nosuch=1");
        Assert.Equal(2, status);
        string[] lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(
            ["--secure-port", "--default-window", "nosuch", "--log-level", "--nosuch"],
            (string problem) => Assert.Contains(lines, line => line.Contains(problem, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_named_by_its_flag()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        int port = ((IPEndPoint)other.LocalEndpoint).Port;
        (int status, _, string error) = await RunAsync(
            "serve", "--kubernetes=none", "--prometheus-url=http://127.0.0.1:9", $"--insecure-port={port}", "--admin-port=0", "--log-level=error");
        Assert.Equal(1, status);
        Assert.Equal($"smi-metrics: --insecure-port {port}: another program listens on this port already\n", error);
    }

    /// <summary>Kestrel's own configuration opened a port behind which nobody was asked who they are.</summary>
    [Fact]
    public async Task No_variable_of_the_environment_opens_another_port()
    {
        (int insecure, int admin, int stray) = (FreePort.Next(), FreePort.Next(), FreePort.Next());
        await using ChildProcess server = ChildProcess.Start(
            "smi-metrics-stray",
            World.Server,
            ["serve", "--kubernetes=none", "--prometheus-url=http://127.0.0.1:9", $"--insecure-port={insecure}", $"--admin-port={admin}"],
            ("Kestrel__Endpoints__Stray__Url", $"http://127.0.0.1:{stray}"),
            ("ASPNETCORE_URLS", $"http://127.0.0.1:{stray}"));
        using HttpClient client = new();
        await Eventually.SomeAsync<string>("the server is live", async token => await client.GetStringAsync(new Uri($"http://127.0.0.1:{admin}/livez"), token), () => server.Tail, Token);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri($"http://127.0.0.1:{stray}/apis"), Token));
    }

    private async Task<(int Status, string Output, string Error)> RunAsync(params string[] arguments)
    {
        (_, int status, string output, string error) = await Command.RunAsync(World.Server, arguments, Token);
        return (status, output, error);
    }
}
