using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// The pod network, as far as scrapers in other processes see it: an HTTP forward proxy on 127.0.0.1 that shows the pages of proxies at their
/// pods' own addresses (<c>GET http://10.1.0.1:4191/metrics</c>).
/// </summary>
internal sealed class PodNetwork : IAsyncDisposable
{
    public const string ContentType = "text/plain; version=0.0.4";

    private readonly WebApplication _server = LoopbackServer.Create();
    private readonly Func<string, IBufferWriter<byte>, bool> _show;

    private PodNetwork(Func<string, IBufferWriter<byte>, bool> show)
    {
        _show = show;
        _server.Run(AnswerAsync);
    }

    /// <summary>As scrapers take it: <c>proxy_url</c>, <c>--scrape-proxy-url</c>.</summary>
    public string ProxyUrl => _server.Address().GetLeftPart(UriPartial.Authority);

    /// <param name="show">Writes the page at a URL; false when nobody is there.</param>
    public static async Task<PodNetwork> StartAsync(Func<string, IBufferWriter<byte>, bool> show, CancellationToken cancellationToken)
    {
        PodNetwork network = new(show);
        await network._server.StartAsync(cancellationToken);
        return network;
    }

    /// <summary>One whose pages are those of a mesh, now.</summary>
    public static Task<PodNetwork> StartAsync(SimulatedMesh mesh, CancellationToken cancellationToken) => StartAsync(
        (url, body) =>
        {
            if (mesh.Scrape(url, scraper: 0) is not ({ } page, { } sample))
            {
                return false;
            }

            page.Write(sample, body);
            return true;
        },
        cancellationToken);

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        // The whole URL: a forward proxy's requests are in absolute form (RFC 9112, section 3.2.2).
        string url = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        context.Response.ContentType = ContentType;
        if (!_show(url, context.Response.BodyWriter))
        {
            context.Response.StatusCode = (int)HttpStatusCode.BadGateway;
        }

        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }
}
