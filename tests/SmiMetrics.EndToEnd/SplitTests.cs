using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>Traffic splits of four meshes in one cluster and one Prometheus, and a server that finds out which mesh has which.</summary>
public sealed class SplitWorld(World world) : HistoryWorld(world, "prometheus-of-splits")
{
    internal const double Stable = 90;
    internal const double Canary = 10;

    private static readonly Duration[] Quick = [new(0.6, 30), new(0.4, 200)];
    private static readonly Duration[] Slow = [new(0.5, 200), new(0.5, 700)];

    internal override async Task<History> PrepareAsync(CancellationToken cancellationToken)
    {
        KubeApi api = World.ControlPlane.Api;
        (string Namespace, string[] Services)[] namespaces =
            [("canary-linkerd", ["web", "shop"]), ("canary-istio", ["web"]), ("canary-consul", ["only-web"]), ("canary-traefik", ["web"])];
        foreach ((string @namespace, string[] services) in namespaces)
        {
            await api.CreateAsync("/api/v1/namespaces", Named(@namespace, null), cancellationToken);
            foreach (string name in services.SelectMany(service => new[] { service, $"{service}-v1", $"{service}-v2" }))
            {
                JsonObject body = Named(name, new JsonObject { ["ports"] = new JsonArray(new JsonObject { ["port"] = 8080 }) });
                await api.CreateAsync($"/api/v1/namespaces/{@namespace}/services", body, cancellationToken);
            }
        }

        await SplitAsync(api, "canary-linkerd", "shop", cancellationToken);
        await RouteAsync(api, "canary-linkerd", "web", cancellationToken);
        await SplitAsync(api, "canary-istio", "web", cancellationToken);
        await RouteAsync(api, "canary-istio", "web", cancellationToken);
        await SplitAsync(api, "canary-consul", "only-web", cancellationToken);
        await SplitAsync(api, "canary-traefik", "web", cancellationToken);
        return Series();
    }

    private static History Series()
    {
        History history = new(TimeSpan.FromSeconds(5));
        double[] seconds = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 10];
        double[] milliseconds = [1, 10, 50, 100, 250, 500, 1000];
        foreach ((string backend, double perSecond, Duration[] durations) in new[] { ("v1", Stable, Quick), ("v2", Canary, Slow) })
        {
            // An HTTPRoute under Linkerd, and beside it what was sent to the backend itself, which is none of the route's.
            string scrape = "namespace=\"canary-linkerd\",pod=\"caller-1\",deployment=\"caller\"";
            string route = $"{scrape},parent_group=\"core\",parent_kind=\"Service\",parent_namespace=\"canary-linkerd\",parent_name=\"web\",parent_port=\"8080\"," +
                $"route_group=\"gateway.networking.k8s.io\",route_kind=\"HTTPRoute\",route_namespace=\"canary-linkerd\",route_name=\"web-canary\"," +
                $"backend_group=\"core\",backend_kind=\"Service\",backend_namespace=\"canary-linkerd\",backend_name=\"web-{backend}\",backend_port=\"8080\"";
            history.Count("outbound_http_route_backend_response_statuses_total", $"{route},http_status=\"200\",error=\"\"", perSecond * 0.8);
            history.Count("outbound_http_route_backend_response_statuses_total", $"{route},http_status=\"503\",error=\"\"", perSecond * 0.2);
            history.Observe("outbound_http_route_backend_response_duration_seconds", route, perSecond, durations, seconds, 1000);
            string direct = $"{scrape},direction=\"outbound\",target_port=\"8080\",dst_namespace=\"canary-linkerd\",dst_service=\"web-{backend}\",dst_pod=\"web-{backend}-1\"";
            history.Count("response_total", $"{direct},classification=\"success\"", 1000);

            // A TrafficSplit under Linkerd: the leaf alone is named.
            string leaf = $"{scrape},direction=\"outbound\",target_port=\"8080\",authority=\"shop-{backend}.canary-linkerd.svc.cluster.local:8080\"," +
                $"dst_namespace=\"canary-linkerd\",dst_service=\"shop-{backend}\",dst_pod=\"shop-{backend}-1\"";
            history.Count("response_total", $"{leaf},classification=\"success\"", perSecond * 0.8);
            history.Count("response_total", $"{leaf},classification=\"failure\"", perSecond * 0.2);
            history.Observe("response_latency_ms", leaf, perSecond, durations, milliseconds, 1);

            foreach (string reporter in new[] { "source", "destination" })
            {
                string pair = $"reporter=\"{reporter}\",source_workload=\"caller\",source_workload_namespace=\"canary-istio\",destination_workload=\"web-{backend}\"," +
                    $"destination_workload_namespace=\"canary-istio\",destination_service_name=\"{(reporter == "source" ? $"web-{backend}" : "web")}\",destination_service_namespace=\"canary-istio\"";
                history.Count("istio_requests_total", $"{pair},response_code=\"200\"", perSecond * 0.8);
                history.Count("istio_requests_total", $"{pair},response_code=\"500\"", perSecond * 0.2);
                history.Observe("istio_request_duration_milliseconds", pair, perSecond, durations, milliseconds, 1);
            }

            string cluster = $"consul_source_service=\"caller\",consul_destination_service=\"only-web-{backend}\",consul_destination_namespace=\"default\",namespace=\"canary-consul\",pod=\"caller-1\"";
            history.Count("envoy_cluster_upstream_rq_xx", $"{cluster},envoy_response_code_class=\"2\"", perSecond * 0.8);
            history.Count("envoy_cluster_upstream_rq_xx", $"{cluster},envoy_response_code_class=\"5\"", perSecond * 0.2);
            history.Observe("envoy_cluster_upstream_rq_time", cluster, perSecond, durations, milliseconds, 1);

            // Both passes through the proxy: as the split's share, and then as the backend's own.
            foreach (string service in new[] { $"canary-traefik-web-web-canary-8080-web-{backend}-traffic-split-backend@http", $"canary-traefik-web-{backend}-8080@http" })
            {
                string labels = $"service=\"{service}\",method=\"GET\",protocol=\"http\"";
                history.Count("traefik_service_requests_total", $"{labels},code=\"200\"", perSecond * 0.8);
                history.Count("traefik_service_requests_total", $"{labels},code=\"502\"", perSecond * 0.2);
                history.Observe("traefik_service_request_duration_seconds", $"{labels},code=\"200\"", perSecond * 0.8, durations, [0.1, 0.3, 1.2, 5], 1000);
                history.Observe("traefik_service_request_duration_seconds", $"{labels},code=\"502\"", perSecond * 0.2, durations, [0.1, 0.3, 1.2, 5], 1000);
            }
        }

        return history;
    }

    private static async Task SplitAsync(KubeApi api, string @namespace, string service, CancellationToken cancellationToken)
    {
        JsonObject Backend(string name, double weight) => new() { ["service"] = name, ["weight"] = (int)weight };
        JsonObject split = Named($"{service}-canary", new JsonObject
        {
            ["service"] = service,
            ["backends"] = new JsonArray(Backend($"{service}-v1", Stable), Backend($"{service}-v2", Canary)),
        });
        split["apiVersion"] = "split.smi-spec.io/v1alpha2";
        split["kind"] = "TrafficSplit";
        await api.CreateAsync($"/apis/split.smi-spec.io/v1alpha2/namespaces/{@namespace}/trafficsplits", split, cancellationToken);
    }

    private static async Task RouteAsync(KubeApi api, string @namespace, string service, CancellationToken cancellationToken)
    {
        JsonObject Backend(string name, double weight) => new() { ["name"] = name, ["port"] = 8080, ["weight"] = (int)weight };
        JsonObject route = Named($"{service}-canary", new JsonObject
        {
            ["parentRefs"] = new JsonArray(new JsonObject { ["group"] = "", ["kind"] = "Service", ["name"] = service, ["port"] = 8080 }),
            ["rules"] = new JsonArray(new JsonObject { ["backendRefs"] = new JsonArray(Backend($"{service}-v1", Stable), Backend($"{service}-v2", Canary)) }),
        });
        route["apiVersion"] = "gateway.networking.k8s.io/v1";
        route["kind"] = "HTTPRoute";
        await api.CreateAsync($"/apis/gateway.networking.k8s.io/v1/namespaces/{@namespace}/httproutes", route, cancellationToken);
    }

    private static JsonObject Named(string name, JsonObject? spec)
    {
        JsonObject named = new() { ["metadata"] = new JsonObject { ["name"] = name } };
        if (spec is not null)
        {
            named["spec"] = spec;
        }

        return named;
    }
}

/// <summary>A split of 90 to 10 is two items: one a backend, with what it got of the requests to the apex.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class SplitTests(World world, SplitWorld splits) : WorldTest(world), IClassFixture<SplitWorld>
{
    [Theory]
    [InlineData("httproutes", "canary-linkerd", "web", "linkerd", "client", "ok", """outbound_http_route_backend_response_duration_seconds_bucket{route_name="web-canary",backend_name="BACKEND"}""", 1000)]
    [InlineData("trafficsplits", "canary-linkerd", "shop", "linkerd", "client", "partial", """response_latency_ms_bucket{direction="outbound",dst_namespace="canary-linkerd",dst_service="BACKEND"}""", 1)]
    [InlineData("trafficsplits", "canary-istio", "web", "istio", "client", "partial", """istio_request_duration_milliseconds_bucket{reporter="source",destination_service_namespace="canary-istio",destination_service_name="BACKEND"}""", 1)]
    [InlineData("httproutes", "canary-istio", "web", "istio", "client", "partial", """istio_request_duration_milliseconds_bucket{reporter="source",destination_service_namespace="canary-istio",destination_service_name="BACKEND"}""", 1)]
    [InlineData("trafficsplits", "canary-consul", "only-web", "consul", "client", "partial", """envoy_cluster_upstream_rq_time_bucket{consul_destination_service="BACKEND"}""", 1)]
    [InlineData("trafficsplits", "canary-traefik", "web", "traefik-mesh", "server", "ok", """traefik_service_request_duration_seconds_bucket{service="canary-traefik-web-web-canary-8080-BACKEND-traffic-split-backend@http"}""", 1000)]
    public async Task Each_backend_has_its_share(
        string resource, string @namespace, string service, string mesh, string side, string state, string buckets, double millisecondsPerUnit)
    {
        string path = $"{Api}/namespaces/{@namespace}/{resource}/{service}-canary";
        JsonNode list = (await splits.Server.GetAsync(path, Token)).Json;
        Assert.Equal($"{service}-canary", list["resource"]!["name"]!.GetValue<string>());
        IReadOnlyList<TrafficItem> items = TrafficItem.ListOf(list);
        Assert.Equal([$"{service}-v1", $"{service}-v2"], items.Select(item => item.Json["backend"]!["name"]!.GetValue<string>()));
        foreach ((TrafficItem item, double weight) in items.Zip([SplitWorld.Stable, SplitWorld.Canary]))
        {
            string backend = item.Json["backend"]!["name"]!.GetValue<string>();
            item.AssertShape("v1alpha2", HistoryWorld.Window, mesh, splits.Instant);
            Assert.Equal((resource == "httproutes" ? "HTTPRoute" : "TrafficSplit", @namespace, $"{service}-canary"), (item.Kind, item.Namespace, item.Name));
            Assert.Equal((service, weight), (item.Json["backend"]!["apex"]!.GetValue<string>(), item.Json["backend"]!["weight"]!.GetValue<int>()));
            Assert.Equal(("from", side), (item.Direction, item.Json["edge"]!["side"]!.GetValue<string>()));
            Assert.Empty(item.Json["edge"]!["resource"]!.AsObject());
            Assert.True(item.State == state, $"{item}");
            Assert.Equal(state == "partial", item.Reason.Contains("requests made to the backend itself are in these numbers too", StringComparison.Ordinal));
            item.AssertCounts(new Rates(weight * 0.8, weight * 0.2), $"{backend} of {@namespace}");
            IReadOnlyList<double?> percentiles = await splits.Prometheus.PercentilesAsync(
                buckets.Replace("BACKEND", backend, StringComparison.Ordinal), item.Window, item.Timestamp, Token);
            item.AssertPercentiles([.. percentiles.Select(percentile => percentile * millisecondsPerUnit)], $"{backend} of {@namespace}");
        }
    }

    [Fact]
    public async Task A_list_has_the_backends_of_every_split_of_the_namespace_or_the_cluster()
    {
        Assert.Equal(["web-v1", "web-v2"], await BackendsAsync($"/namespaces/canary-istio/trafficsplits"));
        Assert.Equal(["only-web-v1", "only-web-v2", "web-v1", "web-v2", "shop-v1", "shop-v2", "web-v1", "web-v2"], await BackendsAsync("/trafficsplits"));
        Assert.Equal(["web-v1", "web-v2", "web-v1", "web-v2"], await BackendsAsync("/httproutes"));
        Assert.Empty(await BackendsAsync("/namespaces/default/trafficsplits"));
    }

    [Fact]
    public async Task A_split_that_is_not_there_is_not_found() =>
        Statuses.Assert(await splits.Server.GetAsync($"{Api}/namespaces/canary-istio/trafficsplits/nosuch", Token), System.Net.HttpStatusCode.NotFound, "NotFound");

    private async Task<IEnumerable<string>> BackendsAsync(string path) =>
        TrafficItem.ListOf((await splits.Server.GetAsync(Api + path, Token)).Json).Select(item => item.Json["backend"]!["name"]!.GetValue<string>());
}
