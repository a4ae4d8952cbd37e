using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;

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

/// <summary>Proxies that are there, each with its page at its pod's own address, in the time of a clock.</summary>
/// <param name="begun">When every page was of <see cref="ProxyPage.AgeAtStart"/>.</param>
internal sealed class SimulatedMesh(TimeProvider clock, DateTimeOffset begun)
{
    private readonly ConcurrentDictionary<string, ProxyPage> _pages = new();

    /// <summary>The age of every page, in seconds.</summary>
    public double Age => ProxyPage.AgeAtStart + (clock.GetUtcNow() - begun).TotalSeconds;

    /// <summary>Makes a page reachable.</summary>
    public void Show(Uri url, ProxyPage page) => _pages[url.AbsoluteUri] = page;

    /// <summary>From now on there is nobody at this address.</summary>
    public void Hide(Uri url) => _pages.TryRemove(url.AbsoluteUri, out _);

    /// <summary>A scrape of the page at this address, now; null when nobody is there.</summary>
    /// <param name="scraper">Tells one scraper from another.</param>
    public (ProxyPage Page, PageSample Sample)? Scrape(string url, int scraper) =>
        _pages.TryGetValue(url, out ProxyPage? page) ? (page, page.Scrape(scraper, clock.GetUtcNow(), Age)) : null;

    /// <summary>The way of a scraper in this process to the pages.</summary>
    /// <param name="seen">Learns of every scrape.</param>
    public HttpMessageHandler Door(int scraper, Action<string, ProxyPage, PageSample> seen) => new PageDoor(this, scraper, seen);

    private sealed class PageDoor(SimulatedMesh mesh, int scraper, Action<string, ProxyPage, PageSample> seen) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            string url = request.RequestUri!.AbsoluteUri;
            if (mesh.Scrape(url, scraper) is not ({ } page, { } sample))
            {
                return Task.FromResult(new HttpResponseMessage(HttpStatusCode.BadGateway));
            }

            seen(url, page, sample);
            ArrayBufferWriter<byte> body = new();
            page.Write(sample, body);
            ReadOnlyMemoryContent content = new(body.WrittenMemory) { Headers = { ContentType = MediaTypeHeaderValue.Parse(PodNetwork.ContentType) } };
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = content });
        }
    }
}
