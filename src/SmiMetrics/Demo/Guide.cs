namespace SmiMetrics.Demo;

/// <summary>What the demo says first: what runs, where it listens, and what to try. Each command stands alone on a line, two spaces in.</summary>
internal sealed class Guide(World world, SimulatedMesh mesh, int port)
{
    /// <summary>Where a client of the API begins.</summary>
    public const string Api = "/apis/metrics.smi-spec.io/v1alpha2";

    private string Url => $"http://127.0.0.1:{port}";

    /// <summary>Commands that work as they are, in a POSIX shell.</summary>
    public IReadOnlyList<string> Commands =>
    [
        // One workload; what calls it and what it calls; pods that come and go; a Service that somebody is breaking.
        $"curl {Url}{Api}/namespaces/shop/deployments/web",
        $"curl {Url}{Api}/namespaces/payments/deployments/checkout/edges",
        $"curl '{Url}{Api}/namespaces/shop/pods?labelSelector=app=search&window=5s'",
        $"curl {Url}{Api}/namespaces/shop/services/catalog",
        $"kubectl --server {Url} get deployments --all-namespaces -o '{Columns("NAMESPACE:.metadata.namespace,NAME:.metadata.name")}'",
        $"kubectl --server {Url} get trafficmetrics -n warehouse -o '{Columns("NAME:.metadata.name")}'",
        $"kubectl --server {Url} get nodes -o '{Columns("NAME:.metadata.name")}'",
        $"kubectl --server {Url} get --raw '{Api}/namespaces/shop/deployments/catalog-canary/edges?pretty=true'",
    ];

    public async Task WriteAsync(TextWriter output)
    {
        await output.WriteLineAsync(
            $"""
            smi-metrics demo: a web shop, {world.Workloads.Count} workloads on {world.Nodes.Count} nodes, meshed with {mesh.Title}. Cluster and traffic are simulated;
            the server that finds out about them is the real one, scraping each proxy every second. It listens on {Url},
            for this machine only. Try in another terminal:

            """);
        foreach (string command in Commands)
        {
            await output.WriteLineAsync($"  {command}");
        }

        await output.WriteLineAsync(
            """

            Values are Kubernetes quantities: 2500m is 2.5, 4k is 4000. Latencies are milliseconds, as fine as the mesh's buckets; counts
            are those of the last 10 seconds. What the right answers are is declared in src/SmiMetrics/Demo/Shop.cs. Ctrl-C ends the demo.

            """);
    }

    private static string Columns(string names) =>
        $"custom-columns={names},P99:.metrics[0].value,SUCCESS:.metrics[3].value,FAILURE:.metrics[4].value";
}
