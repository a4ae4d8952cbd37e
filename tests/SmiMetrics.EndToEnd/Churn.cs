using Microsoft.Extensions.Time.Testing;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.EndToEnd;

/// <summary>A moment at which the traffic of some pods, or what can be seen of it, became other than it was.</summary>
/// <param name="Side">Which end's series it concerns; null for both.</param>
/// <param name="Until">When all was as if nothing had happened, so that only who looks from within sees anything of it; null if it never was.</param>
internal sealed record Turn(SimulatedPod Pod, DateTimeOffset At, string? Side = null, DateTimeOffset? Until = null);

/// <summary>What three servers said about the same path at the same time.</summary>
/// <param name="Scraped">The embedded scraper.</param>
/// <param name="SameSamples">By a Prometheus that holds the very samples of the embedded scraper.</param>
/// <param name="OtherSamples">By a Prometheus whose samples are of other moments within the same second.</param>
internal sealed record Observation(
    MeshUnderTest Mesh, string Path, IReadOnlyList<TrafficItem> Scraped, IReadOnlyList<TrafficItem> SameSamples, IReadOnlyList<TrafficItem> OtherSamples);

/// <summary>
/// Half a minute in the life of a namespace of each mesh, in which nothing lasts:
/// <list type="bullet">
/// <item>all proxies appear at once, before the eyes of scrapers that run already, and then traffic sets in;</item>
/// <item>the proxy of one of the <c>flapping</c> pods cannot be reached for three seconds, twice; it goes on counting meanwhile;</item>
/// <item>the traffic to <c>fading</c> ceases, its series vanish from both ends' pages, and come back from zero;</item>
/// <item><c>rolling</c> gets a new pod, which takes over the traffic of an old one, which is deleted;</item>
/// <item><c>crashy</c> starts anew about every seven seconds; <c>steady</c> is as ever.</item>
/// </list>
/// It all happens in a time of its own, which is as long ago as it lasts.
/// </summary>
public sealed class Churn(World world) : IAsyncLifetime
{
    private static readonly string[] Windows = ["10s", "20s"];
    private static readonly string[] Paths = ["/deployments", "/statefulsets", "/services", "/pods", "/deployments/visitor/edges"];
    private static readonly TimeSpan Life = TimeSpan.FromSeconds(40);

    internal IReadOnlyList<Turn> Turns { get; private set; } = [];

    internal IReadOnlyList<Observation> Observations { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        if (world.Unable is not null)
        {
            return;
        }

        CancellationToken token = TestContext.Current.CancellationToken;
        Topology linkerd = Topology.OfOneVisitor("bistro", firstNumber: 60);
        Topology istio = Topology.OfOneVisitor("brasserie", firstNumber: 160);
        (IReadOnlyList<Turn> Turns, IReadOnlyList<Observation> Observations)[] lives = await Task.WhenAll(
            HappenAsync(new LinkerdUnderTest(linkerd), new LinkerdSimulation(linkerd), "linkerd-proxy", LinkerdSimulation.ScrapeJob, token),
            HappenAsync(new IstioUnderTest(istio), new IstioSimulation(istio), "envoy-stats", IstioSeries.ScrapeJob, token));
        Turns = [.. lives.SelectMany(life => life.Turns)];
        Observations = [.. lives.SelectMany(life => life.Observations)];
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<(IReadOnlyList<Turn> Turns, IReadOnlyList<Observation> Observations)> HappenAsync(
        MeshUnderTest mesh, IMeshSimulation simulation, string job, string scrapeJob, CancellationToken cancellationToken)
    {
        // Six tenths of a second after a whole one, at which both sources answer about the same instant.
        DateTimeOffset begin = DateTimeOffset.FromUnixTimeSeconds((TimeProvider.System.GetUtcNow() - Life).ToUnixTimeSeconds()).AddMilliseconds(600);
        await using VirtualScraping scraping = await VirtualScraping.StartAsync(
            begin, begin, [], ClusterSnapshot.None, TimeSpan.FromSeconds(1), ["--mesh", mesh.Name, "--default-window", "20s"], cancellationToken);
        List<Turn> turns = [];
        List<Sight> sights = [];
        await using Life life = new(mesh, simulation, scraping, world, turns);
        await life.PassAsync(1, cancellationToken);
        await life.AppearAsync(cancellationToken);
        await life.PassAsync(4, cancellationToken);
        sights.AddRange(await SeeAsync(mesh, scraping, life.Cluster, cancellationToken));

        DateTimeOffset hidden = life.HideFlapping();
        life.FadeAway();
        await life.PassAsync(3, cancellationToken);
        life.ShowFlapping(hidden);
        life.ForgetFaded();
        await life.RollAsync(cancellationToken);
        sights.AddRange(await SeeAsync(mesh, scraping, life.Cluster, cancellationToken));
        await life.PassAsync(2, cancellationToken);
        await life.DeleteOldAsync(cancellationToken);
        life.ComeBack();
        await life.PassAsync(2, cancellationToken);
        hidden = life.HideFlapping();
        sights.AddRange(await SeeAsync(mesh, scraping, life.Cluster, cancellationToken));
        await life.PassAsync(3, cancellationToken);
        life.ShowFlapping(hidden);
        await life.PassAsync(4, cancellationToken);
        sights.AddRange(await SeeAsync(mesh, scraping, life.Cluster, cancellationToken));

        await life.EndAsync(cancellationToken);
        (string Name, Recording Recording)[] recordings = [("same", scraping.Recording), ("other", life.OtherSamples)];
        IReadOnlyList<TrafficItem>[][] answers = await Task.WhenAll(recordings.Select(by => AskPrometheusAsync(
            mesh, $"prometheus-of-churn-{mesh.Name}-{by.Name}", job, scrapeJob, life.Targets, by.Recording, sights, cancellationToken)));
        return (turns, [.. sights.Select((sight, index) => new Observation(mesh, sight.Path, sight.Items, answers[0][index], answers[1][index]))]);
    }

    /// <summary>Asks the embedded scraper now.</summary>
    private static async Task<IEnumerable<Sight>> SeeAsync(MeshUnderTest mesh, VirtualScraping scraping, ClusterSnapshot cluster, CancellationToken cancellationToken)
    {
        await scraping.Server.LookAsync(cancellationToken);
        List<Sight> sights = [];
        foreach (string path in Paths)
        {
            foreach (string window in Windows)
            {
                string url = $"/namespaces/{mesh.Topology.First}{path}?window={window}";
                sights.Add(new Sight(url, scraping.Clock.GetUtcNow(), cluster, await scraping.Server.ListAsync(url, cancellationToken)));
            }
        }

        return sights;
    }

    /// <summary>Asks a server whose Prometheus holds a recording the same, at the same times and about the same cluster.</summary>
    private async Task<IReadOnlyList<TrafficItem>[]> AskPrometheusAsync(
        MeshUnderTest mesh,
        string name,
        string job,
        string scrapeJob,
        IReadOnlyList<ScrapeTarget> targets,
        Recording recording,
        IReadOnlyList<Sight> sights,
        CancellationToken cancellationToken)
    {
        await using PrometheusServer prometheus = await PrometheusServer.StartWithRecordingAsync(
            world.Programs, world.Workspace, name, new Dictionary<string, string> { [job] = scrapeJob }, targets, Task.FromResult(recording), cancellationToken);
        FakeTimeProvider clock = new(sights[0].At);
        await using InProcessServer server = await InProcessServer.StartAsync(
            Doors.Real, clock, sights[0].Cluster, ["--prometheus-url", prometheus.Url, "--cache-ttl", "1s", "--mesh", mesh.Name, "--default-window", "20s"], cancellationToken);
        List<IReadOnlyList<TrafficItem>> answers = [];
        foreach (IGrouping<DateTimeOffset, Sight> moment in sights.GroupBy(sight => sight.At))
        {
            clock.SetUtcNow(moment.Key);
            await server.LookAsync(cancellationToken);
            foreach (Sight sight in moment)
            {
                server.Publish(sight.Cluster);
                answers.Add(await server.ListAsync(sight.Path, cancellationToken));
            }
        }

        return [.. answers];
    }

    /// <summary>What the embedded scraper said, and when, and which cluster it knew.</summary>
    private sealed record Sight(string Path, DateTimeOffset At, ClusterSnapshot Cluster, IReadOnlyList<TrafficItem> Items);
}
