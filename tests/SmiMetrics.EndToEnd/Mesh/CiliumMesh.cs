namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Cilium's agents with Hubble's httpV2 and all labels of both ends. Every request is reported twice: by the agent of the sender's node
/// (<c>client</c>) and by that of the receiver's (<c>server</c>). An agent knows the workloads of its own node only; of others, pod and
/// namespace. A pod without L7 visibility of its own is still named by the agents of those it calls.
/// </summary>
internal sealed class CiliumMesh(Topology topology) : NodeAgentMesh("cilium", topology, Agent, "192.168.52")
{
    private const string Counter = "hubble_http_requests_total";
    private const string Histogram = "hubble_http_request_duration_seconds";

    private static readonly Sidecar Agent = new("cilium-agent", "hubble-metrics", 9965, "/metrics", new Dictionary<string, string> { ["k8s-app"] = "cilium" });

    private static readonly string[] Bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"];

    // The chart's ServiceMonitor, whose operator adds labels of the agent's own.
    public override string ScrapeJob => """
        honor_labels: true
        relabel_configs:
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
        - {target_label: container, replacement: cilium-agent}
        - {target_label: service, replacement: hubble-metrics}
        - {target_label: endpoint, replacement: hubble-metrics}
        """;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    public override IReadOnlyList<string> KindsWithEdges => Kinds;

    public override bool TellsRunsOfCronJobs => false;

    public override double MillisecondsPerUnit => 1000;

    public override string ReceivedSide(string kind) => "server";

    public override bool IsReceived(PodFlow flow, string kind) => true;

    public override bool IsOnEdge(PodFlow flow, string direction) => direction == "from" || flow.From.Workload.Meshed;

    public override string EdgeSide(string direction) => direction == "to" ? "client" : "server";

    public override string Buckets(End receiver) => $"{Histogram}_bucket{{reporter=\"server\",{Selector("destination", receiver)}}}";

    public override string? Buckets(End sender, End receiver, string direction) =>
        $"{Histogram}_bucket{{reporter=\"{EdgeSide(direction)}\",{Selector("source", sender)},{Selector("destination", receiver)}}}";

    protected override void Print(ProxyPage page, string node)
    {
        foreach (PodFlow flow in PodFlows)
        {
            if (flow.To.Node == node)
            {
                Add(page, flow, node, "server", 0);
            }

            if (flow.From.Node == node && flow.From.Workload.Meshed)
            {
                Add(page, flow, node, "client", 20);
            }
        }

        foreach (SimulatedPod pod in Topology.MeshedPods.Where(pod => pod.Node == node))
        {
            AddUncounted(page, pod);
            if (pod.Workload == Topology.Idle)
            {
                page.Stopped(Counter, Labels(End(pod, node), Ends.Nobody, "server", "200"), 4711);
            }
        }

        page.Count("hubble_lost_events_total", "source=\"HUBBLE_RING_BUFFER\"", 300);
    }

    // Both ends' pods are on every series, so that one selector does for every kind.
    private string Selector(string end, End of) => $"{end}_pod=~\"{PodPattern(of)}\"" + (of.Namespace.Length == 0 ? "" : $",{end}_namespace=\"{of.Namespace}\"");

    private void Add(ProxyPage page, PodFlow flow, string node, string reporter, double later)
    {
        (Ends to, Ends from) = (End(flow.To, node), End(flow.From, node));
        foreach (Reply reply in flow.Flow.Replies)
        {
            page.Count(Counter, Labels(to, from, reporter, reply.Code), flow.PerSecond * reply.Share);
        }

        page.Observe(Histogram, Labels(to, from, reporter, null), flow.PerSecond, Measured(flow, later), Bounds);
    }

    private static void AddUncounted(ProxyPage page, SimulatedPod pod)
    {
        Ends own = End(pod, pod.Node);
        // The direction is not known.
        page.Count(Counter, Labels(own, own, "unknown", "200"), 300);
        // Cilium's Gateway: a client that is no pod.
        page.Count(Counter, Labels(own, Ends.Nobody, "client", "200"), 300);
        // What the older metric `http` counts, which has no status. An agent has the one or the other, but can be told another within a window.
        page.Count(
            Counter,
            $"destination_namespace=\"{own.Namespace}\",destination_pod=\"{own.Pod}\",destination_workload=\"{own.Workload}\",method=\"GET\"," +
            "protocol=\"HTTP/1.1\",reporter=\"server\",source_namespace=\"\",source_pod=\"\",source_workload=\"\"",
            300);
        page.Count(
            "hubble_flows_processed_total",
            $"destination_namespace=\"{own.Namespace}\",destination_pod=\"{own.Pod}\",destination_workload=\"{own.Workload}\",protocol=\"HTTP\"," +
            "source_namespace=\"\",source_pod=\"\",source_workload=\"\",subtype=\"HTTP\",type=\"L7\",verdict=\"FORWARDED\"",
            300);
    }

    // As client_golang sorts them.
    private static string Labels(Ends to, Ends from, string reporter, string? status) =>
        $"destination_namespace=\"{to.Namespace}\",destination_pod=\"{to.Pod}\",destination_workload=\"{to.Workload}\",method=\"GET\"," +
        (status is null ? "" : "protocol=\"HTTP/1.1\",") +
        $"reporter=\"{reporter}\",source_namespace=\"{from.Namespace}\",source_pod=\"{from.Pod}\",source_workload=\"{from.Workload}\"" +
        (status is null ? "" : $",status=\"{status}\"");

    /// <summary>A pod as the agent of a node knows it.</summary>
    private static Ends End(SimulatedPod pod, string agentsNode) => new(pod.Workload.Namespace, pod.Name, pod.Node == agentsNode ? pod.Workload.Name : "");

    private sealed record Ends(string Namespace, string Pod, string Workload)
    {
        public static readonly Ends Nobody = new("", "", "");
    }
}
