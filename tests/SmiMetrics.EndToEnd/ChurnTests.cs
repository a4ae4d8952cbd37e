using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>The embedded scraper while proxies, series and pods come and go.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class ChurnTests(World world, Churn churn) : WorldTest(world), IClassFixture<Churn>
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>Of two who scrape the same proxies at other moments: counters count whole requests, and what is at a window's ends is extrapolated.</summary>
    private const double ScraperTolerance = 0.01;

    [Fact]
    public void A_Prometheus_that_holds_the_same_samples_says_the_same()
    {
        int compared = 0;
        foreach (Observation observation in churn.Observations)
        {
            string what = $"{observation.Mesh.Name} {observation.Path}";
            Dictionary<string, TrafficItem> prometheus = observation.SameSamples.ToDictionary(item => item.Key);
            Assert.True(
                prometheus.Keys.Order(StringComparer.Ordinal).SequenceEqual(observation.Scraped.Select(item => item.Key).Order(StringComparer.Ordinal)),
                $"{what}\n  Prometheus: {string.Join("; ", prometheus.Keys.Order())}\n  the scraper: {string.Join("; ", observation.Scraped.Select(item => item.Key).Order())}");
            foreach (TrafficItem item in observation.Scraped)
            {
                Assert.Equal(prometheus[item.Key].Timestamp, item.Timestamp);
                item.AssertSameNumbers(prometheus[item.Key], what);
                compared += item.IsWithoutTraffic ? 0 : 1;
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
    public void A_Prometheus_that_scrapes_at_other_moments_says_the_same_but_for_the_moments_of_scrapes()
    {
        int exact = 0;
        foreach (Observation observation in churn.Observations)
        {
            Dictionary<string, TrafficItem> prometheus = observation.OtherSamples.ToDictionary(item => item.Key);
            Dictionary<string, TrafficItem> scraped = observation.Scraped.ToDictionary(item => item.Key);
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
                        Math.Abs(actual - expected) <= (ScraperTolerance * expected) + granted,
                        $"{observation.Mesh.Name} {observation.Path} {key}: Prometheus says {expected}, the scraper {actual}, {granted} granted\n{any}");
                }
            }
        }

        Assert.True(exact > 20, $"only {exact} objects had no turn in their window");
    }

    private Rates Slack(MeshUnderTest mesh, TrafficItem item)
    {
        (DateTimeOffset from, DateTimeOffset to) = (item.Timestamp - item.Window, item.Timestamp);
        bool Shows(Turn turn) => turn.Until is { } until
            ? (turn.At < from + Interval && until > from - Interval) || (turn.At < to && until > to - Interval)
            : turn.At > from - Interval && turn.At < to;
        // One of the two may have a sample from before, and so the traffic of the time between.
        static TimeSpan Away(Turn turn) => turn.Until - turn.At ?? TimeSpan.Zero;
        string name = item.Peer ?? item.Name;
        bool Concerns(SimulatedPod pod) => pod.Workload.Namespace == mesh.Topology.First && name == (item.Kind == "Pod" ? pod.Name : pod.Workload.Name);
        return churn.Turns
            .Where(turn => Concerns(turn.Pod) && (turn.Side ?? item.Side) == item.Side && Shows(turn))
            .Aggregate(default(Rates), (sum, turn) => sum + (mesh.Topology.Received(pod => pod == turn.Pod) * (Interval + Away(turn)).TotalSeconds));
    }
}
