using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Benchmarks;

/// <summary>
/// What a list of all pods costs us once Prometheus has answered: 200 deployments of 5 pods, 28 rows a pod, which is size M of the
/// comparison with the reference server. Reading the body and adding up the rows are measured apart.
/// </summary>
[MemoryDiagnoser]
public class TrafficBenchmarks
{
    private const int Deployments = 200;
    private const int PodsEach = 5;

    internal static readonly string[] Bounds =
    [
        "1", "2", "3", "4", "5", "10", "20", "30", "40", "50", "100", "200", "300", "400", "500", "1000", "2000", "3000", "4000", "5000", "10000",
        "20000", "30000", "40000", "50000", "+Inf",
    ];

    private readonly string[] _by = ["namespace", "pod", "le"];
    private byte[] _body = [];
    private TrafficAggregator _aggregator = null!;

    [GlobalSetup]
    public async Task PrepareAsync()
    {
        Dictionary<string, string> noLabels = [];
        List<ClusterObject> pods = [];
        StringBuilder body = new("""{"status":"success","data":{"resultType":"vector","result":[""");
        for (int deployment = 0; deployment < Deployments; deployment++)
        {
            for (int pod = 0; pod < PodsEach; pod++)
            {
                ObjectKey key = new($"ns-{deployment % 20}", $"web-{deployment}-7d4b9c-{pod}");
                pods.Add(new Pod(key, noLabels, null, $"node-{pod}", "Running", "10.0.0.1"));
                for (int bound = 0; bound < Bounds.Length; bound++)
                {
                    body.Append(
                        CultureInfo.InvariantCulture,
                        $$$"""{"metric":{"namespace":"{{{key.Namespace}}}","pod":"{{{key.Name}}}","le":"{{{Bounds[bound]}}}"},"value":[1700000000,"{{{bound * 1.25}}}"]},""");
                }
            }
        }

        body.Length--;
        _body = Encoding.UTF8.GetBytes(body.Append("]}}").ToString());

        ClusterSnapshot snapshot = new(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Pod] = pods }, []);
        MeshDescriptor[] meshes = [MeshCatalogue.Load().Find("linkerd")];
        FixedSource source = new(pods);
        Cluster cluster = Cluster.Fixed(snapshot);
        WindowOptions windows = new(WindowOptions.DefaultWindow, WindowOptions.MaxWindow);
        MeshMonitor monitor = new(new ConfiguredMeshes(meshes, auto: false), source, cluster, windows, TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(CancellationToken.None);
        _aggregator = new TrafficAggregator(source, monitor, cluster, windows);
    }

    [Benchmark(Description = "read query response: 26,000 rows")]
    public async Task<int> ReadQueryResponseAsync()
    {
        IncreaseRows rows = new(_by);
        using MemoryStream stream = new(_body);
        await QueryResponseReader.ReadAsync(stream, rows, long.MaxValue, CancellationToken.None);
        return rows.Rows.Count;
    }

    [Benchmark(Description = "aggregate: 1,000 pods, 28,000 rows")]
    public async Task<int> AggregateAsync() =>
        (await _aggregator.GetResourcesAsync(ObjectScope.Any(ResourceKind.Pod), null, CancellationToken.None)).Count;
}
