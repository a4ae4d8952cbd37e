using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class NamedSeriesTests
{
    [Fact]
    public void The_catalogue_names_counters_and_buckets_with_every_label_that_is_asked_for()
    {
        IReadOnlyList<NamedSeries> series = NamedSeries.Of([MeshCatalogue.Load().Find("linkerd"), MeshCatalogue.Load().Find("istio")]);
        Assert.Equal(
            ["istio_request_duration_milliseconds_bucket", "istio_requests_total", "response_latency_ms_bucket", "response_total"],
            series.Select(one => one.Name).Order(StringComparer.Ordinal));
        NamedSeries responses = series.Single(one => one.Name == "response_total");
        Assert.Superset(
            new HashSet<string> { "direction", "classification", "target_port", "route_name", "namespace", "pod", "deployment", "dst_namespace", "dst_service", "dst_cronjob" },
            responses.Labels.ToHashSet());
        Assert.Equal(2, responses.Where.Count);
        Assert.Equal(["linkerd"], responses.Meshes);
        Assert.DoesNotContain("classification", series.Single(one => one.Name == "response_latency_ms_bucket").Labels);
        Assert.Superset(
            new HashSet<string> { "reporter", "response_code", "grpc_response_status", "source_workload", "destination_service_namespace" },
            series.Single(one => one.Name == "istio_requests_total").Labels.ToHashSet());
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
