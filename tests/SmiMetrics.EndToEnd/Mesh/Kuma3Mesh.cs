namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>Kuma 3, and 2.12 and later with unified naming: the names of everything say what it is for, and MeshMetric shows them.</summary>
internal sealed class Kuma3Mesh(Topology topology) : AnyKumaMesh("kuma-3", topology)
{
    // Kuma's job takes pod and namespace from the Dataplane's labels, which MeshMetric's targets have not. Hence the last two rules.
    public override string ScrapeJob => $$"""
        {{OwnJob}}
        - {source_labels: [k8s_kuma_io_name], target_label: pod}
        - {source_labels: [k8s_kuma_io_namespace], target_label: namespace}
        - {source_labels: [__meta_kuma_dataplane], regex: '(.+)\.[^.]+', target_label: pod}
        - {source_labels: [__meta_kuma_dataplane], regex: '.+\.([^.]+)', target_label: namespace}
        """;

    protected override (string Namespace, string Pod) Labels => ("namespace", "pod");

    protected override IReadOnlyList<string> OwnClusters =>
    [
        "system_envoy_admin", "self_transparentproxy_passthrough_dp_outbound_ipv4",
        "kri_extsvc_default__kuma-system_es1_", $"kri_mzsvc_default__{Topology.First}_api_http",
    ];

    protected override IReadOnlyList<string> OwnPrefixes { get; } = ["system_metrics_prometheus", "system_dns_builtin", "self_inbound_zi_10001"];

    protected override string InboundPattern => "self_inbound_dp_.+";

    protected override string InboundOf(Workload workload) => $"self_inbound_dp_{SectionOf(workload)}";

    // What has no zone leaves its place empty.
    protected override string ClusterOf(PodFlow flow)
    {
        Workload receiver = flow.To.Workload;
        string zone = receiver.Namespace == Topology.Second ? "" : "us-east-2";
        return $"kri_msvc_{Default}_{zone}_{receiver.Namespace}_{flow.Flow.Service}_{SectionOf(receiver)}";
    }

    protected override string ClusterPattern(string service, string @namespace) => $"kri_msvc_{Default}_[^_]*_{@namespace}_{service}_[^_]+";

    // The port's name; its number where it has none.
    private static string SectionOf(Workload workload) => workload.Kind == "Deployment" ? "http" : "5050";
}
