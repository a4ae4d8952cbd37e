using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class BackoffTests
{
    [Fact]
    public void It_doubles_from_0_8_to_30_seconds_with_jitter_of_a_half()
    {
        double[] bases = [0.8, 1.6, 3.2, 6.4, 12.8, 20, 20, 20];
        HashSet<TimeSpan> seen = [];
        for (int seed = 0; seed < 200; seed++)
        {
            Backoff backoff = new(new Random(seed));
            foreach (double expected in bases)
            {
                TimeSpan next = backoff.Next();
                Assert.InRange(next.TotalSeconds, expected, expected * 1.5);
                seen.Add(next);
            }
        }

        Assert.True(seen.Count > 1000);
    }

    [Fact]
    public void It_never_exceeds_30_seconds_and_starts_over_after_a_success()
    {
        Backoff backoff = new(new Random(1));
        for (int i = 0; i < 5000; i++)
        {
            Assert.True(backoff.Next() <= TimeSpan.FromSeconds(30));
        }

        backoff.Reset();
        Assert.InRange(backoff.Next().TotalSeconds, 0.8, 1.2);
    }
}
