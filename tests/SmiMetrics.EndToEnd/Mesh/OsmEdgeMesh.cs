using System.Globalization;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// osm-edge, whose Pipys count what arrives without a sender and what is sent without a receiving pod, while their histogram, of clients
/// alone, names both pods by other labels; and beside these what must not count.
/// </summary>
internal sealed class OsmEdgeMesh(Topology topology) : CatalogueMesh("osm-edge", topology)
{
    private static readonly string[] Bounds =
        ["5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000", "300000", "600000", "1800000", "3600000"];

    /// <summary>The job kubernetes-pods of its chart, whose labels take the place of some that Pipy writes.</summary>
    public override string ScrapeJob => """
        relabel_configs:
        - {source_labels: [__meta_kubernetes_namespace], target_label: source_namespace}
        - {source_labels: [__meta_kubernetes_pod_name], target_label: source_pod_name}
        - {source_labels: [__meta_kubernetes_pod_label_app], target_label: source_service}
        - {source_labels: [__meta_kubernetes_pod_controller_kind], target_label: source_workload_kind}
        - {source_labels: [__meta_kubernetes_pod_controller_name], target_label: source_workload_name}
        - {source_labels: [__meta_kubernetes_pod_controller_kind], regex: ReplicaSet, target_label: source_workload_kind, replacement: Deployment}
        - source_labels: [__meta_kubernetes_pod_controller_kind, __meta_kubernetes_pod_controller_name]
          regex: ReplicaSet;(.*)-[^-]+
          target_label: source_workload_name
        metric_relabel_configs:
        - {source_labels: [__name__], regex: 'sidecar_cluster_upstream_rq_(xx|total)|osm.*', action: keep}
        """;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    public override IReadOnlyList<string> KindsWithEdges { get; } = [.. Kinds.Except(["nodes"])];

    public override Sidecar SidecarOf(Workload workload) => new("sidecar", "proxy-metrics", 15010, "/stats/prometheus", workload.PodLabels);

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            string own =
                $"source_namespace=\"{pod.Workload.Namespace}\",source_workload_kind=\"{pod.Workload.Kind}\",source_workload_name=\"{pod.Workload.Name}-sa\"," +
                $"source_workload_pod=\"{pod.Name}\"";
            foreach (PodFlow flow in PodFlows.Where(flow => flow.To == pod))
            {
                Count(page, "sidecar_cluster_upstream_rq", $"{own},sidecar_cluster_name=\"{Cluster(flow)}|8080|local\"", flow);
            }

            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                Count(page, "sidecar_cluster_upstream_rq", $"{own},sidecar_cluster_name=\"{Cluster(flow)}|8080\"", flow);
                Count(page, "sidecar_cluster_external_upstream_rq", $"sidecar_cluster_name=\"{Cluster(flow)}|8080\"", flow);
                page.Observe("osm_request_duration_ms", $"{Ends("source", flow.From)},{Ends("destination", flow.To)}", flow.PerSecond, flow.Flow.Durations, Bounds);
            }

            // What leaves the mesh.
            page.Count("sidecar_cluster_upstream_rq_xx", $"{own},sidecar_cluster_name=\"httpbin.org:80\",sidecar_response_code_class=\"2\"", 300);
            if (pod.Workload == Topology.Idle)
            {
                page.Stopped(
                    "sidecar_cluster_upstream_rq_xx",
                    $"{own},sidecar_cluster_name=\"{pod.Workload.Namespace}/{pod.Workload.Name}|8080|local\",sidecar_response_code_class=\"2\"",
                    4711);
            }

            Sidecar sidecar = SidecarOf(pod.Workload);
            yield return (
                new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels, pod.Workload.Controller), page);
        }
    }

    public override string ReceivedSide(string kind) => "server";

    // In permissive mode callers without a proxy are let in, and counted like others. Their latency nobody measures.
    public override bool IsReceived(PodFlow flow, string kind) => flow.To.Workload.Meshed;

    public override string Buckets(End receiver) => $"osm_request_duration_ms_bucket{{{Matchers("destination", receiver)}}}";

    public override string EdgeSide(string direction) => "client";

    // Whom a client called is counted as a Service, so only Services and namespaces receive on an edge.
    public override bool HasEdges(string kind, string direction) =>
        KindsWithEdges.Contains(kind) && (kind == "namespaces" || (kind == "services") == (direction == "from"));

    public override string PeerKind(string kind, string direction) => kind == "namespaces" ? kind : direction == "to" ? "services" : "workloads";

    public override string Buckets(End sender, End receiver, string direction) =>
        $"osm_request_duration_ms_bucket{{{Matchers("source", sender)},{Matchers("destination", receiver)}}}";

    // The Service of a StatefulSet is headless: each of its pods is a cluster of its own.
    private static string Cluster(PodFlow flow) =>
        $"{flow.To.Workload.Namespace}/{(flow.To.Workload.Kind == "StatefulSet" ? $"{flow.To.Name}." : "")}{flow.Flow.Service}";

    private static string Ends(string end, SimulatedPod pod) =>
        $"{end}_namespace=\"{pod.Workload.Namespace}\",{end}_kind=\"{pod.Workload.Kind}\",{end}_name=\"{pod.Workload.Name}-sa\",{end}_pod=\"{pod.Name}\"";

    // The status divided by 100, not rounded; the class of what never happened stands at zero.
    private static void Count(ProxyPage page, string family, string labels, PodFlow flow)
    {
        foreach (Reply reply in flow.Flow.Replies.Append(new Reply(0, "500", true)))
        {
            string @class = (int.Parse(reply.Code, CultureInfo.InvariantCulture) / 100.0).ToString(CultureInfo.InvariantCulture);
            page.Count($"{family}_xx", $"{labels},sidecar_response_code_class=\"{@class}\"", flow.PerSecond * reply.Share);
        }

        page.Count($"{family}_total", labels, flow.PerSecond);
    }

    private string Matchers(string end, End named) => named.Kind switch
    {
        "Namespace" => $"{end}_namespace=\"{named.Name}\"",
        "Node" => $"{end}_pod=~\"{PodPattern(named)}\"",
        _ => $"{end}_namespace=\"{named.Namespace}\",{end}_pod=~\"{PodPattern(named)}\"",
    };
}
