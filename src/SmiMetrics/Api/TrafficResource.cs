using SmiMetrics.Kubernetes;

namespace SmiMetrics.Api;

/// <summary>A resource of this API: whose traffic it is.</summary>
/// <param name="Name">As in URLs and RBAC rules: <c>deployments</c>.</param>
/// <param name="Singular">The name that kubectl also takes; empty to let it use the kind.</param>
/// <param name="Kind">
/// The kind in discovery. Every resource has its own: with the one for all that the SMI examples show, kubectl resolves any of them to the
/// last in the list and silently reads another resource.
/// </param>
/// <param name="Kinds">The kinds of objects in its lists.</param>
internal sealed record TrafficResource(string Name, string Singular, string Kind, bool Namespaced, IReadOnlyList<ResourceKind> Kinds)
{
    /// <summary>The kind of all objects, whatever resource they are read from, as the SMI SDK has it.</summary>
    public const string ObjectKind = "TrafficMetrics";

    /// <summary>What <c>kubectl get traffic</c> gets: everything about a namespace once, workloads and edges.</summary>
    private const string Category = "traffic";

    /// <summary>
    /// Every workload of a namespace in one list, so that <c>kubectl get trafficmetrics</c> means something. Its names are
    /// <c>KIND.NAME</c>. It also gives kubectl a resource with the kind that all objects have: without one, <c>-o yaml</c> fails.
    /// </summary>
    public static readonly TrafficResource Workloads = new(
        "trafficmetrics",
        "",
        ObjectKind,
        Namespaced: true,
        [
            ResourceKind.Deployment, ResourceKind.StatefulSet, ResourceKind.DaemonSet, ResourceKind.ReplicationController, ResourceKind.CronJob, ResourceKind.Job,
            ResourceKind.ReplicaSet,
        ])
    {
        ShortNames = ["tm"],
        Categories = [Category],
    };

    /// <summary>The traffic between all workloads of a namespace, or of the cluster, and their peers: lists only.</summary>
    public static readonly TrafficResource Graph = new("trafficedges", "", "TrafficEdge", Namespaced: true, Workloads.Kinds) { ShortNames = ["te"], Categories = [Category] };

    /// <summary>The meshes that are looked for, and how they were found. Their objects are no TrafficMetrics.</summary>
    public static readonly TrafficResource Meshes = new("meshes", "mesh", "Mesh", Namespaced: false, []);

    /// <summary>What client-gen makes of the kind TrafficMetrics: the clients of the SMI SDK ask for it. Not in discovery; RBAC judges it by this name.</summary>
    private const string WorkloadsOfTheSdk = "trafficmetricses";

    /// <summary>All resources, in the order in which discovery lists them.</summary>
    public static readonly IReadOnlyList<TrafficResource> All =
    [
        .. ResourceKind.Watched.Select(kind =>
            new TrafficResource(kind.Resource, kind.Kind.ToLowerInvariant(), kind.Kind + ObjectKind, kind.Namespaced, [kind])),
        Workloads,
        Graph,
        Meshes,
    ];

    public static TrafficResource Namespaces { get; } = All.First(resource => resource.Kinds is [var kind] && kind == ResourceKind.Namespace);

    /// <summary>What kubectl also takes for the name. None that Kubernetes uses: kubectl would warn, and take the first that it finds.</summary>
    public IReadOnlyList<string> ShortNames { get; init; } = [];

    /// <summary>The words by which kubectl gets several resources at once. Never <c>all</c>: nobody means these by it.</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <returns>The resource of this name, or null.</returns>
    public static TrafficResource? Find(string name) =>
        name == WorkloadsOfTheSdk ? Workloads : All.FirstOrDefault(resource => resource.Name == name);

    /// <summary>Whether it is about traffic splits. Each of its objects has an item for every backend, so one alone is a list too.</summary>
    public bool IsSplit => Kinds is [var kind] && ResourceKind.Splits.Contains(kind);

    /// <summary>Whether its objects have edges to ask for.</summary>
    public bool HasEdges => Kinds.Count == 1 && !IsSplit;

    /// <summary>Whether a single object can be asked for by its name.</summary>
    public bool HasNames => this != Graph;

    /// <summary>What can be done with it. Nothing else is true, and controllers that see <c>delete</c> or <c>watch</c> would try them.</summary>
    public IReadOnlyList<string> Verbs => HasNames ? ["get", "list"] : ["list"];

    /// <summary>What an object is called in this resource.</summary>
    public string NameOf(ObjectRef reference) =>
        this == Workloads ? $"{reference.Kind.Kind.ToLowerInvariant()}.{reference.Name}" : reference.Name;

    /// <summary>The object that is called so; null when nothing can be.</summary>
    public ObjectRef? Resolve(string? @namespace, string name)
    {
        if (this != Workloads)
        {
            return new ObjectRef(Kinds[0], @namespace ?? "", name);
        }

        // Names may have dots, kinds have none.
        string[] parts = name.Split('.', 2);
        return parts is [var prefix, var rest] && Kinds.FirstOrDefault(kind => kind.Kind.Equals(prefix, StringComparison.OrdinalIgnoreCase)) is { } found
            ? new ObjectRef(found, @namespace ?? "", rest)
            : null;
    }
}
