using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// The catalogue's meshes in the cluster, a Prometheus that scrapes them all, and for each mesh a server by either source. All of it is there
/// for as long as <see cref="CatalogueTests"/> run: the pages of so many proxies cost more than other tests, whose tolerances are smaller, could bear.
/// </summary>
public sealed class CatalogueWorld(World world) : IAsyncLifetime
{
    private readonly Dictionary<(string Mesh, Source Source), SmiMetricsServer> _servers = [];
    private readonly List<Uri> _shown = [];

    internal PrometheusServer Prometheus { get; private set; } = null!;

    internal SmiMetricsServer Server(CatalogueMesh mesh, Source source) => _servers[(mesh.Name, source)];

    public async ValueTask InitializeAsync()
    {
        if (world.Unable is not null)
        {
            return;
        }

        CancellationToken token = TestContext.Current.CancellationToken;
        List<ScrapeTarget> targets = [];
        foreach ((ScrapeTarget target, ProxyPage page) in Catalogues.All.SelectMany(mesh => mesh.Proxies()))
        {
            targets.Add(target);
            _shown.Add(target.Url);
            world.Mesh.Show(target.Url, page);
        }

        Task<PrometheusServer> prometheus =
            PrometheusServer.StartWithCatalogueAsync(world.Programs.Prometheus, world.Workspace, world.Mesh, Catalogues.All, targets, token);
        await world.Content.WriteAsync(Catalogues.All, token);
        foreach ((string @namespace, string name, string node, string ip, Sidecar sidecar) in OwnPods())
        {
            await world.Content.WritePodAsync(@namespace, name, node, ip, sidecar.PodLabels, sidecar, owner: null, token);
        }

        Prometheus = await prometheus;
        // All scrapers' windows fill at once.
        foreach (CatalogueMesh mesh in Catalogues.All.Where(mesh => mesh.CanBeScraped))
        {
            await StartAsync(mesh, Source.Scrape, ["--source", "scrape", "--scrape-interval", "1s", "--scrape-proxy-url", world.Mesh.NewProxyUrl()], token);
        }

        foreach (CatalogueMesh mesh in Catalogues.All)
        {
            await StartAsync(mesh, Source.Prometheus, ["--prometheus-url", Prometheus.Url, "--cache-ttl", "1s", "--max-stale", "0s"], token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (world.Unable is not null)
        {
            return;
        }

        CancellationToken token = CancellationToken.None;
        // The pods first: whoever else scrapes them shall not find their pages gone.
        IEnumerable<(string Namespace, string Name)> pods =
        [
            .. Catalogues.All.SelectMany(mesh => mesh.Topology.Workloads).SelectMany(workload => workload.Pods).Select(pod => (pod.Workload.Namespace, pod.Name)),
            .. OwnPods().Select(pod => (pod.Namespace, pod.Name)),
        ];
        await Parallel.ForEachAsync(pods, token, async (pod, stop) => await world.Content.DeletePodAsync(pod.Namespace, pod.Name, stop));
        await Task.WhenAll(_servers.Values.Select(server => server.DisposeAsync().AsTask()));
        if (Prometheus is not null)
        {
            await Prometheus.DisposeAsync();
        }

        await Task.Delay(TimeSpan.FromSeconds(3), TimeProvider.System, token);
        _shown.ForEach(world.Mesh.Hide);
    }

    private static IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
        Catalogues.All.SelectMany(mesh => mesh.OwnPods());

    private async Task StartAsync(CatalogueMesh mesh, Source source, string[] flags, CancellationToken cancellationToken) =>
        _servers[(mesh.Name, source)] = await world.StartServerAsync(
            $"smi-metrics-{mesh.Name}-{source}",
            ["--kubeconfig", world.ServerKubeconfig, "--mesh", mesh.Name, "--default-window", "20s", .. flags],
            cancellationToken);
}
