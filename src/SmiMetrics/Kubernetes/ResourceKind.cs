namespace SmiMetrics.Kubernetes;

/// <summary>A kind of Kubernetes object that traffic is attributed to. There is one instance a kind, so reference equality holds.</summary>
internal sealed class ResourceKind
{
    public static readonly ResourceKind Namespace = new("namespaces", "Namespace", "v1", namespaced: false);
    public static readonly ResourceKind Node = new("nodes", "Node", "v1", namespaced: false);
    public static readonly ResourceKind Pod = new("pods", "Pod", "v1");
    public static readonly ResourceKind Service = new("services", "Service", "v1");
    public static readonly ResourceKind Deployment = new("deployments", "Deployment", "apps/v1");
    public static readonly ResourceKind StatefulSet = new("statefulsets", "StatefulSet", "apps/v1");
    public static readonly ResourceKind DaemonSet = new("daemonsets", "DaemonSet", "apps/v1");
    public static readonly ResourceKind ReplicaSet = new("replicasets", "ReplicaSet", "apps/v1");
    public static readonly ResourceKind ReplicationController = new("replicationcontrollers", "ReplicationController", "v1");
    public static readonly ResourceKind Job = new("jobs", "Job", "batch/v1");
    public static readonly ResourceKind CronJob = new("cronjobs", "CronJob", "batch/v1");

    /// <summary>In any of its versions, which say the same in the fields that are read here.</summary>
    public static readonly ResourceKind TrafficSplit = new("trafficsplits", "TrafficSplit", "split.smi-spec.io/v1alpha4");
    public static readonly ResourceKind HttpRoute = new("httproutes", "HTTPRoute", "gateway.networking.k8s.io/v1");

    /// <summary>What shares out the requests to a Service. These own no pods, and no mesh names them as ends of requests.</summary>
    public static readonly IReadOnlyList<ResourceKind> Splits = [TrafficSplit, HttpRoute];

    /// <summary>Every kind that sends or receives requests, in the order in which discovery lists them.</summary>
    public static readonly IReadOnlyList<ResourceKind> All =
        [Namespace, Node, Pod, Service, Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob];

    /// <summary>Every kind that is read from the cluster.</summary>
    public static readonly IReadOnlyList<ResourceKind> Watched = [.. All, .. Splits];

    private ResourceKind(string resource, string kind, string apiVersion, bool namespaced = true)
    {
        Resource = resource;
        Kind = kind;
        ApiVersion = apiVersion;
        Namespaced = namespaced;
    }

    /// <summary>The plural, lower-case name that URLs and RBAC rules use: <c>deployments</c>.</summary>
    public string Resource { get; }

    /// <summary>The name in an object's <c>kind</c> field: <c>Deployment</c>.</summary>
    public string Kind { get; }

    /// <summary>The apiVersion that an ObjectReference to this kind carries: <c>apps/v1</c>.</summary>
    public string ApiVersion { get; }

    public bool Namespaced { get; }

    /// <returns>The kind with this plural name, or null.</returns>
    public static ResourceKind? FromResource(string resource) => All.FirstOrDefault(kind => kind.Resource == resource);

    /// <returns>The kind with this <see cref="Kind"/>, or null: owners may be of any kind that exists in the cluster.</returns>
    public static ResourceKind? FromKind(string kind) => All.FirstOrDefault(candidate => candidate.Kind == kind);

    public override string ToString() => Kind;
}

/// <summary>Names an object among those of its kind. <paramref name="Namespace"/> is empty for cluster-scoped kinds.</summary>
internal readonly record struct ObjectKey(string Namespace, string Name);

/// <summary>Names one object of the cluster.</summary>
internal readonly record struct ObjectRef(ResourceKind Kind, string Namespace, string Name)
{
    public ObjectRef(ResourceKind kind, ObjectKey key) : this(kind, key.Namespace, key.Name) { }

    public ObjectKey Key => new(Namespace, Name);

    public override string ToString() => Namespace.Length == 0 ? $"{Kind} {Name}" : $"{Kind} {Namespace}/{Name}";
}
