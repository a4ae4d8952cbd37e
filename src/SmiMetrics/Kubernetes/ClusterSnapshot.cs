namespace SmiMetrics.Kubernetes;

/// <summary>The controller of an object, as its owner reference names it. It may be of a kind that we do not know (an Argo Rollout).</summary>
internal readonly record struct ObjectOwner(string Kind, string Name);

/// <summary>What we keep of any object.</summary>
internal record ClusterObject(ObjectKey Key, IReadOnlyDictionary<string, string> Labels, ObjectOwner? Owner);

/// <summary>What we keep of a pod. <paramref name="NodeName"/> is empty before scheduling; <paramref name="Phase"/> is as in PodStatus.</summary>
internal sealed record Pod(ObjectKey Key, IReadOnlyDictionary<string, string> Labels, ObjectOwner? Owner, string NodeName, string Phase, string Ip)
    : ClusterObject(Key, Labels, Owner);

/// <summary>An EndpointSlice: the pods that stand behind <paramref name="Service"/> now.</summary>
internal sealed record EndpointSlice(ObjectKey Key, string Service, IReadOnlyList<string> Pods);

/// <summary>
/// The cluster at one moment, never changed once published. Everything here is O(1) or linear in what it returns.
/// </summary>
internal sealed class ClusterSnapshot
{
    /// <summary>Stands for "no cluster": nothing is known, so names come from series labels alone.</summary>
    public static readonly ClusterSnapshot None = new(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>(), []);

    /// <param name="objects">All objects by kind; those of <see cref="ResourceKind.Pod"/> are <see cref="Pod"/>s.</param>
    /// <param name="endpointSlices">Which pods stand behind which Service.</param>
    public ClusterSnapshot(
        IReadOnlyDictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> objects,
        IReadOnlyCollection<EndpointSlice> endpointSlices)
    {
        throw new NotImplementedException();
    }

    /// <summary>False only for <see cref="None"/>.</summary>
    public bool HasCluster => !ReferenceEquals(this, None);

    public bool Contains(ObjectRef reference) => throw new NotImplementedException();

    public ClusterObject? Find(ObjectRef reference) => throw new NotImplementedException();

    /// <summary>The objects of a kind in a namespace, or in all when it is null; ordered by namespace, then name (ordinal).</summary>
    public IReadOnlyList<ClusterObject> List(ResourceKind kind, string? @namespace) => throw new NotImplementedException();

    /// <summary>
    /// The pods that belong to an object: for a workload those it owns directly or through a ReplicaSet or Job, for a Service those
    /// behind it, for a node those on it, for a namespace those in it, for a pod itself.
    /// </summary>
    public IReadOnlyList<Pod> PodsOf(ObjectRef reference) => throw new NotImplementedException();

    /// <summary>
    /// The objects of <paramref name="kind"/> that a pod belongs to, the inverse of <see cref="PodsOf"/>. Empty when the pod is
    /// not known or has none; more than one only for Services.
    /// </summary>
    public IReadOnlyList<ObjectRef> ForPod(ObjectKey pod, ResourceKind kind) => throw new NotImplementedException();
}
