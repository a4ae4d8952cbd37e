using System.Collections.Frozen;
using System.Runtime.InteropServices;

namespace SmiMetrics.Kubernetes;

/// <summary>
/// The controller of an object, as its owner reference names it. It may be of a kind that we do not know (an Argo Rollout). A kind
/// of another API group than the well-known one of that name carries its group (<c>StatefulSet.apps.kruise.io</c>).
/// </summary>
internal readonly record struct ObjectOwner(string Kind, string Name);

/// <summary>What we keep of any object.</summary>
internal record ClusterObject(ObjectKey Key, IReadOnlyDictionary<string, string> Labels, ObjectOwner? Owner);

/// <summary>What we keep of a pod. <paramref name="NodeName"/> is empty before scheduling; <paramref name="Phase"/> is as in PodStatus.</summary>
internal sealed record Pod(ObjectKey Key, IReadOnlyDictionary<string, string> Labels, ObjectOwner? Owner, string NodeName, string Phase, string Ip)
    : ClusterObject(Key, Labels, Owner)
{
    /// <summary>The phase in which its containers run.</summary>
    public const string Running = "Running";

    /// <summary>
    /// The containers that run as long as the pod does: the ordinary ones, then native sidecars. Pods of a template share one object.
    /// </summary>
    public PodContainers Containers { get; init; } = PodContainers.None;
}

/// <summary>The containers of a pod template, equal by content.</summary>
internal sealed record PodContainers(IReadOnlyList<PodContainer> List)
{
    public static readonly PodContainers None = new([]);

    public bool Equals(PodContainers? other) => other is not null && List.SequenceEqual(other.List);

    public override int GetHashCode() => List.Aggregate(0, HashCode.Combine);
}

/// <summary>A container, equal by content.</summary>
internal sealed record PodContainer(string Name, IReadOnlyList<ContainerPort> Ports)
{
    public bool Equals(PodContainer? other) => other is not null && Name == other.Name && Ports.SequenceEqual(other.Ports);

    public override int GetHashCode() => Ports.Aggregate(Name.GetHashCode(), HashCode.Combine);
}

/// <summary>A declared port. <paramref name="Name"/> is empty when it has none.</summary>
internal readonly record struct ContainerPort(string Name, int Number);

/// <summary>An EndpointSlice: the pods that stand behind <paramref name="Service"/> now.</summary>
internal sealed record EndpointSlice(ObjectKey Key, string Service, IReadOnlyList<string> Pods);

/// <summary>
/// What was deleted so recently that its traffic is still within a query window. It has owners and belongs to them as before, but
/// it does not exist.
/// </summary>
/// <param name="Objects">By kind, as in a snapshot. An object that exists again is ignored here.</param>
/// <param name="EndpointSlices">Which of the pods in <paramref name="Objects"/> stood behind which Service. Pods that exist are ignored.</param>
internal sealed record Departed(
    IReadOnlyDictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> Objects,
    IReadOnlyCollection<EndpointSlice> EndpointSlices)
{
    public static readonly Departed None = new(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>(), []);
}

/// <summary>
/// The cluster at one moment, never changed once published. Everything here is O(1) or linear in what it returns.
/// </summary>
internal sealed class ClusterSnapshot
{
    /// <summary>Stands for "no cluster": nothing is known, so names come from series labels alone.</summary>
    public static readonly ClusterSnapshot None = new(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>(), []);

    private readonly Dictionary<ResourceKind, ObjectTable> _tables = [];
    private readonly Dictionary<ObjectKey, PodEntry> _pods;
    private readonly Dictionary<ObjectRef, List<Pod>> _podsOf = [];
    private readonly IReadOnlyDictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> _departed;

    /// <param name="objects">All objects by kind; those of <see cref="ResourceKind.Pod"/> are <see cref="Pod"/>s.</param>
    /// <param name="endpointSlices">Which pods stand behind which Service.</param>
    public ClusterSnapshot(
        IReadOnlyDictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> objects,
        IReadOnlyCollection<EndpointSlice> endpointSlices)
        : this(objects, endpointSlices, Departed.None)
    {
    }

    /// <inheritdoc cref="ClusterSnapshot(IReadOnlyDictionary{ResourceKind, IReadOnlyCollection{ClusterObject}}, IReadOnlyCollection{EndpointSlice})"/>
    /// <param name="departed">
    /// Answers of <see cref="PodsOf"/> and <see cref="ForPod"/> contain these; <see cref="List"/>, <see cref="Find"/> and
    /// <see cref="Contains"/> do not know them.
    /// </param>
    public ClusterSnapshot(
        IReadOnlyDictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> objects,
        IReadOnlyCollection<EndpointSlice> endpointSlices,
        Departed departed)
    {
        _departed = departed.Objects;
        foreach ((ResourceKind kind, IReadOnlyCollection<ClusterObject> collection) in objects)
        {
            _tables.Add(kind, new ObjectTable(collection));
        }

        Dictionary<ObjectRef, ClusterObject> departedOwners = departed.Objects
            .Where(entry => IsWorkload(entry.Key))
            .SelectMany(entry => entry.Value.Select(owner => KeyValuePair.Create(new ObjectRef(entry.Key, owner.Key), owner)))
            .ToDictionary();

        IReadOnlyList<ClusterObject> pods = List(ResourceKind.Pod, @namespace: null);
        IReadOnlyCollection<ClusterObject> departedPods = departed.Objects.GetValueOrDefault(ResourceKind.Pod, []);
        _pods = new Dictionary<ObjectKey, PodEntry>(pods.Count + departedPods.Count);
        Dictionary<ObjectRef, ObjectRef[]> chains = [];
        foreach (ClusterObject pod in pods.Concat(departedPods))
        {
            Add((Pod)pod, chains, departedOwners);
        }

        AddEndpoints(endpointSlices, departedToo: true);
        AddEndpoints(departed.EndpointSlices, departedToo: false);

        void AddEndpoints(IReadOnlyCollection<EndpointSlice> slices, bool departedToo)
        {
            foreach (EndpointSlice slice in slices)
            {
                ObjectRef service = new(ResourceKind.Service, slice.Key.Namespace, slice.Service);
                foreach (string name in slice.Pods)
                {
                    ObjectKey key = new(slice.Key.Namespace, name);
                    if (_pods.TryGetValue(key, out PodEntry? entry) && (departedToo || !Contains(new ObjectRef(ResourceKind.Pod, key))))
                    {
                        AddService(entry, service);
                    }
                }
            }
        }
    }

    /// <summary>Kinds that could not be read at all: that there are no objects of them here says nothing.</summary>
    public IReadOnlySet<ResourceKind> Unread { get; init; } = FrozenSet<ResourceKind>.Empty;

    /// <summary>False only for <see cref="None"/>.</summary>
    public bool HasCluster => !ReferenceEquals(this, None);

    public bool Contains(ObjectRef reference) => Find(reference) is not null;

    public ClusterObject? Find(ObjectRef reference) =>
        _tables.TryGetValue(reference.Kind, out ObjectTable? table) ? table.Find(reference.Key) : null;

    /// <summary>The objects of a kind in a namespace, or in all when it is null; ordered by namespace, then name (ordinal).</summary>
    public IReadOnlyList<ClusterObject> List(ResourceKind kind, string? @namespace) =>
        _tables.TryGetValue(kind, out ObjectTable? table) ? table.List(@namespace) : [];

    /// <summary>
    /// The objects of a kind that have this name, in whichever namespaces, and those that had it moments ago: their traffic is still within a
    /// window, and must not become that of a namesake.
    /// </summary>
    public IEnumerable<ObjectKey> Named(ResourceKind kind, string name) =>
        (_tables.TryGetValue(kind, out ObjectTable? table) ? table.Named(name) : [])
            .Concat(Gone(kind).Where(gone => gone.Key.Name == name))
            .Select(named => named.Key)
            .Distinct();

    /// <summary>Whether an object exists, or did moments ago.</summary>
    public bool Knew(ObjectRef reference) => Contains(reference) || Gone(reference.Kind).Any(gone => gone.Key == reference.Key);

    /// <summary>The objects of a kind that were deleted so recently that their traffic is still within a window.</summary>
    public IEnumerable<ClusterObject> Gone(ResourceKind kind) => _departed.GetValueOrDefault(kind, []);

    /// <summary>
    /// The pods that belong to an object: for a workload those it owns directly or through a ReplicaSet or Job, for a Service those
    /// behind it, for a node those on it, for a namespace those in it, for a pod itself. Pods that were deleted moments ago are
    /// among them. The object itself need not be known: a pod names its owner even if that was never listed.
    /// </summary>
    public IReadOnlyList<Pod> PodsOf(ObjectRef reference) =>
        reference.Kind == ResourceKind.Pod
            ? _pods.TryGetValue(reference.Key, out PodEntry? entry) ? [entry.Pod] : []
            : _podsOf.TryGetValue(reference, out List<Pod>? pods) ? pods : [];

    /// <summary>
    /// The objects of <paramref name="kind"/> that a pod belongs to, the inverse of <see cref="PodsOf"/>. Empty when the pod is
    /// not known or has none; more than one only for Services.
    /// </summary>
    public IReadOnlyList<ObjectRef> ForPod(ObjectKey pod, ResourceKind kind)
    {
        if (!_pods.TryGetValue(pod, out PodEntry? entry))
        {
            return [];
        }

        if (kind == ResourceKind.Pod)
        {
            return [new ObjectRef(kind, pod)];
        }

        if (kind == ResourceKind.Namespace)
        {
            return [NamespaceOf(entry.Pod)];
        }

        if (kind == ResourceKind.Node)
        {
            return entry.Pod.NodeName.Length == 0 ? [] : [NodeOf(entry.Pod)];
        }

        if (kind == ResourceKind.Service)
        {
            return entry.Services ?? [];
        }

        foreach (ObjectRef owner in entry.Owners)
        {
            if (owner.Kind == kind)
            {
                return [owner];
            }
        }

        return [];
    }

    private void Add(Pod pod, Dictionary<ObjectRef, ObjectRef[]> chains, Dictionary<ObjectRef, ClusterObject> departedOwners)
    {
        ObjectRef[] owners = Chain(pod, chains, departedOwners);
        if (!_pods.TryAdd(pod.Key, new PodEntry(pod, owners)))
        {
            return; // Departed, and back under the same name: a StatefulSet's pod.
        }

        PodsFor(NamespaceOf(pod)).Add(pod);
        if (pod.NodeName.Length > 0)
        {
            PodsFor(NodeOf(pod)).Add(pod);
        }

        foreach (ObjectRef owner in owners)
        {
            PodsFor(owner).Add(pod);
        }
    }

    private void AddService(PodEntry entry, ObjectRef service)
    {
        entry.Services ??= [];
        // A Service with two address families, or many pods, has several slices; the same pod may be in two of them.
        if (!entry.Services.Contains(service))
        {
            entry.Services.Add(service);
            PodsFor(service).Add(entry.Pod);
        }
    }

    private List<Pod> PodsFor(ObjectRef reference) =>
        CollectionsMarshal.GetValueRefOrAddDefault(_podsOf, reference, out _) ??= [];

    /// <summary>The workloads above a pod, nearest first. Pods of one owner share one array.</summary>
    private ObjectRef[] Chain(Pod pod, Dictionary<ObjectRef, ObjectRef[]> chains, Dictionary<ObjectRef, ClusterObject> departedOwners)
    {
        if (WorkloadAbove(pod) is not { } first)
        {
            return [];
        }

        if (chains.TryGetValue(first, out ObjectRef[]? known))
        {
            return known;
        }

        List<ObjectRef> chain = [];
        // Nothing forbids owner references that go round in a circle.
        for (ObjectRef? next = first; next is { } workload && !chain.Contains(workload);)
        {
            chain.Add(workload);
            ClusterObject? found = Find(workload) ?? departedOwners.GetValueOrDefault(workload);
            next = found is null ? null : WorkloadAbove(found);
        }

        return chains[first] = [.. chain];
    }

    // Owner references carry no namespace: an owner is in the namespace of what it owns, or it is cluster-scoped, like the Node
    // that owns a mirror pod, and then no workload.
    private static ObjectRef? WorkloadAbove(ClusterObject owned) =>
        owned.Owner is { } owner && ResourceKind.FromKind(owner.Kind) is { } kind && IsWorkload(kind)
            ? new ObjectRef(kind, owned.Key.Namespace, owner.Name)
            : null;

    private static bool IsWorkload(ResourceKind kind) =>
        kind.Namespaced && kind != ResourceKind.Pod && kind != ResourceKind.Service;

    private static ObjectRef NamespaceOf(Pod pod) => new(ResourceKind.Namespace, "", pod.Key.Namespace);

    private static ObjectRef NodeOf(Pod pod) => new(ResourceKind.Node, "", pod.NodeName);

    private sealed class PodEntry(Pod pod, ObjectRef[] owners)
    {
        public Pod Pod => pod;

        public ObjectRef[] Owners => owners;

        public List<ObjectRef>? Services { get; set; }
    }

    /// <summary>The objects of one kind: by key, in order, and where in that order each namespace lies.</summary>
    private sealed class ObjectTable
    {
        private readonly ClusterObject[] _ordered;
        private readonly Dictionary<ObjectKey, ClusterObject> _byKey;
        private readonly Dictionary<string, ArraySegment<ClusterObject>> _byNamespace = [];

        // Few meshes need it.
        private readonly Lazy<ILookup<string, ClusterObject>> _byName;

        public ObjectTable(IReadOnlyCollection<ClusterObject> objects)
        {
            _byKey = new Dictionary<ObjectKey, ClusterObject>(objects.Count);
            foreach (ClusterObject one in objects)
            {
                _byKey[one.Key] = one;
            }

            _ordered = [.. _byKey.Values];
            _byName = new(() => _ordered.ToLookup(item => item.Key.Name));
            Array.Sort(_ordered, ByNamespaceThenName);
            for (int start = 0, end; start < _ordered.Length; start = end)
            {
                string @namespace = _ordered[start].Key.Namespace;
                for (end = start + 1; end < _ordered.Length && _ordered[end].Key.Namespace == @namespace;)
                {
                    end++;
                }

                _byNamespace.Add(@namespace, new ArraySegment<ClusterObject>(_ordered, start, end - start));
            }
        }

        public ClusterObject? Find(ObjectKey key) => _byKey.GetValueOrDefault(key);

        public IEnumerable<ClusterObject> Named(string name) => _byName.Value[name];

        public IReadOnlyList<ClusterObject> List(string? @namespace) =>
            @namespace is null ? _ordered : _byNamespace.GetValueOrDefault(@namespace, ArraySegment<ClusterObject>.Empty);

        private static int ByNamespaceThenName(ClusterObject left, ClusterObject right)
        {
            int byNamespace = string.CompareOrdinal(left.Key.Namespace, right.Key.Namespace);
            return byNamespace != 0 ? byNamespace : string.CompareOrdinal(left.Key.Name, right.Key.Name);
        }
    }
}
