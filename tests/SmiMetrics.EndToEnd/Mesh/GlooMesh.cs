namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Solo's Istio, whose ztunnel on each node counts the requests of all pods of the node, as their sender and as their receiver; and beside
/// these its connections, which are no requests.
/// </summary>
internal sealed class GlooMesh(Topology topology) : AmbientMesh("gloo-mesh", topology)
{
    // That of a workload of the topology's range of numbers that there is not.
    private const int Number = 499;

    private static readonly Sidecar Ztunnel = new("istio-proxy", "ztunnel-stats", 15020, "/metrics", new Dictionary<string, string> { ["app"] = "ztunnel" });

    public override IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
        Topology.Nodes.Select((node, index) => (Topology.Outside, $"ztunnel-6f5c{index}", node, $"10.{1 + (Number / 256)}.{Number % 256}.{index + 1}", Ztunnel));

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach ((string @namespace, string name, string node, string ip, Sidecar sidecar) in OwnPods())
        {
            ProxyPage page = new(restarts: false);
            foreach (PodFlow flow in PodFlows)
            {
                if (flow.To.Node == node)
                {
                    Add(page, "destination", flow);
                }

                if (flow.From.Node == node && flow.From.Workload.Meshed)
                {
                    Add(page, "source", flow);
                }
            }

            yield return (new ScrapeTarget(Job, sidecar.UrlAt(ip), @namespace, name, node, sidecar.PodLabels), page);
        }
    }

    public override string EdgeSide(string direction) => direction == "to" ? "client" : "server";

    protected override string Reporter(string side) => $"app=\"ztunnel\",reporter=\"{(side == "client" ? "source" : "destination")}\"";

    // It has no label for what gRPC says.
    private static void Add(ProxyPage page, string reporter, PodFlow flow)
    {
        string LabelsOf(Reply reply) => IstioSeries
            .Labels(reporter, flow.Flow.From, flow.Flow.To, flow.Flow.Service, reply)
            .Replace($",grpc_response_status=\"{reply.Grpc}\"", "", StringComparison.Ordinal);
        IstioSeries.Add(page, reporter, flow.Flow, flow.PerSecond, LabelsOf);
        page.Count("istio_tcp_sent_bytes_total", LabelsOf(new Reply(1, "0", true)).Replace("request_protocol=\"http\"", "request_protocol=\"tcp\"", StringComparison.Ordinal), 4000);
    }
}
