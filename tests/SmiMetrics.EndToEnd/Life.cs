using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.EndToEnd;

/// <summary>What happens to the proxies and pods of <see cref="Topology.OfOneVisitor"/>, and a second scraper that looks at other moments than the server does.</summary>
/// <param name="turns">Learns what became other than it was.</param>
internal sealed class Life : IAsyncDisposable
{
    private const int StepsPerSecond = 10;
    private const int OtherScraper = -1;

    private readonly VirtualScraping _scraping;
    private readonly World _world;
    private readonly IMeshSimulation _simulation;
    private readonly List<Turn> _turns;
    private readonly Dictionary<SimulatedPod, (ScrapeTarget Target, ProxyPage Page)> _proxies;
    private readonly SimulatedPod[] _flapping;
    private readonly SimulatedPod[] _fading;
    private readonly SimulatedPod _old;
    private readonly SimulatedPod _young;
    private readonly ProxyPage _visitor;
    private ClusterReader? _cluster;
    private int _steps;

    public Life(MeshUnderTest mesh, IMeshSimulation simulation, VirtualScraping scraping, World world, List<Turn> turns)
    {
        (_simulation, _scraping, _world, _turns) = (simulation, scraping, world, turns);
        SimulatedPod[] pods = [.. mesh.Topology.MeshedPods];
        _proxies = simulation.Proxies()
            .Select(proxy => (Pod: pods.SingleOrDefault(pod => pod.Name == proxy.Target.Pod), Proxy: proxy))
            .Where(proxy => proxy.Pod is not null)
            .ToDictionary(proxy => proxy.Pod!, proxy => proxy.Proxy);
        SimulatedPod[] Pods(string name) => [.. pods.Where(pod => pod.Workload.Name == name)];
        _flapping = [.. Pods("flapping").Where(pod => pod.Name.EndsWith("-0", StringComparison.Ordinal))];
        _fading = Pods("fading");
        (_old, _young) = (Pods("rolling")[0], Pods("rolling")[1]);
        _visitor = _proxies[Assert.Single(Pods("visitor"))].Page;
    }

    /// <summary>Everything that was ever there to be scraped.</summary>
    public IReadOnlyList<ScrapeTarget> Targets => [.. _proxies.Values.Select(proxy => proxy.Target)];

    /// <summary>What the second scraper has seen.</summary>
    public Recording OtherSamples { get; } = new();

    /// <summary>What the server knows of the cluster.</summary>
    public ClusterSnapshot Cluster { get; private set; } = ClusterSnapshot.None;

    private DateTimeOffset Now => _scraping.Clock.GetUtcNow();

    private double Age => _scraping.Mesh.Age;

    public Task PassAsync(int seconds, CancellationToken cancellationToken) => _scraping.PassAsync(TimeSpan.FromSeconds(seconds), ScrapeToo, cancellationToken);

    /// <summary>All proxies appear but the young one, of which the callers do not speak yet; and when they have been scraped, traffic sets in.</summary>
    public async Task AppearAsync(CancellationToken cancellationToken)
    {
        await _world.Content.WriteAsync([_simulation], cancellationToken);
        await _world.Content.DeletePodAsync(_young, cancellationToken);
        _proxies[_young].Page.Hide("visitor");
        SimulatedPod[] first = [.. _proxies.Keys.Where(pod => pod != _young)];
        foreach (SimulatedPod pod in first)
        {
            _proxies[pod].Page.Hide(TrafficOf(pod));
            Show(pod);
        }

        _cluster = await _world.FollowClusterAsync(cancellationToken);
        await PublishAsync(_young, running: false, cancellationToken);
        await PassAsync(2, cancellationToken);
        foreach (SimulatedPod pod in first)
        {
            _proxies[pod].Page.BeginAnew(TrafficOf(pod), Age);
            Turned(pod);
        }

        _visitor.Hide(_young.Name);
        // Istio's callers do not tell pods apart, and speak of the young one's share from the start.
        Turned(_young, side: "client");
    }

    public DateTimeOffset HideFlapping()
    {
        Array.ForEach(_flapping, Hide);
        return Now;
    }

    public void ShowFlapping(DateTimeOffset hidden)
    {
        Array.ForEach(_flapping, Show);
        _turns.AddRange(_flapping.Select(pod => new Turn(pod, hidden, "server", Now)));
    }

    /// <summary>The traffic to <c>fading</c> ceases.</summary>
    public void FadeAway() => Array.ForEach(_fading, Stop);

    /// <summary>Its series vanish.</summary>
    public void ForgetFaded()
    {
        foreach (SimulatedPod pod in _fading)
        {
            _proxies[pod].Page.Hide("visitor");
            _visitor.Hide(pod.Workload.Name);
            Turned(pod);
        }
    }

    /// <summary>And come back from zero.</summary>
    public void ComeBack()
    {
        foreach (SimulatedPod pod in _fading)
        {
            _proxies[pod].Page.BeginAnew("visitor", Age);
            _visitor.BeginAnew(pod.Workload.Name, Age);
            Turned(pod);
        }
    }

    /// <summary>A new pod, which is there for a while before it gets the traffic of an old one.</summary>
    public async Task RollAsync(CancellationToken cancellationToken)
    {
        Show(_young);
        await _world.Content.WritePodAsync(_young, _simulation.SidecarOf(_young.Workload), cancellationToken);
        await PublishAsync(_young, running: true, cancellationToken);
        await PassAsync(2, cancellationToken);
        Stop(_old);
        _proxies[_young].Page.BeginAnew("visitor", Age);
        _visitor.BeginAnew(_young.Name, Age);
        Turned(_young);
    }

    public async Task DeleteOldAsync(CancellationToken cancellationToken)
    {
        Hide(_old);
        await _world.Content.DeletePodAsync(_old, cancellationToken);
        await PublishAsync(_old, running: false, cancellationToken);
        _visitor.Hide(_old.Name);
        Turned(_old);
    }

    /// <summary>Takes the pods away: whoever scrapes the cluster later shall not look for their proxies.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        foreach (SimulatedPod pod in _simulation.Topology.Workloads.SelectMany(workload => workload.Pods).Where(pod => pod != _old))
        {
            await _world.Content.DeletePodAsync(pod, cancellationToken);
        }
    }

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;

    // A caller's page does not name the caller.
    private static string TrafficOf(SimulatedPod pod) => pod.Workload.Name == "visitor" ? "" : "visitor";

    private void Stop(SimulatedPod pod)
    {
        _proxies[pod].Page.Stop("visitor", Age);
        _visitor.Stop(pod.Workload.Pods.Count == 1 ? pod.Workload.Name : pod.Name, Age);
        Turned(pod);
    }

    private void Turned(SimulatedPod pod, string? side = null) => _turns.Add(new Turn(pod, Now, side));

    private void Show(SimulatedPod pod) => _scraping.Mesh.Show(_proxies[pod].Target.Url, _proxies[pod].Page);

    private void Hide(SimulatedPod pod) => _scraping.Mesh.Hide(_proxies[pod].Target.Url);

    private async Task PublishAsync(SimulatedPod pod, bool running, CancellationToken cancellationToken)
    {
        Cluster = await _cluster!.SeesAsync(pod.Workload.Namespace, pod.Name, running, cancellationToken);
        await _scraping.PublishAsync(Cluster, ScrapeToo, cancellationToken);
    }

    /// <summary>Every proxy has its turn once a second, at another step than the server gives it.</summary>
    private void ScrapeToo()
    {
        int step = _steps++;
        foreach ((ScrapeTarget target, int index) in Targets.Select((target, index) => (target, index)))
        {
            if ((step + (index * 3)) % StepsPerSecond == 0 && _scraping.Mesh.Scrape(target.Url.AbsoluteUri, OtherScraper) is ({ } page, { } sample))
            {
                OtherSamples.Add(target.Url.AbsoluteUri, page, sample);
            }
        }
    }
}
