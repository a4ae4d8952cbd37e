namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>An object that the API has metrics for.</summary>
/// <param name="Resource">As in URLs.</param>
/// <param name="Namespace">Empty for cluster-scoped kinds.</param>
/// <param name="Owns">Which pods belong to it.</param>
/// <param name="Workload">The workload that it is; null for other kinds, and for ReplicaSets.</param>
internal sealed record Target(
    string Resource, string Kind, string ApiVersion, string Namespace, string Name, Func<SimulatedPod, bool> Owns, Workload? Workload = null)
{
    /// <summary>Its path below the API's version.</summary>
    public string Path => Namespace.Length == 0 ? $"/{Resource}/{Name}" : $"/namespaces/{Namespace}/{Resource}/{Name}";

    public override string ToString() => $"{Kind} {Namespace}/{Name}";
}

/// <summary>An edge that the traffic makes.</summary>
/// <param name="Side">Which end's proxy reports it.</param>
/// <param name="Buckets">The selector of the latency buckets behind it.</param>
internal sealed record ExpectedEdge(string Direction, string Side, string PeerKind, string PeerApiVersion, string PeerNamespace, string PeerName, Rates Rates, string Buckets)
{
    public string Key => $"{Direction} {PeerKind} {PeerNamespace}/{PeerName}";
}

/// <summary>
/// What must be true of a mesh's numbers. All of it follows from the topology and from what the mesh's proxies report, as their own
/// documentation has it; none of it from the server under test.
/// </summary>
internal abstract class MeshUnderTest(string name, Topology topology)
{
    public static readonly IReadOnlyList<string> Resources =
    [
        "namespaces", "nodes", "pods", "services", "deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers", "jobs",
    ];

    public static readonly IReadOnlyList<string> NamespacedResources = [.. Resources.Where(resource => resource is not ("namespaces" or "nodes"))];

    /// <summary>The kinds whose edges this mesh can tell.</summary>
    public abstract IReadOnlyList<string> ResourcesWithEdges { get; }

    /// <summary>As <c>--mesh</c> takes it.</summary>
    public string Name { get; } = name;

    public Topology Topology { get; } = topology;

    /// <summary>The objects of a kind that received traffic in this mesh.</summary>
    public IEnumerable<Target> Targets(string resource) => AllTargets(resource).Where(target => Received(target) != default);

    /// <summary>The objects of a kind that are part of this mesh.</summary>
    public IEnumerable<Target> AllTargets(string resource) => resource switch
    {
        "namespaces" => new[] { Topology.First, Topology.Second }.Select(name => new Target(resource, "Namespace", "v1", "", name, pod => pod.Workload.Namespace == name)),
        "nodes" => Topology.Nodes.Select(name => new Target(resource, "Node", "v1", "", name, pod => pod.Node == name)),
        "pods" => Topology.MeshedPods.Select(own => new Target(resource, "Pod", "v1", own.Workload.Namespace, own.Name, pod => pod == own)),
        "services" => Topology.Services.Select(service => new Target(resource, "Service", "v1", service.Namespace, service.Name, pod => pod.Workload == service.Workload)),
        "replicasets" => Topology.Meshed.Where(workload => workload.Kind == "Deployment").Select(workload =>
            new Target(resource, "ReplicaSet", "apps/v1", workload.Namespace, workload.ReplicaSet, pod => pod.Workload == workload)),
        _ => Topology.Meshed.Where(workload => $"{workload.Kind.ToLowerInvariant()}s" == resource).Select(workload =>
            new Target(resource, workload.Kind, ApiVersion(workload), workload.Namespace, workload.Name, pod => pod.Workload == workload, workload)),
    };

    public Target Find(string resource, string @namespace, string name) =>
        AllTargets(resource).Single(target => target.Namespace == @namespace && target.Name == name);

    /// <summary>The traffic that an object received, per second.</summary>
    public Rates Received(Target target) => target.Kind == "Service"
        ? FlowsOf(target).Where(CountsForServices).Aggregate(default(Rates), (sum, flow) => sum + flow.Rates)
        : Topology.Received(target.Owns);

    /// <summary>The selector of the latency buckets of the traffic that an object received.</summary>
    public abstract string Buckets(Target target);

    /// <summary>The edges of a workload, pod or namespace, but those from a namespace to itself.</summary>
    public IEnumerable<ExpectedEdge> Edges(Target target) => target.Kind switch
    {
        "Namespace" => Both(target, flow => flow.From.Namespace, flow => flow.To.Namespace, (direction, flows, peer) =>
            Edge(direction, "Namespace", "v1", "", peer, Sum(flows), NamespaceEdge(direction, target.Name, peer))),
        "Pod" => PodEdges(target),
        _ => Both(target, flow => flow.From, flow => flow.To, (direction, flows, peer) =>
            Edge(direction, peer.Kind, ApiVersion(peer), peer.Namespace, peer.Name, Sum(flows), WorkloadEdge(direction, target.Workload!, peer))),
    };

    /// <summary>Which end reports an edge of this direction.</summary>
    protected abstract string Side(string direction);

    protected abstract string WorkloadEdge(string direction, Workload own, Workload peer);

    protected abstract string NamespaceEdge(string direction, string own, string peer);

    protected virtual string PodEdge(SimulatedPod from, SimulatedPod to) => throw new NotSupportedException();

    protected abstract bool CountsForServices(Flow flow);

    protected IEnumerable<Flow> FlowsOf(Target service) =>
        Topology.Flows.Where(flow => flow.Service == service.Name && flow.To.Namespace == service.Namespace);

    /// <summary>The target's pods as a regular expression.</summary>
    protected string PodPattern(Target target) =>
        string.Join('|', Topology.MeshedPods.Where(target.Owns).Select(pod => pod.Name.Replace(".", @"\\.", StringComparison.Ordinal)));

    private static string ApiVersion(Workload workload) => workload.Kind switch
    {
        "Job" or "CronJob" => "batch/v1",
        "ReplicationController" => "v1",
        _ => "apps/v1",
    };

    private IEnumerable<ExpectedEdge> Both<T>(Target target, Func<Flow, T> from, Func<Flow, T> to, Func<string, IEnumerable<Flow>, T, ExpectedEdge> edge)
        where T : class
    {
        bool IsTarget(Workload workload) => target.Workload is null ? workload.Namespace == target.Name : workload == target.Workload;
        // A caller without a proxy shows in what was received, but nobody knows who it was.
        Flow[] known = [.. Topology.Flows.Where(flow => flow.From.Meshed && !from(flow).Equals(to(flow)))];
        return known.Where(flow => IsTarget(flow.From)).GroupBy(to).Select(flows => edge("to", flows, flows.Key))
            .Concat(known.Where(flow => IsTarget(flow.To)).GroupBy(from).Select(flows => edge("from", flows, flows.Key)));
    }

    private IEnumerable<ExpectedEdge> PodEdges(Target target)
    {
        foreach (Flow flow in Topology.Flows.Where(flow => flow.From.Meshed))
        {
            foreach (SimulatedPod from in flow.From.Pods)
            {
                foreach (SimulatedPod to in flow.To.Pods.Where(to => target.Owns(from) || target.Owns(to)))
                {
                    (string direction, SimulatedPod peer) = target.Owns(from) ? ("to", to) : ("from", from);
                    yield return Edge(direction, "Pod", "v1", peer.Workload.Namespace, peer.Name, flow.RatesBetweenPods, PodEdge(from, to));
                }
            }
        }
    }

    private ExpectedEdge Edge(string direction, string kind, string apiVersion, string @namespace, string name, Rates rates, string buckets) =>
        new(direction, Side(direction), kind, apiVersion, @namespace, name, rates, buckets);

    private static Rates Sum(IEnumerable<Flow> flows) => flows.Aggregate(default(Rates), (sum, flow) => sum + flow.Rates);
}

/// <summary>Linkerd: inbound series name the receiver, outbound series both ends, with a label for every kind.</summary>
internal sealed class LinkerdUnderTest(Topology topology) : MeshUnderTest("linkerd", topology)
{
    private const string Series = "response_latency_ms_bucket";

    public override IReadOnlyList<string> ResourcesWithEdges { get; } =
        ["namespaces", "pods", "deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs"];

    public override string Buckets(Target target)
    {
        if (target.Kind == "Service")
        {
            return $"{Series}{{direction=\"outbound\",dst_service=\"{target.Name}\",dst_namespace=\"{target.Namespace}\"}}";
        }

        string who = target.Kind switch
        {
            "Namespace" => $"namespace=\"{target.Name}\"",
            "Node" or "ReplicaSet" => $"pod=~\"{PodPattern(target)}\"",
            "Pod" => $"namespace=\"{target.Namespace}\",pod=\"{target.Name}\"",
            _ => $"namespace=\"{target.Namespace}\",{LinkerdSimulation.OwnerLabel(target.Workload!)}=\"{target.Name}\"",
        };
        return $"{Series}{{direction=\"inbound\",target_port!=\"4191\",route_name!=\"probe\",{who}}}";
    }

    // An inbound series does not know the caller's workload, so it is always the caller's proxy that tells.
    protected override string Side(string direction) => "client";

    protected override string WorkloadEdge(string direction, Workload own, Workload peer)
    {
        (Workload from, Workload to) = direction == "to" ? (own, peer) : (peer, own);
        return $"{Series}{{direction=\"outbound\",namespace=\"{from.Namespace}\",{LinkerdSimulation.OwnerLabel(from)}=\"{from.Name}\"," +
            $"dst_namespace=\"{to.Namespace}\",dst_{LinkerdSimulation.OwnerLabel(to)}=\"{to.Name}\"}}";
    }

    protected override string NamespaceEdge(string direction, string own, string peer)
    {
        (string from, string to) = direction == "to" ? (own, peer) : (peer, own);
        return $"{Series}{{direction=\"outbound\",namespace=\"{from}\",dst_namespace=\"{to}\"}}";
    }

    protected override string PodEdge(SimulatedPod from, SimulatedPod to) =>
        $"{Series}{{direction=\"outbound\",namespace=\"{from.Workload.Namespace}\",pod=\"{from.Name}\"," +
        $"dst_namespace=\"{to.Workload.Namespace}\",dst_pod=\"{to.Name}\"}}";

    // The caller's proxy is the one that knows the Service.
    protected override bool CountsForServices(Flow flow) => flow.From.Meshed;
}

/// <summary>Istio: both ends name both workloads, but not their kinds; pods and nodes are those of the reporting proxy.</summary>
internal sealed class IstioUnderTest(Topology topology) : MeshUnderTest("istio", topology)
{
    private const string Series = "istio_request_duration_milliseconds_bucket";

    public override IReadOnlyList<string> ResourcesWithEdges { get; } =
        ["namespaces", "deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs"];

    public override string Buckets(Target target)
    {
        string who = target.Kind switch
        {
            "Namespace" => $"destination_workload_namespace=\"{target.Name}\"",
            "Node" or "ReplicaSet" => $"pod=~\"{PodPattern(target)}\"",
            "Pod" => $"namespace=\"{target.Namespace}\",pod=\"{target.Name}\"",
            "Service" => $"destination_service_namespace=\"{target.Namespace}\",destination_service_name=\"{target.Name}\"",
            _ => $"destination_workload_namespace=\"{target.Namespace}\",destination_workload=\"{target.Name}\"",
        };
        return $"{Series}{{reporter=\"destination\",{who}}}";
    }

    protected override string Side(string direction) => direction == "to" ? "client" : "server";

    protected override string WorkloadEdge(string direction, Workload own, Workload peer)
    {
        (Workload from, Workload to) = direction == "to" ? (own, peer) : (peer, own);
        return $"{Series}{{{Reporter(direction)},source_workload_namespace=\"{from.Namespace}\",source_workload=\"{from.Name}\"," +
            $"destination_workload_namespace=\"{to.Namespace}\",destination_workload=\"{to.Name}\"}}";
    }

    protected override string NamespaceEdge(string direction, string own, string peer)
    {
        (string from, string to) = direction == "to" ? (own, peer) : (peer, own);
        return $"{Series}{{{Reporter(direction)},source_workload_namespace=\"{from}\",destination_workload_namespace=\"{to}\"}}";
    }

    protected override bool CountsForServices(Flow flow) => true;

    private static string Reporter(string direction) => direction == "to" ? "reporter=\"source\"" : "reporter=\"destination\"";
}
