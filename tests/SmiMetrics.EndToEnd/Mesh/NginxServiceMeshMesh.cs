namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// NGINX Service Mesh's sidecars, whose series of what they send say where to, and those of what they receive do not say where from. Beside
/// them the pods of NGINX's that have series of the same names: its Ingress Controller, and an NGINX Plus that is in no mesh.
/// </summary>
internal sealed class NginxServiceMeshMesh(Topology topology) : CatalogueMesh("nginx-service-mesh", topology)
{
    private const string Responses = "nginxplus_upstream_server_responses";
    private const string Latency = "nginxplus_upstream_server_response_latency_ms";
    private const double OthersRequests = 300;

    private static readonly string[] Classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];

    private static readonly string[] Bounds =
    [
        "1", "2", "3", "4", "5", "10", "20", "30", "40", "50", "100", "200", "300", "400", "500",
        "1000", "2000", "3000", "4000", "5000", "10000", "20000", "30000", "40000", "50000",
    ];

    // The jobs nginx-mesh-sidecars and nginx-plus-ingress of the mesh's examples/prometheus.yaml in one: neither has what the other's rules look for.
    public override string ScrapeJob => """
        relabel_configs:
        - {action: labelmap, regex: __meta_kubernetes_pod_label_nsm_nginx_com_(.+)}
        - {action: labeldrop, regex: __meta_kubernetes_pod_label_nsm_nginx_com_(.+)}
        - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {target_label: job, replacement: nginx-mesh-sidecars}
        metric_relabel_configs:
        - source_labels: [__name__]
          regex: nginx_ingress_controller_upstream_server_response_latency_ms(.*)
          target_label: __name__
          replacement: nginxplus_upstream_server_response_latency_ms$1
        - {source_labels: [__name__], regex: nginx_ingress_nginxplus(.*), target_label: __name__, replacement: nginxplus$1}
        - {source_labels: [service], regex: '(.+)', target_label: dst_service}
        - {source_labels: [resource_namespace], regex: '(.+)', target_label: dst_namespace}
        - {source_labels: [pod_owner], regex: '(.+)/(.+)', target_label: 'dst_$1', replacement: '$2'}
        - {source_labels: [pod_name], regex: '(.+)', target_label: dst_pod}
        """;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    public override IReadOnlyList<string> KindsWithEdges => Kinds;

    public override Sidecar SidecarOf(Workload workload)
    {
        Dictionary<string, string> labels = new(workload.PodLabels) { ["spiffe.io/spiffeid"] = "true" };
        if (LabelOf(workload) is { } label)
        {
            labels[$"nsm.nginx.com/{label}"] = workload.Name;
        }

        return new Sidecar("nginx-mesh-sidecar", "", 8887, "/metrics", labels);
    }

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            foreach (PodFlow flow in PodFlows.Where(flow => flow.To == pod))
            {
                Add(page, "server=\"127.0.0.1:8080\",upstream=\"incoming_8080\"", flow);
            }

            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                Workload receiver = flow.To.Workload;
                string workload = LabelOf(receiver) is { } label ? $"dst_{label}=\"{receiver.Name}\"," : "";
                Add(
                    page,
                    $"dst_namespace=\"{receiver.Namespace}\",dst_pod=\"{flow.To.Name}\",{workload}dst_service=\"{flow.Flow.Service}\"," +
                    $"server=\"{flow.To.Ip}:8080\",upstream=\"{receiver.Namespace}_{flow.Flow.Service}_8080\"",
                    flow);
            }

            page.Count("nginxplus_http_requests_total", "", OthersRequests);
            Sidecar sidecar = SidecarOf(pod.Workload);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels), page);
        }

        foreach ((string @namespace, string name, string node, string ip, Sidecar proxy) in OwnPods())
        {
            ProxyPage page = new(restarts: false);
            if (proxy.Container == "nginx-plus")
            {
                page.Count(Responses, "code=\"2xx\",server=\"10.0.0.1:80\",upstream=\"u\"", OthersRequests);
            }
            else
            {
                // To a pod that it does not know.
                page.Count(
                    "nginx_ingress_nginxplus_upstream_server_responses",
                    $"class=\"nginx\",code=\"2xx\",pod_name=\"\",pod_owner=\"\",resource_name=\"shop\",resource_namespace=\"{Topology.First}\"," +
                    "resource_type=\"virtualserver\",server=\"10.0.0.1:80\",service=\"web\",upstream=\"shop\"",
                    OthersRequests);
            }

            yield return (new ScrapeTarget(Job, proxy.UrlAt(ip), @namespace, name, node, proxy.PodLabels), page);
        }
    }

    /// <inheritdoc/>
    public override IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
    [
        (Topology.First, "nginx-plus-7c9d5b6f4-t8m2x", Topology.Nodes[0], "10.2.119.1", new Sidecar(
            "nginx-plus", "", 9113, "/metrics", new Dictionary<string, string> { ["app"] = "nginx-plus" })),
        (Topology.First, "nginx-ingress-6d8f9c7b5-w4k7q", Topology.Nodes[1], "10.2.119.2", new Sidecar(
            "nginx-plus-ingress",
            "",
            9113,
            "/metrics",
            new Dictionary<string, string> { ["app"] = "nginx-ingress", ["nsm.nginx.com/deployment"] = "nginx-ingress", ["spiffe.io/spiffeid"] = "true" })),
    ];

    // What is received does not name the Service.
    public override string ReceivedSide(string kind) => kind == "services" ? "client" : "server";

    // Callers without a proxy come in too, where mTLS is permissive or off; but for their Service there is nobody to tell.
    public override bool IsReceived(PodFlow flow, string kind) => flow.To.Workload.Meshed && (kind != "services" || flow.From.Workload.Meshed);

    // The mesh's own reckoning: redirections and the client's errors fail too.
    public override bool Fails(Reply reply) => reply.Code[0] is not ('1' or '2');

    public override string Buckets(End receiver) => receiver.Kind == "Service"
        ? $"{Latency}_bucket{{{Receiver(receiver)}}}"
        : $"{Latency}_bucket{{upstream=~\"incoming.*\",{PodMatchers(receiver, "namespace", "pod")}}}";

    public override string EdgeSide(string direction) => "client";

    public override string Buckets(End sender, End receiver, string direction) =>
        $"{Latency}_bucket{{{PodMatchers(sender, "namespace", "pod")},{Receiver(receiver)}}}";

    private string Receiver(End receiver) => receiver.Kind == "Service"
        ? $"dst_namespace=\"{receiver.Namespace}\",dst_service=\"{receiver.Name}\""
        : PodMatchers(receiver, "dst_namespace", "dst_pod");

    // Other workloads have no label of the mesh.
    private static string? LabelOf(Workload workload) =>
        workload.Kind is "Deployment" or "StatefulSet" or "DaemonSet" ? workload.Kind.ToLowerInvariant() : null;

    private static void Add(ProxyPage page, string labels, PodFlow flow)
    {
        foreach (string @class in Classes)
        {
            double share = flow.Flow.Replies.Where(reply => reply.Code[0] == @class[0]).Sum(reply => reply.Share);
            page.Count(Responses, $"code=\"{@class}\",{labels}", flow.PerSecond * share);
        }

        foreach (Reply reply in flow.Flow.Replies)
        {
            page.Observe(Latency, $"code=\"{reply.Code}\",{labels}", flow.PerSecond * reply.Share, flow.Flow.Durations, Bounds);
        }
    }
}
