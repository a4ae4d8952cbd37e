using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>A proxy for Prometheus to scrape.</summary>
/// <param name="Job">The scrape job that the mesh's own Prometheus configuration has for it.</param>
/// <param name="Url">The page, at the pod's own address.</param>
/// <param name="PodLabels">The Kubernetes labels of its pod.</param>
/// <param name="Controller">Kind and name of what made its pod, for jobs that ask; null where none does.</param>
internal sealed record ScrapeTarget(
    string Job,
    Uri Url,
    string Namespace,
    string Pod,
    string Node,
    IReadOnlyDictionary<string, string> PodLabels,
    (string Kind, string Name)? Controller = null)
{
    /// <summary>What service discovery says of it, where it is not that of Kubernetes alone.</summary>
    public IReadOnlyDictionary<string, string> OtherLabels { get; init; } = new Dictionary<string, string>();
}

/// <summary>The proxy that a mesh's injector adds to a pod.</summary>
/// <param name="Container">The proxy's container.</param>
/// <param name="PortName">The name of the port that shows <paramref name="Path"/>; empty if it has none, null if the container does not declare it.</param>
/// <param name="PodLabels">All labels of a pod that has it.</param>
internal sealed record Sidecar(string Container, string? PortName, int Port, string Path, IReadOnlyDictionary<string, string> PodLabels)
{
    /// <summary>The proxy's page in a pod of this address.</summary>
    public Uri UrlAt(string podIp) => new($"http://{podIp}:{Port}{Path}");
}

/// <summary>What a mesh is, as far as the tests simulate it.</summary>
internal interface IMeshSimulation
{
    Topology Topology { get; }

    /// <summary>The proxy in the pods of a meshed workload; null where they have none of their own, but one elsewhere serves them.</summary>
    Sidecar? SidecarOf(Workload workload);

    IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies();
}

/// <summary>
/// The pod network, as far as scrapers see it: one HTTP forward proxy on 127.0.0.1 that shows the pages of all proxies of all meshes at
/// their pods' own addresses (<c>GET http://10.1.0.1:4191/metrics</c>).
/// </summary>
internal sealed class SimulatedMesh : IAsyncDisposable
{
    private const int MostScrapers = 40;

    private readonly WebApplication _server = LoopbackServer.Create(MostScrapers);
    private readonly ConcurrentDictionary<string, ProxyPage> _pages = new();
    private readonly Queue<Uri> _doors = new();
    private volatile Recording? _recording;

    private SimulatedMesh(IReadOnlyList<(ScrapeTarget Target, ProxyPage Page)> proxies)
    {
        Targets = [.. proxies.Select(proxy => proxy.Target)];
        foreach ((ScrapeTarget target, ProxyPage page) in proxies)
        {
            Show(target.Url, page);
        }

        _server.Run(AnswerAsync);
    }

    /// <summary>The proxies that are there from the start.</summary>
    public IReadOnlyList<ScrapeTarget> Targets { get; }

    public static async Task<SimulatedMesh> StartAsync(IEnumerable<IMeshSimulation> meshes, CancellationToken cancellationToken)
    {
        SimulatedMesh mesh = new([.. meshes.SelectMany(simulation => simulation.Proxies())]);
        await mesh._server.StartAsync(cancellationToken);
        foreach (Uri door in mesh._server.Addresses())
        {
            mesh._doors.Enqueue(door);
        }

        return mesh;
    }

    /// <summary>The HTTP proxy for one more scraper. Each has a port of its own, which is how pages tell them apart.</summary>
    public string NewProxyUrl() => _doors.Dequeue().GetLeftPart(UriPartial.Authority);

    /// <summary>Makes a page reachable.</summary>
    public void Show(Uri url, ProxyPage page) => _pages[url.AbsoluteUri] = page;

    /// <summary>Keeps what is shown to scrapers from now on.</summary>
    /// <param name="of">Which pages.</param>
    public Recording Record(IEnumerable<Uri> of) => _recording = new Recording([.. of.Select(url => url.AbsoluteUri)]);

    /// <summary>From now on there is nobody at this address.</summary>
    public void Hide(Uri url) => _pages.TryRemove(url.AbsoluteUri, out _);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        // The whole URL: a forward proxy's requests are in absolute form (RFC 9112, section 3.2.2).
        string url = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (!_pages.TryGetValue(url, out ProxyPage? page))
        {
            context.Response.StatusCode = (int)HttpStatusCode.BadGateway;
            return;
        }

        int scraper = context.Connection.LocalPort;
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        string text = page.Render(scraper);
        _recording?.Add(new RecordedPage(url, scraper, now, text));
        context.Response.ContentType = "text/plain; version=0.0.4";
        await context.Response.WriteAsync(text, context.RequestAborted);
    }
}

/// <summary>A page as a scraper has seen it.</summary>
/// <param name="Scraper">The port of its proxy.</param>
internal sealed record RecordedPage(string Url, int Scraper, DateTimeOffset At, string Text);

/// <summary>What scrapers have seen of some pages.</summary>
internal sealed class Recording(HashSet<string> urls)
{
    private readonly ConcurrentQueue<RecordedPage> _pages = new();

    public IReadOnlyList<RecordedPage> Pages => [.. _pages];

    public void Add(RecordedPage page)
    {
        if (urls.Contains(page.Url))
        {
            _pages.Enqueue(page);
        }
    }
}
