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
        Assert.Equal(files, MeshCatalogue.Load().All.Select(mesh => mesh.Name));
    }

    [Fact]
    public void Kinds_are_those_of_Kubernetes()
    {
        Assert.Equal(ResourceKind.All.Select(kind => kind.Resource), KindNames.All);
        Assert.All(ResourceKind.All, kind => Assert.Equal(kind.Namespaced, KindNames.IsNamespaced(kind.Resource)));
    }

    // What each end of each side can name, and how: label, name only, or through pods; "-" is not at all.
    [Theory]
    [InlineData("linkerd", "namespaces", "label", "label", "label")]
    [InlineData("linkerd", "nodes", "pods", "pods", "pods")]
    [InlineData("linkerd", "pods", "label", "label", "label")]
    [InlineData("linkerd", "services", "-", "-", "label")]
    [InlineData("linkerd", "deployments", "label", "label", "label")]
    [InlineData("linkerd", "statefulsets", "label", "label", "label")]
    [InlineData("linkerd", "daemonsets", "label", "label", "label")]
    [InlineData("linkerd", "replicasets", "pods", "pods", "pods")]
    [InlineData("linkerd", "replicationcontrollers", "label", "label", "label")]
    [InlineData("linkerd", "jobs", "label", "label", "label")]
    [InlineData("linkerd", "cronjobs", "label", "label", "label")]
    [InlineData("istio", "namespaces", "label", "label", "label")]
    [InlineData("istio", "nodes", "pods", "pods", "-")]
    [InlineData("istio", "pods", "label", "label", "-")]
    [InlineData("istio", "services", "label", "-", "label")]
    [InlineData("istio", "deployments", "name", "name", "name")]
    [InlineData("istio", "statefulsets", "name", "name", "name")]
    [InlineData("istio", "daemonsets", "name", "name", "name")]
    [InlineData("istio", "replicasets", "pods", "pods", "-")]
    [InlineData("istio", "replicationcontrollers", "name", "name", "name")]
    [InlineData("istio", "jobs", "name", "name", "name")]
    [InlineData("istio", "cronjobs", "name", "name", "name")]
    public void Linkerd_and_Istio_name_what_they_can(string mesh, string kind, string server, string clientSource, string clientDestination)
    {
        MeshDescriptor descriptor = MeshCatalogue.Load().Find(mesh);
        Assert.Equal(server, Means(descriptor.Server!.Destination, kind));
        Assert.Equal(clientSource, Means(descriptor.Client!.Source!, kind));
        Assert.Equal(clientDestination, Means(descriptor.Client.Destination, kind));
    }

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
        Assert.Equal(["reporter=\"destination\""], istio.Server!.Where.Select(matcher => matcher.ToString()));
        Assert.Equal(["reporter=\"source\""], istio.Client!.Where.Select(matcher => matcher.ToString()));
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
    [InlineData("linkerd", "linkerd-proxy", "linkerd-admin", "/metrics")]
    [InlineData("istio", "istio-proxy", "http-envoy-prom", "/stats/prometheus")]
    public void Proxies_show_their_series_there(string mesh, string container, string port, string path)
    {
        ProxyEndpoint endpoint = MeshCatalogue.Load().Find(mesh).Scrape!;
        Assert.Equal((container, port, path), (endpoint.Container, endpoint.Port, endpoint.Path));
        Assert.Empty(endpoint.PodLabels);
    }

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

    [Fact]
    public void A_scrape_adds_every_label_that_names_the_pod_that_reports()
    {
        MeshDescriptor linkerd = MeshCatalogue.Load().Find("linkerd");
        Assert.Equal(9, linkerd.Scrape!.Labels.Count);
        Assert.All([.. Labels(linkerd.Server!.Destination), .. Labels(linkerd.Client!.Source!)], label => Assert.Contains(label, linkerd.Scrape.Labels));
        MeshDescriptor istio = MeshCatalogue.Load().Find("istio");
        Assert.Equal(3, istio.Scrape!.Labels.Count);
        Assert.All(["pod", "namespace"], label => Assert.Contains(label, istio.Scrape.Labels));
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
        Assert.Equal([.. MeshCatalogue.Load().All.Select(mesh => mesh.Name), "acme"], MeshCatalogue.Load(file).All.Select(mesh => mesh.Name));
    }

    [Fact]
    public void A_mesh_of_the_user_takes_the_place_of_the_built_in_one()
    {
        string file = Write("mine.yaml", "istio");
        MeshCatalogue catalogue = MeshCatalogue.Load(file);
        Assert.Equal(MeshCatalogue.Load().All.Select(mesh => mesh.Name), catalogue.All.Select(mesh => mesh.Name));
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
        Assert.StartsWith($"{missing}:1: it cannot be read: ", mistakes[2], StringComparison.Ordinal);
        Assert.StartsWith(":1: it cannot be read: ", mistakes[3], StringComparison.Ordinal);
    }

    private string Write(string file, string name)
    {
        string path = Path.Combine(_folder, file);
        File.WriteAllText(path, $"name: {name}\ntitle: T\noutcome: {{failure: ['c=\"5\"']}}\nserver: {{requests: r_total, destination: {{namespace: ns}}}}\n");
        return path;
    }

    private static string Means(Identity identity, string kind) => identity.Means.GetValueOrDefault(kind) switch
    {
        null => "-",
        IdentityMeans.Label => "label",
        IdentityMeans.NameOnly => "name",
        IdentityMeans.ThroughPods => "pods",
        IdentityMeans other => other.ToString(),
    };

    private static IEnumerable<string> Labels(Identity identity) =>
        identity.Means.Values.OfType<IdentityMeans.Label>().Select(label => label.Name).Order(StringComparer.Ordinal);
}
