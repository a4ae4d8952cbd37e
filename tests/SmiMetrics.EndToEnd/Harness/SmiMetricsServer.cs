using System.Net;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>A process of the server under test.</summary>
internal sealed class SmiMetricsServer : IAsyncDisposable
{
    private readonly ChildProcess _process;

    private SmiMetricsServer(ChildProcess process, int securePort, int insecurePort, int adminPort)
    {
        _process = process;
        SecurePort = securePort;
        Plain = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{insecurePort}"), Timeout = Patience.Limit };
        Admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{adminPort}"), Timeout = Patience.Limit };
    }

    public int SecurePort { get; }

    /// <summary>Speaks to the insecure port.</summary>
    public HttpClient Plain { get; }

    /// <summary>Speaks to the admin port.</summary>
    public HttpClient Admin { get; }

    public RequestCounts Requests => new(Admin);

    public string Logs => _process.Tail;

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>Starts <c>smi-metrics serve</c> on free ports with these further flags, and waits until it calls itself ready.</summary>
    public static async Task<SmiMetricsServer> StartAsync(string name, string program, Workspace workspace, string[] flags, CancellationToken cancellationToken)
    {
        Assert.True(File.Exists(program), $"{program} has not been built: run ./test.sh, or name the server in SMI_METRICS_SERVER");
        (int secure, int insecure, int admin) = (FreePort.Next(), FreePort.Next(), FreePort.Next());
        // Without a cluster nobody could be authenticated on a secure port.
        string[] secureFlags = flags.Contains("--kubernetes")
            ? []
            : ["--secure-port", $"{secure}", "--bind-address", "127.0.0.1", "--cert-dir", workspace.Folder($"{name}-certificates")];
        ChildProcess process = ChildProcess.Start(
            name, program, ["serve", .. secureFlags, "--insecure-port", $"{insecure}", "--admin-port", $"{admin}", .. flags]);
        SmiMetricsServer server = new(process, secure, insecure, admin);
        try
        {
            await Eventually.TrueAsync(
                $"{name} is ready", async token => process.HasExited || (await server.ReadyAsync(token)).Code == HttpStatusCode.OK, () => process.Tail, cancellationToken);
            Assert.False(process.HasExited, process.Tail);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>A GET to the insecure port.</summary>
    public Task<HttpAnswer> GetAsync(string path, CancellationToken cancellationToken) => HttpAnswer.GetAsync(Plain, path, cancellationToken);

    /// <summary>What it says of its readiness.</summary>
    public Task<HttpAnswer> ReadyAsync(CancellationToken cancellationToken) => HttpAnswer.GetAsync(Admin, "/readyz", cancellationToken);

    /// <summary>Asks it to end, as Kubernetes does.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _process.StopAsync(cancellationToken);

    /// <summary>The same, and does not wait.</summary>
    public void Terminate() => _process.Terminate();

    /// <summary>Waits until it has ended by itself.</summary>
    public Task EndedAsync(CancellationToken cancellationToken) => _process.EndedAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        Plain.Dispose();
        Admin.Dispose();
        await _process.DisposeAsync();
    }
}
