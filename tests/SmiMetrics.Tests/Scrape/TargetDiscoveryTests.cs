using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

public sealed class TargetDiscoveryTests
{
    private static readonly Dictionary<string, TargetLabel> PodAndNamespace = new()
    {
        ["namespace"] = new TargetLabel.Namespace(),
        ["pod"] = new TargetLabel.PodName(),
    };

    private static readonly ProxyEndpoint Sidecar = new("proxy", new Dictionary<string, string>(), "admin", "/metrics", PodAndNamespace);

    [Fact]
    public void A_pod_with_the_container_is_scraped_at_the_port_of_that_name()
    {
        Pod pod = NewPod("web-1", [Container("app", ("admin", 1)), Container("proxy", ("http", 2), ("admin", 4191))]);

        ScrapeTarget target = Assert.Single(Find(pod, Sidecar));

        Assert.Equal("http://10.1.2.3:4191/metrics", target.Url.AbsoluteUri);
        Assert.Equal(new ObjectKey("shop", "web-1"), target.Pod);
        Assert.Equal(["mesh-0"], target.Meshes);
        Assert.Equal("namespace=shop, pod=web-1", Text(target));
        Assert.Equal("shop/web-1", target.Name);
    }

    [Theory]
    [InlineData("Running", true)]
    [InlineData("Pending", false)]
    [InlineData("Succeeded", false)]
    [InlineData("Failed", false)]
    [InlineData("Unknown", false)]
    [InlineData("", false)]
    public void Only_a_pod_that_runs_is_a_target(string phase, bool target) =>
        Assert.Equal(target ? 1 : 0, Find(NewPod("web-1", [Container("proxy", ("admin", 4191))]) with { Phase = phase }, Sidecar).Count);

    [Theory]
    [InlineData("10.1.2.3", "http://10.1.2.3:4191/metrics")]
    [InlineData("fd00::7", "http://[fd00::7]:4191/metrics")]
    [InlineData("", null)]
    [InlineData("example.com/", null)]
    public void The_pod_needs_an_address(string ip, string? url) =>
        Assert.Equal(url, Find(NewPod("web-1", [Container("proxy", ("admin", 4191))]) with { Ip = ip }, Sidecar).SingleOrDefault()?.Url.AbsoluteUri);

    [Theory]
    [InlineData("proxy", "admin", 4191)] // the name, in the container
    [InlineData("proxy", "http", null)] // a name that only another container has
    [InlineData("proxy", "9000", 9000)] // a number need not be declared
    [InlineData("other", "9000", null)] // there is no such container
    [InlineData(null, "http", 8080)] // in any container
    [InlineData(null, "admin", 4191)]
    [InlineData(null, "none", null)]
    [InlineData(null, "9000", 9000)]
    [InlineData(null, "99999", null)] // no port at all
    public void The_port_is_a_number_or_the_name_of_one(string? container, string port, int? expected)
    {
        Pod pod = NewPod("web-1", [Container("app", ("http", 8080)), Container("proxy", ("admin", 4191))]);

        ScrapeTarget? target = Find(pod, Sidecar with { Container = container, Port = port }).SingleOrDefault();

        Assert.Equal(expected, target?.Url.Port);
    }

    [Fact]
    public void A_pod_without_any_container_known_is_a_target_where_none_is_named() =>
        Assert.Single(Find(NewPod("gateway", []), Sidecar with { Container = null, Port = "15020", PodLabels = Labels(("app", "web")) }));

    [Theory]
    [InlineData("app=web", true)]
    [InlineData("app=web,tier=front", true)]
    [InlineData("app=web,tier=back", false)]
    [InlineData("app=Web", false)]
    [InlineData("missing=", false)]
    public void A_pod_needs_all_labels_of_the_endpoint(string required, bool target)
    {
        Dictionary<string, string> labels = required.Split(',').Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);

        Assert.Equal(target ? 1 : 0, Find(NewPod("web-1", [Container("proxy", ("admin", 4191))]), Sidecar with { PodLabels = labels }).Count);
    }

    [Fact]
    public void Each_sort_of_label_says_what_it_is_of_and_empty_ones_that_there_is_none()
    {
        ProxyEndpoint endpoint = Sidecar with
        {
            Labels = new Dictionary<string, TargetLabel>
            {
                ["ns"] = new TargetLabel.Namespace(),
                ["p"] = new TargetLabel.PodName(),
                ["node"] = new TargetLabel.NodeName(),
                ["app"] = new TargetLabel.PodLabel("app"),
                ["none"] = new TargetLabel.PodLabel("absent"),
                ["blank"] = new TargetLabel.PodLabel("empty"),
            },
        };
        Pod pod = NewPod("web-1", [Container("proxy", ("admin", 4191))]);

        Assert.Equal("app=web, blank=, node=node-1, none=, ns=shop, p=web-1", Text(Assert.Single(Find(pod, endpoint))));
        Assert.Equal("app=web, blank=, node=, none=, ns=shop, p=web-1", Text(Assert.Single(Find(pod with { NodeName = "" }, endpoint))));
    }

    [Fact]
    public void Two_descriptions_of_one_page_are_one_target_with_the_labels_of_both_and_the_first_ones_values()
    {
        ProxyEndpoint second = Sidecar with
        {
            Port = "4191",
            Labels = new Dictionary<string, TargetLabel> { ["pod"] = new TargetLabel.NodeName(), ["app"] = new TargetLabel.PodLabel("app") },
        };

        ScrapeTarget target = Assert.Single(Find(NewPod("web-1", [Container("proxy", ("admin", 4191))]), Sidecar, second));

        Assert.Equal("app=web, namespace=shop, pod=web-1", Text(target));
        Assert.Equal(["mesh-0", "mesh-1"], target.Meshes);
    }

    [Fact]
    public void Two_pages_of_one_pod_are_two_targets()
    {
        Pod pod = NewPod("web-1", [Container("proxy", ("admin", 4191))]);

        Assert.Equal(2, Find(pod, Sidecar, Sidecar with { Path = "/stats/prometheus?usedonly" }).Count);
        Assert.Equal(2, Find(pod, Sidecar, Sidecar with { Port = "9000" }).Count);
    }

    [Fact]
    public void Pods_that_share_their_nodes_address_and_port_are_not_counted_twice()
    {
        Pod first = NewPod("agent-1", [Container("proxy", ("admin", 4191))]);
        Pod second = first with { Key = new ObjectKey("shop", "agent-2") };

        Assert.Equal("shop/agent-1", Assert.Single(Find([second, first], [Sidecar], [])).Name);
    }

    [Fact]
    public void What_the_operator_named_is_a_target_too_and_has_the_operators_labels()
    {
        Pod pod = NewPod("web-1", [Container("proxy", ("admin", 4191))]);
        ScrapeTarget elsewhere = Named("https://gateway.example:9090/metrics#gateway=edge");
        ScrapeTarget samePage = Named("http://10.1.2.3:4191/metrics#pod=mine");

        IReadOnlyCollection<ScrapeTarget> targets = Find([pod], [Sidecar], [elsewhere, samePage]);

        Assert.Equal([elsewhere, samePage], targets);
    }

    [Fact]
    public void Meshes_without_an_endpoint_and_no_cluster_have_no_targets()
    {
        ScrapeTarget named = Named("http://127.0.0.1:1/");

        Assert.Equal([named], TargetDiscovery.Find(ClusterSnapshot.None, [Mesh(0, Sidecar)], [named]));
        Assert.Empty(TargetDiscovery.Find(Snapshot([NewPod("web-1", [Container("proxy", ("admin", 1))])]), [Mesh(0, null)], []));
    }

    /// <summary>Prometheus' <c>instance</c> differs then as well.</summary>
    [Fact]
    public void A_pod_that_came_back_under_its_name_is_another_target_and_one_that_only_changed_is_the_same()
    {
        Pod before = NewPod("db-0", [Container("proxy", ("admin", 4191))]);
        ScrapeTarget target = Assert.Single(Find(before, Sidecar));

        Assert.NotEqual(target, Assert.Single(Find(before with { Ip = "10.1.2.4" }, Sidecar)));
        Assert.Equal(target, Assert.Single(Find(before with { Labels = Labels(("app", "web"), ("x", "y")) }, Sidecar)));
    }

    private static IReadOnlyCollection<ScrapeTarget> Find(Pod pod, params ProxyEndpoint[] endpoints) => Find([pod], endpoints, []);

    private static IReadOnlyCollection<ScrapeTarget> Find(Pod[] pods, ProxyEndpoint[] endpoints, ScrapeTarget[] named) =>
        TargetDiscovery.Find(Snapshot(pods), [.. endpoints.Select((endpoint, at) => Mesh(at, endpoint))], named);

    private static ClusterSnapshot Snapshot(Pod[] pods) =>
        new(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Pod] = pods }, []);

    private static MeshDescriptor Mesh(int at, ProxyEndpoint? endpoint) => ScrapeWorld.Mesh($"mesh-{at}", endpoint);

    private static ScrapeTarget Named(string text) =>
        NamedTarget.TryParse(text, out ScrapeTarget? target, out string? problem) ? target : throw new ArgumentException(problem);

    private static Pod NewPod(string name, PodContainer[] containers) =>
        new(new ObjectKey("shop", name), Labels(("app", "web"), ("tier", "front"), ("empty", "")), Owner: null, "node-1", "Running", "10.1.2.3")
        {
            Containers = new PodContainers(containers),
        };

    private static PodContainer Container(string name, params (string Name, int Number)[] ports) =>
        new(name, [.. ports.Select(port => new ContainerPort(port.Name, port.Number))]);

    private static Dictionary<string, string> Labels(params (string Key, string Value)[] labels) => labels.ToDictionary(label => label.Key, label => label.Value);

    private static string Text(ScrapeTarget target) => string.Join(", ", target.Labels.Select(label => $"{label.Key}={label.Value}"));
}
