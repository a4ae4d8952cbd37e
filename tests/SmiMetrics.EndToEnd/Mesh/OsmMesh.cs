namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Open Service Mesh, whose clients' Envoys write both ends into the NAME of each metric, where every <c>-</c> is a <c>_</c>; and beside these
/// what names nobody, and Envoy's own counters.
/// </summary>
internal sealed class OsmMesh(Topology topology) : CatalogueMesh("osm", topology)
{
    private static readonly string[] Pieces =
    [
        "source_namespace", "source_kind", "source_name", "source_pod", "destination_namespace", "destination_kind", "destination_name", "destination_pod",
    ];

    private static readonly string[] Unknown = ["unknown", "unknown", "unknown", "unknown"];
    private static readonly string[] Outside = ["", "", "", ""];

    /// <summary>The job smi-metrics of OSM's own chart: each rule takes one label out of the name.</summary>
    public override string ScrapeJob { get; } = string.Join('\n',
    [
        "metric_relabel_configs:",
        "- {source_labels: [__name__], regex: 'envoy_.*osm_request_(total|duration_ms_(bucket|count|sum))', action: keep}",
        .. Rules(["response_code", .. Pieces], "osm_request_total"),
        "- {source_labels: [__name__], regex: '.*(osm_request_total)', target_label: __name__}",
        .. Rules(Pieces, "osm_request_duration_ms_(bucket|sum|count)"),
        "- {source_labels: [__name__], regex: '.*(osm_request_duration_ms_(bucket|sum|count))', target_label: __name__}",
    ]);

    // The proxies write no labels.
    public override bool CanBeScraped => false;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    public override IReadOnlyList<string> KindsWithEdges => Kinds;

    public override Sidecar SidecarOf(Workload workload) => new("envoy", "proxy-metrics", 15010, "/stats/prometheus", workload.PodLabels);

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                Add(page, [.. Parts(flow.From), .. Parts(flow.To)], flow.Flow.Replies, flow.PerSecond, flow.Flow.Durations);
            }

            // Its own answer where there is no endpoint, what leaves the mesh, and what was given up before there was an answer.
            Add(page, [.. Parts(pod), .. Unknown], [new Reply(1, "503", true)], 100, [new Duration(1, 2)]);
            Add(page, [.. Parts(pod), .. Outside], [new Reply(1, "200", false)], 100, [new Duration(1, 2)]);
            Add(page, [.. Parts(pod), .. Outside], [], 100, [new Duration(1, 900)]);
            page.Count(
                "envoy_cluster_upstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_cluster_name=\"{pod.Workload.Namespace}/{pod.Workload.Name}|80|local\"", 300);
            if (pod.Workload == Topology.Idle)
            {
                page.Stopped(MetricOf([.. Parts(pod), .. Parts(Topology.Flows[0].To.Pods[0])], "200") + "osm_request_total", "", 4711);
            }

            Sidecar sidecar = SidecarOf(pod.Workload);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels), page);
        }
    }

    public override string ReceivedSide(string kind) => "client";

    public override bool IsReceived(PodFlow flow, string kind) => flow.From.Workload.Meshed && flow.To.Workload.Meshed;

    public override string Buckets(End receiver) => $"osm_request_duration_ms_bucket{{{Matcher("destination", receiver)}}}";

    public override string EdgeSide(string direction) => "client";

    public override string Buckets(End sender, End receiver, string direction) =>
        $"osm_request_duration_ms_bucket{{{Matcher("source", sender)},{Matcher("destination", receiver)}}}";

    private static IEnumerable<string> Rules(string[] pieces, string name) => pieces.Select(wanted =>
        "- {source_labels: [__name__], regex: 'envoy_"
        + string.Concat(pieces.Select(piece => (piece, piece == "response_code" ? @"\d{3}" : ".*") switch
        {
            var (label, value) when label == wanted => $"{label}_({value})_",
            var (label, value) => $"{label}_{value}_",
        }))
        + $"{name}', target_label: {wanted}}}");

    // As OSM names a pod: by its controller, but by the Deployment of a ReplicaSet.
    private static string[] Parts(SimulatedPod pod)
    {
        Workload workload = pod.Workload;
        (string kind, string name) = workload.Kind == "Deployment" ? (workload.Kind, workload.Name) : workload.Controller;
        return [workload.Namespace, kind, name, pod.Name];
    }

    private static string Written(string name) => name.Replace('-', '_');

    private static string MetricOf(string[] parts, string? code) =>
        $"envoy_{(code is null ? "" : $"response_code_{code}_")}{string.Concat(Pieces.Zip(parts, (piece, part) => $"{piece}_{Written(part)}_"))}";

    private static void Add(ProxyPage page, string[] parts, IReadOnlyList<Reply> replies, double perSecond, IReadOnlyList<Duration> durations)
    {
        foreach (Reply reply in replies)
        {
            page.Count(MetricOf(parts, reply.Code) + "osm_request_total", "", perSecond * reply.Share);
        }

        page.Observe(MetricOf(parts, code: null) + "osm_request_duration_ms", "", perSecond, durations, Envoy.Bounds);
    }

    private string Matcher(string end, End named) => named.Kind == "Namespace"
        ? $"{end}_namespace=\"{Written(named.Name)}\""
        : $"{end}_pod=~\"{Written(PodPattern(named))}\"";
}
