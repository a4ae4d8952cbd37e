using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests;
using SmiMetrics.Traffic;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>The server under test inside this process, with a clock of the tests and a cluster that never changes unless they change it.</summary>
internal sealed class InProcessServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private InProcessServer(WebApplication app, int insecurePort, int adminPort)
    {
        _app = app;
        Plain = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{insecurePort}"), Timeout = Patience.Limit };
        Admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{adminPort}"), Timeout = Patience.Limit };
    }

    public IServiceProvider Services => _app.Services;

    /// <summary>Speaks to the insecure port.</summary>
    public HttpClient Plain { get; }

    /// <summary>Speaks to the admin port.</summary>
    public HttpClient Admin { get; }

    /// <param name="snapshot">The cluster; null when the flags say how to reach one, or that there is none.</param>
    /// <param name="flags">As <c>smi-metrics serve</c> takes them, but for its address, the other ports and the log.</param>
    public static async Task<InProcessServer> StartAsync(
        Doors doors, TimeProvider clock, ClusterSnapshot? snapshot, string[] flags, CancellationToken cancellationToken)
    {
        (int insecure, int admin) = (FreePort.Next(), FreePort.Next());
        ServeOptions options = await ServerInProcess.OptionsAsync(
            [.. flags, "--bind-address", "127.0.0.1", "--insecure-port", $"{insecure}", "--admin-port", $"{admin}", "--log-level", "error"]);
        if (snapshot is not null)
        {
            // Nobody follows the cluster, and nobody can be asked who may do what.
            options = options with
            {
                Kubernetes = null,
                Authentication = options.Authentication with { HasCluster = false },
                Serving = flags.Contains("--secure-port") ? options.Serving : null,
            };
        }

        WebApplication app = Server.Build(options, doors, clock);
        if (snapshot is not null)
        {
            app.Services.GetRequiredService<Cluster>().Publish(snapshot);
        }

        await app.StartAsync(cancellationToken);
        return new InProcessServer(app, insecure, admin);
    }

    /// <summary>Changes the cluster.</summary>
    public void Publish(ClusterSnapshot snapshot) => Services.GetRequiredService<Cluster>().Publish(snapshot);

    /// <summary>Has the server look now which meshes there are, as it does every minute of its own time.</summary>
    public Task LookAsync(CancellationToken cancellationToken) => Services.GetRequiredService<MeshMonitor>().LookNowAsync(cancellationToken);

    /// <summary>A GET to the insecure port.</summary>
    public Task<HttpAnswer> GetAsync(string path, CancellationToken cancellationToken) => HttpAnswer.GetAsync(Plain, path, cancellationToken);

    /// <summary>A list that must be answered.</summary>
    /// <param name="path">Below the API's version.</param>
    public async Task<IReadOnlyList<TrafficItem>> ListAsync(string path, CancellationToken cancellationToken) =>
        TrafficItem.ListOf((await FoundAsync(path, cancellationToken)).Json);

    /// <summary>An object that must be answered.</summary>
    /// <inheritdoc cref="ListAsync" path="/param"/>
    public async Task<TrafficItem> ItemAsync(string path, CancellationToken cancellationToken) => new((await FoundAsync(path, cancellationToken)).Json);

    public async ValueTask DisposeAsync()
    {
        Plain.Dispose();
        Admin.Dispose();
        await _app.DisposeAsync();
    }

    private async Task<HttpAnswer> FoundAsync(string path, CancellationToken cancellationToken)
    {
        HttpAnswer answer = await GetAsync($"/apis/metrics.smi-spec.io/v1alpha2{path}", cancellationToken);
        Assert.True(answer.Code == HttpStatusCode.OK, $"{path}: {(int)answer.Code} {answer.Body}");
        return answer;
    }
}
