namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Service graphs made of traces: requests to the first namespace are in Tempo's, those to the second in a Collector's, which has a label
/// <c>failed</c> on all series. A failed request is in both counters, and failed is what either span calls so: the client's from 400 on.
/// A caller that is not traced is the virtual client <c>user</c>.
/// </summary>
internal sealed class ServiceGraphMesh(Topology topology) : CatalogueMesh("otel-servicegraph", topology)
{
    private static readonly string[] TempoBounds = ["0.1", "0.2", "0.4", "0.8", "1.6", "3.2", "6.4", "12.8"];

    private static readonly string[] CollectorBounds =
        ["0.002", "0.004", "0.006", "0.008", "0.01", "0.05", "0.1", "0.2", "0.4", "0.8", "1", "1.4", "2", "5", "10", "15"];

    // Tempo writes to Prometheus, a Collector is scraped; for the test both have pages.
    public override string ScrapeJob => """
        honor_labels: true
        relabel_configs:
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        """;

    public override bool CanBeScraped => false;

    public override IReadOnlyList<string> ToldKinds => ServiceGraph.Kinds;

    public override IReadOnlyList<string> KindsWithEdges => ServiceGraph.Kinds;

    public override bool TellsRunsOfCronJobs => false;

    public override double MillisecondsPerUnit => 1000;

    public override Sidecar? SidecarOf(Workload workload) => null;

    public override string ReceivedSide(string kind) => "server";

    public override bool IsReceived(PodFlow flow, string kind) => true;

    public override bool Fails(Reply reply) => reply.Code[0] is '4' or '5';

    public override string EdgeSide(string direction) => direction == "to" ? "client" : "server";

    public override string Buckets(End receiver) =>
        $"{ServiceGraph.ServerSeconds}_bucket{{connection_type=~\"|virtual_node\",{ServiceGraph.Selector("server", receiver)}}}";

    public override string? Buckets(End sender, End receiver, string direction) =>
        $"{(direction == "to" ? ServiceGraph.ClientSeconds : ServiceGraph.ServerSeconds)}_bucket{{connection_type=\"\"," +
        $"{ServiceGraph.Selector("client", sender)},{ServiceGraph.Selector("server", receiver)}}}";

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        ProxyPage tempo = new(restarts: false);
        ProxyPage collector = new(restarts: false);
        foreach (PodFlow flow in PodFlows)
        {
            bool traced = flow.From.Workload.Meshed;
            Pair pair = traced
                ? new(flow.From.Workload.Name, flow.From.Workload.Namespace, "", flow.To.Workload.Name, flow.To.Workload.Namespace)
                : new("user", "", "virtual_node", flow.To.Workload.Name, flow.To.Workload.Namespace);
            IReadOnlyList<Duration> server = Measured(flow);
            IReadOnlyList<Duration> client = traced ? Measured(flow, later: 20) : [new(1, 0)];
            double failed = flow.Flow.Replies.Where(Fails).Sum(reply => reply.Share);
            if (flow.To.Workload.Namespace == Topology.First)
            {
                Add(tempo, $"{pair},source=\"tempo\"", flow.PerSecond, flow.PerSecond * failed, server, client, TempoBounds);
            }
            else
            {
                Add(collector, $"{pair},failed=\"false\"", flow.PerSecond * (1 - failed), 0, server, client, CollectorBounds);
                Add(collector, $"{pair},failed=\"true\"", flow.PerSecond * failed, flow.PerSecond * failed, server, client, CollectorBounds);
            }
        }

        // Of few, to keep the page small; all in the namespace of Tempo's page.
        foreach (Workload workload in Topology.Meshed.Take(2))
        {
            foreach (Pair pair in Uncounted(workload.Name, workload.Namespace))
            {
                Add(tempo, $"{pair},source=\"tempo\"", 300, 100, [new(1, 0.001)], [new(1, 0.001)], TempoBounds);
            }

            // Without the dimension, and without a prefix: then the namespace may be of either.
            tempo.Count(ServiceGraph.Total, $"client=\"{workload.Name}\",connection_type=\"\",server=\"{workload.Name}\"", 300);
            tempo.Count(ServiceGraph.Total, $"client=\"{workload.Name}\",connection_type=\"\",k8s_namespace_name=\"{workload.Namespace}\",server=\"{workload.Name}\"", 300);
        }

        tempo.Stopped(ServiceGraph.Total, $"{new Pair("user", "", "virtual_node", Topology.Idle!.Name, Topology.First)},source=\"tempo\"", 4711);
        yield return (Target("tempo-0", "192.168.56.1", 3200), tempo);
        yield return (Target("collector-0", "192.168.56.2", 8889), collector);
    }

    private static IEnumerable<Pair> Uncounted(string name, string @namespace) =>
    [
        new(name, @namespace, "database", "orders", ""),
        new(name, @namespace, "messaging_system", name, @namespace),
        new(name, @namespace, "virtual_node", "payments.example.com", ""),
    ];

    private static void Add(
        ProxyPage page, string labels, double total, double failed, IReadOnlyList<Duration> server, IReadOnlyList<Duration> client, IReadOnlyList<string> bounds)
    {
        page.Count(ServiceGraph.Total, labels, total);
        if (failed > 0)
        {
            page.Count(ServiceGraph.Failed, labels, failed);
        }

        page.Observe(ServiceGraph.ServerSeconds, labels, total, server, bounds);
        page.Observe(ServiceGraph.ClientSeconds, labels, total, client, bounds);
    }

    private ScrapeTarget Target(string pod, string ip, int port) =>
        new(Job, new Uri($"http://{ip}:{port}/metrics"), "observability", pod, Topology.Nodes[0], new Dictionary<string, string>());

    private sealed record Pair(string Client, string ClientNamespace, string ConnectionType, string Server, string ServerNamespace)
    {
        public override string ToString() =>
            $"client=\"{Client}\",client_k8s_namespace_name=\"{ClientNamespace}\",connection_type=\"{ConnectionType}\"," +
            $"server=\"{Server}\",server_k8s_namespace_name=\"{ServerNamespace}\"";
    }
}
