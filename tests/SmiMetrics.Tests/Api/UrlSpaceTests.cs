using System.Text.Json.Nodes;

namespace SmiMetrics.Tests.Api;

/// <summary>The whole URL space by the door that kube-apiserver uses: who asks what in which form gets which status, reason and kind of answer.</summary>
public sealed class UrlSpaceTests(GuardedServer server) : IClassFixture<GuardedServer>
{
    private const string V1 = "/apis/metrics.smi-spec.io/v1alpha1";
    private const string V2 = "/apis/metrics.smi-spec.io/v1alpha2";
    private const string Shop = V2 + "/namespaces/shop";

    private const string Table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    private const string Metadata = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";
    private const string Aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    private const string Protobuf = "application/vnd.kubernetes.protobuf";

    /// <param name="what">The reason of a Status, or the kind of an answer, or nothing where that has no kind.</param>
    [Theory]
    // What describes the API: for whoever is authenticated, and in each of its forms.
    [InlineData("system:kube-aggregator", "GET", "/apis", Aggregated, 200, "APIGroupDiscoveryList")]
    [InlineData("system:kube-aggregator", "GET", "/apis", null, 200, "APIGroupList")]
    [InlineData("tess", "GET", "/apis", "application/json, */*", 200, "APIGroupList")]
    [InlineData("tess", "GET", "/apis", "application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList", 406, "NotAcceptable")]
    [InlineData("tess", "GET", "/apis/metrics.smi-spec.io", null, 200, "APIGroup")]
    [InlineData("tess", "GET", V1, null, 200, "APIResourceList")]
    [InlineData("tess", "GET", V2, "application/json, */*", 200, "APIResourceList")]
    [InlineData("tess", "GET", V2 + "/", null, 200, "APIResourceList")]
    [InlineData("tess", "GET", V2, Protobuf, 406, "NotAcceptable")]
    [InlineData("tess", "GET", "/apis/metrics.smi-spec.io/v9", null, 404, "NotFound")]
    [InlineData("tess", "GET", "/apis/apps/v1", null, 404, "NotFound")]
    [InlineData("admin", "POST", V2, null, 405, "MethodNotAllowed")]
    [InlineData("tess", "POST", V2, null, 403, "Forbidden")]
    [InlineData("system:aggregator", "GET", "/openapi/v2", "application/json", 200, "")]
    [InlineData("system:aggregator", "GET", "/openapi/v3", null, 200, "")]
    [InlineData("tess", "GET", "/openapi/v3/apis/metrics.smi-spec.io/v1alpha2?hash=old", "application/json", 200, "")]
    [InlineData("tess", "GET", "/openapi/v2", "text/html", 406, "NotAcceptable")]
    [InlineData("tess", "GET", "/openapi/v4", null, 404, "NotFound")]
    [InlineData("nobody", "GET", V2, null, 403, "Forbidden")]
    [InlineData("nobody", "GET", "/openapi/v2", null, 403, "Forbidden")]
    // Traffic: what RBAC says, by the words that kube-apiserver judges by.
    [InlineData("admin", "GET", V2 + "/deployments", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V2 + "/deployments", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V1 + "/deployments", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V2 + "/nodes", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V2 + "/nodes/n1", null, 200, "TrafficMetrics")]
    [InlineData("rita", "GET", V2 + "/nodes/n1/edges", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V2 + "/namespaces", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V2 + "/meshes", null, 200, "MeshList")]
    [InlineData("rita", "GET", V2 + "/meshes/linkerd", null, 200, "Mesh")]
    [InlineData("rita", "GET", V2 + "/trafficedges", null, 200, "TrafficMetricsList")]
    [InlineData("rita", "GET", V2 + "/trafficsplits", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", V2 + "/deployments", null, 403, "Forbidden")]
    [InlineData("tess", "GET", V2 + "/nodes/n1", null, 403, "Forbidden")]
    [InlineData("tess", "GET", V2 + "/namespaces", null, 403, "Forbidden")]
    [InlineData("tess", "GET", V2 + "/meshes", null, 403, "Forbidden")]
    [InlineData("tess", "GET", V2 + "/namespaces/other/deployments", null, 403, "Forbidden")]
    [InlineData("tess", "GET", V2 + "/namespaces/other", null, 403, "Forbidden")]
    [InlineData("tess", "GET", V2 + "/namespaces/other/edges", null, 403, "Forbidden")]
    // What two servers may read differently nobody reads.
    [InlineData("tess", "GET", V2 + "/namespaces/shop/../other/deployments", null, 400, "BadRequest")]
    [InlineData("tess", "GET", V2 + "/namespaces/shop/%2e%2e/other/deployments", null, 400, "BadRequest")]
    [InlineData("tess", "GET", V2 + "//namespaces/shop/deployments", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/%64eployments", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments/", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop, null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/edges", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments/web", null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/deployments/web/edges", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/pods", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/services/db", null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/trafficmetrics", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/trafficmetrics/deployment.web", null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/trafficmetricses/deployment.web", null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/trafficedges", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/trafficsplits/db-canary", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments/nosuch", null, 404, "NotFound")]
    [InlineData("tess", "GET", Shop + "/deployments/web/status", null, 404, "NotFound")]
    [InlineData("tess", "GET", Shop + "/nodes", null, 404, "NotFound")]
    [InlineData("tess", "GET", Shop + "/endpoints", null, 404, "NotFound")]
    // Forms.
    [InlineData("tess", "GET", Shop + "/deployments", Table, 200, "Table")]
    [InlineData("tess", "GET", Shop + "/deployments/web", Table, 200, "Table")]
    [InlineData("tess", "GET", Shop + "/trafficedges", Table, 200, "Table")]
    [InlineData("rita", "GET", V2 + "/meshes", Table, 200, "Table")]
    [InlineData("tess", "GET", Shop + "/deployments/nosuch", Table, 404, "NotFound")]
    [InlineData("tess", "GET", Shop + "/deployments?includeObject=bogus", Table, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments", Metadata, 200, "PartialObjectMetadataList")]
    [InlineData("tess", "GET", Shop + "/deployments/web", Metadata, 406, "NotAcceptable")]
    [InlineData("tess", "GET", Shop + "/deployments", Protobuf + ", */*", 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments", Protobuf + ",application/json", 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments", "application/cbor,application/json;q=0.5", 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments", Protobuf, 406, "NotAcceptable")]
    [InlineData("tess", "GET", Shop + "/deployments", "application/cbor", 406, "NotAcceptable")]
    // Lists.
    [InlineData("tess", "GET", Shop + "/deployments?labelSelector=app%3Dweb&fieldSelector=metadata.name%3Dweb&limit=1", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments?labelSelector=a%3D%3D%3Db", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments?fieldSelector=status.phase%3DRunning", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments?limit=many", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments?continue=nonsense", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments?continue=NS5BQUFBQUFBQUFBQUFBQUFB", null, 410, "Expired")]
    [InlineData("tess", "GET", Shop + "/deployments?window=1ms", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments?resourceVersion=0&resourceVersionMatch=NotOlderThan", null, 200, "TrafficMetricsList")]
    // Parameters are told apart by their case, and of several the first counts: as by who judged the request.
    [InlineData("tess", "GET", Shop + "/deployments?LabelSelector=a%3D%3D%3Db&Watch=1&Limit=many", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments?limit=1&limit=many&watch=0&watch=1", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments?timeoutSeconds=soon", null, 400, "BadRequest")]
    [InlineData("tess", "GET", Shop + "/deployments/web?timeoutSeconds=soon", null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/trafficmetrics/web", null, 200, "TrafficMetrics")]
    [InlineData("tess", "GET", Shop + "/trafficmetrics/nosuch", null, 404, "NotFound")]
    // Verbs: who may not is told so first, as by kube-apiserver.
    [InlineData("tess", "GET", Shop + "/deployments?watch=true", null, 403, "Forbidden")]
    [InlineData("admin", "GET", Shop + "/deployments?watch=true", null, 405, "MethodNotAllowed")]
    [InlineData("admin", "GET", Shop + "/deployments?watch=", null, 405, "MethodNotAllowed")]
    [InlineData("tess", "GET", Shop + "/deployments?watch=0", null, 200, "TrafficMetricsList")]
    [InlineData("tess", "GET", Shop + "/deployments/web?watch=true", null, 200, "TrafficMetrics")]
    [InlineData("admin", "GET", V2 + "/watch/namespaces/shop/deployments", null, 404, "NotFound")]
    [InlineData("tess", "DELETE", Shop + "/deployments/web", null, 403, "Forbidden")]
    [InlineData("admin", "DELETE", Shop + "/deployments/web", null, 405, "MethodNotAllowed")]
    [InlineData("admin", "DELETE", Shop + "/deployments", null, 405, "MethodNotAllowed")]
    [InlineData("admin", "PUT", Shop + "/deployments/web", null, 405, "MethodNotAllowed")]
    [InlineData("admin", "PATCH", Shop + "/deployments/web", null, 405, "MethodNotAllowed")]
    [InlineData("admin", "POST", Shop + "/deployments", null, 405, "MethodNotAllowed")]
    [InlineData("admin", "HEAD", Shop + "/deployments", null, 405, "")]
    [InlineData("admin", "OPTIONS", Shop + "/deployments", null, 405, "MethodNotAllowed")]
    [InlineData("tess", "OPTIONS", Shop + "/deployments", null, 403, "Forbidden")]
    // Who it is.
    [InlineData("nobody", "GET", Shop + "/deployments", null, 403, "Forbidden")]
    [InlineData("forger", "GET", Shop + "/deployments", null, 403, "Forbidden")]
    [InlineData("foreign:rita", "GET", Shop + "/deployments", null, 401, "Unauthorized")]
    [InlineData("foreign:rita", "GET", "/apis", null, 401, "Unauthorized")]
    [InlineData("certificate:rita", "GET", Shop + "/deployments", null, 200, "TrafficMetricsList")]
    [InlineData("certificate:tess", "GET", V2 + "/deployments", null, 403, "Forbidden")]
    [InlineData("token:good", "GET", V2 + "/deployments", null, 200, "TrafficMetricsList")]
    [InlineData("token:bad", "GET", V2 + "/deployments", null, 401, "Unauthorized")]
    [InlineData("token:bad", "GET", "/apis", null, 401, "Unauthorized")]
    // What is no API.
    [InlineData("nobody", "GET", "/readyz", null, 200, "")]
    [InlineData("nobody", "GET", "/livez", null, 200, "")]
    [InlineData("nobody", "GET", "/healthz", null, 200, "")]
    [InlineData("nobody", "GET", "/readyz/ping", null, 403, "Forbidden")]
    [InlineData("admin", "GET", "/readyz/ping", null, 200, "")]
    [InlineData("tess", "GET", "/version", null, 200, "")]
    [InlineData("nobody", "GET", "/version", null, 403, "Forbidden")]
    [InlineData("scraper", "GET", "/metrics", null, 200, "")]
    [InlineData("tess", "GET", "/metrics", null, 403, "Forbidden")]
    [InlineData("admin", "GET", "/", null, 404, "NotFound")]
    [InlineData("admin", "GET", "/api/v1/pods", null, 404, "NotFound")]
    [InlineData("admin", "GET", "/api/v1/namespaces/shop", null, 200, "Namespace")]
    [InlineData("tess", "GET", "/api/v1/namespaces/shop", null, 403, "Forbidden")]
    [InlineData("admin", "GET", "/favicon.ico", null, 404, "NotFound")]
    public async Task Every_request_has_its_answer(string caller, string method, string path, string? accept, int status, string what)
    {
        using HttpResponseMessage response = await server.SendAsync(caller, new HttpMethod(method), path, accept, TestContext.Current.CancellationToken);
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode} {body}");
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
        if (what.Length == 0)
        {
            return;
        }

        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        JsonNode answer = JsonNode.Parse(body)!;
        if (status == 200)
        {
            Assert.Equal(what, (string?)answer["kind"]);
            return;
        }

        Assert.Equal(("Status", "v1", "Failure", what, status), ((string?)answer["kind"], (string?)answer["apiVersion"], (string?)answer["status"], (string?)answer["reason"], (int?)answer["code"]));
        Assert.False(string.IsNullOrEmpty((string?)answer["message"]));
        Assert.False(response.Headers.Contains("Retry-After"));
        Assert.False(response.Headers.Contains("WWW-Authenticate"));
    }
}
