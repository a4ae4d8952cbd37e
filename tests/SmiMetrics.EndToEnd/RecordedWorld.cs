using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// All meshes on recorded time. Each mesh's proxies are scraped by a server in a time of its own (<see cref="VirtualScraping"/>), and what it has seen
/// is in a real Prometheus, sample for sample; for meshes that cannot be scraped in that way the samples are taken by the clock. Then all servers, by
/// either source, are asked about one instant. No number depends on when a process was scheduled.
/// </summary>
public sealed class RecordedWorld(World world) : IAsyncDisposable
{
    /// <summary>The window of every expectation that names no other.</summary>
    internal static readonly TimeSpan Window = TimeSpan.FromSeconds(20);

    /// <summary>The longest window that is asked about.</summary>
    internal static readonly TimeSpan LongestWindow = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan SampleInterval = TimeSpan.FromSeconds(2);

    private const int NoScraper = 0;

    // So that the first scrapes, which are spread, are before the window.
    private static readonly TimeSpan LeadIn = TimeSpan.FromSeconds(6);

    // The servers' clocks stand there: the embedded scraper answers about half an interval ago, in whole seconds, and those that ask Prometheus about
    // the last multiple of how long an answer is reused.
    private static readonly TimeSpan SinceInstant = TimeSpan.FromMilliseconds(1600);
    private static readonly string[] Reuse = ["--cache-ttl", "2s"];

    private Task? _recorded;
    private readonly ConcurrentDictionary<string, VirtualScraping> _scraping = [];
    private readonly Dictionary<string, InProcessServer> _byPrometheus = [];
    private readonly ConcurrentDictionary<(string, Source), int> _securePorts = [];

    /// <summary>What all numbers are about.</summary>
    internal DateTimeOffset Instant { get; private set; }

    /// <summary>The cluster that the servers know.</summary>
    internal ClusterSnapshot Cluster { get; private set; } = null!;

    /// <summary>The proxies of all meshes. Some meshes have the same proxy, and whoever scrapes one of them finds those of the others too.</summary>
    internal IReadOnlyList<(ScrapeTarget Target, ProxyPage Page)> Proxies { get; private set; } = [];

    internal PrometheusServer Prometheus { get; private set; } = null!;

    /// <summary>Completes when all has been recorded, which begins when it is first asked for.</summary>
    internal Task RecordedAsync(CancellationToken cancellationToken) => _recorded ??= RecordAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable? part in (IAsyncDisposable?[])[.. _scraping.Values, .. _byPrometheus.Values, Prometheus])
        {
            if (part is not null)
            {
                await part.DisposeAsync();
            }
        }
    }

    /// <summary>The server that has this mesh's numbers from this source; the same one each time.</summary>
    internal async Task<InProcessServer> ServerAsync(string mesh, Source source, CancellationToken cancellationToken)
    {
        if (source == Source.Scrape)
        {
            return _scraping[mesh].Server;
        }

        return _byPrometheus.TryGetValue(mesh, out InProcessServer? server)
            ? server
            : _byPrometheus[mesh] = await StartAsync(Cluster, Flags(mesh, source), cancellationToken);
    }

    /// <summary>Starts a further server that has numbers from <see cref="Prometheus"/>. The caller disposes it.</summary>
    internal async Task<InProcessServer> StartAsync(ClusterSnapshot? cluster, string[] flags, CancellationToken cancellationToken)
    {
        InProcessServer server = await InProcessServer.StartAsync(
            Doors.Real, new FakeTimeProvider(Instant + SinceInstant), cluster, ["--prometheus-url", Prometheus.Url, .. Reuse, .. flags], cancellationToken);
        await server.LookAsync(cancellationToken);
        return server;
    }

    /// <summary>Starts a scraper in a time of its own that has scraped Linkerd's proxies up to now, in a cluster that it does not know. The caller disposes it.</summary>
    internal Task<VirtualScraping> ScrapeWithoutClusterAsync(CancellationToken cancellationToken)
    {
        LinkerdSimulation linkerd = new(World.Linkerd.Topology);
        string[] targets =
        [
            .. World.Linkerd.Topology.MeshedPods.SelectMany(pod => (string[])
            [
                "--scrape-target",
                $"{linkerd.SidecarOf(pod.Workload).UrlAt(pod.Ip)}#namespace={pod.Workload.Namespace}&pod={pod.Name}&{LinkerdSimulation.OwnerLabel(pod.Workload)}={pod.Workload.Name}",
            ]),
        ];
        return ScrapeAsync(linkerd.Proxies(), Window, null, ["--kubernetes", "none", "--mesh", "linkerd", "--default-window", "20s", .. targets], cancellationToken);
    }

    /// <summary>Makes kube-apiserver pass metrics.smi-spec.io to the server of this mesh and source: Linkerd or Istio.</summary>
    internal async Task RouteToAsync(MeshUnderTest mesh, Source source, CancellationToken cancellationToken)
    {
        InProcessServer server = await ServerAsync(mesh.Name, source, cancellationToken);
        await world.RouteToAsync(_securePorts[(mesh.Name, source)], world.Installation.Authority, new RequestCounts(server.Admin), () => "", cancellationToken);
    }

    // The same for all, so that whoever scrapes a page at a moment sees the same.
    private DateTimeOffset Begun => Instant - LongestWindow - LeadIn;

    private async Task RecordAsync(CancellationToken cancellationToken)
    {
        Cluster = await ReadClusterAsync(cancellationToken);
        // Whatever is recorded has just been, so that Prometheus takes it for scraped now.
        Instant = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() / 2 * 2);
        (string Name, IMeshSimulation Mesh)[] meshes =
            [("linkerd", new LinkerdSimulation(World.Linkerd.Topology)), ("istio", new IstioSimulation(World.Istio.Topology)), .. Catalogues.All.Select(mesh => (mesh.Name, (IMeshSimulation)mesh))];
        Dictionary<string, string> jobs = new() { ["linkerd-proxy"] = LinkerdSimulation.ScrapeJob, ["envoy-stats"] = IstioSeries.ScrapeJob };
        foreach (CatalogueMesh mesh in Catalogues.All)
        {
            jobs.Add(mesh.Job, mesh.ScrapeJob);
        }

        Dictionary<string, (ScrapeTarget Target, ProxyPage Page)[]> proxies = meshes.ToDictionary(mesh => mesh.Name, mesh => mesh.Mesh.Proxies().ToArray());
        Proxies = [.. proxies.Values.SelectMany(own => own)];
        Prometheus = await PrometheusServer.StartWithRecordingAsync(
            world.Programs,
            world.Workspace,
            "prometheus-of-recorded-time",
            jobs,
            [.. Proxies.Select(proxy => proxy.Target)],
            ScrapeAllAsync(meshes, proxies, cancellationToken),
            cancellationToken);
    }

    /// <summary>Lets each mesh's server scrape.</summary>
    /// <returns>What they have seen.</returns>
    private async Task<Recording> ScrapeAllAsync(
        IReadOnlyList<(string Name, IMeshSimulation Mesh)> meshes,
        IReadOnlyDictionary<string, (ScrapeTarget Target, ProxyPage Page)[]> proxies,
        CancellationToken cancellationToken)
    {
        static TimeSpan WindowOf(IMeshSimulation mesh) => mesh is CatalogueMesh ? Window : LongestWindow;
        await Parallel.ForEachAsync(
            meshes.Where(mesh => mesh.Mesh is not CatalogueMesh { CanBeScraped: false }),
            cancellationToken,
            async (mesh, token) => _scraping[mesh.Name] = await ScrapeAsync(Proxies, WindowOf(mesh.Mesh), Cluster, Flags(mesh.Name, Source.Scrape), token));
        Recording recording = new();
        foreach ((string name, IMeshSimulation mesh) in meshes)
        {
            foreach ((ScrapeTarget target, ProxyPage page) in proxies[name])
            {
                Take(target.Url.AbsoluteUri, page, WindowOf(mesh), _scraping.GetValueOrDefault(name)?.Recording, recording);
            }
        }

        return recording;
    }

    /// <summary>Writes the catalogue's meshes into the cluster, and takes their pods away when they have been read: whoever scrapes that cluster shall not look for them.</summary>
    private async Task<ClusterSnapshot> ReadClusterAsync(CancellationToken cancellationToken)
    {
        await world.Content.WriteAsync(Catalogues.All, cancellationToken);
        (string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)[] ownPods = [.. Catalogues.All.SelectMany(mesh => mesh.OwnPods())];
        foreach ((string @namespace, string name, string node, string ip, Sidecar sidecar) in ownPods)
        {
            await world.Content.WritePodAsync(@namespace, name, node, ip, sidecar.PodLabels, sidecar, owner: null, cancellationToken);
        }

        ClusterSnapshot cluster = await world.ReadClusterAsync(cancellationToken);
        await Parallel.ForEachAsync(
            Catalogues.All.SelectMany(mesh => mesh.Topology.Workloads).SelectMany(workload => workload.Pods).Select(pod => (pod.Workload.Namespace, pod.Name))
                .Concat(ownPods.Select(pod => (pod.Namespace, pod.Name))),
            cancellationToken,
            async (pod, token) => await world.Content.DeletePodAsync(pod.Namespace, pod.Name, token));
        return cluster;
    }

    /// <summary>Keeps what has been seen of a page; of one that no scraper of ours has found, samples by the clock.</summary>
    private void Take(string url, ProxyPage page, TimeSpan window, Recording? seen, Recording all)
    {
        if (seen?.Take(url, all) == true)
        {
            return;
        }

        for (DateTimeOffset at = Instant - window - LeadIn; at <= Instant + SinceInstant; at += SampleInterval)
        {
            all.Add(url, page, page.Scrape(NoScraper, at, ProxyPage.AgeAtStart + (at - Begun).TotalSeconds));
        }
    }

    private async Task<VirtualScraping> ScrapeAsync(
        IEnumerable<(ScrapeTarget Target, ProxyPage Page)> proxies, TimeSpan window, ClusterSnapshot? cluster, string[] flags, CancellationToken cancellationToken)
    {
        VirtualScraping scraping = await VirtualScraping.StartAsync(Instant - window - LeadIn, Begun, proxies, cluster, SampleInterval, flags, cancellationToken);
        await scraping.PassAsync(window + LeadIn + SinceInstant, stepped: null, cancellationToken);
        await scraping.Server.LookAsync(cancellationToken);
        return scraping;
    }

    // Without informers of its own, so that its cluster is the recorded one; who comes through kube-apiserver has been judged already.
    private string[] Flags(string mesh, Source source)
    {
        int port = _securePorts[(mesh, source)] = FreePort.Next();
        return
        [
            "--mesh", mesh, "--default-window", "20s",
            "--secure-port", $"{port}", "--authorization-mode", "AlwaysAllow",
            "--requestheader-client-ca-file", world.ControlPlane.FrontProxyAuthority.File,
            "--tls-cert-file", world.Installation.CertificateFile, "--tls-private-key-file", world.Installation.KeyFile,
        ];
    }
}

/// <summary>A test on recorded time.</summary>
[Trait(Runs.Trait, Runs.Once)]
public abstract class RecordedTest(World world, RecordedWorld recorded) : WorldTest(world)
{
    internal RecordedWorld Recorded { get; } = recorded;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Recorded.RecordedAsync(Token);
    }
}
