using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>The embedded scraper while proxies, series and pods come and go.</summary>
[Collection(FirstAndLast.OwnTraffic)]
public sealed class ChurnTests(World world, Churn churn) : WorldTest(world), IClassFixture<Churn>
{
    private static readonly TimeSpan OnItsWay = TimeSpan.FromMilliseconds(50);

    public override ValueTask InitializeAsync()
    {
        // Not the settled world of other tests.
        Assert.SkipWhen(World.Unable is not null, World.Unable ?? "");
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// The same samples, the same answers: what the scraper has seen, page by page, is given to a Prometheus, and whatever was churned must
    /// agree to one in a hundred like everything else, but for the traffic of a few milliseconds: the moment of a sample is when a scrape
    /// began, and the recording knows when it arrived.
    /// </summary>
    [Fact]
    public async Task A_Prometheus_that_has_seen_the_same_pages_says_the_same()
    {
        await using PrometheusServer history = await PrometheusServer.StartWithHistoryAsync(World.Programs, World.Workspace, "churn", churn.Seen(), Token);
        int compared = 0;
        foreach (Observation observation in churn.Observations)
        {
            foreach (TrafficItem item in observation.Scraped)
            {
                if (Expectation(observation.Mesh, item) is not (var buckets, var rates))
                {
                    continue;
                }

                string what = $"{observation.Mesh.Name} {observation.Path} {item.Kind} {item.Name} {item.Peer}";
                string all = buckets.Replace("}", ",le=\"+Inf\"}", StringComparison.Ordinal);
                double expected = await history.QueryAsync($"sum(increase({all}[{item.Window.TotalSeconds:0}s]))", item.Timestamp, Token) ?? 0;
                double actual = item.Value(3) + item.Value(4);
                double granted = (rates.Success + rates.Failure) * OnItsWay.TotalSeconds;
                Assert.True(Math.Abs(actual - expected) <= (TrafficItem.ScraperTolerance * expected) + granted, $"{what}: Prometheus says {expected}, the scraper {actual}\n{item}");
                if (expected > 0)
                {
                    item.AssertPercentilesBetween(
                        await history.PercentilesAsync(buckets, item.Window, item.Timestamp, -TrafficItem.RankTolerance, Token),
                        await history.PercentilesAsync(buckets, item.Window, item.Timestamp, TrafficItem.RankTolerance, Token),
                        what);
                    compared++;
                }
            }
        }

        Assert.True(compared > 100, $"only {compared} objects were compared");
    }

    /// <summary>
    /// Beside a Prometheus that scrapes for itself. The two take their samples at other moments within a second, so whenever an object's
    /// traffic, or its visibility, turns within the window, one of them may see up to an interval of it that the other does not: that
    /// much, and no more, is granted for each turn. Without a turn in the window it is one in a hundred, and also if a proxy was away and is
    /// back; only where the window begins or ends about its absence may one of them miss all of that.
    /// </summary>
    [Fact]
    public void A_Prometheus_that_scrapes_at_the_same_time_says_the_same_but_for_the_moments_of_scrapes()
    {
        int exact = 0;
        foreach (Observation observation in churn.Observations)
        {
            Dictionary<string, TrafficItem> prometheus = observation.Prometheus.ToDictionary(Key);
            Dictionary<string, TrafficItem> scraped = observation.Scraped.ToDictionary(Key);
            foreach (string key in prometheus.Keys.Union(scraped.Keys))
            {
                // A pod that is gone is known as long as there are two samples of it, and so may be missing from one of the answers.
                TrafficItem any = scraped.GetValueOrDefault(key) ?? prometheus[key];
                Rates slack = Slack(observation.Mesh, any);
                exact += slack == default && !any.IsWithoutTraffic ? 1 : 0;
                foreach ((int index, double granted) in ((int, double)[])[(3, slack.Success), (4, slack.Failure)])
                {
                    double expected = prometheus.GetValueOrDefault(key)?.Value(index) ?? 0;
                    double actual = scraped.GetValueOrDefault(key)?.Value(index) ?? 0;
                    Assert.True(
                        Math.Abs(actual - expected) <= (TrafficItem.ScraperTolerance * expected) + granted,
                        $"{observation.Mesh.Name} {observation.Path} {key}: Prometheus says {expected}, the scraper {actual}, {granted} granted\n{any}");
                }
            }
        }

        Assert.True(exact > 20, $"only {exact} objects had no turn in their window");
    }

    private static string Key(TrafficItem item) => $"{item.Kind} {item.Namespace}/{item.Name} {item.Peer}";

    private static (string Buckets, Rates Rates)? Expectation(MeshUnderTest mesh, TrafficItem item)
    {
        string resource = $"{item.Kind.ToLowerInvariant()}s";
        Target target = mesh.AllTargets(resource).Single(target => target.Name == item.Name);
        if (item.Peer is null)
        {
            return (mesh.Buckets(target), mesh.Received(target));
        }

        return mesh.Edges(target).SingleOrDefault(edge => edge.Key == item.EdgeKey) is { } edge ? (edge.Buckets, edge.Rates) : null;
    }

    private Rates Slack(MeshUnderTest mesh, TrafficItem item)
    {
        // Nobody scrapes to the millisecond.
        TimeSpan interval = PrometheusServer.ScrapeInterval * 1.25;
        (DateTimeOffset from, DateTimeOffset to) = (item.Timestamp - item.Window, item.Timestamp);
        bool Shows(Turn turn) => turn.Until is { } until
            ? (turn.At < from + interval && until > from - interval) || (turn.At < to && until > to - interval)
            : turn.At > from - interval && turn.At < to;
        // One of the two may have a sample from before, and so the traffic of the time between.
        static TimeSpan Away(Turn turn) => turn.Until - turn.At ?? TimeSpan.Zero;
        string name = item.Peer ?? item.Name;
        bool Concerns(SimulatedPod pod) => pod.Workload.Namespace == mesh.Topology.First && name == (item.Kind == "Pod" ? pod.Name : pod.Workload.Name);
        return churn.Turns
            .Where(turn => Concerns(turn.Pod) && (turn.Side ?? item.Side) == item.Side && Shows(turn))
            .Aggregate(default(Rates), (sum, turn) => sum + (mesh.Topology.Received(pod => pod == turn.Pod) * (interval + Away(turn)).TotalSeconds));
    }
}
