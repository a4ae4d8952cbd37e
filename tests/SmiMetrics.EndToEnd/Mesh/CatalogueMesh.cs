namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>An object at one end of requests.</summary>
internal sealed record End(string Kind, string ApiVersion, string Namespace, string Name)
{
    /// <summary>As in URLs: <c>deployments</c>.</summary>
    public string Resource => $"{Kind.ToLowerInvariant()}s";

    public string Path => Namespace.Length == 0 ? $"/{Resource}/{Name}" : $"/namespaces/{Namespace}/{Resource}/{Name}";

    public override string ToString() => $"{Kind} {Namespace}/{Name}";
}

/// <summary>The part of a flow that goes from one pod to one other.</summary>
internal sealed record PodFlow(Flow Flow, SimulatedPod From, SimulatedPod To)
{
    public double PerSecond => Flow.PerSecond / (Flow.From.Pods.Count * Flow.To.Pods.Count);
}

/// <summary>An edge that the traffic makes, as a mesh tells it.</summary>
/// <param name="Side">Which end's proxy reports it.</param>
/// <param name="Buckets">The selector of the latency buckets behind it; null when they are not compared.</param>
internal sealed record ToldEdge(string Direction, string Side, End Peer, Rates Rates, string? Buckets)
{
    public string Key => $"{Direction} {Peer}";
}

/// <summary>
/// A mesh of the catalogue: what its proxies print, how Prometheus scrapes them, and what must then be true of its numbers. All of it follows
/// from the topology and from what is known of the mesh; none of it from the server under test or its descriptors.
/// </summary>
/// <param name="name">As <c>--mesh</c> takes it.</param>
internal abstract class CatalogueMesh(string name, Topology topology) : IMeshSimulation
{
    private static readonly string[] Workloads = ["deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs", "cronjobs"];

    /// <summary>Every kind that can be asked for.</summary>
    public static readonly IReadOnlyList<string> Kinds = ["namespaces", "nodes", "pods", "services", "replicasets", .. Workloads];

    public string Name { get; } = name;

    public Topology Topology { get; } = topology;

    /// <summary>The scrape job that the mesh's users give Prometheus: the YAML of an entry of scrape_configs, without name, discovery and proxy.</summary>
    public abstract string ScrapeJob { get; }

    /// <summary>The name of that job, which no other mesh has.</summary>
    public string Job => $"{Name}-job";

    /// <summary>Whether the embedded scraper can read its proxies.</summary>
    public virtual bool CanBeScraped => true;

    /// <summary>The kinds whose own traffic the mesh tells; of all others it must say that it cannot.</summary>
    public abstract IReadOnlyList<string> ToldKinds { get; }

    /// <summary>The kinds whose edges the mesh tells.</summary>
    public abstract IReadOnlyList<string> KindsWithEdges { get; }

    /// <summary>Whether it tells the Jobs that a CronJob makes; else it tells of the CronJob alone.</summary>
    public virtual bool TellsRunsOfCronJobs => true;

    /// <summary>Milliseconds in a unit of the histogram.</summary>
    public virtual double MillisecondsPerUnit => 1;

    /// <summary>Whether the mesh measures latencies at all.</summary>
    public virtual bool HasLatency => true;

    /// <summary>All requests that the mesh may tell of.</summary>
    public virtual IEnumerable<PodFlow> PodFlows =>
        Topology.Flows.SelectMany(flow => flow.From.Pods.SelectMany(from => flow.To.Pods.Select(to => new PodFlow(flow, from, to))));

    /// <inheritdoc/>
    public abstract Sidecar? SidecarOf(Workload workload);

    /// <inheritdoc/>
    public abstract IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies();

    /// <summary>Pods that are there beside those of the topology: a node's proxies, waypoints, controllers.</summary>
    public virtual IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() => [];

    /// <summary>Who shows an object's own traffic.</summary>
    public abstract string ReceivedSide(string kind);

    /// <summary>Whether a request is in the receiver's own numbers. Where only senders report, those without a proxy are missing.</summary>
    public abstract bool IsReceived(PodFlow flow, string kind);

    /// <summary>Whether a request is in edges of this direction. Both ends must be known to who reports.</summary>
    public virtual bool IsOnEdge(PodFlow flow, string direction) => flow.From.Workload.Meshed && flow.To.Workload.Meshed;

    /// <summary>Whether the mesh's own convention calls it a failure.</summary>
    public virtual bool Fails(Reply reply) => reply.Code.StartsWith('5');

    /// <summary>The selector of the latency buckets of what an object received, as a person would write it.</summary>
    public abstract string Buckets(End receiver);

    /// <summary>Who shows the edges of this direction.</summary>
    public abstract string EdgeSide(string direction);

    /// <summary>Whether objects of a kind have edges of this direction.</summary>
    public virtual bool HasEdges(string kind, string direction) => KindsWithEdges.Contains(kind) && (kind != "services" || direction == "from");

    /// <summary>The kind of the peers of a kind: <c>pods</c>, <c>namespaces</c>, <c>services</c>; or <c>workloads</c>, of whichever kind.</summary>
    public virtual string PeerKind(string kind, string direction) => kind switch
    {
        "namespaces" or "nodes" or "pods" => kind,
        _ => "workloads",
    };

    /// <summary>The selector of the latency buckets of an edge; null not to compare its percentiles.</summary>
    public abstract string? Buckets(End sender, End receiver, string direction);

    /// <summary>The objects of a kind that receive requests, with the rates that the mesh must tell.</summary>
    public virtual IReadOnlyDictionary<End, Rates> Received(string kind) =>
        Sum(PodFlows.Where(flow => IsReceived(flow, kind)), flow => ReceiverOf(flow, kind));

    /// <summary>Every object that has edges, with all of them, but for those to itself.</summary>
    public ILookup<End, ToldEdge> Edges(string kind) =>
        (from direction in new[] { "to", "from" }
         where HasEdges(kind, direction)
         let flows = PodFlows.Where(flow => IsOnEdge(flow, direction))
         from sum in Sum(flows, flow => (SenderOf(flow, direction == "to" ? kind : PeerKind(kind, direction)), ReceiverOf(flow, direction == "to" ? PeerKind(kind, direction) : kind)) switch
         {
             ({ } sender, { } receiver) when sender != receiver => new Tuple<End, End>(sender, receiver),
             _ => null,
         })
         let ends = sum.Key
         let own = direction == "to" ? ends.Item1 : ends.Item2
         let peer = direction == "to" ? ends.Item2 : ends.Item1
         select (own, new ToldEdge(direction, EdgeSide(direction), peer, sum.Value, Buckets(ends.Item1, ends.Item2, direction))))
        .ToLookup(edge => edge.own, edge => edge.Item2);

    /// <summary>Whose request it was, as an object of this kind; null when none is.</summary>
    public virtual End? SenderOf(PodFlow flow, string kind) => kind == "services" ? null : EndOf(flow.From, kind);

    /// <summary>Who got it, as an object of this kind; null when none did.</summary>
    public virtual End? ReceiverOf(PodFlow flow, string kind) => kind == "services"
        ? flow.Flow.Service is { } service ? new End("Service", "v1", flow.To.Workload.Namespace, service) : null
        : EndOf(flow.To, kind);

    /// <summary>The pods of a workload or other object as a regular expression, to be put in double quotes.</summary>
    protected string PodPattern(End end) => string.Join('|', Topology.Workloads.SelectMany(workload => workload.Pods)
        .Where(pod => EndOf(pod, end.Resource) == end || (end.Kind == "Service" && Topology.Services.Any(service => (service.Namespace, service.Name, service.Workload) == (end.Namespace, end.Name, pod.Workload))))
        .Select(pod => pod.Name.Replace(".", @"\\.", StringComparison.Ordinal)));

    /// <summary>The matchers for the series of an object's pods, where the scrape names these.</summary>
    protected string PodMatchers(End end, string namespaceLabel, string podLabel)
    {
        string @namespace = end.Kind == "Namespace" ? end.Name : end.Namespace;
        string pods = $"{podLabel}=~\"{PodPattern(end)}\"";
        return @namespace.Length == 0 ? pods : $"{namespaceLabel}=\"{@namespace}\",{pods}";
    }

    /// <summary>The object of a kind that a pod is or belongs to.</summary>
    protected End? EndOf(SimulatedPod pod, string kind)
    {
        Workload workload = pod.Workload;
        return kind switch
        {
            "namespaces" => new End("Namespace", "v1", "", workload.Namespace),
            "nodes" => new End("Node", "v1", "", pod.Node),
            "pods" => new End("Pod", "v1", workload.Namespace, pod.Name),
            "replicasets" => workload.Kind == "Deployment" ? new End("ReplicaSet", "apps/v1", workload.Namespace, workload.ReplicaSet) : null,
            "workloads" => WorkloadOf(workload),
            "jobs" when workload.Kind == "CronJob" && TellsRunsOfCronJobs => new End("Job", "batch/v1", workload.Namespace, workload.ScheduledJob),
            _ => WorkloadOf(workload) is var own && own.Resource == kind ? own : null,
        };
    }

    /// <summary>What the mesh counts of a flow.</summary>
    protected virtual Rates RatesOf(PodFlow flow) => new(
        flow.PerSecond * flow.Flow.Replies.Where(reply => !Fails(reply)).Sum(reply => reply.Share),
        flow.PerSecond * flow.Flow.Replies.Where(Fails).Sum(reply => reply.Share));

    /// <summary>How long a flow's requests take, in the unit of the histogram.</summary>
    /// <param name="later">Milliseconds by which who measures gets the answer later: a client, whose numbers are thereby known from the server's.</param>
    protected IReadOnlyList<Duration> Measured(PodFlow flow, double later = 0) =>
        [.. flow.Flow.Durations.Select(duration => duration with { Milliseconds = (duration.Milliseconds + later) / MillisecondsPerUnit })];

    private static End WorkloadOf(Workload workload) => new(
        workload.Kind,
        workload.Kind switch { "Job" or "CronJob" => "batch/v1", "ReplicationController" => "v1", _ => "apps/v1" },
        workload.Namespace,
        workload.Name);

    private Dictionary<T, Rates> Sum<T>(IEnumerable<PodFlow> flows, Func<PodFlow, T?> key) where T : class =>
        flows.Select(flow => (Key: key(flow), Rates: RatesOf(flow)))
            .Where(flow => flow.Key is not null)
            .GroupBy(flow => flow.Key!)
            .ToDictionary(group => group.Key, group => group.Aggregate(default(Rates), (sum, flow) => sum + flow.Rates));
}
