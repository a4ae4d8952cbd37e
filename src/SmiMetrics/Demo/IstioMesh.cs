using SmiMetrics.Exposition;

namespace SmiMetrics.Demo;

/// <summary>
/// Istio's sidecars, series for series: each request twice, by its sender and by its receiver, with both workloads named but not their
/// kinds, and no pods (istio/proxy <c>source/extensions/filters/http/istio_stats/istio_stats.cc</c>).
/// </summary>
internal sealed class IstioMesh : SimulatedMesh
{
    private const string Unknown = "unknown";

    private static readonly string[] ConnectionFamilies =
        ["istio_tcp_connections_opened_total", "istio_tcp_connections_closed_total", "istio_tcp_sent_bytes_total", "istio_tcp_received_bytes_total"];

    private static readonly string[] ClusterFamilies =
        ["envoy_cluster_upstream_cx_total", "envoy_cluster_upstream_rq_total", "envoy_cluster_upstream_cx_rx_bytes_total"];

    public override string Name => "istio";

    public override string Title => "Istio";

    public override string Container => "istio-proxy";

    public override IReadOnlyList<SidecarPort> Ports { get; } = [new("http-envoy-prom", 15090)];

    public override (int Port, string Path) Page => (15090, "/stats/prometheus");

    // Envoy's defaults: envoyproxy/envoy source/common/stats/histogram_impl.cc
    public override IReadOnlyList<double> Bounds { get; } =
        [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000];

    public override IEnumerable<(string Name, string Value)> PodLabels(Workload workload) =>
    [
        ("security.istio.io/tlsMode", "istio"),
        ("service.istio.io/canonical-name", workload.App),
        ("service.istio.io/canonical-revision", workload.Version ?? "latest"),
    ];

    public override void WritePage(ExpositionWriter page, SimulatedPod pod, TimeSpan age, SimulatedCluster cluster, RequestCounter requests)
    {
        Report[] reports = [.. Reports(pod, age, cluster, requests)];
        page.Family("istio_requests_total", MetricType.Counter, null);
        foreach (Report report in reports)
        {
            page.Sample("istio_requests_total");
            WriteLabels(page, report.Labels);
            page.Value(report.Tally.Count(report.Reply));
        }

        WriteHistograms(page, "istio_request_duration_milliseconds", reports);
        // Bytes, in the same buckets: Envoy has one layout for all.
        WriteHistograms(page, "istio_request_bytes", reports);
        WriteHistograms(page, "istio_response_bytes", reports);
        WriteConnections(page, reports);
        WriteEnvoy(page, reports, uptime: (long)(age - pod.Created).TotalSeconds);
    }

    private static IEnumerable<Report> Reports(SimulatedPod pod, TimeSpan age, SimulatedCluster cluster, RequestCounter requests)
    {
        foreach (Flow flow in cluster.World.Flows)
        {
            if (flow.To == pod.Workload)
            {
                foreach (Report report in ByReply("destination", flow, pod, requests.Received(flow, pod, age)))
                {
                    yield return report;
                }
            }

            // No proxy distinguishes the pods that it calls.
            if (flow.From == pod.Workload && cluster.PodsOf(flow.To, age).FirstOrDefault() is { } peer)
            {
                foreach (Report report in ByReply("source", flow, peer, requests.Sent(flow, pod, age)))
                {
                    yield return report;
                }
            }
        }
    }

    private static IEnumerable<Report> ByReply(string reporter, Flow flow, SimulatedPod receiver, Tally tally) =>
        flow.Replies.Index().Select(reply => new Report(Labels(reporter, flow, receiver, reply.Item), reply.Index, tally));

    private static (string, string)[] Labels(string reporter, Flow flow, SimulatedPod receiver, Reply reply) =>
    [
        ("response_code", reply.StatusCode),
        ("reporter", reporter),
        .. End("source", flow.From),
        ("source_cluster", flow.From is null ? Unknown : "Kubernetes"),
        .. End("destination", flow.To),
        ("destination_service", HostOf(flow.To, receiver)),
        ("destination_service_name", flow.To.Service ?? Unknown),
        ("destination_service_namespace", flow.To.Namespace),
        ("destination_cluster", "Kubernetes"),
        ("request_protocol", flow.Grpc ? "grpc" : "http"),
        ("response_flags", "-"),
        ("grpc_response_status", reply.GrpcStatus ?? ""),
        // The sender does not know.
        ("connection_security_policy", reporter == "source" ? Unknown : flow.From is null ? "none" : "mutual_tls"),
    ];

    private static (string, string)[] End(string end, Workload? workload) =>
    [
        ($"{end}_workload", workload?.Name ?? Unknown),
        ($"{end}_workload_namespace", workload?.Namespace ?? Unknown),
        ($"{end}_principal", workload is null ? Unknown : $"spiffe://cluster.local/ns/{workload.Namespace}/sa/{workload.Name}"),
        ($"{end}_app", workload?.App ?? Unknown),
        ($"{end}_version", workload is null ? Unknown : workload.Version ?? Unknown),
        ($"{end}_canonical_service", workload?.App ?? Unknown),
        ($"{end}_canonical_revision", workload?.Version ?? "latest"),
    ];

    private void WriteHistograms(ExpositionWriter page, string family, Report[] reports)
    {
        page.Family(family, MetricType.Histogram, null);
        foreach (Report report in reports)
        {
            WriteHistogram(page, family, report.Labels, bucket => report.Tally.CountUpTo(report.Reply, bucket), report.Tally.Sum(report.Reply));
        }
    }

    private static void WriteConnections(ExpositionWriter page, Report[] reports)
    {
        foreach (string family in ConnectionFamilies)
        {
            page.Family(family, MetricType.Counter, null);
            foreach (Report report in reports.Where(report => report.Reply == 0))
            {
                page.Sample(family);
                WriteLabels(page, report.Labels.Where(label => label.Name is not ("response_code" or "grpc_response_status" or "request_protocol")));
                page.Label("request_protocol", "tcp");
                page.Value(report.Tally.Total / 100);
            }
        }
    }

    private static void WriteEnvoy(ExpositionWriter page, Report[] reports, long uptime)
    {
        IEnumerable<string> called = reports.Select(report => report.Labels.Single(label => label.Name == "destination_service").Value).Distinct();
        string[] clusters = [.. called, "xds-grpc", "prometheus_stats"];
        foreach (string family in ClusterFamilies)
        {
            page.Family(family, MetricType.Counter, null);
            foreach (string cluster in clusters)
            {
                page.Sample(family);
                page.Label("cluster_name", cluster);
                page.Value(uptime);
            }
        }

        page.Family("envoy_server_uptime", MetricType.Gauge, null);
        page.Sample("envoy_server_uptime");
        page.Value(uptime);
        page.Family("istio_build", MetricType.Gauge, null);
        page.Sample("istio_build");
        page.Label("component", "proxy");
        page.Label("tag", "1.27.0");
        page.Value(1);
    }

    /// <summary>What one proxy has counted of one reply to one flow.</summary>
    private sealed record Report(IReadOnlyList<(string Name, string Value)> Labels, int Reply, Tally Tally);
}
