using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Api;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Benchmarks;

/// <summary>A list from the request to the last byte, source aside: its cost per item must not depend on how many there are.</summary>
[MemoryDiagnoser]
public class ListBenchmarks
{
    private const string Path = "/apis/metrics.smi-spec.io/v1alpha2/pods";
    private const string Table = "application/json;as=Table;v=v1;g=meta.k8s.io";
    private const string Json = "application/json";

    private TrafficApi _api = null!;

    [Params(1250, 2500, 5000)]
    public int Items { get; set; }

    [GlobalSetup]
    public async Task PrepareAsync()
    {
        ClusterObject[] pods =
        [
            .. Enumerable.Range(0, Items).Select(i => new Pod(
                new($"ns-{i % 20}", $"web-{i}"), new Dictionary<string, string> { ["app"] = "web", ["half"] = $"{i % 2}" }, null, "node-1", Pod.Running, "10.0.0.1")),
        ];
        Cluster cluster = Cluster.Fixed(new ClusterSnapshot(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Pod] = pods }, []));
        FixedSource source = new(pods);
        WindowOptions windows = new(WindowOptions.DefaultWindow, WindowOptions.MaxWindow);
        MeshMonitor monitor = new(
            new ConfiguredMeshes([MeshCatalogue.Load().Find("linkerd")], auto: false), source, cluster, windows, TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(CancellationToken.None);
        await monitor.FirstLook;
        _api = new TrafficApi(new TrafficAggregator(source, monitor, cluster, windows), monitor, cluster, LatencyUnit.Milliseconds, new ListPages(TimeProvider.System, 100_000));
    }

    [Benchmark(Baseline = true, Description = "JSON")]
    public Task<long> JsonAsync() => AskAsync("", Json);

    [Benchmark(Description = "Table")]
    public Task<long> TableAsync() => AskAsync("", Table);

    [Benchmark(Description = "Table, -l half=1")]
    public Task<long> SelectedAsync() => AskAsync("?labelSelector=half%3D1", Table);

    [Benchmark(Description = "Table in pages of 500")]
    public async Task<long> PagedAsync()
    {
        long length = 0;
        string token = "";
        do
        {
            byte[] page = await AskForAsync($"?limit=500&continue={token}", Table);
            length += page.Length;
            using System.Text.Json.JsonDocument document = System.Text.Json.JsonDocument.Parse(page);
            token = document.RootElement.GetProperty("metadata").TryGetProperty("continue", out System.Text.Json.JsonElement next) ? next.GetString()! : "";
        }
        while (token.Length > 0);

        return length;
    }

    private async Task<long> AskAsync(string query, string accept) => (await AskForAsync(query, accept)).Length;

    private async Task<byte[]> AskForAsync(string query, string accept)
    {
        DefaultHttpContext context = new();
        context.Request.Method = "GET";
        context.Request.Path = Path;
        context.Request.QueryString = new QueryString(query);
        context.Request.Headers.Accept = accept;
        RequestInfo info = RequestInfo.Of("GET", Path, query);
        context.Features.Set(info);
        context.Features.Set(ResourcePath.Of(info));
        using MemoryStream body = new();
        context.Response.Body = body;
        await _api.AnswerAsync(context);
        return body.ToArray();
    }
}
