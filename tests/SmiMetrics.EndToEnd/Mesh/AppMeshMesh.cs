namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// AWS App Mesh's sidecars: an Envoy with a cluster for the way to its own application and one for each virtual node that it calls, which is
/// named by the mesh's users. Some have App Mesh's tags, some not.
/// </summary>
internal sealed class AppMeshMesh(Topology topology) : CatalogueMesh("appmesh", topology)
{
    private const string MeshName = "howto-k8s-http2";
    private const string GatewayIp = "10.2.99.1";
    private const double OwnRequests = 300;

    // Flagger's job appmesh-envoy, with its labels' names as they are there.
    public override string ScrapeJob => """
        relabel_configs:
        - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
        - {source_labels: [__meta_kubernetes_namespace], target_label: kubernetes_namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: kubernetes_pod_name}
        metric_relabel_configs:
        - {source_labels: [cluster_name], regex: '(outbound|inbound|prometheus_stats).*', action: drop}
        - {source_labels: [tcp_prefix], regex: '(outbound|inbound|prometheus_stats).*', action: drop}
        - {source_labels: [listener_address], regex: '(.+)', action: drop}
        - {source_labels: [http_conn_manager_listener_prefix], regex: '(.+)', action: drop}
        - {source_labels: [http_conn_manager_prefix], regex: '(.+)', action: drop}
        - {source_labels: [__name__], regex: 'envoy_tls.*', action: drop}
        - {source_labels: [__name__], regex: 'envoy_tcp_downstream.*', action: drop}
        - {source_labels: [__name__], regex: 'envoy_http_(stats|admin).*', action: drop}
        - {source_labels: [__name__], regex: 'envoy_cluster_(lb|retry|bind|internal|max|original).*', action: drop}
        """;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    // Of whom a client called only the namespace can be known: a virtual node is no workload and no Service.
    public override IReadOnlyList<string> KindsWithEdges { get; } = ["namespaces"];

    public override Sidecar SidecarOf(Workload workload) => SidecarWith(workload.PodLabels);

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            string tags = pod.Workload.Kind == "Deployment" ? $",appmesh_mesh=\"{MeshName}\",appmesh_virtual_node=\"{VirtualNodeOf(pod.Workload)}\"" : "";
            foreach (PodFlow flow in PodFlows.Where(flow => flow.To == pod))
            {
                Envoy.Add(page, "envoy_cluster_upstream_rq", $"envoy_cluster_name=\"cds_ingress_{NameOf(pod.Workload)}\"{tags}", flow);
                Envoy.Add(page, "envoy_http_downstream_rq", $"envoy_http_conn_manager_prefix=\"ingress\"{tags}", flow);
                CountByCode(page, $"envoy_cluster_name=\"cds_ingress_{NameOf(pod.Workload)}\"{tags}", flow);
            }

            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                Envoy.Add(page, "envoy_cluster_upstream_rq", $"envoy_cluster_name=\"cds_egress_{NameOf(flow.To.Workload)}\"{tags}", flow);
                Envoy.Add(page, "envoy_http_downstream_rq", $"envoy_http_conn_manager_prefix=\"egress\"{tags}", flow);
                CountByCode(page, $"envoy_cluster_name=\"cds_egress_{NameOf(flow.To.Workload)}\"{tags}", flow);
            }

            // What is not in the mesh; a virtual node whose awsName tells no namespace; the control plane.
            string[] others = [$"cds_egress_{MeshName}_amazonaws", $"cds_egress_{MeshName}_cart_http_8080", "static_cluster_sds_unix_socket"];
            foreach (string cluster in others)
            {
                page.Count("envoy_cluster_upstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_cluster_name=\"{cluster}\"{tags}", OwnRequests);
            }

            Sidecar sidecar = SidecarOf(pod.Workload);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels), page);
        }

        ProxyPage ways = new(restarts: false);
        foreach (string port in new[] { "", "1111_" })
        {
            ways.Count(
                "envoy_cluster_upstream_rq_xx",
                $"envoy_response_code_class=\"2\",envoy_cluster_name=\"cds_ingress_{MeshName}_gate_{Topology.First}_self_redirect_{port}http_15001\"",
                OwnRequests);
        }

        (string @namespace, string name, string node, string ip, Sidecar gateway) = OwnPods().Single();
        yield return (new ScrapeTarget(Job, gateway.UrlAt(ip), @namespace, name, node, gateway.PodLabels), ways);
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
        [(Topology.First, "gate-5f4b8c9d77-k2x9z", Topology.Nodes[0], GatewayIp, SidecarWith(new Dictionary<string, string> { ["app"] = "gate" }))];

    public override string ReceivedSide(string kind) => "server";

    // Callers without a proxy come in by the listener too, where it does not ask for TLS; it knows nobody.
    public override bool IsReceived(PodFlow flow, string kind) => flow.To.Workload.Meshed;

    public override string Buckets(End receiver) => Selector("cds_ingress_.+", receiver);

    public override string EdgeSide(string direction) => "client";

    public override string Buckets(End sender, End receiver, string direction) => Selector($"cds_egress_{MeshName}_[^_]+_{receiver.Name}_.+", sender);

    private static Sidecar SidecarWith(IReadOnlyDictionary<string, string> podLabels) => new("envoy", "stats", 9901, "/stats/prometheus", podLabels);

    private string Selector(string clusters, End reporter) =>
        $"envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name=~\"{clusters}\",{PodMatchers(reporter, "kubernetes_namespace", "kubernetes_pod_name")}}}";

    // Its name need be neither the workload's nor the Service's.
    private static string VirtualNodeOf(Workload workload) => $"{workload.Name}-node_{workload.Namespace}";

    private static string NameOf(Workload workload)
    {
        string protocol = workload.Kind switch { "Deployment" => "http2", "StatefulSet" => "grpc", _ => "http" };
        return $"{MeshName}_{VirtualNodeOf(workload)}_{protocol}_8080";
    }

    private static void CountByCode(ProxyPage page, string labels, PodFlow flow)
    {
        foreach (Reply reply in flow.Flow.Replies)
        {
            page.Count("envoy_cluster_upstream_rq", $"envoy_response_code=\"{reply.Code}\",{labels}", flow.PerSecond * reply.Share);
        }
    }
}
