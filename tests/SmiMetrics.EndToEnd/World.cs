using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

[assembly: AssemblyFixture(typeof(SmiMetrics.EndToEnd.World))]
[assembly: CollectionBehavior(DisableTestParallelization = true)]
[assembly: TestCollectionOrderer(typeof(SmiMetrics.EndToEnd.DisruptionsLast))]

namespace SmiMetrics.EndToEnd;

/// <summary>
/// Everything that the tests run on, started once: a control plane with the installation and the workloads in it, the simulated
/// meshes, and a Prometheus that scrapes them. Servers under test are started when first asked for.
/// </summary>
public sealed class World : IAsyncLifetime
{
    /// <summary>The window of every expectation that names no other; short, so that Prometheus has soon seen a whole one.</summary>
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(20);

    private readonly Dictionary<MeshUnderTest, SmiMetricsServer> _servers = [];
    private Workspace _workspace = null!;
    private Programs? _programs;
    private ControlPlane? _controlPlane;
    private SimulatedMesh? _mesh;
    private PrometheusServer? _prometheus;
    private Kubectl? _admin;
    private Installation? _installation;
    private MeshUnderTest? _routed;

    internal static MeshUnderTest Linkerd { get; } = new LinkerdUnderTest(new Topology("shop", "billing", firstNumber: 0));

    internal static MeshUnderTest Istio { get; } = new IstioUnderTest(new Topology("books", "library", firstNumber: 100));

    /// <summary>Why the tests cannot run here; null when they can.</summary>
    internal string? Unable { get; private set; }

    internal ControlPlane ControlPlane => _controlPlane!;

    internal PrometheusServer Prometheus => _prometheus!;

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
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[.. _servers.Values, _controlPlane, _prometheus, _mesh])
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

    /// <summary>Makes kube-apiserver pass metrics.smi-spec.io to the server of this mesh.</summary>
    internal async Task<SmiMetricsServer> RouteToAsync(MeshUnderTest mesh, CancellationToken cancellationToken)
    {
        if (!_servers.TryGetValue(mesh, out SmiMetricsServer? server))
        {
            _servers[mesh] = server = await StartServerAsync(
                $"smi-metrics-{mesh.Name}",
                [
                    "--kubeconfig", ServerKubeconfig,
                    "--tls-cert-file", Installation.CertificateFile,
                    "--tls-private-key-file", Installation.KeyFile,
                    "--mesh", mesh.Name,
                    "--prometheus-url", Prometheus.Url,
                    "--default-window", "20s",
                    "--cache-ttl", "1s",
                    "--max-stale", "0s",
                ],
                cancellationToken);
        }

        if (_routed != mesh)
        {
            await Installation.RouteToAsync(server, cancellationToken);
            _routed = mesh;
        }

        await Installation.AvailableAsync(server, cancellationToken);
        return server;
    }

    /// <summary>Waits until Prometheus has scraped a whole window without a gap.</summary>
    internal async Task SettledAsync(CancellationToken cancellationToken)
    {
        TimeSpan wait = Prometheus.SteadySince + Window + (2 * PrometheusServer.ScrapeInterval) - TimeProvider.System.GetUtcNow();
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
        ClusterContent content = new(_controlPlane.Api);
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
    }
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
