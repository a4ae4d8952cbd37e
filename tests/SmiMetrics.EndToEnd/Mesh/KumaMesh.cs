namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Kuma 2, midway from Mesh.metrics to MeshMetric and from kuma.io/service to MeshService: some of the pods have the one, some the other, and
/// so they name the Services that they call in several ways.
/// </summary>
internal sealed class KumaMesh(Topology topology) : AnyKumaMesh("kuma", topology)
{
    // MeshMetric's targets say no more of a pod than the Dataplane's name, so the labels come from there.
    public override string ScrapeJob => $$"""
        {{OwnJob}}
        - {source_labels: [__meta_kuma_dataplane], regex: '(.+)\.[^.]+', target_label: k8s_kuma_io_name}
        - {source_labels: [__meta_kuma_dataplane], regex: '.+\.([^.]+)', target_label: k8s_kuma_io_namespace}
        """;

    protected override (string Namespace, string Pod) Labels => ("k8s_kuma_io_namespace", "k8s_kuma_io_name");

    protected override IReadOnlyList<string> OwnClusters { get; } =
    [
        "kuma_envoy_admin", "kuma_metrics_hijacker", "kuma_readiness", "ads_cluster", "access_log_sink",
        "inbound_passthrough_ipv4", "outbound_passthrough_ipv4", "demo-client",
    ];

    protected override IReadOnlyList<string> OwnPrefixes { get; } = ["admin", "kuma_envoy_admin", "kuma_metrics_prometheus"];

    protected override string InboundPattern => "localhost_.+";

    protected override string InboundOf(Workload workload) => $"localhost_{PortOf(workload)}";

    protected override string ClusterOf(PodFlow flow)
    {
        Workload receiver = flow.To.Workload;
        string name = $"{flow.Flow.Service}_{receiver.Namespace}";
        return flow.From.Workload switch
        {
            // As the first versions with MeshServices called them.
            { Kind: "Job" } => $"{name}_msvc_{PortOf(receiver)}",
            { Kind: "Deployment" } sender when sender.Namespace == Topology.First => $"{name}_svc_{PortOf(receiver)}",
            _ => $"{Default}_{name}_{Default}_msvc_{PortOf(receiver)}",
        };
    }

    protected override string ClusterPattern(string service, string @namespace) =>
        $"({service}_{@namespace}_m?svc|{Default}_{service}_{@namespace}_{Default}_msvc)_[0-9]+(-[0-9a-f]+)?";

    // A part of a split has a hash behind its name, which kuma-dp takes away again, but not under MeshMetric.
    protected override IEnumerable<(string Cluster, double Share)> PartsOf(PodFlow flow, string cluster) =>
        HasMeshMetric(flow.From.Workload) ? [(cluster, 0.25), ($"{cluster}-0382aaf295add2eb", 0.75)] : [(cluster, 1)];

    protected override string MarkOf(SimulatedPod pod) => HasMeshMetric(pod.Workload) ? "" : ",kuma_io_mesh_traffic=\"true\"";

    protected override IReadOnlyDictionary<string, string> DataplaneLabels(SimulatedPod pod) => HasMeshMetric(pod.Workload)
        ? base.DataplaneLabels(pod)
        : new Dictionary<string, string>
        {
            ["__meta_kuma_label_k8s_kuma_io_name"] = pod.Name,
            ["__meta_kuma_label_k8s_kuma_io_namespace"] = pod.Workload.Namespace,
            ["__meta_kuma_label_kuma_io_protocol"] = "http",
            ["__meta_kuma_label_kuma_io_service"] = $"{pod.Workload.Name}_{pod.Workload.Namespace}_svc_{PortOf(pod.Workload)}",
            ["__meta_kuma_label_kuma_io_zone"] = Default,
        };

    private bool HasMeshMetric(Workload workload) => workload.Name == "api" || workload.Namespace == Topology.Second;

    private static int PortOf(Workload workload) => workload.Kind == "StatefulSet" ? 80 : 3001;
}
