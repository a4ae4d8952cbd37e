namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Istio's ambient mode with a waypoint in each namespace, which alone counts requests; and beside these what must not count: a sidecar's
/// view of the same requests, connections, and a request that found nobody.
/// </summary>
internal sealed class IstioAmbientMesh(Topology topology) : AmbientMesh("istio-ambient", topology)
{
    private const double UnreachedPerSecond = 120;

    // That of a workload of the topology's range of numbers that there is not.
    private const int Number = 479;

    /// <summary>The waypoint among Istio's sidecars is one of this mesh as well.</summary>
    public override IEnumerable<PodFlow> PodFlows => base.PodFlows.Concat(
        from flow in World.Istio.Topology.Flows.Where(IstioSimulation.PassesWaypoint)
        from sender in flow.From.Pods
        from receiver in flow.To.Pods
        select new PodFlow(flow, sender, receiver));

    // Finds nobody behind its Service, whose name is known all the same. Of a caller that is not known either: it makes no edge.
    private Flow Unreached => Topology.Flows.First(flow => !flow.From.Meshed) with
    {
        PerSecond = UnreachedPerSecond,
        Replies = [new Reply(1, "503", true)],
        Durations = [new Duration(1, 3000)],
    };

    /// <summary>One workload is in the mesh by a sidecar, which calls by the waypoint as well.</summary>
    public override Sidecar? SidecarOf(Workload workload) => workload.Kind == "Job" ? IstioSimulation.SidecarIn(workload) : null;

    public override IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
        new[] { Topology.First, Topology.Second }.Select((@namespace, index) =>
            (@namespace, "waypoint-6d9c7b5f4-x2x8q", Topology.Nodes[index], $"10.{1 + (Number / 256)}.{Number % 256}.{index + 1}", IstioSimulation.WaypointSidecar));

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach ((string @namespace, string name, string node, string ip, Sidecar sidecar) in OwnPods())
        {
            ProxyPage page = new(restarts: false);
            foreach (Flow flow in Topology.Flows.Where(flow => flow.To.Namespace == @namespace))
            {
                IstioSeries.Add(page, "waypoint", flow, flow.PerSecond);
            }

            if (Unreached.To.Namespace == @namespace)
            {
                IstioSeries.Add(page, "waypoint", Unreached, Unreached.PerSecond, reply => IstioSeries
                    .Labels("waypoint", Unreached.From, Unreached.To, Unreached.Service, reply)
                    .Replace(IstioSeries.End("destination", Unreached.To), IstioSeries.End("destination", null), StringComparison.Ordinal)
                    .Replace("response_flags=\"-\"", "response_flags=\"NR\"", StringComparison.Ordinal));
            }

            page.Count("istio_tcp_connections_opened_total", Tcp("waypoint"), 300);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(ip), @namespace, name, node, sidecar.PodLabels), page);
        }

        foreach (SimulatedPod pod in Topology.MeshedPods.Where(pod => SidecarOf(pod.Workload) is not null))
        {
            // The other end of a sidecar's connection is the waypoint.
            ProxyPage page = new(restarts: false);
            Workload waypoint = new("Deployment", Topology.First, IstioSimulation.Waypoint, 0, Number, meshed: true);
            foreach (Flow flow in Topology.Flows.Where(flow => flow.From == pod.Workload))
            {
                IstioSeries.Add(page, "source", flow with { To = waypoint }, flow.PerSecond);
            }

            Sidecar sidecar = IstioSimulation.SidecarIn(pod.Workload);
            yield return (new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels), page);
        }
    }

    public override IReadOnlyDictionary<End, Rates> Received(string kind)
    {
        Dictionary<End, Rates> received = new(base.Received(kind));
        if (kind == "services")
        {
            received[new End("Service", "v1", Unreached.To.Namespace, Unreached.Service!)] += new Rates(0, Unreached.PerSecond);
        }

        return received;
    }

    /// <summary>The waypoint stands before the receiver, and nobody else reports.</summary>
    public override string EdgeSide(string direction) => "server";

    protected override string Reporter(string side) => "reporter=\"waypoint\"";

    private string Tcp(string reporter) => IstioSeries
        .Labels(reporter, Topology.Flows[0].From, Topology.Flows[0].To, Topology.Flows[0].Service, new Reply(1, "0", true))
        .Replace("request_protocol=\"http\"", "request_protocol=\"tcp\"", StringComparison.Ordinal);
}
