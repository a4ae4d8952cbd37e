using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using SmiMetrics.Demo;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Demo;

/// <summary>
/// The demo of each mesh as a process would run it, but for its clock: eighteen seconds after its start, when everything has been scraped
/// for a whole window in which nothing rolled and the bursting flow was busy. The clock stands still while anything is being scraped, or
/// scrapes that get no processor would time out; and no other test runs meanwhile, for its steps are many.
/// </summary>
[CollectionDefinition(nameof(RunningDemos), DisableParallelization = true)]
public sealed class RunningDemos : IAsyncLifetime
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Time = TimeSpan.FromSeconds(18);

    private readonly Dictionary<string, RunningDemo> _demos = [];

    internal RunningDemo this[string mesh] => _demos[mesh];

    public async ValueTask InitializeAsync()
    {
        foreach (SimulatedMesh mesh in SimulatedMesh.All)
        {
            _demos.Add(mesh.Name, await RunningDemo.StartAsync(mesh));
        }

        await Task.WhenAll(_demos.Values.Select(async demo =>
        {
            using PeriodicTimer pace = new(TimeSpan.FromMilliseconds(10));
            for (TimeSpan at = TimeSpan.Zero; at < Time; at += Step)
            {
                demo.Clock.Advance(Step);
                // Meanwhile scrapes that are due have their turn.
                using HttpResponseMessage response = await demo.Client.GetAsync($"{Guide.Api}/namespaces");
                do
                {
                    await pace.WaitForNextTickAsync();
                }
                while (demo.Scraping);
            }
        }));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (RunningDemo demo in _demos.Values)
        {
            await demo.DisposeAsync();
        }
    }
}

/// <summary>One of them, and what it answers.</summary>
internal sealed class RunningDemo : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RunningDemo(WebApplication app, CountedTime clock, DemoOptions options)
    {
        _app = app;
        Clock = clock;
        Options = options;
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{options.Port}") };
    }

    public CountedTime Clock { get; }

    /// <summary>A scrape that is under way has a deadline.</summary>
    public bool Scraping => Clock.WaitingFor(_app.Services.GetRequiredService<ScrapeOptions>().Timeout, isDeadline: true) > 0;

    public DemoOptions Options { get; }

    public HttpClient Client { get; }

    public static async Task<RunningDemo> StartAsync(SimulatedMesh mesh)
    {
        CountedTime clock = new();
        DemoOptions options = new(mesh, FreePort.Next());
        WebApplication app = DemoCommand.Build(options, clock);
        await app.StartAsync();
        return new RunningDemo(app, clock, options);
    }

    public async Task<JsonNode> GetAsync(string path) =>
        await Client.GetFromJsonAsync<JsonNode>(Guide.Api + path, TestContext.Current.CancellationToken) ?? throw new InvalidDataException(path);

    public async Task<IReadOnlyList<Answer>> ListAsync(string path) => [.. (await GetAsync(path))["items"]!.AsArray().Select(item => new Answer(item!))];

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
    }
}

/// <summary>A TrafficMetrics.</summary>
internal sealed class Answer(JsonNode json)
{
    public string Name => (string)json["metadata"]!["name"]!;

    public string Namespace => (string?)json["metadata"]!["namespace"] ?? "";

    public string State => (string)json["metadata"]!["annotations"]!["metrics.smi-spec.io/state"]!;

    /// <summary>Direction, kind and name of the other end.</summary>
    public string Edge => $"{json["edge"]!["direction"]} {json["edge"]!["resource"]!["kind"]} {json["edge"]!["resource"]!["namespace"]}/{json["edge"]!["resource"]!["name"]}";

    public double Success => Metric("success_count");

    public double Failure => Metric("failure_count");

    public double P50 => Metric("p50_response_latency");

    public double P90 => Metric("p90_response_latency");

    public double P99 => Metric("p99_response_latency");

    private double Metric(string name) =>
        LiveView.Number((string)json["metrics"]!.AsArray().Single(metric => (string?)metric!["name"] == name)!["value"]!);
}
