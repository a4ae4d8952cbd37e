namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Istio's proxies, series for series as its Envoy filter prints them: every request twice, once by each end, workloads named without
/// their kind, and beside them what must never be counted.
/// </summary>
internal sealed class IstioSimulation(Topology topology) : IMeshSimulation
{
    /// <summary>The pod of an ambient waypoint, in the topology's first namespace.</summary>
    public const string Waypoint = "waypoint";

    public const string WaypointIp = "10.9.250.1";

    public static Sidecar WaypointSidecar { get; } = Envoy(
        new() { ["gateway.networking.k8s.io/gateway-name"] = Waypoint, ["gateway.istio.io/managed"] = "istio.io-mesh-controller" },
        Waypoint);

    public Topology Topology { get; } = topology;

    /// <summary>Whether the waypoint is on the way of these requests.</summary>
    public static bool PassesWaypoint(Flow flow) => flow.To.Name == "api";

    /// <summary>Istio's sidecar in the pods of a workload.</summary>
    public static Sidecar SidecarIn(Workload workload) =>
        Envoy(new(workload.PodLabels) { ["security.istio.io/tlsMode"] = "istio" }, workload.Name);

    public Sidecar SidecarOf(Workload workload) => SidecarIn(workload);

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
                    IstioSeries.Add(page, "destination", flow, flow.PerSecond / flow.To.Pods.Count);
                }

                if (flow.From == pod.Workload)
                {
                    IstioSeries.Add(page, "source", flow, flow.PerSecond / flow.From.Pods.Count);
                }
            }

            if (pod.Workload == Topology.Idle)
            {
                string labels = IstioSeries.Labels("destination", Topology.Flows[0].From, Topology.Idle, "idle", new Reply(1, "200", false));
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
        foreach (Flow flow in Topology.Flows.Where(PassesWaypoint))
        {
            IstioSeries.Add(page, "waypoint", flow, flow.PerSecond);
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

    // Calls to somewhere outside the mesh's registry.
    private static void AddPassthrough(ProxyPage page, Workload from)
    {
        string labels =
            $"response_code=\"200\",reporter=\"source\",{IstioSeries.End("source", from)},{IstioSeries.End("destination", null)},destination_service=\"www.example.org\"," +
            "destination_service_name=\"PassthroughCluster\",destination_service_namespace=\"unknown\",destination_cluster=\"unknown\"," +
            "request_protocol=\"http\",response_flags=\"-\",grpc_response_status=\"\",connection_security_policy=\"unknown\"";
        page.Count("istio_requests_total", labels, 300);
        page.Observe("istio_request_duration_milliseconds", labels, 300, [new Duration(1, 30)], IstioSeries.Bounds);
        page.Count("istio_tcp_connections_opened_total", labels.Replace("request_protocol=\"http\"", "request_protocol=\"tcp\"", StringComparison.Ordinal), 300);
    }
}
