using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class MeshCatalogueTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("smi-metrics-meshes-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_built_in_descriptor_is_read_and_named_as_its_file()
    {
        string[] files =
        [
            .. typeof(MeshCatalogue).Assembly.GetManifestResourceNames()
                .Where(resource => resource.StartsWith("catalogue/", StringComparison.Ordinal))
                .Select(resource => Path.GetFileNameWithoutExtension(resource))
                .Order(StringComparer.Ordinal),
        ];
        Assert.Contains("linkerd", files);
        Assert.Contains("istio", files);
        Assert.Equal(files, Names().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Meshes_come_before_those_who_watch_beneath_or_beside_them()
    {
        IReadOnlyList<string> names = [.. Names()];
        string[] watchers = ["cilium", "gateway-api", "otel-beyla", "otel-servicegraph", "otel-servicegraph-beyla"];
        Assert.Equal(["linkerd", "istio"], names.Take(2));
        Assert.Equal(watchers, names.TakeLast(watchers.Length).Order(StringComparer.Ordinal));
        MeshDescriptor gateway = MeshCatalogue.Load().Find("gateway-api");
        Assert.Equal("linkerd", gateway.Within);
        Assert.All(MeshCatalogue.Load().All.Where(mesh => mesh != gateway), mesh => Assert.True(mesh.Within is null || mesh.Name == gateway.Name));
    }

    [Fact]
    public void Kinds_are_those_of_Kubernetes()
    {
        Assert.Equal(ResourceKind.All.Select(kind => kind.Resource), KindNames.All);
        Assert.All(ResourceKind.All, kind => Assert.Equal(kind.Namespaced, KindNames.IsNamespaced(kind.Resource)));
    }

    /// <summary>
    /// What each end of each side names, in the order of <see cref="KindNames.All"/>: namespaces, nodes, pods, services, deployments,
    /// statefulsets, daemonsets, replicasets, replicationcontrollers, jobs, cronjobs. "kind" is a name beside a kind, "name|pods" a name and
    /// else the pod, "-" not at all. Then by which labels.
    /// </summary>
    public static TheoryData<string, string, string, string> Ends() => new()
    {
        { "linkerd", "server to", "label pods label - label label label pods label label label",
            "cronjob daemonset deployment k8s_job namespace pod replicationcontroller statefulset" },
        { "linkerd", "client from", "label pods label - label label label pods label label label",
            "cronjob daemonset deployment k8s_job namespace pod replicationcontroller statefulset" },
        { "linkerd", "client to", "label pods label label label label label pods label label label",
            "dst_cronjob dst_daemonset dst_deployment dst_k8s_job dst_namespace dst_pod dst_replicationcontroller dst_service dst_statefulset" },
        { "istio", "server to", "label pods label label name name name pods name name name",
            "destination_service_name destination_service_namespace destination_workload destination_workload_namespace namespace pod" },
        { "istio", "server from", "label - - - name name name - name name name",
            "source_workload source_workload_namespace" },
        { "istio", "client from", "label pods label - name name name pods name name name",
            "namespace pod source_workload source_workload_namespace" },
        { "istio", "client to", "label - - label name name name - name name name",
            "destination_service_name destination_service_namespace destination_workload destination_workload_namespace" },
        { "istio-ambient", "server to", "label - - label name name name - name name name",
            "destination_service_name destination_service_namespace destination_workload destination_workload_namespace" },
        { "istio-ambient", "server from", "label - - - name name name - name name name",
            "source_workload source_workload_namespace" },
        { "consul", "server to", "label pods label pods pods pods pods pods pods pods pods",
            "namespace pod" },
        { "consul", "client from", "label pods label - pods pods pods pods pods pods pods",
            "namespace pod" },
        { "consul", "client to", "- - - unique - - - - - - -",
            "consul_destination_service" },
        { "osm", "client from", "label pods label - kind kind kind pods kind kind pods",
            "source_kind source_name source_namespace source_pod" },
        { "osm", "client to", "label pods label pods kind kind kind pods kind kind pods",
            "destination_kind destination_name destination_namespace destination_pod" },
        { "osm-edge", "server to", "label pods label packed pods pods pods pods pods pods pods",
            "sidecar_cluster_name source_namespace source_workload_pod" },
        { "osm-edge", "client from", "label pods label - pods pods pods pods pods pods pods",
            "source_namespace source_workload_pod" },
        { "osm-edge", "client to", "packed - - packed - - - - - - -",
            "sidecar_cluster_name" },
        { "kuma", "server to", "label pods label pods pods pods pods pods pods pods pods",
            "k8s_kuma_io_name k8s_kuma_io_namespace" },
        { "kuma", "client from", "label pods label - pods pods pods pods pods pods pods",
            "k8s_kuma_io_name k8s_kuma_io_namespace" },
        { "kuma", "client to", "packed - - packed - - - - - - -",
            "envoy_cluster_name" },
        { "kuma-3", "server to", "label pods label pods pods pods pods pods pods pods pods",
            "namespace pod" },
        { "kuma-3", "client from", "label pods label - pods pods pods pods pods pods pods",
            "namespace pod" },
        { "kuma-3", "client to", "packed - - packed - - - - - - -",
            "envoy_cluster_name" },
        { "traefik-mesh", "server to", "packed - - packed - - - - - - -",
            "service" },
        { "nginx-service-mesh", "server to", "label pods label - label label label pods pods pods pods",
            "daemonset deployment namespace pod statefulset" },
        { "nginx-service-mesh", "client from", "label pods label - label label label pods pods pods pods",
            "daemonset deployment namespace pod statefulset" },
        { "nginx-service-mesh", "client to", "label pods label label label label label pods pods pods pods",
            "dst_daemonset dst_deployment dst_namespace dst_pod dst_service dst_statefulset" },
        { "appmesh", "server to", "label pods label pods pods pods pods pods pods pods pods",
            "kubernetes_namespace kubernetes_pod_name" },
        { "appmesh", "client from", "label pods label - pods pods pods pods pods pods pods",
            "kubernetes_namespace kubernetes_pod_name" },
        { "appmesh", "client to", "packed - - - - - - - - - -",
            "envoy_cluster_name" },
        { "gloo-mesh", "server to", "label - - label name name name - name name name",
            "destination_service_name destination_service_namespace destination_workload destination_workload_namespace" },
        { "gloo-mesh", "server from", "label - - - name name name - name name name",
            "source_workload source_workload_namespace" },
        { "gloo-mesh", "client from", "label - - - name name name - name name name",
            "source_workload source_workload_namespace" },
        { "gloo-mesh", "client to", "label - - label name name name - name name name",
            "destination_service_name destination_service_namespace destination_workload destination_workload_namespace" },
        { "cilium", "server to", "label pods label pods name|pods name|pods name|pods pods name|pods name|pods name|pods",
            "destination_namespace destination_pod destination_workload" },
        { "cilium", "server from", "label pods label - name|pods name|pods name|pods pods name|pods name|pods name|pods",
            "source_namespace source_pod source_workload" },
        { "cilium", "client from", "label pods label - name|pods name|pods name|pods pods name|pods name|pods name|pods",
            "source_namespace source_pod source_workload" },
        { "cilium", "client to", "label pods label pods name|pods name|pods name|pods pods name|pods name|pods name|pods",
            "destination_namespace destination_pod destination_workload" },
        { "otel-beyla", "server to", "label label label pods label label label label pods label pods",
            "k8s_daemonset_name k8s_deployment_name k8s_job_name k8s_namespace_name k8s_node_name k8s_pod_name k8s_replicaset_name k8s_statefulset_name" },
        { "otel-beyla", "client from", "label label label - label label label label pods label pods",
            "k8s_daemonset_name k8s_deployment_name k8s_job_name k8s_namespace_name k8s_node_name k8s_pod_name k8s_replicaset_name k8s_statefulset_name" },
        { "otel-servicegraph", "server to", "label - - - name name name - name name name",
            "server server_k8s_namespace_name" },
        { "otel-servicegraph", "server from", "label - - - name name name - name name name",
            "client client_k8s_namespace_name" },
        { "otel-servicegraph", "client from", "label - - - name name name - name name name",
            "client client_k8s_namespace_name" },
        { "otel-servicegraph", "client to", "label - - - name name name - name name name",
            "server server_k8s_namespace_name" },
        { "otel-servicegraph-beyla", "server to", "label - - - name name name - name name name",
            "server server_k8s_namespace_name" },
        { "otel-servicegraph-beyla", "server from", "label - - - name name name - name name name",
            "client client_k8s_namespace_name" },
        { "gateway-api", "client from", "label pods label - label label label pods label label label",
            "cronjob daemonset deployment k8s_job namespace pod replicationcontroller statefulset" },
        { "gateway-api", "client to", "label - - label - - - - - - -",
            "backend_name backend_namespace" },
    };

    [Theory]
    [MemberData(nameof(Ends))]
    public void Each_end_of_each_side_names_what_it_can(string mesh, string end, string how, string labels)
    {
        Identity identity = EndsOf(MeshCatalogue.Load().Find(mesh)).Single(found => found.Name == end).Identity;
        Assert.Equal(how, string.Join(' ', KindNames.All.Select(kind => Means(identity, kind))));
        Assert.Equal(labels, string.Join(' ', identity.Labels.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void There_is_no_end_that_the_table_lacks() => Assert.Equal(
        Ends().Select(row => $"{row.Data.Item1} {row.Data.Item2}").Order(StringComparer.Ordinal),
        MeshCatalogue.Load().All.SelectMany(mesh => EndsOf(mesh).Select(end => $"{mesh.Name} {end.Name}")).Order(StringComparer.Ordinal));

    [Fact]
    public void Linkerds_labels_are_these()
    {
        MeshDescriptor linkerd = MeshCatalogue.Load().Find("linkerd");
        Assert.Null(linkerd.Server!.Source);
        Assert.Equal(["direction=\"inbound\"", "target_port!=\"4191\"", "route_name!=\"probe\""], linkerd.Server.Where.Select(matcher => matcher.ToString()));
        Assert.Equal(["direction=\"outbound\"", "target_port!=\"4191\""], linkerd.Client!.Where.Select(matcher => matcher.ToString()));
        Assert.All([linkerd.Server, linkerd.Client], side =>
        {
            Assert.Equal(("response_total", "response_latency_ms", 1), (side.Requests, side.Latency!.Series, side.Latency.MillisecondsPerUnit));
            Assert.Equal(side.Where, side.Latency.Where);
        });
        string[] labels = ["cronjob", "daemonset", "deployment", "k8s_job", "namespace", "pod", "replicationcontroller", "statefulset"];
        Assert.Equal(labels, Labels(linkerd.Server.Destination));
        Assert.Equal(labels, Labels(linkerd.Client.Source!));
        Assert.Equal(labels.Select(label => "dst_" + label).Append("dst_service").Order(StringComparer.Ordinal), Labels(linkerd.Client.Destination));
    }

    [Fact]
    public void Istios_pods_are_those_of_the_proxy_that_reports()
    {
        MeshDescriptor istio = MeshCatalogue.Load().Find("istio");
        Assert.Equal(["reporter=\"destination\"", "app!=\"ztunnel\""], istio.Server!.Where.Select(matcher => matcher.ToString()));
        Assert.Equal(["reporter=\"source\"", "app!=\"ztunnel\""], istio.Client!.Where.Select(matcher => matcher.ToString()));
        IdentityMeans reporter = new IdentityMeans.Label("pod", "namespace");
        Assert.Equal(reporter, istio.Server.Destination.Means["pods"]);
        Assert.Equal(reporter, istio.Client.Source!.Means["pods"]);
        Assert.DoesNotContain("pods", istio.Server.Source!.Means);
        Assert.DoesNotContain("replicasets", istio.Server.Source.Means);
        IdentityMeans service = new IdentityMeans.Label("destination_service_name", "destination_service_namespace");
        Assert.Equal(service, istio.Server.Destination.Means["services"]);
        Assert.Equal(service, istio.Client.Destination.Means["services"]);
        Assert.Equal(
            ["BlackHoleCluster", "InboundPassthroughCluster", "InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv6", "PassthroughCluster", "unknown"],
            istio.Unknown.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("linkerd", "linkerd-proxy", "", "linkerd-admin", "/metrics", "cronjob daemonset deployment k8s_job namespace pod replicaset replicationcontroller statefulset")]
    [InlineData("istio", "istio-proxy", "", "http-envoy-prom", "/stats/prometheus", "app namespace node pod")]
    [InlineData("istio-ambient", "istio-proxy", "gateway.istio.io/managed=istio.io-mesh-controller", "http-envoy-prom", "/stats/prometheus", "namespace node pod")]
    [InlineData("consul", "consul-dataplane", "consul.hashicorp.com/connect-inject-status=injected", "20200", "/metrics", "namespace pod")]
    [InlineData("osm-edge", "sidecar", "", "proxy-metrics", "/stats/prometheus", "")]
    [InlineData("kuma", "kuma-sidecar", "", "5670", "/metrics", "k8s_kuma_io_name k8s_kuma_io_namespace")]
    [InlineData("kuma-3", "kuma-sidecar", "", "5670", "/metrics", "namespace pod")]
    [InlineData("traefik-mesh", "", "app=maesh component=maesh-mesh", "8080", "/metrics", "")]
    [InlineData("nginx-service-mesh", "nginx-mesh-sidecar", "", "8887", "/metrics", "daemonset deployment namespace pod spiffe_io_spiffeid statefulset")]
    [InlineData("appmesh", "envoy", "", "stats", "/stats/prometheus", "kubernetes_namespace kubernetes_pod_name")]
    [InlineData("gloo-mesh", "istio-proxy", "app=ztunnel", "15020", "/metrics", "app namespace node pod")]
    [InlineData("cilium", "", "k8s-app=cilium", "hubble-metrics", "/metrics", "")]
    [InlineData("otel-beyla", "beyla", "", "metrics", "/metrics", "")]
    [InlineData("otel-servicegraph-beyla", "beyla", "", "metrics", "/metrics", "")]
    [InlineData("gateway-api", "linkerd-proxy", "", "linkerd-admin", "/metrics", "cronjob daemonset deployment k8s_job namespace pod replicaset replicationcontroller statefulset")]
    public void Proxies_show_their_series_there(string mesh, string container, string pods, string port, string path, string labels)
    {
        ProxyEndpoint endpoint = MeshCatalogue.Load().Find(mesh).Scrape!;
        Assert.Equal((container, port, path), (endpoint.Container ?? "", endpoint.Port, endpoint.Path));
        Assert.Equal(pods, string.Join(' ', endpoint.PodLabels.Select(label => $"{label.Key}={label.Value}").Order(StringComparer.Ordinal)));
        Assert.Equal(labels, string.Join(' ', endpoint.Labels.Keys.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void What_no_page_shows_with_its_labels_has_no_scrape() =>
        Assert.Equal(["osm", "otel-servicegraph"], MeshCatalogue.Load().All.Where(mesh => mesh.Scrape is null).Select(mesh => mesh.Name));

    // The label, and the label of the pod that it comes from, where it comes from one.
    [Theory]
    [InlineData("linkerd", "namespace", null)]
    [InlineData("linkerd", "pod", null)]
    [InlineData("linkerd", "deployment", "linkerd.io/proxy-deployment")]
    [InlineData("linkerd", "statefulset", "linkerd.io/proxy-statefulset")]
    [InlineData("linkerd", "daemonset", "linkerd.io/proxy-daemonset")]
    [InlineData("linkerd", "replicaset", "linkerd.io/proxy-replicaset")]
    [InlineData("linkerd", "replicationcontroller", "linkerd.io/proxy-replicationcontroller")]
    [InlineData("linkerd", "k8s_job", "linkerd.io/proxy-job")]
    [InlineData("linkerd", "cronjob", "linkerd.io/proxy-cronjob")]
    [InlineData("istio", "namespace", null)]
    [InlineData("istio", "pod", null)]
    [InlineData("istio", "node", null)]
    [InlineData("istio", "app", "app")]
    [InlineData("consul", "namespace", null)]
    [InlineData("consul", "pod", null)]
    [InlineData("kuma-3", "namespace", null)]
    [InlineData("kuma-3", "pod", null)]
    [InlineData("nginx-service-mesh", "namespace", null)]
    [InlineData("nginx-service-mesh", "pod", null)]
    [InlineData("nginx-service-mesh", "deployment", "nsm.nginx.com/deployment")]
    [InlineData("nginx-service-mesh", "statefulset", "nsm.nginx.com/statefulset")]
    [InlineData("nginx-service-mesh", "daemonset", "nsm.nginx.com/daemonset")]
    [InlineData("nginx-service-mesh", "spiffe_io_spiffeid", "spiffe.io/spiffeid")]
    [InlineData("gloo-mesh", "app", "app")]
    public void A_scrape_adds_the_labels_that_the_meshs_own_Prometheus_adds(string mesh, string label, string? podLabel)
    {
        TargetLabel expected = podLabel is not null ? new TargetLabel.PodLabel(podLabel) : label switch
        {
            "namespace" => new TargetLabel.Namespace(),
            "pod" => new TargetLabel.PodName(),
            _ => new TargetLabel.NodeName(),
        };
        Assert.Equal(expected, MeshCatalogue.Load().Find(mesh).Scrape!.Labels[label]);
    }

    [Theory]
    [InlineData("kuma", "k8s_kuma_io_namespace", "k8s_kuma_io_name")]
    [InlineData("appmesh", "kubernetes_namespace", "kubernetes_pod_name")]
    public void A_scrape_calls_namespace_and_pod_as_the_mesh_does(string mesh, string @namespace, string pod)
    {
        IReadOnlyDictionary<string, TargetLabel> labels = MeshCatalogue.Load().Find(mesh).Scrape!.Labels;
        Assert.Equal(new TargetLabel.Namespace(), labels[@namespace]);
        Assert.Equal(new TargetLabel.PodName(), labels[pod]);
    }

    [Fact]
    public void A_mesh_that_is_not_there_is_answered_with_those_that_are()
    {
        MeshCatalogue catalogue = MeshCatalogue.Load();
        Assert.Equal(
            $"there is no mesh 'linkered'; there are {string.Join(", ", catalogue.All.Select(mesh => mesh.Name))}",
            Assert.Throws<UnknownMeshException>(() => catalogue.Find("linkered")).Message);
    }

    [Fact]
    public void A_file_of_the_user_adds_a_mesh_at_the_end()
    {
        string file = Write("acme.yaml", "acme");
        Assert.Equal([.. Names(), "acme"], MeshCatalogue.Load(file).All.Select(mesh => mesh.Name));
    }

    [Fact]
    public void A_mesh_of_the_user_takes_the_place_of_the_built_in_one()
    {
        string file = Write("mine.yaml", "istio");
        MeshCatalogue catalogue = MeshCatalogue.Load(file);
        Assert.Equal(Names(), catalogue.All.Select(mesh => mesh.Name));
        Assert.Equal("r_total", catalogue.Find("istio").Server!.Requests);
    }

    [Fact]
    public void A_folder_gives_its_YAML_files_in_order_and_nothing_else()
    {
        Write("b.yml", "b");
        Write("a.yaml", "z");
        Write("c.yaml.orig", "c");
        Directory.CreateDirectory(Path.Combine(_folder, "d.yaml"));
        Assert.Equal(["z", "b"], MeshCatalogue.Load(_folder).All.Select(mesh => mesh.Name).TakeLast(2));
        Assert.DoesNotContain("c", MeshCatalogue.Load(_folder).All.Select(mesh => mesh.Name));
    }

    [Fact]
    public void A_mounted_ConfigMap_is_read_once()
    {
        // As the kubelet lays it out: links to files behind a link to a folder.
        string data = Path.Combine(_folder, "..2026_01_01");
        Directory.CreateDirectory(data);
        File.Move(Write("acme.yaml", "acme"), Path.Combine(data, "acme.yaml"));
        Directory.CreateSymbolicLink(Path.Combine(_folder, "..data"), "..2026_01_01");
        File.CreateSymbolicLink(Path.Combine(_folder, "acme.yaml"), "..data/acme.yaml");
        Assert.Single(MeshCatalogue.Load(_folder).All, mesh => mesh.Name == "acme");
    }

    [Fact]
    public void Mistakes_of_all_files_come_together()
    {
        string first = Write("a.yaml", "a");
        string twice = Write("b.yaml", "a");
        string bad = Write("c.yaml", "Bad");
        string missing = Path.Combine(_folder, "missing.yaml");
        IReadOnlyList<string> mistakes = Assert.Throws<DescriptorException>(() => MeshCatalogue.Load(_folder, missing, "")).Mistakes;
        Assert.Equal(4, mistakes.Count);
        Assert.Equal($"{twice}:1: the mesh 'a' is already in {first}", mistakes[0]);
        Assert.Equal($"{bad}:1: 'Bad' is not a DNS label, which a mesh's name must be", mistakes[1]);
        Assert.Equal($"{missing}: no such file or folder", mistakes[2]);
        Assert.StartsWith(": it cannot be read: ", mistakes[3], StringComparison.Ordinal);
    }

    private string Write(string file, string name)
    {
        string path = Path.Combine(_folder, file);
        File.WriteAllText(path, $"name: {name}\ntitle: T\noutcome: {{failure: ['c=\"5\"']}}\nserver: {{requests: r_total, destination: {{namespace: ns}}}}\n");
        return path;
    }

    private static IEnumerable<string> Names() => MeshCatalogue.Load().All.Select(mesh => mesh.Name);

    /// <summary>The ends of a mesh's sides that name somebody.</summary>
    private static IEnumerable<(string Name, Identity Identity)> EndsOf(MeshDescriptor mesh) =>
        new (string Name, Identity? Identity)[]
        {
            ("server to", mesh.Server?.Destination),
            ("server from", mesh.Server?.Source),
            ("client from", mesh.Client?.Source),
            ("client to", mesh.Client?.Destination),
        }
        .Where(end => end.Identity is { Means.Count: > 0 })
        .Select(end => (end.Name, end.Identity!));

    private static string Means(Identity identity, string kind) => identity.Means.GetValueOrDefault(kind) switch
    {
        null => "-",
        IdentityMeans.Label => "label",
        IdentityMeans.KindAndName => "kind",
        IdentityMeans.NameOnly { ElseThroughPods: true } => "name|pods",
        IdentityMeans.NameOnly => "name",
        IdentityMeans.Packed => "packed",
        IdentityMeans.UniqueName => "unique",
        IdentityMeans.ThroughPods => "pods",
        var other => other.ToString(),
    };

    private static IEnumerable<string> Labels(Identity identity) =>
        identity.Means.Values.OfType<IdentityMeans.Label>().Select(label => label.Name).Order(StringComparer.Ordinal);
}
