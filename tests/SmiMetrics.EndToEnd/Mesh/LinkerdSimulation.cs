namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Linkerd's proxies, series for series as linkerd2-proxy prints them: inbound without a source workload, outbound with
/// <c>dst_*</c>, latency without <c>classification</c>, and beside them what must never be counted.
/// </summary>
internal sealed class LinkerdSimulation(Topology topology) : IMeshSimulation
{
    /// <summary>What the job linkerd-proxy of Linkerd's viz extension adds to the proxies' series. "job" is the scrape job's own name.</summary>
    public const string ScrapeJob = """
        relabel_configs:
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {source_labels: [__meta_kubernetes_pod_label_linkerd_io_proxy_job], target_label: k8s_job}
        - {action: labeldrop, regex: __meta_kubernetes_pod_label_linkerd_io_proxy_job}
        - {action: labelmap, regex: __meta_kubernetes_pod_label_linkerd_io_proxy_(.+)}
        - {action: labeldrop, regex: __meta_kubernetes_pod_label_linkerd_io_proxy_(.+)}
        - {action: labelmap, regex: __meta_kubernetes_pod_label_linkerd_io_(.+)}
        - {action: labeldrop, regex: __meta_kubernetes_pod_label_linkerd_io_(.+)}
        - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
        """;

    private static readonly string[] Bounds =
    [
        "1", "2", "3", "4", "5", "10", "20", "30", "40", "50", "100", "200", "300", "400", "500", "1000", "2000", "3000", "4000", "5000",
        "10000", "20000", "30000", "40000", "50000",
    ];

    private static readonly Duration[] Instant = [new(1, 1)];

    public static string OwnerLabel(Workload workload) => workload.Kind switch
    {
        "Job" => "k8s_job",
        _ => workload.Kind.ToLowerInvariant(),
    };

    public Topology Topology { get; } = topology;

    public Sidecar SidecarOf(Workload workload) => new(
        "linkerd-proxy",
        "linkerd-admin",
        4191,
        "/metrics",
        new Dictionary<string, string>(workload.PodLabels)
        {
            ["linkerd.io/control-plane-ns"] = "linkerd",
            [$"linkerd.io/proxy-{workload.Kind.ToLowerInvariant()}"] = workload.Name,
            ["linkerd.io/workload-ns"] = workload.Namespace,
        });

    public IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(pod.Workload.Restarting);
            AddUncounted(page, pod);
            foreach (Flow flow in Topology.Flows)
            {
                if (flow.To == pod.Workload)
                {
                    AddInbound(page, pod, flow);
                }

                if (flow.From == pod.Workload)
                {
                    foreach (SimulatedPod peer in flow.To.Pods)
                    {
                        AddOutbound(page, peer, flow);
                    }
                }
            }

            if (pod.Workload == Topology.Idle)
            {
                page.Stopped("response_total", $"{InboundTarget(pod, "8080")},tls=\"true\",status_code=\"200\",classification=\"success\"", 4711);
            }

            yield return (Target(pod), page);
        }
    }

    private ScrapeTarget Target(SimulatedPod pod)
    {
        Sidecar sidecar = SidecarOf(pod.Workload);
        return new ScrapeTarget("linkerd-proxy", sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels);
    }

    private static void AddInbound(ProxyPage page, SimulatedPod pod, Flow flow)
    {
        string client = flow.From.Meshed
            ? $"tls=\"true\",client_id=\"{ServiceAccount(flow.From)}\""
            : "tls=\"no_identity\",no_tls_reason=\"no_tls_from_remote\"";
        string labels = $"{InboundTarget(pod, "8080")},{client},{Policy("default")}";
        Add(page, "", labels, flow.PerSecond / flow.To.Pods.Count, flow);
    }

    private static void AddOutbound(ProxyPage page, SimulatedPod peer, Flow flow)
    {
        Workload to = flow.To;
        string authority = flow.Service is null ? $"{peer.Ip}:8080" : $"{flow.Service}.{to.Namespace}.svc.cluster.local:8080";
        string service = flow.Service is null ? "" : $",dst_service=\"{flow.Service}\"";
        string hash = to.Kind == "Deployment" ? $",dst_pod_template_hash=\"{to.TemplateHash}\"" : "";
        string labels =
            $"direction=\"outbound\",authority=\"{authority}\",target_addr=\"{peer.Ip}:8080\",target_ip=\"{peer.Ip}\",target_port=\"8080\"," +
            $"tls=\"true\",server_id=\"{ServiceAccount(to)}\",dst_control_plane_ns=\"linkerd\",dst_{OwnerLabel(to)}=\"{to.Name}\"," +
            $"dst_namespace=\"{to.Namespace}\",dst_pod=\"{peer.Name}\"{hash},dst_serviceaccount=\"{to.Name}\"{service}";
        double perSecond = flow.PerSecond / (flow.From.Pods.Count * to.Pods.Count);
        Add(page, "", labels, perSecond, flow);
        Add(page, "route_", $"direction=\"outbound\",dst=\"{authority}\"", perSecond, flow);
    }

    // The proxy's own admin port, kubelet's probes, and the proxy's calls to the control plane.
    private static void AddUncounted(ProxyPage page, SimulatedPod pod)
    {
        const string Success = "status_code=\"200\",classification=\"success\"";
        string scrape = $"{InboundTarget(pod, "4191")},tls=\"no_identity\",no_tls_reason=\"no_tls_from_remote\",{Policy("default")}";
        string probe = $"{InboundTarget(pod, "8080")},tls=\"no_identity\",no_tls_reason=\"no_tls_from_remote\",{Policy("probe")}";
        foreach (string labels in new[] { scrape, probe })
        {
            page.Count("request_total", labels, 300);
            page.Count("response_total", $"{labels},{Success}", 300);
            page.Observe("response_latency_ms", $"{labels},status_code=\"200\"", 300, Instant, Bounds);
        }

        string control =
            "addr=\"linkerd-dst-headless.linkerd.svc.cluster.local:8086\",tls=\"true\"," +
            "server_id=\"linkerd-destination.linkerd.serviceaccount.identity.linkerd.cluster.local\"";
        page.Count("control_request_total", control, 300);
        page.Count("control_response_total", $"{control},{Success},grpc_status=\"0\"", 300);
        page.Observe("control_response_latency_ms", $"{control},status_code=\"200\"", 300, Instant, Bounds);
    }

    private static void Add(ProxyPage page, string prefix, string labels, double perSecond, Flow flow)
    {
        page.Count($"{prefix}request_total", labels, perSecond);
        foreach (Reply reply in flow.Replies)
        {
            string status = $"status_code=\"{reply.Code}\",classification=\"{(reply.Fails ? "failure" : "success")}\"";
            string grpc = reply.Grpc is null ? "" : $",grpc_status=\"{reply.Grpc}\"";
            page.Count($"{prefix}response_total", $"{labels},{status}{grpc},error=\"\"", perSecond * reply.Share);
        }

        foreach (IGrouping<string, Reply> code in flow.Replies.GroupBy(reply => reply.Code))
        {
            page.Observe(
                $"{prefix}response_latency_ms", $"{labels},status_code=\"{code.Key}\"", perSecond * code.Sum(reply => reply.Share), flow.Durations, Bounds);
        }
    }

    private static string InboundTarget(SimulatedPod pod, string port)
    {
        string ip = port == "4191" ? "0.0.0.0" : pod.Ip;
        return $"direction=\"inbound\",target_addr=\"{ip}:{port}\",target_ip=\"{ip}\",target_port=\"{port}\"";
    }

    private static string Policy(string route) =>
        "srv_group=\"\",srv_kind=\"default\",srv_name=\"all-unauthenticated\",srv_port=\"8080\"," +
        $"route_group=\"\",route_kind=\"default\",route_name=\"{route}\",authz_group=\"\",authz_kind=\"default\",authz_name=\"{(route == "probe" ? "probe" : "all-unauthenticated")}\"";

    private static string ServiceAccount(Workload workload) => $"{workload.Name}.{workload.Namespace}.serviceaccount.identity.linkerd.cluster.local";
}
