namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Consul's dataplanes, whose Envoy prints what arrives at the public listener, without a sender, and what it sends to each Consul service,
/// whose name carries no Kubernetes namespace; and beside these what must not count.
/// </summary>
internal sealed class ConsulMesh(Topology topology) : CatalogueMesh("consul", topology)
{
    public override string ScrapeJob => """
        relabel_configs:
        - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
        """;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    public override IReadOnlyList<string> KindsWithEdges { get; } =
        ["pods", "services", "replicasets", "deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs", "cronjobs"];

    public override Sidecar SidecarOf(Workload workload) => new(
        "consul-dataplane",
        null,
        20200,
        "/metrics",
        new Dictionary<string, string>(workload.PodLabels) { ["consul.hashicorp.com/connect-inject-status"] = "injected" });

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            string own = Own(pod.Workload.Name);
            foreach (PodFlow flow in PodFlows.Where(flow => flow.To == pod))
            {
                Envoy.Add(page, "envoy_http_downstream_rq", $"envoy_http_conn_manager_prefix=\"public_listener\",{own}", flow);
                Envoy.Add(page, "envoy_cluster_upstream_rq", $"envoy_cluster_name=\"local_app\",{own}", flow);
            }

            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                string service = flow.Flow.Service!;
                Envoy.Add(
                    page,
                    "envoy_cluster_upstream_rq",
                    $"consul_destination_datacenter=\"dc1\",consul_destination_namespace=\"default\",consul_destination_routing_type=\"internal\"," +
                    $"consul_destination_service=\"{service}\",consul_destination_target=\"{service}.default.dc1\",envoy_cluster_name=\"{service}\",{own}",
                    flow);
                Envoy.Add(page, "envoy_http_downstream_rq", $"envoy_http_conn_manager_prefix=\"upstream\",consul_upstream_service=\"{service}\",{own}", flow);
            }

            page.Count("envoy_http_downstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_http_conn_manager_prefix=\"envoy_ready\",{own}", 300);
            page.Count("envoy_cluster_upstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_cluster_name=\"prometheus_backend\",{own}", 300);
            Sidecar sidecar = SidecarOf(pod.Workload);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels), page);
        }
    }

    public override string ReceivedSide(string kind) => "server";

    // Callers without a proxy come in by the listener too, where intentions allow it; the listener knows nobody.
    public override bool IsReceived(PodFlow flow, string kind) => flow.To.Workload.Meshed;

    public override string Buckets(End receiver) => receiver.Kind == "Namespace"
        ? $"envoy_http_downstream_rq_time_bucket{{envoy_http_conn_manager_prefix=\"public_listener\",consul_source_service!=\"\",namespace=\"{receiver.Name}\"}}"
        : $"envoy_http_downstream_rq_time_bucket{{envoy_http_conn_manager_prefix=\"public_listener\",consul_source_service!=\"\",pod=~\"{PodPattern(receiver)}\"}}";

    public override string EdgeSide(string direction) => "client";

    // Whom a client called is known as a Service, so only Services receive on an edge.
    public override bool HasEdges(string kind, string direction) => (kind == "services") == (direction == "from");

    public override string PeerKind(string kind, string direction) => direction == "to" ? "services" : "workloads";

    public override string Buckets(End sender, End receiver, string direction) =>
        $"envoy_cluster_upstream_rq_time_bucket{{consul_destination_service=\"{receiver.Name}\",pod=~\"{PodPattern(sender)}\"}}";

    private static string Own(string service) =>
        $"consul_source_datacenter=\"dc1\",consul_source_namespace=\"default\",consul_source_partition=\"default\",consul_source_service=\"{service}\",local_cluster=\"{service}\"";
}
