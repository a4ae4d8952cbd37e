namespace SmiMetrics.Kubernetes;

/// <summary>
/// How the requests to a Service are shared out: an SMI TrafficSplit (split.smi-spec.io), or a Gateway API HTTPRoute whose rules have
/// weighted backends (gateway.networking.k8s.io).
/// </summary>
/// <param name="Apex">The Service (of a route: the parent, whatever it is) whose requests are shared out.</param>
/// <param name="Backends">Each once, in their order.</param>
internal sealed record TrafficSplit(ObjectKey Key, IReadOnlyDictionary<string, string> Labels, ResourceKind Kind, string Apex, IReadOnlyList<SplitBackend> Backends)
    : ClusterObject(Key, Labels, Owner: null)
{
    public ObjectRef Reference => new(Kind, Key);

    public bool Equals(TrafficSplit? other) =>
        other is not null && Key == other.Key && Labels.Equals(other.Labels) && Kind == other.Kind && Apex == other.Apex && Backends.SequenceEqual(other.Backends);

    public override int GetHashCode() => HashCode.Combine(Key, Kind, Apex, Backends.Count);
}

/// <summary>A Service that gets a share of the requests.</summary>
/// <param name="Weight">As written; what share that is depends on the weights of the others.</param>
internal sealed record SplitBackend(string Apex, string Namespace, string Name, int Weight);
