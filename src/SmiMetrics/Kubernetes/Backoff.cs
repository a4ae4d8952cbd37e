namespace SmiMetrics.Kubernetes;

/// <summary>
/// How long to wait after failures in a row: 0.8 s, doubled by each, and each lengthened at random by up to a half, so that
/// replicas do not return at the same moment; never above 30 s. The bounds are client-go's (tools/cache/reflector.go).
/// </summary>
internal sealed class Backoff(Random random)
{
    public static readonly TimeSpan Shortest = TimeSpan.FromSeconds(0.8);
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private int _failures;

    public TimeSpan Next()
    {
        double seconds = Shortest.TotalSeconds * Math.Pow(2, Math.Min(Interlocked.Increment(ref _failures) - 1, 10));
        return Lengthen(TimeSpan.FromSeconds(Math.Min(seconds, Longest.TotalSeconds / 1.5)), random);
    }

    public void Reset() => Interlocked.Exchange(ref _failures, 0);

    /// <returns>Between <paramref name="time"/> and one and a half of it.</returns>
    public static TimeSpan Lengthen(TimeSpan time, Random random) => time * (1 + (random.NextDouble() / 2));
}
