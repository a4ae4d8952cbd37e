using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Kubernetes;
using Xunit.Sdk;
using Xunit.v3;

[assembly: AssemblyFixture(typeof(SmiMetrics.EndToEnd.World))]
[assembly: TestCollectionOrderer(typeof(SmiMetrics.EndToEnd.LongestFirst))]

namespace SmiMetrics.EndToEnd;

/// <summary>
/// What the tests on real time run on, started once: a control plane with the installation and the workloads in it, and a Prometheus that holds
/// recorded traffic of Linkerd: every counter grows evenly from long ago to long after the tests, so that it is the same whenever it is asked about.
/// The server under test is started when first asked for.
/// </summary>
public sealed class World : IAsyncLifetime
{
    internal const string Collection = "world";

    private static readonly TimeSpan SampleInterval = TimeSpan.FromSeconds(15);

    /// <summary>The default window of the servers here: two samples of <see cref="Prometheus"/>.</summary>
    internal static readonly TimeSpan Window = 2 * SampleInterval;

    private Workspace _workspace = null!;
    private Programs? _programs;
    private ControlPlane? _controlPlane;
    private PrometheusServer? _prometheus;
    private Kubectl? _admin;
    private Installation? _installation;
    private SmiMetricsServer? _server;
    private int _routedTo;

    internal static MeshUnderTest Linkerd { get; } = new LinkerdUnderTest(Topology.WithEveryTrap("shop", "billing", firstNumber: 0));

    internal static MeshUnderTest Istio { get; } = new IstioUnderTest(Topology.WithEveryTrap("books", "library", firstNumber: 100));

    /// <summary>Writes into the cluster.</summary>
    internal ClusterContent Content { get; private set; } = null!;

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
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[_server, _controlPlane, _prometheus])
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

    /// <summary>The server that has Linkerd's numbers from <see cref="Prometheus"/>; the same one each time.</summary>
    internal async Task<SmiMetricsServer> ServerAsync(CancellationToken cancellationToken) => _server ??= await StartServerAsync(
        "smi-metrics",
        [
            "--kubeconfig", ServerKubeconfig,
            "--tls-cert-file", Installation.CertificateFile,
            "--tls-private-key-file", Installation.KeyFile,
            "--mesh", "linkerd",
            "--prometheus-url", Prometheus.Url,
            "--cache-ttl", "1s",
            "--max-stale", "0s",
        ],
        cancellationToken);

    /// <summary>Makes kube-apiserver pass metrics.smi-spec.io to that server.</summary>
    internal async Task<SmiMetricsServer> RouteAsync(CancellationToken cancellationToken)
    {
        SmiMetricsServer server = await ServerAsync(cancellationToken);
        await RouteToAsync(server.SecurePort, Installation.Authority, server.Requests, () => server.Logs, cancellationToken);
        return server;
    }

    /// <summary>The same for whatever listens on this port, with a serving certificate of this authority. Until the next such call.</summary>
    /// <param name="requests">Of the server behind the port.</param>
    /// <param name="explain">Adds what is known when kube-apiserver does not find it usable.</param>
    internal async Task RouteToAsync(int port, string authority, RequestCounts requests, Func<string> explain, CancellationToken cancellationToken)
    {
        if (_routedTo != port)
        {
            await Installation.RouteToAsync(port, authority, cancellationToken);
            _routedTo = port;
        }

        await Installation.AvailableAsync(explain, cancellationToken);
        // For a moment kube-apiserver may still pass requests to the one before.
        double before = await requests.ListsOfMeshesAsync(cancellationToken);
        await Eventually.TrueAsync(
            "requests reach the server",
            async token =>
            {
                await ControlPlane.Api.SendAsync(HttpMethod.Get, "/apis/metrics.smi-spec.io/v1alpha2/meshes", null, [], token);
                return await requests.ListsOfMeshesAsync(token) > before;
            },
            explain,
            cancellationToken);
    }

    /// <summary>Begins to read the cluster by the server's own informers. The caller disposes it.</summary>
    internal Task<ClusterReader> FollowClusterAsync(CancellationToken cancellationToken) => ClusterReader.StartAsync(ServerKubeconfig, cancellationToken);

    /// <summary>The cluster as the server's own informers read it now.</summary>
    internal async Task<ClusterSnapshot> ReadClusterAsync(CancellationToken cancellationToken)
    {
        await using ClusterReader reader = await FollowClusterAsync(cancellationToken);
        return reader.Snapshot;
    }

    private async Task StartAsync(Programs programs, CancellationToken cancellationToken)
    {
        _workspace = new Workspace();
        Task<PrometheusServer> prometheus = PrometheusServer.StartWithHistoryAsync(
            programs, _workspace, "prometheus", LinkerdHistory.Of(Linkerd.Topology, SampleInterval).WriteAroundNow, cancellationToken);
        _controlPlane = await ControlPlane.StartAsync(_workspace, programs.ControlPlane, cancellationToken);
        _prometheus = await prometheus;
        _admin = KubectlWith(_controlPlane.Admin);
        ServerKubeconfig = ServerKubeconfigAt(null);
        Content = new ClusterContent(_controlPlane.Api);
        await Content.WriteNodesAsync(cancellationToken);
        await Content.WriteSplitKindsAsync(cancellationToken);
        await Content.WriteAsync([new LinkerdSimulation(Linkerd.Topology), new IstioSimulation(Istio.Topology)], cancellationToken);
        Sidecar waypoint = IstioSimulation.WaypointSidecar;
        await Content.WritePodAsync(
            Istio.Topology.First,
            IstioSimulation.Waypoint,
            Topology.Nodes[0],
            IstioSimulation.WaypointIp,
            waypoint.PodLabels,
            waypoint,
            owner: null,
            cancellationToken);
        // By a kubectl of its own: what it has discovered before the API was there it would keep.
        _installation = await Installation.ApplyAsync(_workspace, _controlPlane, KubectlWith(_controlPlane.Admin), cancellationToken);
    }
}

/// <summary>Where a server under test has its numbers from.</summary>
internal enum Source
{
    Prometheus,

    /// <summary>The proxies themselves.</summary>
    Scrape,
}

/// <summary>A test of the programs, skipped where they are not. Those of two classes may run at once.</summary>
public abstract class ProgramTest(World world) : IAsyncLifetime
{
    protected const string Api = "/apis/metrics.smi-spec.io/v1alpha2";

    internal World World { get; } = world;

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    public virtual ValueTask InitializeAsync()
    {
        Assert.SkipWhen(World.Unable is not null, World.Unable ?? "");
        return ValueTask.CompletedTask;
    }

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}

/// <summary>A test on the cluster that all share, and on where its APIServices lead: one at a time.</summary>
[Collection(World.Collection)]
public abstract class WorldTest(World world) : ProgramTest(world);

[CollectionDefinition(World.Collection)]
public sealed class SharedWorld : ICollectionFixture<RecordedWorld>;

/// <summary>Begins with what takes longest, so that the rest is done beside it.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Rank(collection.TestCollectionDisplayName)).ThenBy(collection => collection.TestCollectionDisplayName, StringComparer.Ordinal)];

    private static int Rank(string collection) => collection == World.Collection ? 0 : collection.Contains(nameof(KubectlTests), StringComparison.Ordinal) ? 1 : 2;
}
