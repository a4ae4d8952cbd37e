using SmiMetrics.Exposition;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Tests.Exposition;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Meshes;

/// <summary>
/// What the catalogue makes of series of real proxies, against what a person read in them: which mesh counts a series, on which side, whose
/// it is at either end, and with which outcome. All descriptors look at every series, as under <c>--mesh auto</c>.
/// </summary>
public sealed class ClassificationTests
{
    private const string NotCounted = "not counted";

    // Of the reporting pod, as the scrapes of the meshes add them. The captures were taken from the proxies' own pages, except Consul's.
    private static readonly Dictionary<string, string> Reporter = new()
    {
        ["namespace"] = "default",
        ["pod"] = "reporter-1",
        ["k8s_kuma_io_namespace"] = "kuma-test",
        ["k8s_kuma_io_name"] = "demo-client-1",
    };

    public static TheoryData<string, string[]> Captures() => new()
    {
        // The only traffic is that of Prometheus with the admin port.
        { "linkerd", [$"26 response_latency_ms_bucket: {NotCounted}", $"response_total: {NotCounted}"] },
        {
            "istio-requests-total",
            [
                // The ingress gateway calls, and has no Service that it belongs to.
                "istio_requests_total: istio client"
                    + " from Namespace istio-system, Deployment istio-system/istio-ingressgateway, Pod default/reporter-1"
                    + " to Namespace sample-golang, Service sample-golang/sample-golang, Deployment sample-golang/sample-golang: success",
                // Somebody outside of the mesh calls.
                "istio_requests_total: istio server from nobody"
                    + " to Namespace default, Service default/my-nginx, Deployment default/my-nginx, Pod default/reporter-1: success",
                // Somewhere outside of the cluster is called.
                "istio_requests_total: istio client"
                    + " from Namespace default, Deployment default/sleep, Pod default/reporter-1"
                    + " to nobody: success",
                "istio_requests_total: istio server"
                    + " from Namespace default, Deployment default/sleep"
                    + " to Namespace default, Service default/httpbin, Deployment default/httpbin, Pod default/reporter-1: success",
                "istio_requests_total: istio client"
                    + " from Namespace default, Deployment default/reviews-v1, Pod default/reporter-1"
                    + " to Namespace default, Service default/productpage, Deployment default/productpage-v1: success",
            ]
        },
        {
            "istio-request-duration",
            [
                "16 istio_request_duration_milliseconds_bucket: istio server"
                    + " from Namespace default, Deployment default/productpage-v1"
                    + " to Namespace default, Service default/reviews, Deployment default/reviews-v1, Pod default/reporter-1",
            ]
        },
        // The test that this is from asks Hubble for pods without their namespaces: nobody can be told.
        {
            "cilium",
            [
                "hubble_http_requests_total: cilium server from nobody to nobody: success",
                "12 hubble_http_request_duration_seconds_bucket: cilium server from nobody to nobody",
            ]
        },
        // Only probes.
        { "traefik", [$"5 traefik_service_request_duration_seconds_bucket: {NotCounted}", $"traefik_service_requests_total: {NotCounted}"] },
        // A 4xx, of pod a to Service b. Of the second series, the denied requests of b, nobody counts anything.
        {
            "consul",
            [
                "envoy_cluster_upstream_rq_xx: consul client"
                    + " from Namespace dmetrics, Deployment dmetrics/a, Pod dmetrics/a-b8c4bd8c4-7v587"
                    + " to Service dmetrics/b: success",
            ]
        },
        // A call of a database, between OpenTelemetry's services without namespaces.
        { "otel-service-graph", [$"traces_service_graph_request_total: {NotCounted}"] },
        // Nothing of these is a counter of requests or a histogram of their durations.
        { "kuma-counter", [] },
        { "kuma-histogram", [] },
    };

    [Theory]
    [MemberData(nameof(Captures))]
    public void Each_series_is_what_a_person_would_say(string capture, string[] expected)
    {
        HashSet<string> named = [.. NamedSeries.Of(MeshCatalogue.Load().All).Select(series => series.Name)];
        Page page = Page.Read(Page.Capture(capture), ExpositionFormat.Text);
        Assert.Equal(0, page.BadLines);
        Assert.Equal(
            expected,
            InRuns(page.Samples.Where(sample => named.Contains(sample.Name)).Select(sample => $"{sample.Name}: {Classify(sample.Name, LabelsOf(sample))}")));
    }

    [Fact]
    public void Every_capture_is_in_the_table() => Assert.Equal(
        Directory.GetFiles(Page.Folder(), "*.txt").Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal),
        Captures().Select(row => row.Data.Item1).Order(StringComparer.Ordinal));

    // The clusters of a real Kuma proxy, from a series that has one for each of them.
    [Theory]
    [InlineData(
        "echo-server_kuma-test_svc_8080",
        "kuma client from Namespace kuma-test, Deployment kuma-test/demo-client, Pod kuma-test/demo-client-1"
            + " to Namespace kuma-test, Service kuma-test/echo-server: failure")]
    [InlineData("access_log_sink", NotCounted)]
    [InlineData("ads_cluster", NotCounted)]
    [InlineData("demo-client", NotCounted)]
    [InlineData("inbound_passthrough_ipv4", NotCounted)]
    [InlineData("inbound_passthrough_ipv6", NotCounted)]
    [InlineData("kuma_envoy_admin", NotCounted)]
    [InlineData("localhost_3000", NotCounted)]
    [InlineData("outbound_passthrough_ipv4", NotCounted)]
    [InlineData("outbound_passthrough_ipv6", NotCounted)]
    public void Of_the_clusters_of_a_Kuma_proxy_only_Services_count(string cluster, string expected)
    {
        Page page = Page.Read(Page.Capture("kuma-counter"), ExpositionFormat.Text);
        Assert.Contains(cluster, page.Samples.Where(sample => sample.Name == "envoy_cluster_assignment_stale").Select(sample => LabelsOf(sample)["envoy_cluster_name"]));
        Dictionary<string, string> labels = new(Reporter) { ["envoy_cluster_name"] = cluster, ["envoy_response_code_class"] = "5" };
        Assert.Equal(expected, Classify("envoy_cluster_upstream_rq_xx", labels));
    }

    private static IEnumerable<string> InRuns(IEnumerable<string> lines)
    {
        List<(string Line, int Count)> runs = [];
        foreach (string line in lines)
        {
            if (runs.Count > 0 && runs[^1].Line == line)
            {
                runs[^1] = (line, runs[^1].Count + 1);
            }
            else
            {
                runs.Add((line, 1));
            }
        }

        return runs.Select(run => run.Count == 1 ? run.Line : $"{run.Count} {run.Line}");
    }

    private static Dictionary<string, string> LabelsOf(Sample sample)
    {
        Dictionary<string, string> labels = new(Reporter);
        foreach (string[] pair in sample.Labels.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=', 2)))
        {
            labels[pair[0]] = pair[1];
        }

        return labels;
    }

    /// <summary>What all meshes make of a series; more than one that counts it would be two observers where there is one.</summary>
    private static string Classify(string series, Dictionary<string, string> labels)
    {
        string[] found =
        [
            .. from mesh in MeshCatalogue.Load().All
               from side in new[] { (Name: "server", Series: mesh.Server), (Name: "client", Series: mesh.Client) }
               where side.Series is not null
               from classified in Classify(mesh, side.Series!, series, labels)
               select $"{mesh.Name} {side.Name} {classified}",
        ];
        return found.Length == 0 ? NotCounted : string.Join("; ", found);
    }

    private static IEnumerable<string> Classify(MeshDescriptor mesh, MeshSide side, string series, Dictionary<string, string> labels)
    {
        string ends = $"from {End(side.Source, mesh, labels)} to {End(side.Destination, mesh, labels)}";
        if (side.OtherNames.Append(side.Requests).Contains(series) && Holds(side.Where, labels))
        {
            string[] of = [.. mesh.Outcome.Labels];
            RequestOutcome outcome = mesh.Outcome.Bind(of).Classify([.. of.Select(label => Value(labels, label))]);
            yield return $"{ends}: {outcome.ToString().ToLowerInvariant()}";
        }

        if (side.Latency is { } latency && latency.Series + "_bucket" == series && Holds(latency.Where, labels))
        {
            yield return latency is { Destination: null, Source: null } ? ends
                : $"from {End(latency.Source ?? side.Source, mesh, labels)} to {End(latency.Destination ?? side.Destination, mesh, labels)}";
        }
    }

    private static string End(Identity? identity, MeshDescriptor mesh, Dictionary<string, string> labels)
    {
        ResourceKind[] workloads = [ResourceKind.Deployment, ResourceKind.StatefulSet, ResourceKind.DaemonSet, ResourceKind.Job, ResourceKind.CronJob];
        ResourceKind[][] kinds = [[ResourceKind.Namespace], [ResourceKind.Service], workloads, [ResourceKind.Pod]];
        string[] names = identity is null ? [] : [.. kinds.SelectMany(group => Named(identity, group, mesh, labels)).Select(named => named.ToString())];
        return names.Length == 0 ? "nobody" : string.Join(", ", names);
    }

    private static IEnumerable<ObjectRef> Named(Identity identity, ResourceKind[] kinds, MeshDescriptor mesh, Dictionary<string, string> labels)
    {
        if (IdentityPlan.Create(identity, ObjectScope.Any(kinds), Cluster, mesh.Unknown) is not { } plan || !Holds(plan.Matchers, labels))
        {
            return [];
        }

        List<Attribution> found = [];
        plan.Recognize([.. plan.Labels.Select(label => Value(labels, label))], found);
        return found.Select(attribution => attribution.Object);
    }

    private static bool Holds(IReadOnlyList<Matcher> where, Dictionary<string, string> labels) =>
        where.All(matcher => matcher.Matches(Value(labels, matcher.Label)));

    private static string Value(Dictionary<string, string> labels, string name) => labels.GetValueOrDefault(name, "");

    /// <summary>
    /// What was in the clusters of the captures, as far as the series tell. The pod <c>reporter-1</c> is not in it, so that only the series can
    /// say whose it is.
    /// </summary>
    private static readonly ClusterSnapshot Cluster = new(
        new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
        {
            [ResourceKind.Deployment] = Objects(
                "istio-system/istio-ingressgateway", "sample-golang/sample-golang", "default/my-nginx", "default/sleep", "default/httpbin",
                "default/reviews-v1", "default/productpage-v1", "dmetrics/a", "dmetrics/b", "kuma-test/demo-client", "kuma-test/echo-server"),
            [ResourceKind.Service] = Objects(
                "sample-golang/sample-golang", "default/my-nginx", "default/httpbin", "default/reviews", "default/productpage", "dmetrics/b",
                "kuma-test/echo-server"),
            [ResourceKind.ReplicaSet] = [Owned("dmetrics/a-b8c4bd8c4", "a"), Owned("kuma-test/demo-client-x", "demo-client")],
            [ResourceKind.Pod] = [PodOf("dmetrics/a-b8c4bd8c4-7v587", "a-b8c4bd8c4"), PodOf("kuma-test/demo-client-1", "demo-client-x")],
        },
        []);

    private static ClusterObject[] Objects(params string[] names) => [.. names.Select(name => new ClusterObject(Key(name), NoLabels, null))];

    private static ClusterObject Owned(string name, string deployment) => new(Key(name), NoLabels, new ObjectOwner("Deployment", deployment));

    private static Pod PodOf(string name, string replicaSet) => new(Key(name), NoLabels, new ObjectOwner("ReplicaSet", replicaSet), "n1", Pod.Running, "10.0.0.1");

    private static ObjectKey Key(string name) => new(name.Split('/')[0], name.Split('/')[1]);

    private static Dictionary<string, string> NoLabels => [];
}
