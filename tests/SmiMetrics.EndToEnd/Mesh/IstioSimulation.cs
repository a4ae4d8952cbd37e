namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Istio's proxies, series for series as its Envoy filter prints them: every request twice, once by each end, workloads named without
/// their kind, and beside them what must never be counted.
/// </summary>
internal sealed class IstioSimulation(Topology topology) : IMeshSimulation
{
    /// <summary>The pod of an ambient waypoint, in the topology's first namespace.</summary>
    public const string Waypoint = "waypoint";

    public const string WaypointIp = "10.1.250.1";

    private const string Unknown = "unknown";

    private static readonly string[] Bounds =
    [
        "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000", "300000", "600000",
        "1800000", "3600000",
    ];

    public static Sidecar WaypointSidecar { get; } = Envoy(new() { ["gateway.networking.k8s.io/gateway-name"] = Waypoint }, Waypoint);

    public Topology Topology { get; } = topology;

    public Sidecar SidecarOf(Workload workload) =>
        Envoy(new(workload.PodLabels) { ["security.istio.io/tlsMode"] = "istio" }, workload.Name);

    public IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(pod.Workload.Restarting);
            AddPassthrough(page, pod.Workload);
            foreach (Flow flow in Topology.Flows)
            {
                if (flow.To == pod.Workload)
                {
                    Add(page, "destination", flow, flow.PerSecond / flow.To.Pods.Count);
                }

                if (flow.From == pod.Workload)
                {
                    Add(page, "source", flow, flow.PerSecond / flow.From.Pods.Count);
                }
            }

            if (pod.Workload == Topology.Idle)
            {
                string labels = Labels("destination", Topology.Flows[0].From, Topology.Idle, "idle", new Reply(1, "200", false));
                page.Stopped("istio_requests_total", labels, 4711);
            }

            yield return (Target(SidecarOf(pod.Workload), pod.Workload.Namespace, pod.Name, pod.Ip, pod.Node), page);
        }

        yield return WaypointProxy();
    }

    // An ambient waypoint on the way reports the requests a third time.
    private (ScrapeTarget Target, ProxyPage Page) WaypointProxy()
    {
        ProxyPage page = new(restarts: false);
        foreach (Flow flow in Topology.Flows.Where(flow => flow.To.Name == "api"))
        {
            Add(page, "waypoint", flow, flow.PerSecond);
        }

        return (Target(WaypointSidecar, Topology.First, Waypoint, WaypointIp, Topology.Nodes[0]), page);
    }

    private static ScrapeTarget Target(Sidecar sidecar, string @namespace, string pod, string ip, string node) =>
        new("envoy-stats", sidecar.UrlAt(ip), @namespace, pod, node, sidecar.PodLabels);

    private static Sidecar Envoy(Dictionary<string, string> labels, string name)
    {
        labels["service.istio.io/canonical-name"] = name;
        labels["service.istio.io/canonical-revision"] = "latest";
        return new Sidecar("istio-proxy", "http-envoy-prom", 15090, "/stats/prometheus", labels);
    }

    private static void Add(ProxyPage page, string reporter, Flow flow, double perSecond)
    {
        foreach (Reply reply in flow.Replies)
        {
            string labels = Labels(reporter, flow.From, flow.To, flow.Service, reply);
            page.Count("istio_requests_total", labels, perSecond * reply.Share);
            page.Observe("istio_request_duration_milliseconds", labels, perSecond * reply.Share, flow.Durations, Bounds);
            page.Observe("istio_request_bytes", labels, perSecond * reply.Share, flow.Durations, Bounds);
        }
    }

    // Calls to somewhere outside the mesh's registry.
    private static void AddPassthrough(ProxyPage page, Workload from)
    {
        string labels =
            $"response_code=\"200\",reporter=\"source\",{End("source", from)},{End("destination", null)},destination_service=\"www.example.org\"," +
            "destination_service_name=\"PassthroughCluster\",destination_service_namespace=\"unknown\",destination_cluster=\"unknown\"," +
            "request_protocol=\"http\",response_flags=\"-\",grpc_response_status=\"\",connection_security_policy=\"unknown\"";
        page.Count("istio_requests_total", labels, 300);
        page.Observe("istio_request_duration_milliseconds", labels, 300, [new Duration(1, 30)], Bounds);
        page.Count("istio_tcp_connections_opened_total", labels.Replace("request_protocol=\"http\"", "request_protocol=\"tcp\"", StringComparison.Ordinal), 300);
    }

    private static string Labels(string reporter, Workload from, Workload to, string? service, Reply reply)
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

    private static string End(string end, Workload? workload)
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
