using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

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
        HttpResponseMessage response = ClusterDocuments.Served.TryGetValue(url.AbsolutePath, out ServedResource? resource)
            ? Answer(resource, QueryHelpers.ParseQuery(url.Query), MetadataOnly(request))
            : Respond(HttpStatusCode.NotFound, NotFound());
        response.RequestMessage = request;
        return Task.FromResult(response);
    }

    private HttpResponseMessage Answer(ServedResource resource, Dictionary<string, StringValues> query, bool metadataOnly)
    {
        return query.GetValueOrDefault("watch") == "true"
            ? Watch(resource, metadataOnly, Number("resourceVersion"), Number("timeoutSeconds"))
            : Respond(HttpStatusCode.OK, List(resource, metadataOnly));

        long Number(string parameter) => long.Parse(query[parameter].ToString(), CultureInfo.InvariantCulture);
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

    private HttpResponseMessage Watch(ServedResource resource, bool metadataOnly, long resourceVersion, long timeoutSeconds)
    {
        TimeSpan end = cluster.Age + TimeSpan.FromSeconds(timeoutSeconds);
        WatchStream stream = new(cluster, _documents, resource, metadataOnly, TimeSpan.FromMilliseconds(resourceVersion), end, clock);
        StreamContent content = new(stream) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = content };
    }

    public static string VersionOf(TimeSpan age) => ((long)age.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);

    private static bool MetadataOnly(HttpRequestMessage request) =>
        request.Headers.Accept.ToString().Contains("as=PartialObjectMetadata", StringComparison.Ordinal);

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
