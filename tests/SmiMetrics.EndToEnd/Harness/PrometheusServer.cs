using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// A real Prometheus. Usually it scrapes the simulated proxies every second, with relabelling that gives their series exactly the labels
/// that the meshes' own scrape jobs give.
/// </summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    public static readonly TimeSpan ScrapeInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(60);

    private readonly string _program;
    private readonly string _folder;
    private readonly int _port = Workspace.FreePort();
    private readonly HttpClient _client;
    private ChildProcess? _process;

    private PrometheusServer(string program, string folder)
    {
        _program = program;
        _folder = folder;
        _client = new HttpClient { BaseAddress = new Uri(Url) };
    }

    public string Url => $"http://127.0.0.1:{_port}";

    public string Logs => _process?.Tail ?? "";

    /// <summary>Since when scrapes have come without a gap: windows that begin earlier have no exact expectation.</summary>
    public DateTimeOffset SteadySince { get; private set; }

    public static Task<PrometheusServer> StartAsync(string program, Workspace workspace, SimulatedMesh mesh, CancellationToken cancellationToken) =>
        StartAsync(program, workspace, "prometheus", LinkerdAndIstio(mesh.NewProxyUrl()), mesh.Targets, cancellationToken);

    /// <summary>Starts one that scrapes, beside the proxies of Linkerd and Istio, those of the catalogue's meshes, each by a job of its own.</summary>
    public static Task<PrometheusServer> StartWithCatalogueAsync(
        string program, Workspace workspace, SimulatedMesh mesh, IReadOnlyList<CatalogueMesh> catalogue, IEnumerable<ScrapeTarget> targets, CancellationToken cancellationToken)
    {
        string proxyUrl = mesh.NewProxyUrl();
        return StartAsync(
            program, workspace, "prometheus-of-the-catalogue", LinkerdAndIstio(proxyUrl) + string.Concat(catalogue.Select(one => Job(one.Job, one.ScrapeJob, proxyUrl))), [.. mesh.Targets, .. targets], cancellationToken);
    }

    private static async Task<PrometheusServer> StartAsync(
        string program, Workspace workspace, string name, string configuration, IEnumerable<ScrapeTarget> targets, CancellationToken cancellationToken)
    {
        workspace.Write($"{name}/prometheus.yml", configuration);
        PrometheusServer server = new(program, workspace.Folder(name));
        server.Discover(targets);
        await server.StartAsync(cancellationToken);
        return server;
    }

    /// <summary>Starts one that scrapes nobody and holds the samples of this text.</summary>
    public static async Task<PrometheusServer> StartWithHistoryAsync(
        Programs programs, Workspace workspace, string name, string openMetrics, CancellationToken cancellationToken)
    {
        string folder = workspace.Folder(name);
        string file = workspace.Write($"{name}/openmetrics.txt", openMetrics);
        _ = (await Command.RunAsync(programs.Promtool, ["tsdb", "create-blocks-from", "openmetrics", file, Path.Combine(folder, "data")], cancellationToken)).Text;
        workspace.Write($"{name}/prometheus.yml", "scrape_configs: []");
        PrometheusServer server = new(programs.Prometheus, folder);
        await server.StartProcessAsync(cancellationToken);
        return server;
    }

    /// <summary>Starts it (again, with its data), and waits until every proxy has been scraped.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await StartProcessAsync(cancellationToken);
        DateTimeOffset started = TimeProvider.System.GetUtcNow();
        await Eventually.SucceedsAsync("every proxy is scraped", StartDeadline, token => AssertScrapedAsync(count: null, started, token), () => Logs, cancellationToken);
        SteadySince = TimeProvider.System.GetUtcNow();
    }

    /// <summary>Says which targets there are, as service discovery does. It takes a few seconds to be heard.</summary>
    public void Discover(IEnumerable<ScrapeTarget> targets)
    {
        foreach (IGrouping<string, ScrapeTarget> job in targets.GroupBy(target => target.Job))
        {
            string file = Path.Combine(_folder, $"{job.Key}.json");
            File.WriteAllText(file + ".part", Discovery(job));
            File.Move(file + ".part", file, overwrite: true);
        }
    }

    /// <summary>Waits until it has scraped these targets, and no others, since this moment.</summary>
    public Task ScrapesAsync(IReadOnlyList<ScrapeTarget> targets, DateTimeOffset since, CancellationToken cancellationToken) => Eventually.SucceedsAsync(
        "every proxy is scraped", StartDeadline, token => AssertScrapedAsync(targets.Count, since, token), () => Logs, cancellationToken);

    public Task StopAsync(CancellationToken cancellationToken) => _process!.StopAsync(cancellationToken);

    /// <summary>The percentiles of a TrafficMetrics object, at the offset from their ranks.</summary>
    /// <param name="buckets">A selector.</param>
    public async Task<IReadOnlyList<double?>> PercentilesAsync(
        string buckets, TimeSpan window, DateTimeOffset instant, double offset, CancellationToken cancellationToken)
    {
        List<double?> percentiles = [];
        foreach ((_, double quantile) in TrafficItem.Percentiles)
        {
            string promQl = string.Create(
                CultureInfo.InvariantCulture, $"histogram_quantile({quantile + offset}, sum by (le) (increase({buckets}[{window.TotalSeconds:0}s])))");
            percentiles.Add(await QueryAsync(promQl, instant, cancellationToken));
        }

        return percentiles;
    }

    /// <summary>The only value of an instant query's answer; null when the answer is empty.</summary>
    public async Task<double?> QueryAsync(string query, DateTimeOffset? instant, CancellationToken cancellationToken)
    {
        JsonArray result = await VectorAsync(query, instant, cancellationToken);
        return result.Count switch
        {
            0 => null,
            1 => double.Parse(result[0]!["value"]![1]!.GetValue<string>(), CultureInfo.InvariantCulture),
            _ => throw new InvalidOperationException($"{query}: {result.Count} values"),
        };
    }

    public Task<JsonArray> VectorAsync(string query, DateTimeOffset? instant, CancellationToken cancellationToken)
    {
        Dictionary<string, string> parameters = new() { ["query"] = query };
        if (instant is { } time)
        {
            parameters["time"] = time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        }

        return PostAsync("/api/v1/query", parameters, cancellationToken);
    }

    /// <summary>A query at many instants.</summary>
    public Task<JsonArray> MatrixAsync(string query, DateTimeOffset from, DateTimeOffset to, TimeSpan step, CancellationToken cancellationToken) => PostAsync(
        "/api/v1/query_range",
        new()
        {
            ["query"] = query,
            ["start"] = from.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["end"] = to.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            ["step"] = step.TotalSeconds.ToString(CultureInfo.InvariantCulture),
        },
        cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        if (_process is not null)
        {
            await _process.DisposeAsync();
        }
    }

    private async Task<JsonArray> PostAsync(string path, Dictionary<string, string> parameters, CancellationToken cancellationToken)
    {
        using FormUrlEncodedContent form = new(parameters);
        using HttpResponseMessage response = await _client.PostAsync(path, form, cancellationToken);
        JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!;
        return answer["status"]!.GetValue<string>() == "success"
            ? answer["data"]!["result"]!.AsArray()
            : throw new InvalidOperationException($"{parameters["query"]}: {answer["error"]}");
    }

    private async Task StartProcessAsync(CancellationToken cancellationToken)
    {
        _process = ChildProcess.Start("prometheus", _program,
        [
            $"--config.file={Path.Combine(_folder, "prometheus.yml")}",
            $"--storage.tsdb.path={Path.Combine(_folder, "data")}",
            // Made-up samples are as old as their makers like.
            "--storage.tsdb.retention.time=100y",
            $"--web.listen-address=127.0.0.1:{_port}",
            "--log.level=warn",
        ]);
        await Eventually.SucceedsAsync("Prometheus is ready", StartDeadline, token => _client.GetStringAsync("/-/ready", token), () => Logs, cancellationToken);
    }

    private async Task AssertScrapedAsync(int? count, DateTimeOffset since, CancellationToken cancellationToken)
    {
        JsonNode answer = JsonNode.Parse(await _client.GetStringAsync("/api/v1/targets?state=active", cancellationToken))!;
        JsonArray targets = answer["data"]!["activeTargets"]!.AsArray();
        Assert.Equal(count ?? targets.Count, targets.Count);
        foreach (JsonNode? target in targets)
        {
            Assert.Equal("up", target!["health"]!.GetValue<string>());
            Assert.True(target["lastScrape"]!.GetValue<DateTimeOffset>() > since);
        }

        Assert.NotEmpty(targets);
    }

    // As Kubernetes service discovery would describe the pods.
    private static string Discovery(IEnumerable<ScrapeTarget> targets)
    {
        static string LabelName(string key) => string.Concat(key.Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '_'));
        return JsonSerializer.Serialize(targets.Select(target => new
        {
            targets = new[] { target.Url.Authority },
            labels = new Dictionary<string, string>(
                target.PodLabels.Select(label => KeyValuePair.Create($"__meta_kubernetes_pod_label_{LabelName(label.Key)}", label.Value)).Concat(target.OtherLabels))
            {
                ["__metrics_path__"] = target.Url.AbsolutePath,
                ["__meta_kubernetes_namespace"] = target.Namespace,
                ["__meta_kubernetes_pod_name"] = target.Pod,
                ["__meta_kubernetes_pod_node_name"] = target.Node,
                ["__meta_kubernetes_pod_controller_kind"] = target.Controller?.Kind ?? "",
                ["__meta_kubernetes_pod_controller_name"] = target.Controller?.Name ?? "",
            },
        }));
    }

    private static string LinkerdAndIstio(string proxyUrl) => $$"""
        global:
          scrape_interval: {{ScrapeInterval.TotalSeconds:0}}s
          scrape_timeout: {{ScrapeInterval.TotalSeconds:0}}s
        scrape_configs:{{Job("linkerd-proxy", LinkerdSimulation.ScrapeJob, proxyUrl)}}{{Job("envoy-stats", IstioSeries.ScrapeJob, proxyUrl)}}
        """;

    // As in a cluster, only that the pod network is behind a proxy.
    private static string Job(string name, string relabelling, string proxyUrl) => $"""

        - job_name: {name}
          file_sd_configs: [files: [{name}.json]]
          proxy_url: {proxyUrl}
        {string.Join('\n', relabelling.Split('\n').Select(line => "  " + line))}
        """;
}
