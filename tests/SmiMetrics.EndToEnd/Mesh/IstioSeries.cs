namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>The series that all proxies of Istio have, whichever they are: label for label as its Envoy filter prints them.</summary>
internal static class IstioSeries
{
    public const string Unknown = "unknown";

    /// <summary>What Istio's sample Prometheus adds to the series of any proxy (istio <c>samples/addons/prometheus.yaml</c>, job kubernetes-pods).</summary>
    public const string ScrapeJob = """
        relabel_configs:
        - {action: labelmap, regex: __meta_kubernetes_pod_label_(.+)}
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
        """;

    public static readonly IReadOnlyList<string> Bounds =
    [
        "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000", "300000", "600000",
        "1800000", "3600000",
    ];

    /// <summary>Requests of a flow, as many a second, as one reporter counts them.</summary>
    /// <param name="labelsOf">Null for the labels that Envoy's filter prints.</param>
    public static void Add(ProxyPage page, string reporter, Flow flow, double perSecond, Func<Reply, string>? labelsOf = null)
    {
        foreach (Reply reply in flow.Replies)
        {
            string labels = labelsOf?.Invoke(reply) ?? Labels(reporter, flow.From, flow.To, flow.Service, reply);
            page.Count("istio_requests_total", labels, perSecond * reply.Share);
            page.Observe("istio_request_duration_milliseconds", labels, perSecond * reply.Share, flow.Durations, Bounds);
            page.Observe("istio_request_bytes", labels, perSecond * reply.Share, flow.Durations, Bounds);
        }
    }

    public static string Labels(string reporter, Workload from, Workload to, string? service, Reply reply)
    {
        string name = service ?? Unknown;
        string host = service is null ? to.Pods[0].Ip : $"{service}.{to.Namespace}.svc.cluster.local";
        string security = reporter == "source" ? Unknown : from.Meshed ? "mutual_tls" : "none";
        return
            $"response_code=\"{reply.Code}\",reporter=\"{reporter}\",{End("source", from.Meshed ? from : null)},{End("destination", to)}," +
            $"destination_service=\"{host}\",destination_service_name=\"{name}\",destination_service_namespace=\"{to.Namespace}\"," +
            $"destination_cluster=\"Kubernetes\",request_protocol=\"{(reply.Grpc is null ? "http" : "grpc")}\",response_flags=\"-\"," +
            $"grpc_response_status=\"{reply.Grpc}\",connection_security_policy=\"{security}\"";
    }

    /// <param name="end"><c>source</c> or <c>destination</c>.</param>
    /// <param name="workload">Null when the proxy does not know it.</param>
    public static string End(string end, Workload? workload)
    {
        string name = workload?.Name ?? Unknown;
        string principal = workload is null ? Unknown : $"spiffe://cluster.local/ns/{workload.Namespace}/sa/{name}";
        string cluster = end == "destination" ? "" : $",source_cluster=\"{(workload is null ? Unknown : "Kubernetes")}\"";
        return
            $"{end}_workload=\"{name}\",{end}_workload_namespace=\"{workload?.Namespace ?? Unknown}\",{end}_principal=\"{principal}\"," +
            $"{end}_app=\"{name}\",{end}_version=\"{(workload is null ? Unknown : "latest")}\",{end}_canonical_service=\"{name}\"," +
            $"{end}_canonical_revision=\"latest\"{cluster}";
    }
}
