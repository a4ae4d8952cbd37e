namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>A mesh with nothing in the pods: an agent on each node shows the series of all pods of the node.</summary>
/// <param name="agent">The agent's container, port and page, and the labels of its pods.</param>
/// <param name="addresses">The first three numbers of the agents' addresses.</param>
internal abstract class NodeAgentMesh(string name, Topology topology, Sidecar agent, string addresses) : CatalogueMesh(name, topology)
{
    private const string Home = "kube-system";

    public sealed override Sidecar? SidecarOf(Workload workload) => null;

    public sealed override IEnumerable<(string Namespace, string Name, string Node, string Ip, Sidecar Sidecar)> OwnPods() =>
        Topology.Nodes.Select((node, index) => (Home, $"{Name}-{index}x7k2", node, $"{addresses}.{index + 1}", agent));

    public sealed override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach ((string @namespace, string pod, string node, string ip, _) in OwnPods())
        {
            ProxyPage page = new(restarts: false);
            Print(page, node);
            yield return (new ScrapeTarget(Job, agent.UrlAt(ip), @namespace, pod, node, agent.PodLabels), page);
        }
    }

    /// <summary>Writes the series of the agent of a node.</summary>
    protected abstract void Print(ProxyPage page, string node);
}
