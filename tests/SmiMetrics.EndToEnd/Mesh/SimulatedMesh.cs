using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>A proxy for Prometheus to scrape.</summary>
/// <param name="Job">The scrape job that the mesh's own Prometheus configuration has for it.</param>
/// <param name="Instance">The address that the scrape job would see.</param>
/// <param name="PodLabels">The Kubernetes labels of its pod.</param>
internal sealed record ScrapeTarget(
    string Job, string Path, string Instance, string Namespace, string Pod, string Node, IReadOnlyDictionary<string, string> PodLabels);

/// <summary>What a mesh is, as far as the tests simulate it.</summary>
internal interface IMeshSimulation
{
    IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies();
}

/// <summary>One HTTP server with the metrics pages of all proxies of all meshes.</summary>
internal sealed class SimulatedMesh : IAsyncDisposable
{
    private readonly WebApplication _server;

    private SimulatedMesh(WebApplication server, IReadOnlyList<ScrapeTarget> targets)
    {
        _server = server;
        Targets = targets;
    }

    public IReadOnlyList<ScrapeTarget> Targets { get; }

    /// <summary>Host and port.</summary>
    public string Address => _server.Address().Authority;

    public static async Task<SimulatedMesh> StartAsync(IEnumerable<IMeshSimulation> meshes, CancellationToken cancellationToken)
    {
        WebApplication server = LoopbackServer.Create();
        List<ScrapeTarget> targets = [];
        foreach ((ScrapeTarget target, ProxyPage page) in meshes.SelectMany(mesh => mesh.Proxies()))
        {
            targets.Add(target);
            server.MapGet(target.Path, () => Results.Text(page.Render(), "text/plain; version=0.0.4"));
        }

        await server.StartAsync(cancellationToken);
        return new SimulatedMesh(server, targets);
    }

    public ValueTask DisposeAsync() => _server.DisposeAsync();
}
