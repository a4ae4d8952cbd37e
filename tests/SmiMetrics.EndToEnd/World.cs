using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

[assembly: AssemblyFixture(typeof(SmiMetrics.EndToEnd.World))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: TestCollectionOrderer(typeof(SmiMetrics.EndToEnd.FirstAndLast))]

namespace SmiMetrics.EndToEnd;

/// <summary>
/// Everything that the tests run on, started once: a control plane with the installation and the workloads in it, the simulated
/// meshes, and a Prometheus that scrapes them. Servers under test are started when first asked for.
/// </summary>
public sealed class World : IAsyncLifetime
{
    /// <summary>The window of every expectation that names no other; short, so that Prometheus has soon seen a whole one.</summary>
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(20);

    private readonly Dictionary<string, Task<SmiMetricsServer>> _servers = [];
    private readonly Dictionary<MeshUnderTest, string> _proxyUrls = [];
    private Workspace _workspace = null!;
    private Programs? _programs;
    private ControlPlane? _controlPlane;
    private SimulatedMesh? _mesh;
    private PrometheusServer? _prometheus;
    private Kubectl? _admin;
    private Installation? _installation;
    private SmiMetricsServer? _routed;

    /// <summary>Linkerd with a topology that tests may disturb.</summary>
    internal static MeshUnderTest DisturbedLinkerd { get; } = new LinkerdUnderTest(Topology.OfOneVisitor("bistro", firstNumber: 60));

    /// <summary>Istio with a topology that tests may disturb.</summary>
    internal static MeshUnderTest DisturbedIstio { get; } = new IstioUnderTest(Topology.OfOneVisitor("brasserie", firstNumber: 160));

    internal static MeshUnderTest Linkerd { get; } = new LinkerdUnderTest(Topology.WithEveryTrap("shop", "billing", firstNumber: 0));

    internal static MeshUnderTest Istio { get; } = new IstioUnderTest(Topology.WithEveryTrap("books", "library", firstNumber: 100));

    /// <summary>Writes into the cluster.</summary>
    internal ClusterContent Content { get; private set; } = null!;

    /// <summary>Why the tests cannot run here; null when they can.</summary>
    internal string? Unable { get; private set; }

    internal ControlPlane ControlPlane => _controlPlane!;

    internal PrometheusServer Prometheus => _prometheus!;

    internal SimulatedMesh Mesh => _mesh!;

    /// <summary>Since when there is no other traffic than that of the two topologies.</summary>
    internal DateTimeOffset QuietSince { get; set; } = DateTimeOffset.MinValue;

    internal Installation Installation => _installation!;

    internal Workspace Workspace => _workspace;

    /// <summary>kubectl as a cluster administrator.</summary>
    internal Kubectl Admin => _admin!;

    /// <summary>The kubeconfig of the identity that the installation gives the server.</summary>
    internal string ServerKubeconfig { get; private set; } = "";

    internal string Server => Programs.Server;

    internal Programs Programs => _programs!;

    public async ValueTask InitializeAsync()
    {
        (_programs, IReadOnlyList<string> missing) = Programs.Find();
        if (_programs is null)
        {
            Unable = $"not found: {string.Join(", ", missing)}. ./test.sh installs what the end-to-end tests need.";
            if (Environment.GetEnvironmentVariable("SMI_METRICS_END_TO_END") == "required")
            {
                throw new InvalidOperationException(Unable);
            }

            return;
        }

        try
        {
            await StartAsync(_programs, TestContext.Current.CancellationToken);
        }
        catch
        {
            // A fixture that has not come to be is not disposed of by xunit.
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        SmiMetricsServer[] servers = [.. _servers.Values.Where(server => server.IsCompletedSuccessfully).Select(server => server.Result)];
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[.. servers, _controlPlane, _prometheus, _mesh])
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }

        _workspace?.Dispose();
    }

    /// <summary>kubectl as the owner of a kubeconfig, with a home and thus a discovery cache of its own.</summary>
    internal Kubectl KubectlWith(string kubeconfig) => new(_programs!.Kubectl, kubeconfig, _workspace.Folder($"home/{Guid.NewGuid():N}"));

    /// <summary>The kubeconfig of the server's identity, for a kube-apiserver at this URL (null: its own).</summary>
    internal string ServerKubeconfigAt(string? url) => ControlPlane.KubeconfigFor(
        "system:serviceaccount:smi-metrics:smi-metrics", ["system:serviceaccounts", "system:serviceaccounts:smi-metrics"], url);

    /// <summary>Starts a further server. The caller disposes it.</summary>
    internal Task<SmiMetricsServer> StartServerAsync(string name, string[] flags, CancellationToken cancellationToken) =>
        SmiMetricsServer.StartAsync(name, Server, _workspace, flags, cancellationToken);

    /// <summary>The server that has this mesh's numbers from this source; the same one each time.</summary>
    internal Task<SmiMetricsServer> ServerAsync(MeshUnderTest mesh, Source source, CancellationToken cancellationToken) => SharedServerAsync(
        $"smi-metrics-{mesh.Name}-{source}",
        () =>
        [
            "--kubeconfig", ServerKubeconfig,
            "--tls-cert-file", Installation.CertificateFile,
            "--tls-private-key-file", Installation.KeyFile,
            "--mesh", mesh.Name,
            "--default-window", "20s",
            .. source == Source.Prometheus
                ? (string[])["--prometheus-url", Prometheus.Url, "--cache-ttl", "1s", "--max-stale", "0s"]
                : ["--source", "scrape", "--scrape-interval", "1s", "--scrape-proxy-url", ProxyUrlOf(mesh)],
        ],
        cancellationToken);

    /// <summary>The HTTP proxy by which the server of this mesh scrapes.</summary>
    internal string ProxyUrlOf(MeshUnderTest mesh) =>
        _proxyUrls.TryGetValue(mesh, out string? url) ? url : _proxyUrls[mesh] = Mesh.NewProxyUrl();

    /// <summary>A server that is told where Linkerd's proxies are, and what Linkerd's own relabelling would add to their series.</summary>
    internal Task<SmiMetricsServer> ScraperWithoutClusterAsync(CancellationToken cancellationToken) => SharedServerAsync(
        "smi-metrics-scraping-without-cluster",
        () =>
        [
            "--kubernetes", "none", "--mesh", "linkerd", "--source", "scrape", "--scrape-interval", "1s", "--default-window", "20s",
            "--scrape-proxy-url", Mesh.NewProxyUrl(),
            .. Linkerd.Topology.MeshedPods.SelectMany(pod => (string[])
            [
                "--scrape-target",
                $"http://{pod.Ip}:4191/metrics#namespace={pod.Workload.Namespace}&pod={pod.Name}&{LinkerdSimulation.OwnerLabel(pod.Workload)}={pod.Workload.Name}",
            ]),
        ],
        cancellationToken);

    /// <summary>Makes kube-apiserver pass metrics.smi-spec.io to the server of this mesh and source.</summary>
    internal async Task<SmiMetricsServer> RouteToAsync(MeshUnderTest mesh, Source source, CancellationToken cancellationToken)
    {
        SmiMetricsServer server = await ServerAsync(mesh, source, cancellationToken);
        if (_routed != server)
        {
            await Installation.RouteToAsync(server.SecurePort, authority: null, cancellationToken);
            _routed = server;
        }

        await Installation.AvailableAsync(server, cancellationToken);
        return server;
    }

    /// <summary>The same for whatever listens on this port, with a serving certificate of this authority. Until the next such call.</summary>
    internal async Task RouteToAsync(int port, string authority, SmiMetricsServer behind, CancellationToken cancellationToken)
    {
        _routed = null;
        await Installation.RouteToAsync(port, authority, cancellationToken);
        await Installation.AvailableAsync(behind, cancellationToken);
    }

    /// <summary>Waits until Prometheus has scraped a whole window without a gap.</summary>
    internal Task SettledAsync(CancellationToken cancellationToken) => SettledAsync(Prometheus.SteadySince, Window, cancellationToken);

    /// <summary>Waits until who scrapes since then has scraped a whole window.</summary>
    internal static async Task SettledAsync(DateTimeOffset since, TimeSpan window, CancellationToken cancellationToken)
    {
        TimeSpan wait = since + window + (2 * PrometheusServer.ScrapeInterval) - TimeProvider.System.GetUtcNow();
        if (wait > TimeSpan.Zero)
        {
            await Task.Delay(wait, TimeProvider.System, cancellationToken);
        }
    }

    private async Task StartAsync(Programs programs, CancellationToken cancellationToken)
    {
        _workspace = new Workspace();
        IMeshSimulation[] meshes = [new LinkerdSimulation(Linkerd.Topology), new IstioSimulation(Istio.Topology)];
        _mesh = await SimulatedMesh.StartAsync(meshes, cancellationToken);
        // At once: its first window fills while the control plane starts.
        Task<PrometheusServer> prometheus = PrometheusServer.StartAsync(programs.Prometheus, _workspace, _mesh, cancellationToken);
        _controlPlane = await ControlPlane.StartAsync(_workspace, programs.ControlPlane, cancellationToken);
        _prometheus = await prometheus;
        _admin = KubectlWith(_controlPlane.Admin);
        ServerKubeconfig = ServerKubeconfigAt(null);
        ClusterContent content = Content = new ClusterContent(_controlPlane.Api);
        await content.WriteNodesAsync(cancellationToken);
        await content.WriteSplitKindsAsync(cancellationToken);
        await content.WriteAsync(meshes, cancellationToken);
        Sidecar waypoint = IstioSimulation.WaypointSidecar;
        await content.WritePodAsync(
            Istio.Topology.First,
            IstioSimulation.Waypoint,
            Topology.Nodes[0],
            IstioSimulation.WaypointIp,
            waypoint.PodLabels,
            waypoint,
            owner: null,
            cancellationToken);
        _installation = await Installation.ApplyAsync(_workspace, _controlPlane, _admin, cancellationToken);
        // Their windows fill while the first tests run. Should they not start, it is for those who use them to fail.
        _ = ServerAsync(Linkerd, Source.Scrape, cancellationToken);
        _ = ServerAsync(Istio, Source.Scrape, cancellationToken);
        _ = ScraperWithoutClusterAsync(cancellationToken);
    }

    private Task<SmiMetricsServer> SharedServerAsync(string name, Func<string[]> flags, CancellationToken cancellationToken) =>
        _servers.TryGetValue(name, out Task<SmiMetricsServer>? server)
            ? server
            : _servers[name] = StartServerAsync(name, flags(), cancellationToken);
}

/// <summary>Where a server under test has its numbers from.</summary>
internal enum Source
{
    Prometheus,

    /// <summary>The proxies themselves.</summary>
    Scrape,
}

/// <summary>A test on the world: skipped where the world cannot be, and not begun before the world is settled.</summary>
public abstract class WorldTest(World world) : IAsyncLifetime
{
    protected const string Api = "/apis/metrics.smi-spec.io/v1alpha2";

    internal World World { get; } = world;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(World.Unable is not null, World.Unable ?? "");
        await World.SettledAsync(Token);
    }

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
