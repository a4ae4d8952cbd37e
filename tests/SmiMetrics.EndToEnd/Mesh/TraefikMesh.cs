namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Traefik Mesh, whose proxy on each node stands between both ends and knows neither, but the Service that was called; and beside these
/// what must not count: probes, the same Service behind an ingress, entry points, and the backends of a split, whose requests come a second time.
/// </summary>
internal sealed class TraefikMesh(Topology topology) : CatalogueMesh("traefik-mesh", topology)
{
    // That of a workload of the topology's range of numbers that there is not.
    private const int Number = 459;

    // Traefik's own (metrics.prometheus.buckets of the chart).
    private static readonly string[] Bounds = ["0.1", "0.3", "1.2", "5"];

    private static readonly Sidecar Proxy = new(
        "traefik-mesh-proxy", "api", 8080, "/metrics", new Dictionary<string, string> { ["app"] = "maesh", ["component"] = "maesh-mesh", ["version"] = "v1.4.8" });

    public override string ScrapeJob => """
        relabel_configs:
        - {source_labels: [__meta_kubernetes_pod_label_version], target_label: version}
        """;

    public override IReadOnlyList<string> ToldKinds { get; } = ["namespaces", "services"];

    public override IReadOnlyList<string> KindsWithEdges { get; } = [];

    public override double MillisecondsPerUnit => 1000;

    public override Sidecar? SidecarOf(Workload workload) => null;

    public override IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
        Topology.Nodes.Select((node, index) => (Topology.Outside, $"traefik-mesh-proxy-x7k2{index}", node, $"10.{1 + (Number / 256)}.{Number % 256}.{index + 1}", Proxy));

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach ((string @namespace, string name, string node, string ip, Sidecar sidecar) in OwnPods())
        {
            ProxyPage page = new(restarts: false);
            foreach (PodFlow flow in PodFlows.Where(flow => IsReceived(flow, "services") && flow.From.Node == node))
            {
                string called = Called(flow.To.Workload.Namespace, flow.Flow.Service!);
                Add(page, $"{called}@http", flow);
                Add(page, $"{called}@kubernetescrd", flow);
                if (flow.Flow == Topology.Flows[0])
                {
                    // They called web, and a split sent them on to this one, by way of a proxy again.
                    Add(page, $"{Called(flow.To.Workload.Namespace, "web").Replace("-80", "-canary-80", StringComparison.Ordinal)}-{flow.Flow.Service}-traffic-split-backend@http", flow);
                }
            }

            page.Count("traefik_service_requests_total", "code=\"200\",method=\"GET\",protocol=\"http\",service=\"readiness@http\"", 300);
            page.Count("traefik_entrypoint_requests_total", "code=\"200\",entrypoint=\"http-10000\",method=\"GET\",protocol=\"http\"", 300);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(ip), @namespace, name, node, sidecar.PodLabels), page);
        }
    }

    public override string ReceivedSide(string kind) => "server";

    // By the mesh's name of a Service (api.shop.traefik.mesh), which who is not in it does not use.
    public override bool IsReceived(PodFlow flow, string kind) => flow.From.Workload.Meshed && flow.Flow.Service is not null;

    public override string Buckets(End receiver)
    {
        IEnumerable<string> services = receiver.Kind == "Service"
            ? [$"{Called(receiver.Namespace, receiver.Name)}@http"]
            : Topology.Services.Where(service => service.Namespace == receiver.Name).Select(service => $"{Called(service.Namespace, service.Name)}@http");
        return $"traefik_service_request_duration_seconds_bucket{{service=~\"{string.Join('|', services)}\"}}";
    }

    public override string EdgeSide(string direction) => throw new NotSupportedException();

    public override string? Buckets(End sender, End receiver, string direction) => throw new NotSupportedException();

    private static string Called(string @namespace, string service) => $"{@namespace}-{service}-80";

    private static void Add(ProxyPage page, string service, PodFlow flow)
    {
        Duration[] seconds = [.. flow.Flow.Durations.Select(duration => duration with { Milliseconds = duration.Milliseconds / 1000 })];
        foreach (Reply reply in flow.Flow.Replies)
        {
            string labels = $"code=\"{reply.Code}\",method=\"GET\",protocol=\"http\",service=\"{service}\"";
            page.Count("traefik_service_requests_total", labels, flow.PerSecond * reply.Share);
            page.Observe("traefik_service_request_duration_seconds", labels, flow.PerSecond * reply.Share, seconds, Bounds);
        }
    }
}
