using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>A real Prometheus, which holds samples with times that the tests have chosen.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private readonly string _program;
    private readonly string _folder;
    private readonly int _port = FreePort.Next();
    private readonly HttpClient _client;
    private ChildProcess? _process;

    private PrometheusServer(string program, string folder)
    {
        _program = program;
        _folder = folder;
        _client = new HttpClient { BaseAddress = new Uri(Url), Timeout = Patience.Limit };
    }

    public string Url => $"http://127.0.0.1:{_port}";

    public string Logs => _process?.Tail ?? "";

    /// <summary>Starts one that scrapes nobody and holds the samples of a text in the OpenMetrics format, written by <paramref name="openMetrics"/>.</summary>
    public static async Task<PrometheusServer> StartWithHistoryAsync(
        Programs programs, Workspace workspace, string name, Action<TextWriter> openMetrics, CancellationToken cancellationToken)
    {
        string folder = workspace.Folder(name);
        string file = workspace.PathOf($"{name}/openmetrics.txt");
        await using (StreamWriter text = new(file))
        {
            openMetrics(text);
        }

        _ = (await Command.RunAsync(programs.Promtool, ["tsdb", "create-blocks-from", "openmetrics", file, Path.Combine(folder, "data")], cancellationToken)).Text;
        File.Delete(file);
        workspace.Write($"{name}/prometheus.yml", "scrape_configs: []");
        PrometheusServer server = new(programs.Prometheus, folder);
        await server.StartAsync(cancellationToken);
        return server;
    }

    /// <summary>
    /// Starts one that holds a recording as if it had scraped it: it is shown each target's samples with their times, and gives their series exactly
    /// the labels that the meshes' own scrape jobs give.
    /// </summary>
    /// <param name="jobs">By name, each as the YAML of an entry of scrape_configs without name, discovery and proxy.</param>
    /// <param name="recording">May still be made while Prometheus starts, which takes it seconds.</param>
    public static async Task<PrometheusServer> StartWithRecordingAsync(
        Programs programs,
        Workspace workspace,
        string name,
        IReadOnlyDictionary<string, string> jobs,
        IReadOnlyList<ScrapeTarget> targets,
        Task<Recording> recording,
        CancellationToken cancellationToken)
    {
        // What it has it need not be shown again.
        ConcurrentDictionary<string, bool> taken = [];
        await using PodNetwork network = await PodNetwork.StartAsync((url, body) => taken.ContainsKey(url) || (recording.IsCompletedSuccessfully && recording.Result.TryWrite(url, body)), cancellationToken);
        // Whoever is scraped in vain is soon scraped again.
        workspace.Write($"{name}/prometheus.yml", $$"""
            global: {scrape_interval: 5s, scrape_timeout: 5s}
            scrape_configs:{{string.Concat(jobs.Select(job => Job(job.Key, job.Value, network.ProxyUrl)))}}
            """);
        PrometheusServer server = new(programs.Prometheus, workspace.Folder(name));
        server.Discover(targets);
        await server.StartAsync(cancellationToken);
        await recording;
        await Eventually.TrueAsync(
            "every proxy has been scraped",
            async token =>
            {
                foreach (string url in await server.ScrapedAsync(token))
                {
                    taken.TryAdd(url, true);
                }

                // A target is called up a moment before its samples can be asked for, but its sample of "up" is the last of them.
                return taken.Count == targets.Count && await server.QueryAsync("count(up == 1)", null, token) == targets.Count;
            },
            () => $"{taken.Count} of {targets.Count}\n{server.Logs}",
            cancellationToken);
        // Nobody is there any more.
        server.Discover(jobs.Keys.ToDictionary(job => job, _ => Enumerable.Empty<ScrapeTarget>()));
        return server;
    }

    /// <summary>Starts it, or starts it again with its data.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        _process = ChildProcess.Start("prometheus", _program,
        [
            $"--config.file={Path.Combine(_folder, "prometheus.yml")}",
            $"--storage.tsdb.path={Path.Combine(_folder, "data")}",
            // Made-up samples are as old as their makers like.
            "--storage.tsdb.retention.time=100y",
            $"--web.listen-address=127.0.0.1:{_port}",
            "--log.level=warn",
        ],
        // It is fed in one go, and would keep what that took.
        ("GOMEMLIMIT", "250MiB"));
        await Eventually.TrueAsync(
            "Prometheus is ready",
            async token =>
            {
                using HttpResponseMessage response = await _client.GetAsync("/-/ready", token);
                return response.IsSuccessStatusCode;
            },
            () => Logs,
            cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => _process!.StopAsync(cancellationToken);

    /// <summary>The percentiles of a TrafficMetrics object.</summary>
    /// <param name="buckets">A selector.</param>
    public async Task<IReadOnlyList<double?>> PercentilesAsync(string buckets, TimeSpan window, DateTimeOffset instant, CancellationToken cancellationToken)
    {
        List<double?> percentiles = [];
        foreach ((_, double quantile) in TrafficItem.Percentiles)
        {
            string promQl = string.Create(
                CultureInfo.InvariantCulture, $"histogram_quantile({quantile}, sum by (le) (increase({buckets}[{window.TotalSeconds:0}s])))");
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

    /// <summary>The URLs of the targets that it has scraped.</summary>
    private async Task<IEnumerable<string>> ScrapedAsync(CancellationToken cancellationToken)
    {
        JsonNode answer = JsonNode.Parse(await _client.GetStringAsync("/api/v1/targets?state=active", cancellationToken))!;
        return answer["data"]!["activeTargets"]!.AsArray()
            .Where(target => target!["health"]!.GetValue<string>() == "up")
            .Select(target => target!["scrapeUrl"]!.GetValue<string>());
    }

    private void Discover(IEnumerable<ScrapeTarget> targets) =>
        Discover(targets.GroupBy(target => target.Job).ToDictionary(job => job.Key, job => job.AsEnumerable()));

    /// <summary>Says which targets there are, as service discovery does. It takes a few seconds to be heard.</summary>
    private void Discover(IReadOnlyDictionary<string, IEnumerable<ScrapeTarget>> jobs)
    {
        foreach ((string job, IEnumerable<ScrapeTarget> targets) in jobs)
        {
            string file = Path.Combine(_folder, $"{job}.json");
            File.WriteAllText(file + ".part", Discovery(targets));
            File.Move(file + ".part", file, overwrite: true);
        }
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

    // As in a cluster, only that the pod network is behind a proxy.
    private static string Job(string name, string relabelling, string proxyUrl) => $"""

        - job_name: {name}
          file_sd_configs: [files: [{name}.json]]
          proxy_url: {proxyUrl}
        {string.Join('\n', relabelling.Split('\n').Select(line => "  " + line))}
        """;
}
