using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;

namespace SmiMetrics.Demo;

/// <summary>
/// The door <c>kube</c> of the demo: lists and watches of the simulated cluster's objects, as an informer asks for them. Lists come whole,
/// whatever the limit. A resourceVersion is the world's age in milliseconds, so any that was ever given can be watched from.
/// </summary>
internal sealed class SimulatedApiServer(SimulatedCluster cluster, SimulatedMesh mesh, TimeProvider clock) : HttpMessageHandler
{
    private readonly ClusterDocuments _documents = new(cluster, mesh);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Uri url = request.RequestUri!;
        HttpResponseMessage response =
            !ClusterDocuments.Served.TryGetValue(url.AbsolutePath, out ServedResource? resource) ? Respond(HttpStatusCode.NotFound, NotFound())
            : QueryHelpers.ParseQuery(url.Query) is var query && query.TryGetValue("watch", out var watch) && watch == "true" ? Watch(resource, request, query["resourceVersion"]!, query["timeoutSeconds"]!)
            : Respond(HttpStatusCode.OK, List(resource, MetadataOnly(request)));
        response.RequestMessage = request;
        return Task.FromResult(response);
    }

    private JsonObject List(ServedResource resource, bool metadataOnly)
    {
        TimeSpan age = cluster.Age;
        string version = VersionOf(age);
        return new JsonObject
        {
            ["kind"] = metadataOnly ? "PartialObjectMetadataList" : resource.Kind + "List",
            ["apiVersion"] = metadataOnly ? "meta.k8s.io/v1" : resource.ApiVersion,
            ["metadata"] = new JsonObject { ["resourceVersion"] = version },
            ["items"] = new JsonArray([.. _documents.At(age, resource).Select(document => WatchStream.Versioned(document, version, metadataOnly))]),
        };
    }

    private HttpResponseMessage Watch(ServedResource resource, HttpRequestMessage request, string from, string seconds)
    {
        TimeSpan since = TimeSpan.FromMilliseconds(long.Parse(from, CultureInfo.InvariantCulture));
        TimeSpan time = TimeSpan.FromSeconds(int.Parse(seconds, CultureInfo.InvariantCulture));
        WatchStream stream = new(cluster, _documents, resource, MetadataOnly(request), since, cluster.Age + time, clock);
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(stream) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
    }

    public static string VersionOf(TimeSpan age) => ((long)age.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    private static bool MetadataOnly(HttpRequestMessage request) => request.Headers.Accept.ToString().Contains("as=PartialObjectMetadata", StringComparison.Ordinal);

    private static JsonObject NotFound() => new()
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["status"] = "Failure",
        ["message"] = "the server could not find the requested resource",
        ["reason"] = "NotFound",
        ["code"] = 404,
    };

    private static HttpResponseMessage Respond(HttpStatusCode status, JsonObject document) =>
        new(status) { Content = new StringContent(document.ToJsonString(), Encoding.UTF8, "application/json") };
}
