using SmiMetrics.Kubernetes;

namespace SmiMetrics.Demo;

/// <summary>What there is in the simulated cluster and who calls whom: declared, and true at every moment.</summary>
internal sealed record World(IReadOnlyList<string> Nodes, IReadOnlyList<Workload> Workloads, IReadOnlyList<Flow> Flows);

/// <summary>Something that owns pods, each with a proxy of the mesh. Of kind CronJob the pods belong to the Job of the moment.</summary>
/// <param name="Pods">How many serve at any moment.</param>
internal sealed record Workload(ResourceKind Kind, string Namespace, string Name, int Pods)
{
    /// <summary>The Service, in the same namespace, that its pods stand behind; null for none.</summary>
    public string? Service { get; init; }

    /// <summary>Its label <c>app</c>, which several versions of an application share.</summary>
    public string App { get; init; } = Name;

    /// <summary>Its label <c>version</c>; null for none.</summary>
    public string? Version { get; init; }

    /// <summary>
    /// How often all its pods are replaced, by those of a new ReplicaSet or of the CronJob's next Job; null for never. The new ones serve
    /// from the very moment at which the old ones stop, so that <paramref name="Pods"/> serve at every moment.
    /// </summary>
    public TimeSpan? ReplacedEvery { get; init; }
}

/// <summary>Requests that one workload makes of another: evenly from each of its pods to each of the other's, in turn.</summary>
/// <param name="From">Null for somebody without a proxy, outside of the mesh.</param>
/// <param name="PerSecond">While there are any: all the time, unless they come in bursts.</param>
internal sealed record Flow(Workload? From, Workload To, double PerSecond, IReadOnlyList<Reply> Replies, Latency Latency)
{
    /// <summary>Null for a steady flow.</summary>
    public Bursts? Bursts { get; init; }

    /// <summary>Whether the requests are gRPC, by the replies.</summary>
    public bool Grpc => Replies[0].GrpcStatus is not null;

    /// <summary>How many requests have been made since the world began.</summary>
    public long RequestsUntil(TimeSpan age)
    {
        TimeSpan busy = Bursts is { } bursts ? bursts.BusyUntil(age) : age;
        return (long)Math.Floor(PerSecond * busy.TotalSeconds);
    }
}

/// <summary>Traffic for the first <paramref name="Length"/> of every <paramref name="Period"/>, none for the rest of it.</summary>
internal sealed record Bursts(TimeSpan Length, TimeSpan Period)
{
    public TimeSpan BusyUntil(TimeSpan age)
    {
        TimeSpan into = TimeSpan.FromTicks(age.Ticks % Period.Ticks);
        return (Length * (age.Ticks / Period.Ticks)) + (into < Length ? into : Length);
    }
}

/// <summary>What a share of requests is answered with.</summary>
/// <param name="Share">A multiple of 1/1000; those of a flow add up to 1.</param>
/// <param name="GrpcStatus">The number of the gRPC status; null for plain HTTP.</param>
/// <param name="Failure">Whether the meshes call it a failure.</param>
internal sealed record Reply(double Share, string StatusCode, string? GrpcStatus, bool Failure);

/// <summary>
/// How long requests take, in milliseconds: half of them up to <paramref name="P50"/>, nine of ten up to <paramref name="P90"/>, 99 of 100
/// up to <paramref name="P99"/>, all up to twice that, and evenly in between. Where the three are bounds of a mesh's buckets, and all of
/// 1, 5, 10, 50, 100, 500 and 1000 are in Linkerd's and Istio's, they are exactly the percentiles that a server must find.
/// </summary>
internal sealed record Latency(double P50, double P90, double P99)
{
    /// <param name="quantile">From 0 to 1.</param>
    public double At(double quantile) => quantile switch
    {
        < 0.5 => P50 * quantile / 0.5,
        < 0.9 => P50 + ((P90 - P50) * (quantile - 0.5) / 0.4),
        < 0.99 => P90 + ((P99 - P90) * (quantile - 0.9) / 0.09),
        _ => P99 + (P99 * (quantile - 0.99) / 0.01),
    };
}
