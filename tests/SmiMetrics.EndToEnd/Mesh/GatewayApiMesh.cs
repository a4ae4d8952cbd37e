namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// HTTPRoutes as the proxies of Linkerd's clients count them: with the Service that was called, the route and the Service that got the
/// request, and nothing of what runs behind it. All routes of a namespace have one parent, so that it is never its own only backend.
/// </summary>
internal sealed class GatewayApiMesh(Topology topology) : CatalogueMesh("gateway-api", topology)
{
    private const string Counter = "outbound_http_route_backend_response_statuses_total";
    private const string Histogram = "outbound_http_route_backend_response_duration_seconds";
    private const string Route = "route_group=\"gateway.networking.k8s.io\",route_kind=\"HTTPRoute\"";

    private static readonly string[] Bounds = ["0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "10.0"];

    private static readonly Duration[] Instant = [new(1, 0.001)];

    private readonly LinkerdSimulation _linkerd = new(topology);

    public override string ScrapeJob => LinkerdSimulation.ScrapeJob;

    public override IReadOnlyList<string> ToldKinds { get; } = ["namespaces", "services"];

    // Who calls is a pod, and so everything that has pods; but a node's peers would be nodes.
    public override IReadOnlyList<string> KindsWithEdges { get; } = [.. Kinds.Except(["nodes"])];

    public override bool TellsRunsOfCronJobs => false;

    public override double MillisecondsPerUnit => 1000;

    public override Sidecar? SidecarOf(Workload workload) => _linkerd.SidecarOf(workload);

    public override string ReceivedSide(string kind) => "client";

    public override bool IsReceived(PodFlow flow, string kind) => flow.From.Workload.Meshed;

    public override string EdgeSide(string direction) => "client";

    // Only Services and their namespaces receive.
    public override bool HasEdges(string kind, string direction) => kind == "namespaces" || (kind == "services") == (direction == "from");

    public override string PeerKind(string kind, string direction) => kind == "namespaces" ? kind : direction == "to" ? "services" : "workloads";

    public override string Buckets(End receiver) => $"{Histogram}_bucket{{{Selector(receiver)}}}";

    public override string? Buckets(End sender, End receiver, string direction) => $"{Histogram}_bucket{{{Selector(receiver)},pod=~\"{PodPattern(sender)}\"}}";

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                string labels = Labels(flow.To.Workload.Namespace, flow.Flow.Service!);
                foreach (Reply reply in flow.Flow.Replies)
                {
                    foreach ((string outcome, double share) in Outcomes(reply))
                    {
                        page.Count(Counter, $"{labels},{outcome}", flow.PerSecond * share);
                    }
                }

                page.Observe(Histogram, labels, flow.PerSecond, Measured(flow), Bounds);
            }

            // Once in each namespace is enough.
            if (Topology.MeshedPods.First(other => other.Workload.Namespace == pod.Workload.Namespace) == pod)
            {
                AddUncounted(page, pod.Workload.Namespace);
            }

            if (pod.Workload == Topology.Idle)
            {
                page.Stopped(Counter, $"{Labels(Topology.First, Parent(Topology.First))},http_status=\"200\",error=\"\"", 4711);
            }

            Sidecar sidecar = SidecarOf(pod.Workload)!;
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels), page);
        }
    }

    // A request may fail without a status, and in the course of a good response.
    private static IEnumerable<(string Labels, double Share)> Outcomes(Reply reply) => reply.Code == "503"
        ?
        [
            ("http_status=\"503\",error=\"\"", reply.Share / 2),
            ("http_status=\"\",error=\"FAIL_FAST\"", reply.Share / 4),
            ("http_status=\"200\",error=\"RESET\"", reply.Share / 4),
        ]
        : [($"http_status=\"{reply.Code}\",error=\"\"", reply.Share)];

    private static string Selector(End receiver) => "route_kind=\"HTTPRoute\",parent_kind=\"Service\",backend_kind=\"Service\"," + (receiver.Kind == "Namespace"
        ? $"backend_namespace=\"{receiver.Name}\""
        : $"backend_namespace=\"{receiver.Namespace}\",backend_name=\"{receiver.Name}\"");

    private void AddUncounted(ProxyPage page, string @namespace)
    {
        string parent = Parent(@namespace);
        string route = $"{Route},route_namespace=\"{@namespace}\",route_name=\"{parent}-route\"";
        string noRoute = "route_group=\"\",route_kind=\"default\",route_namespace=\"\",route_name=\"http\"";
        const string NoBackend = "backend_group=\"\",backend_kind=\"default\",backend_namespace=\"\",backend_name=\"invalid\",backend_port=\"\",backend_section_name=\"\"";
        string egress = $"parent_group=\"policy.linkerd.io\",parent_kind=\"EgressNetwork\",parent_namespace=\"{@namespace}\",parent_name=\"all-egress-traffic\"," +
            "parent_port=\"80\",parent_section_name=\"\"";
        foreach (string labels in new[]
        {
            $"{ParentLabels(@namespace)},{noRoute},{Backend(@namespace, parent)}",
            $"{ParentLabels(@namespace)},{route},{NoBackend}",
            $"{egress},{route},{Backend(@namespace, parent)}",
        })
        {
            page.Count(Counter, $"{labels},http_status=\"200\",error=\"\"", 300);
            page.Observe(Histogram, labels, 300, Instant, Bounds);
        }

        page.Count("outbound_http_route_request_statuses_total", $"{ParentLabels(@namespace)},{route},hostname=\"\",http_status=\"200\",error=\"\"", 300);
        page.Count("outbound_http_route_backend_requests_total", Labels(@namespace, parent), 300);
        page.Count(
            "outbound_grpc_route_backend_response_statuses_total",
            $"{ParentLabels(@namespace)},route_group=\"gateway.networking.k8s.io\",route_kind=\"GRPCRoute\",route_namespace=\"{@namespace}\",route_name=\"{parent}-grpc\"," +
            $"{Backend(@namespace, parent)},grpc_status=\"OK\",error=\"\"",
            300);
    }

    private string Parent(string @namespace) => Topology.Services.First(service => service.Namespace == @namespace).Name;

    private string ParentLabels(string @namespace) =>
        $"parent_group=\"core\",parent_kind=\"Service\",parent_namespace=\"{@namespace}\",parent_name=\"{Parent(@namespace)}\",parent_port=\"80\",parent_section_name=\"\"";

    private static string Backend(string @namespace, string service) =>
        $"backend_group=\"core\",backend_kind=\"Service\",backend_namespace=\"{@namespace}\",backend_name=\"{service}\",backend_port=\"80\",backend_section_name=\"\"";

    private string Labels(string @namespace, string service) =>
        $"{ParentLabels(@namespace)},{Route},route_namespace=\"{@namespace}\",route_name=\"{service}-route\",{Backend(@namespace, service)}";
}
