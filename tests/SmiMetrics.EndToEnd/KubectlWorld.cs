using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// A cluster of its own, so that every line that kubectl prints of it is known: a small shop under Linkerd with steady traffic, the installation,
/// and two servers, one of which has no Prometheus any more.
/// </summary>
public sealed class KubectlWorld(World world) : IAsyncLifetime
{
    private static readonly Workload Web = new("Deployment", "shop", "web", 2, 900, meshed: true);
    private static readonly Workload Catalog = new("Deployment", "shop", "catalog", 1, 901, meshed: true);
    private static readonly Workload GiftCards = new("Deployment", "shop", "gift-cards", 1, 902, meshed: true);
    private static readonly Workload Cart = new("StatefulSet", "shop", "cart", 1, 903, meshed: true);
    private static readonly Workload Cache = new("DaemonSet", "shop", "image-cache", 1, 904, meshed: true);
    private static readonly Workload Legacy = new("Deployment", "shop", "legacy", 1, 905, meshed: false);
    private static readonly Workload Checkout = new("Deployment", "payments", "checkout", 1, 906, meshed: true);

    private static readonly (Workload? From, Workload To, double Success, double Failure, Duration[] Durations)[] Flows =
    [
        (null, Web, 398, 2, [new(0.6, 5), new(0.35, 50), new(0.05, 100)]),
        (Web, Catalog, 215.5, 0.5, [new(0.9, 5), new(0.1, 10)]),
        (Web, Cart, 80, 0, [new(1, 2)]),
        (Web, Cache, 1200, 0, [new(1, 1)]),
        (Web, Checkout, 45, 15, [new(0.5, 200), new(0.4, 1000), new(0.1, 5000)]),
        (Checkout, Cart, 0.02, 0, [new(1, 3)]),
    ];

    private readonly Workspace _workspace = new();
    private ControlPlane? _controlPlane;
    private Installation _installation = null!;
    private PrometheusServer? _prometheus;
    private SmiMetricsServer? _server;
    private SmiMetricsServer? _blind;
    private SmiMetricsServer? _routed;
    private string? _oldHome;

    internal ControlPlane ControlPlane => _controlPlane!;

    /// <summary>The server that everybody asks.</summary>
    internal SmiMetricsServer Server => _server!;

    /// <summary>A server whose Prometheus does not answer.</summary>
    internal SmiMetricsServer Blind => _blind!;

    public async ValueTask InitializeAsync()
    {
        if (world.Unable is not null)
        {
            return;
        }

        try
        {
            await StartAsync(TestContext.Current.CancellationToken);
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[_server, _blind, _prometheus, _controlPlane])
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }

        _workspace.Dispose();
    }

    /// <summary>kubectl as a cluster administrator.</summary>
    /// <param name="old">Whether it is the one from 2021.</param>
    internal Kubectl Admin(bool old) => Kubectl(old, ControlPlane.Admin, old ? _oldHome ??= _workspace.Folder("home/old-admin") : _workspace.Folder("home/admin"));

    /// <summary>kubectl as somebody else.</summary>
    internal Kubectl As(string user, params string[] groups) =>
        Kubectl(old: false, ControlPlane.KubeconfigFor(user, groups, null), _workspace.Folder($"home/{Guid.NewGuid():N}"));

    /// <summary>Makes kube-apiserver pass the API to this server.</summary>
    internal async Task RouteToAsync(SmiMetricsServer server, CancellationToken cancellationToken)
    {
        if (_routed != server)
        {
            await _installation.RouteToAsync(server.SecurePort, authority: null, cancellationToken);
            _routed = server;
        }

        await _installation.AvailableAsync(() => server.Logs, cancellationToken);
    }

    private Kubectl Kubectl(bool old, string kubeconfig, string home) => new(old ? world.Programs.OldKubectl : world.Programs.Kubectl, kubeconfig, home);

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        Task<PrometheusServer> prometheus = PrometheusServer.StartWithHistoryAsync(world.Programs, _workspace, "kubectl-history", Series().WriteAroundNow, cancellationToken);
        _controlPlane = await ControlPlane.StartAsync(_workspace, world.Programs.ControlPlane, cancellationToken);
        _prometheus = await prometheus;
        await WriteAsync(_controlPlane.Api, cancellationToken);
        _installation = await Installation.ApplyAsync(
            _workspace, _controlPlane, Kubectl(old: false, ControlPlane.Admin, _workspace.Folder("home/installer")), cancellationToken);
        _server = await ServerAsync("smi-metrics-kubectl", _prometheus.Url, cancellationToken);
        _blind = await ServerAsync("smi-metrics-blind", $"http://127.0.0.1:{FreePort.Next()}", cancellationToken);
        await Eventually.TrueAsync(
            "the server has counted the proxies",
            async token => (await _server.GetAsync("/apis/metrics.smi-spec.io/v1alpha2/meshes/linkerd", token)).Json["status"]?["proxies"] is not null,
            () => _server.Logs,
            cancellationToken);
    }

    private Task<SmiMetricsServer> ServerAsync(string name, string prometheus, CancellationToken cancellationToken) => SmiMetricsServer.StartAsync(
        name,
        world.Server,
        _workspace,
        [
            "--kubeconfig", ControlPlane.KubeconfigFor("system:serviceaccount:smi-metrics:smi-metrics", ["system:serviceaccounts", "system:serviceaccounts:smi-metrics"], null),
            "--tls-cert-file", _installation.CertificateFile, "--tls-private-key-file", _installation.KeyFile,
            "--mesh", "linkerd", "--prometheus-url", prometheus, "--default-window", "60s",
        ],
        cancellationToken);

    private static async Task WriteAsync(KubeApi api, CancellationToken cancellationToken)
    {
        ClusterContent content = new(api);
        await content.WriteNodesAsync(cancellationToken);
        await content.WriteSplitKindsAsync(cancellationToken);
        LinkerdSimulation linkerd = new(World.Linkerd.Topology);
        foreach (string @namespace in new[] { "payments", "shop" })
        {
            await api.CreateAsync("/api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = @namespace } }, cancellationToken);
        }

        foreach (Workload workload in new[] { Web, Catalog, GiftCards, Cart, Cache, Legacy, Checkout })
        {
            await content.WriteAsync(workload, workload.Meshed ? linkerd.SidecarOf(workload) : null, cancellationToken);
            await api.MergeAsync(
                $"/apis/apps/v1/namespaces/{workload.Namespace}/{workload.Kind.ToLowerInvariant()}s/{workload.Name}",
                new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { ["app"] = workload.Name, ["team"] = workload.Namespace } } },
                cancellationToken);
        }
    }

    private static History Series()
    {
        History history = new(TimeSpan.FromSeconds(5));
        foreach ((Workload? from, Workload to, double success, double failure, Duration[] durations) in Flows)
        {
            LinkerdHistory.Add(history, from?.Pods[0], to.Pods[0], service: null, new Rates(success, failure), durations);
        }

        return history;
    }
}
