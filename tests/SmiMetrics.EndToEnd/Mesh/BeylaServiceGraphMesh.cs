namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// The service graph that Beyla writes itself: each instance what it sees of its node's pods. A request is counted by the server's
/// instance, and named is whoever has the client's address, instrumented or not. The client's instance counts it too, as one to a
/// <c>virtual_node</c>, unless it knows the service of a pod of its own node. Failures are counted by both without that exception.
/// </summary>
internal sealed class BeylaServiceGraphMesh(Topology topology) : NodeAgentMesh("otel-servicegraph-beyla", topology, Beyla.Agent, "192.168.58")
{
    // As connection_type: one instrumented service to another.
    private const string Plain = "";

    public override string ScrapeJob => Beyla.ScrapeJob;

    public override IReadOnlyList<string> ToldKinds => ServiceGraph.Kinds;

    public override IReadOnlyList<string> KindsWithEdges => ServiceGraph.Kinds;

    public override bool TellsRunsOfCronJobs => false;

    public override double MillisecondsPerUnit => 1000;

    public override string ReceivedSide(string kind) => "server";

    public override bool IsReceived(PodFlow flow, string kind) => true;

    public override bool IsOnEdge(PodFlow flow, string direction) => true;

    public override string EdgeSide(string direction) => "server";

    public override string Buckets(End receiver) => $"{ServiceGraph.ServerSeconds}_bucket{{source=\"beyla\",{ServiceGraph.Selector("server", receiver)}}}";

    public override string? Buckets(End sender, End receiver, string direction) =>
        $"{ServiceGraph.ServerSeconds}_bucket{{source=\"beyla\",{ServiceGraph.Selector("client", sender)},{ServiceGraph.Selector("server", receiver)}}}";

    /// <summary>The series cannot tell a failure that both ends counted from two.</summary>
    protected override Rates RatesOf(PodFlow flow)
    {
        double failed = flow.PerSecond * (FailedAtServer(flow) + (IsInstrumented(flow.From) && Knows(flow.From.Node, flow.To.Workload) ? FailedAtClient(flow) : 0));
        return new Rates(flow.PerSecond - failed, failed);
    }

    protected override void Print(ProxyPage page, string node)
    {
        foreach (PodFlow flow in PodFlows)
        {
            if (flow.To.Node == node)
            {
                string labels = Labels(flow, Plain);
                page.Count(ServiceGraph.Total, labels, flow.PerSecond);
                page.Count(ServiceGraph.Failed, labels, flow.PerSecond * FailedAtServer(flow));
                page.Observe(ServiceGraph.ServerSeconds, labels, flow.PerSecond, Measured(flow), Beyla.Bounds);
            }

            if (flow.From.Node == node && IsInstrumented(flow.From))
            {
                bool known = Knows(node, flow.To.Workload);
                string labels = Labels(flow, known ? Plain : "virtual_node");
                page.Count(ServiceGraph.Total, labels, known ? 0 : flow.PerSecond);
                page.Count(ServiceGraph.Failed, labels, flow.PerSecond * FailedAtClient(flow));
                page.Observe(ServiceGraph.ClientSeconds, labels, flow.PerSecond, Measured(flow, later: 20), Beyla.Bounds);
            }
        }

        foreach (SimulatedPod pod in Topology.MeshedPods.Where(pod => pod.Node == node))
        {
            (string name, string @namespace) = (pod.Workload.Name, pod.Workload.Namespace);
            page.Count(ServiceGraph.Total, Labels(name, @namespace, "database", "orders", ""), 300);
            page.Count(ServiceGraph.Total, Labels(name, @namespace, "messaging_system", name, @namespace), 300);
            // An instance without Kubernetes metadata.
            page.Count(
                ServiceGraph.Total,
                $"client=\"{name}\",client_service_namespace=\"{@namespace}\",connection_type=\"\",server=\"{name}\",server_service_namespace=\"{@namespace}\",source=\"beyla\"",
                300);
            if (pod.Workload == Topology.Idle)
            {
                page.Stopped(ServiceGraph.Total, Labels("", "", Plain, name, @namespace), 4711);
            }
        }
    }

    private static bool IsInstrumented(SimulatedPod pod) => pod.Workload.Meshed;

    // Services are known by their names: one pod of them on the node is enough.
    private static bool Knows(string node, Workload workload) => workload.Pods.Any(pod => pod.Node == node);

    private static double FailedAtServer(PodFlow flow) => flow.Flow.Replies.Where(reply => reply.Code[0] == '5').Sum(reply => reply.Share);

    private static double FailedAtClient(PodFlow flow) => flow.Flow.Replies.Where(reply => reply.Code[0] is '4' or '5').Sum(reply => reply.Share);

    private static string Labels(PodFlow flow, string connectionType) =>
        Labels(flow.From.Workload.Name, flow.From.Workload.Namespace, connectionType, flow.To.Workload.Name, flow.To.Workload.Namespace);

    private static string Labels(string client, string clientNamespace, string connectionType, string server, string serverNamespace) =>
        $"client=\"{client}\",client_k8s_cluster_name=\"\",client_k8s_namespace_name=\"{clientNamespace}\",client_service_namespace=\"{clientNamespace}\"," +
        $"connection_type=\"{connectionType}\",server=\"{server}\",server_k8s_cluster_name=\"\",server_k8s_namespace_name=\"{serverNamespace}\"," +
        $"server_service_namespace=\"{serverNamespace}\",source=\"beyla\"";
}
