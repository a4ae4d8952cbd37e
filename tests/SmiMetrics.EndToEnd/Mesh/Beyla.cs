namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>Grafana Beyla as its chart installs it: a DaemonSet.</summary>
internal static class Beyla
{
    public static readonly Sidecar Agent = new("beyla", "metrics", 9090, "/metrics", new Dictionary<string, string> { ["app.kubernetes.io/name"] = "beyla" });

    public static readonly IReadOnlyList<string> Bounds =
        ["0", "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5", "10"];

    /// <summary>A ServiceMonitor without more: the labels that it adds are Beyla's own pod's, and a series' own <c>job</c> becomes <c>exported_job</c>.</summary>
    public const string ScrapeJob = """
        relabel_configs:
        - {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
        - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
        - {target_label: container, replacement: beyla}
        - {target_label: endpoint, replacement: metrics}
        """;
}
