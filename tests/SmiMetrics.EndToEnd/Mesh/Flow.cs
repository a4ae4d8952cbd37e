namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>What a share of a flow's requests is answered with.</summary>
/// <param name="Grpc">The gRPC status as a number; null for plain HTTP.</param>
/// <param name="Fails">Whether both meshes' conventions call it a failure.</param>
internal sealed record Reply(double Share, string Code, bool Fails, string? Grpc = null);

/// <summary>A share of requests that take this long.</summary>
internal sealed record Duration(double Share, double Milliseconds);

/// <summary>Requests per second that succeed and fail. This, times the window, is what the server under test must say.</summary>
internal readonly record struct Rates(double Success, double Failure)
{
    public static Rates operator +(Rates one, Rates other) => new(one.Success + other.Success, one.Failure + other.Failure);

    public static Rates operator *(Rates rates, double factor) => new(rates.Success * factor, rates.Failure * factor);
}

/// <summary>Requests that one workload makes of another, evenly from each of its pods to each of the other's.</summary>
/// <param name="Service">The Service, in the receiver's namespace, that the callers name; null when they go to pods directly.</param>
internal sealed record Flow(
    Workload From, Workload To, string? Service, double PerSecond, IReadOnlyList<Reply> Replies, IReadOnlyList<Duration> Durations)
{
    public Rates Rates => new(
        PerSecond * Replies.Where(reply => !reply.Fails).Sum(reply => reply.Share),
        PerSecond * Replies.Where(reply => reply.Fails).Sum(reply => reply.Share));

    /// <summary>The rates between one pod of the sender and one of the receiver.</summary>
    public Rates RatesBetweenPods => Rates * (1.0 / (From.Pods.Count * To.Pods.Count));
}
