using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class NamedSeriesTests
{
    [Fact]
    public void The_catalogue_names_counters_and_buckets_with_every_label_that_is_asked_for()
    {
        IReadOnlyList<NamedSeries> series = NamedSeries.Of([MeshCatalogue.Load().Find("linkerd"), MeshCatalogue.Load().Find("istio")]);
        Assert.Equal(
            [
                "istio_request_duration_milliseconds_bucket",
                "istio_requests_total",
                "outbound_http_route_backend_response_duration_seconds_bucket",
                "outbound_http_route_backend_response_statuses_total",
                "response_latency_ms_bucket",
                "response_total",
            ],
            series.Select(one => one.Name).Order(StringComparer.Ordinal));
        NamedSeries responses = series.Single(one => one.Name == "response_total");
        Assert.Superset(
            new HashSet<string> { "direction", "classification", "target_port", "route_name", "namespace", "pod", "deployment", "dst_namespace", "dst_service", "dst_cronjob" },
            responses.Labels.ToHashSet());
        // Those of the two sides, and of the split that the client's side shows.
        Assert.Equal(3, responses.Where.Count);
        Assert.Equal(["linkerd"], responses.Meshes);
        Assert.DoesNotContain("classification", series.Single(one => one.Name == "response_latency_ms_bucket").Labels);
        Assert.Superset(
            new HashSet<string> { "reporter", "response_code", "grpc_response_status", "source_workload", "destination_service_namespace" },
            series.Single(one => one.Name == "istio_requests_total").Labels.ToHashSet());
        Assert.Equal(
            [
                "backend_kind", "backend_name", "backend_namespace", "error", "http_status", "parent_kind", "parent_name", "parent_namespace",
                "route_kind", "route_name", "route_namespace",
            ],
            series.Single(one => one.Name == "outbound_http_route_backend_response_statuses_total").Labels);
    }

    [Fact]
    public void A_counter_of_several_names_is_kept_under_each()
    {
        IReadOnlyList<NamedSeries> series = NamedSeries.Of([MeshCatalogue.Load().Find("kuma")]);
        Assert.Equal(
            [
                "envoy_cluster_upstream_rq_time_bucket",
                "envoy_cluster_upstream_rq_xx",
                "envoy_cluster_upstream_rq_xx_total",
                "envoy_http_downstream_rq_time_bucket",
                "envoy_http_downstream_rq_xx",
                "envoy_http_downstream_rq_xx_total",
            ],
            series.Select(one => one.Name).Order(StringComparer.Ordinal));
        string[] labels = ["envoy_http_conn_manager_prefix", "envoy_response_code_class", "k8s_kuma_io_name", "k8s_kuma_io_namespace"];
        Assert.All(["envoy_http_downstream_rq_xx", "envoy_http_downstream_rq_xx_total"], name => Assert.Equal(labels, series.Single(one => one.Name == name).Labels));
    }

    [Fact]
    public void A_histogram_that_names_its_ends_otherwise_keeps_those_labels_and_the_counter_does_not()
    {
        Dictionary<string, IReadOnlyList<string>> labels = NamedSeries.Of([MeshCatalogue.Load().Find("osm-edge")]).ToDictionary(one => one.Name, one => one.Labels);
        Assert.Superset(
            new HashSet<string> { "destination_namespace", "destination_pod", "source_namespace", "source_pod" },
            labels["osm_request_duration_ms_bucket"].ToHashSet());
        Assert.Equal(["sidecar_cluster_name", "sidecar_response_code_class", "source_namespace", "source_workload_pod"], labels["sidecar_cluster_upstream_rq_xx"]);
    }

    [Fact]
    public void A_series_of_two_meshes_is_one()
    {
        MeshDescriptor istio = MeshCatalogue.Load().Find("istio");
        NamedSeries requests = NamedSeries.Of([istio, istio with { Name = "other" }]).Single(one => one.Name == "istio_requests_total");
        Assert.Equal(["istio", "other"], requests.Meshes.Order());
        Assert.Equal(requests.Labels.Distinct(), requests.Labels);
    }

    [Fact]
    public void A_counter_of_failures_and_the_labels_of_every_means_are_among_them()
    {
        MeshDescriptor mesh = DescriptorReader.Read(
            """
            name: test
            title: Test
            server:
              requests: requests
              failures: failed
              where: ['side="server"']
              latency: {histogram: seconds, unit: s, where: ['role="server"']}
              destination:
                namespace: ns
                kinds:
                  pods: pod
                  services: {label: svc, namespace: svc_ns}
                workload: {kind: kind, name: name}
                packed: {label: cluster, pattern: "{nodes}_x"}
            """,
            "test");
        string[] ends = ["cluster", "kind", "name", "ns", "pod", "svc", "svc_ns"];
        Dictionary<string, IReadOnlyList<string>> labels = NamedSeries.Of([mesh]).ToDictionary(one => one.Name, one => one.Labels);
        Assert.Equal(["failed", "requests", "seconds_bucket"], labels.Keys.Order());
        Assert.Equal([.. ends.Append("side").Order()], labels["requests"]);
        Assert.Equal([.. ends.Append("side").Order()], labels["failed"]);
        Assert.Equal([.. ends.Append("role").Order()], labels["seconds_bucket"]);
    }
}
