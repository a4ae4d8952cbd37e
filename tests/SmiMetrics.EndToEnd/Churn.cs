using System.Globalization;
using System.Net;
using System.Text;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>A moment at which the traffic of some pods, or what can be seen of it, became other than it was.</summary>
/// <param name="Side">Which end's series it concerns; null for both.</param>
/// <param name="Until">When all was as if nothing had happened, so that only who looks from within sees anything of it; null if it never was.</param>
internal sealed record Turn(SimulatedPod Pod, DateTimeOffset At, string? Side = null, DateTimeOffset? Until = null);

/// <summary>What two servers said about the same path at the same time: one by Prometheus, one by its own scrapes.</summary>
internal sealed record Observation(MeshUnderTest Mesh, string Path, IReadOnlyList<TrafficItem> Prometheus, IReadOnlyList<TrafficItem> Scraped);

/// <summary>
/// Half a minute in the life of a namespace of each mesh, in which nothing lasts:
/// <list type="bullet">
/// <item>all proxies appear at once, before the eyes of scrapers that run already, and then traffic sets in;</item>
/// <item>the proxy of one of the <c>flapping</c> pods cannot be reached for three seconds, twice; it goes on counting meanwhile;</item>
/// <item>the traffic to <c>fading</c> ceases, its series vanish from both ends' pages, and come back from zero;</item>
/// <item><c>rolling</c> gets a new pod, which takes over the traffic of an old one, which is deleted;</item>
/// <item><c>crashy</c> starts anew every seven seconds; <c>steady</c> is as ever.</item>
/// </list>
/// In the end all is quiet, for the sake of the tests that come after.
/// </summary>
public sealed class Churn(World world) : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private static readonly string[] Windows = ["10s", "20s"];

    private readonly List<Turn> _turns = [];
    private readonly List<Observation> _observations = [];
    private readonly Dictionary<SimulatedPod, (ScrapeTarget Target, ProxyPage Page)> _proxies = [];
    private Recording? _recording;

    internal static IReadOnlyList<MeshUnderTest> Meshes { get; } = [World.DisturbedLinkerd, World.DisturbedIstio];

    internal IReadOnlyList<Turn> Turns => _turns;

    internal IReadOnlyList<Observation> Observations => _observations;

    public async ValueTask InitializeAsync()
    {
        if (world.Unable is null)
        {
            await HappenAsync(TestContext.Current.CancellationToken);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>The latency buckets that the embedded scrapers have seen, as promtool reads them.</summary>
    internal string Seen()
    {
        Dictionary<string, ScrapeTarget> targets = _proxies.Values.ToDictionary(proxy => proxy.Target.Url.AbsoluteUri, proxy => proxy.Target);
        StringBuilder text = new();
        foreach (RecordedPage page in PagesOfOurs())
        {
            ScrapeTarget target = targets[page.Url];
            SimulatedPod pod = _proxies.Keys.Single(pod => Is(pod, target));
            string labels = $"namespace=\"{target.Namespace}\",pod=\"{target.Pod}\",{LinkerdSimulation.OwnerLabel(pod.Workload)}=\"{pod.Workload.Name}\"";
            string seconds = (page.At.ToUnixTimeMilliseconds() / 1000.0).ToString("F3", CultureInfo.InvariantCulture);
            foreach (string line in page.Text.Split('\n').Where(line => line.StartsWith("response_latency_ms_bucket", StringComparison.Ordinal)
                || line.StartsWith("istio_request_duration_milliseconds_bucket", StringComparison.Ordinal)))
            {
                int brace = line.LastIndexOf('}');
                text.Append(CultureInfo.InvariantCulture, $"{line[..brace]},{labels}{line[brace..]} {seconds}\n");
            }
        }

        return text.Append("# EOF\n").ToString();
    }

    private async Task HappenAsync(CancellationToken cancellationToken)
    {
        IMeshSimulation[] simulations = [new LinkerdSimulation(Meshes[0].Topology), new IstioSimulation(Meshes[1].Topology)];
        ClusterContent content = new(world.ControlPlane.Api);
        SimulatedPod[] Pods(string name) => [.. Meshes.SelectMany(mesh => mesh.Topology.MeshedPods).Where(pod => pod.Workload.Name == name)];
        SimulatedPod[] flapping = [.. Pods("flapping").Where(pod => pod.Name.EndsWith("-0", StringComparison.Ordinal))];
        SimulatedPod[] fading = Pods("fading");
        SimulatedPod[] old = [.. Pods("rolling").Where(pod => pod == pod.Workload.Pods[0])];
        SimulatedPod[] young = [.. Pods("rolling").Except(old)];
        ProxyPage Visitor(SimulatedPod of) => _proxies[Pods("visitor").Single(pod => pod.Workload.Namespace == of.Workload.Namespace)].Page;
        void ForEach(SimulatedPod[] pods, Action<SimulatedPod> action, string? side = null)
        {
            foreach (SimulatedPod pod in pods)
            {
                action(pod);
                _turns.Add(new Turn(pod, TimeProvider.System.GetUtcNow(), side));
            }
        }

        void Show(SimulatedPod pod) => world.Mesh.Show(_proxies[pod].Target.Url, _proxies[pod].Page);
        void Hide(SimulatedPod pod) => world.Mesh.Hide(_proxies[pod].Target.Url);

        DateTimeOffset HideAll(SimulatedPod[] pods)
        {
            Array.ForEach(pods, Hide);
            return TimeProvider.System.GetUtcNow();
        }

        void ShowAll(SimulatedPod[] pods, DateTimeOffset hidden)
        {
            Array.ForEach(pods, Show);
            _turns.AddRange(pods.Select(pod => new Turn(pod, hidden, "server", TimeProvider.System.GetUtcNow())));
        }

        foreach ((ScrapeTarget target, ProxyPage page) in simulations.SelectMany(simulation => simulation.Proxies()))
        {
            if (Meshes.SelectMany(mesh => mesh.Topology.MeshedPods).SingleOrDefault(pod => Is(pod, target)) is { } pod)
            {
                _proxies[pod] = (target, page);
            }
        }

        ScrapeTarget[] TargetsWithout(SimulatedPod[] pods) =>
            [.. world.Mesh.Targets, .. _proxies.Where(proxy => !pods.Contains(proxy.Key)).Select(proxy => proxy.Value.Target)];
        _recording = world.Mesh.Record(_proxies.Values.Select(proxy => proxy.Target.Url));

        // Everything but the young pods, of which the callers do not speak yet.
        await content.WriteAsync(simulations, cancellationToken);
        foreach (SimulatedPod pod in young)
        {
            await content.DeletePodAsync(pod, cancellationToken);
            _proxies[pod].Page.Hide("visitor");
        }

        SimulatedPod[] first = [.. _proxies.Keys.Except(young)];
        foreach (SimulatedPod pod in first)
        {
            _proxies[pod].Page.Hide(TrafficOf(pod));
            Show(pod);
        }

        world.Prometheus.Discover(TargetsWithout(young));
        await ScrapedAsync(first, TargetsWithout(young), cancellationToken);
        ForEach(first, pod => _proxies[pod].Page.BeginAnew(TrafficOf(pod)));
        foreach (SimulatedPod pod in young)
        {
            Visitor(pod).Hide(pod.Name);
        }

        // Istio's callers do not tell pods apart, and speak of the young ones' share from the start.
        ForEach(young, _ => { }, side: "client");
        await PassAsync(4, cancellationToken);
        await ObserveAsync(cancellationToken);

        DateTimeOffset hidden = HideAll(flapping);
        ForEach(fading, pod => Stop(pod, Visitor(pod)));
        await PassAsync(3, cancellationToken);
        ShowAll(flapping, hidden);
        ForEach(fading, pod =>
        {
            _proxies[pod].Page.Hide("visitor");
            Visitor(pod).Hide(pod.Workload.Name);
        });

        // A new pod, which is there for a while before it gets traffic.
        foreach (SimulatedPod pod in young)
        {
            Show(pod);
            await content.WritePodAsync(pod, simulations.Single(simulation => simulation.Topology.MeshedPods.Contains(pod)).SidecarOf(pod.Workload)!, cancellationToken);
        }

        world.Prometheus.Discover(TargetsWithout([]));
        await ScrapedAsync(young, TargetsWithout([]), cancellationToken);
        ForEach(old, pod => Stop(pod, Visitor(pod)));
        ForEach(young, pod =>
        {
            _proxies[pod].Page.BeginAnew("visitor");
            Visitor(pod).BeginAnew(pod.Name);
        });
        await ObserveAsync(cancellationToken);
        await PassAsync(2, cancellationToken);
        world.Prometheus.Discover(TargetsWithout(old));
        foreach (SimulatedPod pod in old)
        {
            Hide(pod);
            await content.DeletePodAsync(pod, cancellationToken);
        }

        ForEach(old, pod => Visitor(pod).Hide(pod.Name));
        ForEach(fading, pod =>
        {
            _proxies[pod].Page.BeginAnew("visitor");
            Visitor(pod).BeginAnew(pod.Workload.Name);
        });
        await PassAsync(2, cancellationToken);
        hidden = HideAll(flapping);
        await ObserveAsync(cancellationToken);
        await PassAsync(3, cancellationToken);
        ShowAll(flapping, hidden);
        await PassAsync(4, cancellationToken);
        await ObserveAsync(cancellationToken);

        foreach ((_, ProxyPage page) in _proxies.Values)
        {
            page.Cease();
        }

        world.QuietSince = TimeProvider.System.GetUtcNow();
    }

    /// <summary>Waits until both sorts of scrapers see these pods.</summary>
    private async Task ScrapedAsync(SimulatedPod[] pods, ScrapeTarget[] targets, CancellationToken cancellationToken)
    {
        await world.Prometheus.ScrapesAsync(targets, TimeProvider.System.GetUtcNow(), cancellationToken);
        await Eventually.SucceedsAsync(
            "every proxy is scraped by us",
            Deadline,
            _ =>
            {
                HashSet<string> seen = [.. PagesOfOurs().Select(page => page.Url)];
                Assert.All(pods, pod => Assert.Contains(_proxies[pod].Target.Url.AbsoluteUri, seen));
                return Task.CompletedTask;
            },
            explain: null,
            cancellationToken);
    }

    private IEnumerable<RecordedPage> PagesOfOurs()
    {
        HashSet<int> ours = [.. Meshes.Select(mesh => new Uri(world.ProxyUrlOf(Undisturbed(mesh))).Port)];
        return _recording!.Pages.Where(page => ours.Contains(page.Scraper));
    }

    private void Stop(SimulatedPod pod, ProxyPage visitor)
    {
        _proxies[pod].Page.Stop("visitor");
        visitor.Stop(pod.Workload.Pods.Count == 1 ? pod.Workload.Name : pod.Name);
    }

    /// <summary>Asks both servers of both meshes the same.</summary>
    private async Task ObserveAsync(CancellationToken cancellationToken)
    {
        foreach (MeshUnderTest mesh in Meshes)
        {
            SmiMetricsServer byPrometheus = await world.ServerAsync(Undisturbed(mesh), Source.Prometheus, cancellationToken);
            SmiMetricsServer byScrapes = await world.ServerAsync(Undisturbed(mesh), Source.Scrape, cancellationToken);
            string @namespace = $"/namespaces/{mesh.Topology.First}";
            foreach (string path in (string[])["/deployments", "/statefulsets", "/services", "/pods", "/deployments/visitor/edges"])
            {
                foreach (string window in Windows)
                {
                    string url = $"/apis/metrics.smi-spec.io/v1alpha2{@namespace}{path}?window={window}";
                    _observations.Add(await Eventually.SucceedsAsync(
                        "two answers about one moment",
                        Deadline,
                        async token =>
                        {
                            HttpAnswer[] answers = await Task.WhenAll(byPrometheus.GetAsync(url, token), byScrapes.GetAsync(url, token));
                            Assert.All(answers, answer => Assert.True(answer.Code == HttpStatusCode.OK, $"{url}: {(int)answer.Code} {answer.Body}"));
                            Observation observation = new(
                                mesh, $"{path}?window={window}", TrafficItem.ListOf(answers[0].Json), TrafficItem.ListOf(answers[1].Json));
                            Assert.Single(observation.Prometheus.Concat(observation.Scraped).Select(item => item.Timestamp).Distinct());
                            return observation;
                        },
                        explain: null,
                        cancellationToken));
                }
            }
        }
    }

    // A caller's page does not name the caller.
    private static string TrafficOf(SimulatedPod pod) => pod.Workload.Name == "visitor" ? "" : "visitor";

    private static bool Is(SimulatedPod pod, ScrapeTarget target) => pod.Name == target.Pod && pod.Workload.Namespace == target.Namespace;

    private static MeshUnderTest Undisturbed(MeshUnderTest mesh) => mesh == World.DisturbedLinkerd ? World.Linkerd : World.Istio;

    private static Task PassAsync(int seconds, CancellationToken cancellationToken) =>
        Task.Delay(TimeSpan.FromSeconds(seconds), TimeProvider.System, cancellationToken);
}
