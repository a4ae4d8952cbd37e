namespace SmiMetrics.Demo;

/// <summary>What the demo says first: what runs, where it listens, and what to try. Each command stands alone on a line, two spaces in.</summary>
internal sealed class Guide(World world, SimulatedMesh mesh, int port)
{
    /// <summary>Where a client of the API begins.</summary>
    public const string Api = "/apis/metrics.smi-spec.io/v1alpha2";

    private string Url => $"http://127.0.0.1:{port}";

    private string Kubectl => $"kubectl --server {Url}";

    /// <summary>Commands that work as they are, in a POSIX shell.</summary>
    public IReadOnlyList<string> Commands =>
    [
        // All workloads; who calls whom; one kind everywhere; pods that come and go; what the columns mean.
        $"{Kubectl} get trafficmetrics -n shop",
        $"{Kubectl} get trafficedges -n payments -o wide",
        $"{Kubectl} get deployments.metrics.smi-spec.io --all-namespaces",
        $"{Kubectl} get pods.metrics.smi-spec.io -n shop -l app=search",
        $"{Kubectl} explain trafficmetrics.metrics",
        // The same for programs: one workload; what calls it and what it calls; a Service that somebody is breaking.
        $"curl {Url}{Api}/namespaces/shop/deployments/web",
        $"curl {Url}{Api}/namespaces/payments/deployments/checkout/edges",
        $"curl '{Url}{Api}/namespaces/shop/services/catalog?window=5s'",
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

            Numbers are those of the last 10 seconds, latencies as fine as the mesh's buckets. What JSON has are Kubernetes quantities: 2500m is 2.5,
            4k is 4000. What the right answers are is declared in src/SmiMetrics/Demo/Shop.cs. Ctrl-C ends the demo.

            """);
    }
}
