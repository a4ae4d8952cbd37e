using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Diagnostics;

namespace SmiMetrics.Tests.Api;

/// <summary>The API over HTTP, from the URL to the JSON, with a fake Prometheus: what the end-to-end tests cannot provoke.</summary>
public sealed partial class TrafficApiTests(TrafficApiTests.ShopServer shop) : IClassFixture<TrafficApiTests.ShopServer>
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";

    private static readonly ClusterSnapshot Shop = TestClusters.Shop;

    /// <summary>Status and reason of every shape of URL; an empty reason is a success.</summary>
    [Theory]
    [InlineData("GET", "/apis", 200, "")]
    [InlineData("GET", "/apis/", 200, "")]
    [InlineData("GET", "/apis/metrics.smi-spec.io", 200, "")]
    [InlineData("GET", "/apis/metrics.smi-spec.io/v1alpha1", 200, "")]
    [InlineData("GET", "/apis/metrics.smi-spec.io/v1alpha2", 200, "")]
    [InlineData("GET", "/apis/metrics.smi-spec.io/v1alpha2/", 200, "")]
    [InlineData("GET", "/apis/metrics.smi-spec.io/v9", 404, "NotFound")]
    [InlineData("GET", "/apis/apps/v1", 404, "NotFound")]
    [InlineData("GET", "/", 404, "NotFound")]
    [InlineData("GET", "/metrics", 404, "NotFound")]
    // kubectl takes it for a server without core resources.
    [InlineData("GET", "/api", 404, "NotFound")]
    [InlineData("GET", "/openapi/v2", 200, "")]
    [InlineData("GET", "/openapi/v3", 200, "")]
    [InlineData("GET", "/openapi/v3/apis/metrics.smi-spec.io/v1alpha1", 200, "")]
    [InlineData("GET", "/openapi/v3/apis/metrics.smi-spec.io/v9", 404, "NotFound")]
    [InlineData("GET", "/openapi/v4", 404, "NotFound")]
    [InlineData("GET", "/openapi", 404, "NotFound")]
    [InlineData("POST", "/openapi/v2", 405, "MethodNotAllowed")]
    [InlineData("POST", "/apis", 405, "MethodNotAllowed")]
    [InlineData("GET", "/api/v1/namespaces/shop", 200, "")]
    [InlineData("GET", "/api/v1/namespaces/nosuch", 404, "NotFound")]
    [InlineData("GET", "/api/v1/namespaces", 404, "NotFound")]
    [InlineData("GET", "/api/v1/namespaces/shop/pods", 404, "NotFound")]
    [InlineData("DELETE", "/api/v1/namespaces/shop", 404, "NotFound")]
    [InlineData("GET", Root + "/deployments", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments?limit=500", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/idle", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/edges", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/idle/edges", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/nosuch", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/nosuch/edges", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/edges", 200, "")]
    [InlineData("GET", Root + "/namespaces/nosuch", 404, "NotFound")]
    [InlineData("GET", Root + "/nodes", 200, "")]
    [InlineData("GET", Root + "/nodes/n1", 200, "")]
    [InlineData("GET", Root + "/nodes/n1/edges", 200, "")]
    [InlineData("GET", Root + "/trafficmetrics", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics/deployment.web", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics/deployment.nosuch", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics/statefulset.web", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics/web", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics/nosuch", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/other/trafficmetrics/web", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/trafficmetrics/pod.web-1", 404, "NotFound")]
    [InlineData("GET", Root + "/cronjobs", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficsplits", 200, "")]
    [InlineData("GET", Root + "/trafficsplits?labelSelector=app%3Ddb", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficsplits/db-canary", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficsplits/nosuch", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/other/trafficsplits/db-canary", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/trafficsplits/db-canary/edges", 404, "NotFound")]
    [InlineData("GET", Root + "/httproutes", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/httproutes/db-canary", 404, "NotFound")]
    [InlineData("GET", Root + "/trafficedges", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficedges", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficedges?side=client", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/trafficedges?side=both", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/shop/trafficedges?window=1ms", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/shop/trafficedges/web", 404, "NotFound")]
    [InlineData("GET", Root + "/meshes", 200, "")]
    [InlineData("GET", Root + "/meshes/linkerd", 200, "")]
    [InlineData("GET", Root + "/meshes/nosuch", 404, "NotFound")]
    [InlineData("GET", Root + "/meshes?labelSelector=a", 200, "")]
    [InlineData("GET", Root + "/meshes?watch=true", 405, "MethodNotAllowed")]
    [InlineData("GET", Root + "/namespaces/shop/meshes", 404, "NotFound")]
    [InlineData("DELETE", Root + "/meshes/linkerd", 405, "MethodNotAllowed")]
    [InlineData("GET", Root + "/endpoints", 404, "NotFound")]
    [InlineData("GET", Root + "/events", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/status", 404, "NotFound")]
    [InlineData("GET", Root + "/deployments?watch=true", 405, "MethodNotAllowed")]
    [InlineData("GET", Root + "/deployments?watch", 405, "MethodNotAllowed")]
    [InlineData("GET", Root + "/deployments?watch=false", 200, "")]
    [InlineData("GET", Root + "/deployments?watch=0", 200, "")]
    [InlineData("HEAD", Root + "/namespaces/shop/deployments/web", 405, "")]
    [InlineData("POST", Root + "/namespaces/shop/deployments", 405, "MethodNotAllowed")]
    [InlineData("PUT", Root + "/namespaces/shop/deployments/web", 405, "MethodNotAllowed")]
    [InlineData("DELETE", Root + "/namespaces/shop/deployments/web", 405, "MethodNotAllowed")]
    [InlineData("OPTIONS", Root + "/namespaces/shop/deployments/web", 405, "MethodNotAllowed")]
    [InlineData("DELETE", "/apis/metrics.smi-spec.io/v1alpha2", 405, "MethodNotAllowed")]
    [InlineData("GET", Root + "/deployments?labelSelector=app%3Dweb", 200, "")]
    [InlineData("GET", Root + "/deployments?labelSelector=app%3D%3D%3D", 400, "BadRequest")]
    [InlineData("GET", Root + "/deployments?fieldSelector=metadata.name%3Dweb", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/edges?direction=to&side=client", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/edges?direction=sideways", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/shop/trafficedges?direction=to", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/edges?side=1", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/edges?side=server", 404, "NotFound")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web/edges?labelSelector=a", 200, "")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web?window=30s&window=40s", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/shop/deployments/web?unknown=1", 200, "")]
    // Kestrel decodes what is in a path, but for the slash: RBAC judged the path as it stands, and so do we.
    [InlineData("GET", Root + "/namespaces/shop/deployments/web%2Fedges", 400, "BadRequest")]
    [InlineData("GET", Root + "/namespaces/a%2Fb/deployments/web", 400, "BadRequest")]
    public async Task Every_URL_has_its_status_and_reason(string method, string url, int status, string reason)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), url);
        using HttpResponseMessage response = await shop.Client.SendAsync(request, TestContext.Current.CancellationToken);
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode} {body}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
        Assert.Equal("no-cache, private", response.Headers.CacheControl?.ToString().Replace("private, no-cache", "no-cache, private", StringComparison.Ordinal));
        if (reason.Length > 0)
        {
            JsonNode answer = JsonNode.Parse(body)!;
            Assert.Equal("Status", (string?)answer["kind"]);
            Assert.Equal("v1", (string?)answer["apiVersion"]);
            Assert.Equal("Failure", (string?)answer["status"]);
            Assert.Equal(reason, (string?)answer["reason"]);
            Assert.Equal(status, (int?)answer["code"]);
            Assert.False(string.IsNullOrEmpty((string?)answer["message"]));
        }
    }

    [Theory]
    [InlineData("namespaces/shop/deployments/web", "get")]
    [InlineData("namespaces/shop/deployments/idle", "get-idle")]
    [InlineData("namespaces/shop/deployments", "list")]
    [InlineData("namespaces/shop/deployments/web/edges", "edges")]
    [InlineData("namespaces/shop/trafficmetrics", "trafficmetrics")]
    [InlineData("namespaces/shop/trafficmetrics/deployment.web", "trafficmetrics-of-one")]
    [InlineData("namespaces/shop", "namespace")]
    [InlineData("namespaces/shop/services/db", "service-of-linkerd")]
    [InlineData("namespaces/shop/deployments/nosuch", "not-found")]
    [InlineData("deployments?labelSelector=app+in+(idle)", "list-selected")]
    [InlineData("namespaces/shop/trafficedges", "trafficedges")]
    [InlineData("namespaces/shop/trafficsplits/db-canary", "trafficsplit")]
    [InlineData("meshes/linkerd", "mesh")]
    [InlineData("meshes", "meshes")]
    [InlineData("", "resources")]
    [InlineData("..", "group")]
    public async Task An_answer_has_this_shape(string path, string golden)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        string url = path == ".." ? Root[..Root.LastIndexOf('/')] : path.Length == 0 ? Root : $"{Root}/{path}";
        string separator = url.Contains('?', StringComparison.Ordinal) ? "&" : "?";
        using HttpResponseMessage response = await server.Client.GetAsync(new Uri($"{url}{separator}pretty=true", UriKind.Relative), TestContext.Current.CancellationToken);
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Golden.Verify($"api/{golden}", Time().Replace(body, "2026-11-22T12:00:00Z"));
    }

    [Fact]
    public async Task Both_versions_say_the_same()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        string path = $"{Root}/namespaces/shop/deployments/web/edges";
        string second = await server.Client.GetStringAsync(path, TestContext.Current.CancellationToken);
        string first = await server.Client.GetStringAsync(path.Replace("v1alpha2", "v1alpha1", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        Assert.Equal(Time().Replace(second, ""), Time().Replace(first.Replace("v1alpha1", "v1alpha2", StringComparison.Ordinal), ""));
    }

    /// <summary>field.md C36: the reference asked five queries one after the other.</summary>
    [Theory]
    [InlineData("namespaces/shop/deployments/web", 2)]
    [InlineData("namespaces/shop/deployments", 2)]
    [InlineData("deployments", 2)]
    [InlineData("trafficmetrics", 2)]
    [InlineData("namespaces/shop/trafficmetrics", 2)]
    [InlineData("pods", 2)]
    [InlineData("nodes", 2)]
    [InlineData("namespaces", 2)]
    [InlineData("namespaces/shop/services/db", 2)]
    [InlineData("namespaces/shop/deployments/web/edges", 4)]
    [InlineData("namespaces/shop/edges", 4)]
    public async Task A_question_costs_this_many_queries_and_they_come_together(string path, int queries)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(new FakePrometheus { AnswerOnlyWhenInFlight = queries }, Shop);
        await server.Client.GetStringAsync($"{Root}/{path}", TestContext.Current.CancellationToken);
        Assert.Equal(queries, server.Prometheus.Asked.Count);
        Assert.Equal(queries, server.Prometheus.MostInFlight);
    }

    /// <summary>field.md A1 to A4: with a name like these the reference read other namespaces.</summary>
    [Theory]
    [InlineData("namespaces/mine/deployments/x%22%7D%5B30s%5D))%20by%20(deployment)%20or%20sum(increase(response_total%7Bnamespace%3D%22victim")]
    [InlineData("namespaces/mine/deployments/x%7C.%2B")]
    [InlineData("namespaces/mine/deployments/.%2B")]
    [InlineData("namespaces/mine/deployments/*")]
    [InlineData("namespaces/shop%7Cvictim/deployments")]
    [InlineData("namespaces/.%2A/deployments/web")]
    [InlineData("namespaces/mine%22%2Cnamespace%21%3D%22/deployments/web")]
    [InlineData("namespaces/shop%0A/deployments/web")]
    [InlineData("namespaces/mine/deployments/web%00")]
    [InlineData("namespaces/Mine/deployments/web")]
    [InlineData("namespaces/mine/services/a.b")]
    public async Task A_name_that_is_no_Kubernetes_name_is_refused_before_anything_is_asked(string path)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        using HttpResponseMessage response = await server.Client.GetAsync(new Uri($"{Root}/{path}", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Empty(server.Prometheus.Asked);
    }

    /// <summary>
    /// kube-apiserver authorises "resource .. in namespace mine" and forwards the path as it is; resolved, it would be another namespace's.
    /// </summary>
    [Theory]
    [InlineData("/namespaces/mine/../victim/deployments")]
    [InlineData("/namespaces/mine/../../deployments")]
    [InlineData("/namespaces/mine/%2e%2e/victim/deployments")]
    [InlineData("/namespaces/mine/.%2E/victim/deployments")]
    [InlineData("/namespaces/mine/./deployments")]
    [InlineData("/namespaces//deployments")]
    [InlineData("//namespaces/mine/deployments")]
    [InlineData("/namespaces/mine/deployments//web")]
    [InlineData("/namespaces/mine/deployments/w%65b")]
    public async Task A_path_that_can_be_read_in_two_ways_is_refused(string path)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        using HttpRequestMessage request = new()
        {
            RequestUri = new Uri(
                $"{server.Client.BaseAddress!.GetLeftPart(UriPartial.Authority)}{Root}{path}",
                new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }),
        };
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("plainly", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Empty(server.Prometheus.Asked);
    }

    /// <summary>By the words of kube-apiserver's own series, or its dashboards show nothing.</summary>
    [Theory]
    [InlineData("GET", "deployments", 200, "LIST", "cluster")]
    [InlineData("GET", "namespaces/shop/deployments", 200, "LIST", "namespace")]
    [InlineData("GET", "namespaces/shop/deployments/web", 200, "GET", "resource")]
    [InlineData("GET", "deployments?watch=1", 405, "WATCH", "cluster")]
    [InlineData("POST", "deployments", 405, "POST", "cluster")]
    [InlineData("PUT", "namespaces/shop/deployments/web", 405, "PUT", "resource")]
    [InlineData("DELETE", "namespaces/shop/deployments/web", 405, "DELETE", "resource")]
    public async Task A_request_is_counted_by_its_verb_and_scope(string method, string path, int code, string verb, string scope)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        using HttpRequestMessage request = new(new HttpMethod(method), $"{Root}/{path}");
        using HttpResponseMessage response = await server.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(code, (int)response.StatusCode);
        PrometheusText metrics = await server.CountedAsync(1);
        Assert.Equal(1, metrics.Samples[
            $"apiserver_request_total{{code={code},component=apiserver,dry_run=,group=metrics.smi-spec.io,resource=deployments,scope={scope},subresource=,verb={verb},version=v1alpha2}}"]);
    }

    [Fact]
    public async Task A_workload_is_found_without_its_kind_where_only_one_has_the_name()
    {
        static ClusterObject Named(string name) => new(new("shop", name), new Dictionary<string, string>(), null);
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(new ClusterSnapshot(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
            {
                [ResourceKind.Deployment] = [Named("web"), Named("api"), Named("a.b")],
                [ResourceKind.StatefulSet] = [Named("web"), Named("deployment.api")],
            },
            []));
        async Task<string> AskAsync(string name)
        {
            using HttpResponseMessage response = await server.Client.GetAsync(new Uri($"{Root}/namespaces/shop/trafficmetrics/{name}", UriKind.Relative), TestContext.Current.CancellationToken);
            JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
            return (string?)answer["metadata"]!["name"] ?? (string)answer["message"]!;
        }

        Assert.Equal("deployment.a.b", await AskAsync("a.b"));
        Assert.Equal("deployment.api", await AskAsync("api"));
        // With a kind before it, it is no name.
        Assert.Equal("deployment.api", await AskAsync("deployment.api"));
        Assert.Equal("there are several workloads \"web\": ask for one of deployment.web, statefulset.web", await AskAsync("web"));
        Assert.Equal("trafficmetrics.metrics.smi-spec.io \"nosuch\" not found", await AskAsync("nosuch"));
    }

    [Fact]
    public async Task A_dot_in_a_name_is_a_dot()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        await server.Client.GetAsync(new Uri($"{Root}/namespaces/shop/statefulsets/a.b", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.NotEmpty(server.Prometheus.Asked);
        Assert.All(server.Prometheus.Asked, query => Assert.Contains("statefulset=\"a.b\"", query));
    }

    [Theory]
    [InlineData("0s", "window 0s: it must be longer than zero")]
    [InlineData("-5m", "window -5m0s: it must be longer than zero")]
    [InlineData("500ms", "window 500ms: increase() needs two samples, so with this mesh's scrape interval the shortest window is 20s")]
    [InlineData("19s", "window 19s: increase() needs two samples, so with this mesh's scrape interval the shortest window is 20s")]
    [InlineData("87600h", "window 87600h0m0s: the longest window is 1h0m0s")]
    [InlineData("1d", "window: \"1d\" is not a duration such as 30s, 5m or 1h30m")]
    [InlineData("x", "window: \"x\" is not a duration such as 30s, 5m or 1h30m")]
    [InlineData("", "window: \"\" is not a duration such as 30s, 5m or 1h30m")]
    public async Task A_window_that_cannot_be_answered_is_refused_with_the_limit(string window, string message)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        using HttpResponseMessage response =
            await server.Client.GetAsync(new Uri($"{Root}/deployments?window={window}", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(message, (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!["message"]);
        Assert.Empty(server.Prometheus.Asked);
    }

    [Theory]
    [InlineData("", "[30s]", "30s")]
    [InlineData("?window=1m", "[60s]", "1m0s")]
    [InlineData("?t=45s", "[45s]", "45s")]
    [InlineData("?window=20500ms", "[20500ms]", "20.5s")]
    public async Task The_window_asked_for_is_the_window_used(string query, string inPromQl, string inAnswer)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        string body = await server.Client.GetStringAsync($"{Root}/namespaces/shop/deployments/web{query}", TestContext.Current.CancellationToken);
        Assert.Equal(inAnswer, (string?)JsonNode.Parse(body)!["window"]);
        Assert.Equal(2, server.Prometheus.Asked.Count);
        Assert.All(server.Prometheus.Asked, asked => Assert.Contains(inPromQl, asked));
    }

    /// <summary>field.md A12 and C28: upstream errors reached callers with address and query, and an idle workload was a 500.</summary>
    [Theory]
    [InlineData("refused", 503, "ServiceUnavailable")]
    [InlineData("500", 503, "ServiceUnavailable")]
    [InlineData("html", 503, "ServiceUnavailable")]
    [InlineData("garbage", 503, "ServiceUnavailable")]
    [InlineData("query error", 503, "ServiceUnavailable")]
    public async Task What_fails_upstream_is_a_Status_that_tells_nothing_of_upstream(string failure, int status, string reason)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop, "--prometheus-timeout=1s");
        server.Prometheus.Instead = failure switch
        {
            "refused" => () => throw new HttpRequestException("Connection refused (prometheus.invalid:9090)"),
            "500" => () => FakePrometheus.Json("prometheus.invalid is broken", HttpStatusCode.InternalServerError),
            "html" => () => FakePrometheus.Json("<html>prometheus.invalid</html>", HttpStatusCode.ServiceUnavailable),
            "garbage" => () => FakePrometheus.Json("{\"prometheus.invalid\":"),
            _ => () => FakePrometheus.Json("""{"status":"error","errorType":"execution","error":"prometheus.invalid"}""", HttpStatusCode.UnprocessableEntity),
        };
        using HttpResponseMessage response =
            await server.Client.GetAsync(new Uri($"{Root}/namespaces/shop/deployments/web", UriKind.Relative), TestContext.Current.CancellationToken);
        string body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(status == (int)response.StatusCode, body);
        Assert.Equal(reason, (string?)JsonNode.Parse(body)!["reason"]);
        Assert.Null(response.Headers.RetryAfter);
        Assert.DoesNotContain("prometheus.invalid", body);
        Assert.DoesNotContain("response_total", body);
    }

    [Fact]
    public async Task Discovery_and_readiness_do_not_depend_on_Prometheus()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        server.Prometheus.Instead = () => throw new HttpRequestException("down");
        Assert.Contains("deployments/edges", await server.Client.GetStringAsync(Root, TestContext.Current.CancellationToken));
        Assert.Equal("ok", await server.Admin.GetStringAsync("/readyz", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_admin_port_has_no_traffic_data_and_the_API_port_no_metrics()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop);
        using HttpResponseMessage traffic = await server.Admin.GetAsync(new Uri($"{Root}/deployments", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, traffic.StatusCode);
        await server.Client.GetStringAsync($"{Root}/namespaces/shop/deployments/web", TestContext.Current.CancellationToken);
        using HttpResponseMessage unknown = await server.Client.GetAsync(new Uri($"{Root}/namespaces/shop/deployments/nosuch", UriKind.Relative), TestContext.Current.CancellationToken);
        PrometheusText metrics = await server.CountedAsync(2);
        static bool IsCount(string series, int code) => series.StartsWith($"apiserver_request_total{{code={code},", StringComparison.Ordinal);
        Assert.Contains(metrics.Samples.Keys, series => IsCount(series, 200) && series.Contains(",resource=deployments,", StringComparison.Ordinal));
        Assert.Contains(metrics.Samples.Keys, series => IsCount(series, 404));
        // Of requests alone: the page has the meters of whatever other test runs in this process.
        Assert.DoesNotContain(metrics.Samples.Keys, series => IsCount(series, 500));
        Assert.Contains("smi_metrics_prometheus_queries_total", metrics.Types.Keys);
    }

    /// <summary>On an IPv6-only cluster 0.0.0.0 once meant that nobody could connect.</summary>
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    public async Task Every_address_means_both_families(string address)
    {
        Assert.SkipWhen(address == "[::1]" && !System.Net.Sockets.Socket.OSSupportsIPv6, "this machine has no IPv6");
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop, "--bind-address=0.0.0.0");
        using HttpClient client = new();
        Assert.Equal("ok", await client.GetStringAsync($"http://{address}:{server.Admin.BaseAddress!.Port}/livez", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Latencies_are_in_the_unit_that_the_operator_chose()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(Shop, "--latency-unit=seconds");
        string body = await server.Client.GetStringAsync($"{Root}/namespaces/shop/deployments/web", TestContext.Current.CancellationToken);
        JsonNode p99 = JsonNode.Parse(body)!["metrics"]![0]!;
        Assert.Equal("seconds", (string?)p99["unit"]);
        Assert.Equal("20m", (string?)p99["value"]); // 19.8 ms
    }

    [GeneratedRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")]
    private static partial Regex Time();

    /// <summary>One server for what asks it one thing and changes nothing.</summary>
    public sealed class ShopServer : IAsyncLifetime
    {
        private ServerUnderTest? _server;

        public HttpClient Client => _server!.Client;

        public async ValueTask InitializeAsync() => _server = await ServerUnderTest.StartAsync(Shop);

        public ValueTask DisposeAsync() => _server!.DisposeAsync();
    }
}
