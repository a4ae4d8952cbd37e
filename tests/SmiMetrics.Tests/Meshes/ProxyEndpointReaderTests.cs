using CsCheck;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class ProxyEndpointReaderTests
{
    // Every mistake below is one edit of this. The section begins in line 8.
    private const string Sound = """
        name: m
        title: M
        server:
          requests: r_total
          failures: f_total
          destination:
            namespace: ns
        scrape:
          container: proxy
          pods: {app: mesh}
          port: metrics
          path: /metrics
          labels:
            ns: namespace
            owner: {podLabel: example.com/owner}

        """;

    private const string Words = "there are namespace, pod, node and {podLabel: KEY}";
    private const string Keys = "there are container, pods, port, path, labels";
    private const string SixtyThree = "a23456789-b23456789-c23456789-d23456789-e23456789-f23456789-g23";

    [Fact]
    public void Everything_of_the_section_is_read()
    {
        ProxyEndpoint endpoint = Read(
            """
            scrape:
              container: proxy
              pods: {k8s-app: cilium, canary: ''}
              port: metrics
              path: /stats/prometheus
              labels:
                namespace: namespace
                pod_name: pod
                node: "node"
                deployment: {podLabel: linkerd.io/proxy-deployment}
            """);

        Assert.Equal(("proxy", "metrics", "/stats/prometheus"), (endpoint.Container, endpoint.Port, endpoint.Path));
        Assert.Equal(["canary=", "k8s-app=cilium"], endpoint.PodLabels.Select(label => $"{label.Key}={label.Value}").Order(StringComparer.Ordinal));
        Assert.Equal(
            new Dictionary<string, TargetLabel>
            {
                ["deployment"] = new TargetLabel.PodLabel("linkerd.io/proxy-deployment"),
                ["namespace"] = new TargetLabel.Namespace(),
                ["node"] = new TargetLabel.NodeName(),
                ["pod_name"] = new TargetLabel.PodName(),
            },
            endpoint.Labels.OrderBy(label => label.Key, StringComparer.Ordinal));
    }

    [Fact]
    public void What_may_be_left_out_is_empty()
    {
        ProxyEndpoint byContainer = Read("scrape: {container: proxy, port: 1, path: /}");
        Assert.Empty(byContainer.PodLabels);
        Assert.Empty(byContainer.Labels);
        ProxyEndpoint byLabels = Read("scrape: {pods: {app: proxy}, port: 65535, path: /}");
        Assert.Null(byLabels.Container);
        Assert.Equal("65535", byLabels.Port);
    }

    [Fact]
    public void A_mesh_without_the_section_has_no_endpoint() =>
        Assert.Null(DescriptorReader.Read(Sound[..Sound.IndexOf("scrape", StringComparison.Ordinal)], "m.yaml").Scrape);

    [Theory]
    [InlineData("port: metrics", "port: metrics", null)]
    // The section.
    [InlineData("scrape:", "scrapes:", "8: unknown key 'scrapes' in the descriptor; there are name, title, extends, within, outcome, unknown, server, client, splits, scrape, cannot, advice")]
    [InlineData("scrape:", "scrape: /metrics\n_:", "8: 'scrape' must be a mapping, not a text", "9: unknown key '_' in the descriptor; there are name, title, extends, within, outcome, unknown, server, client, splits, scrape, cannot, advice")]
    [InlineData("scrape:", "scrape:\n_:", "8: 'scrape' must be a mapping, not nothing", "9: unknown key '_' in the descriptor; there are name, title, extends, within, outcome, unknown, server, client, splits, scrape, cannot, advice")]
    [InlineData("  path: /metrics", "  path: /metrics\n  interval: 10s", "13: unknown key 'interval' in 'scrape'; " + Keys)]
    // Which pods.
    [InlineData("  container: proxy\n", "", null)]
    [InlineData("  pods: {app: mesh}\n", "", null)]
    [InlineData("  container: proxy\n  pods: {app: mesh}\n", "", "8: missing key 'container' or 'pods' in 'scrape'")]
    [InlineData("container: proxy", "container:", "9: 'container' must be a text, not nothing")]
    [InlineData("container: proxy", "container: ''", "9: '' is not a DNS label, which a container's name must be")]
    [InlineData("container: proxy", "container: Proxy", "9: 'Proxy' is not a DNS label, which a container's name must be")]
    [InlineData("container: proxy", "container: [proxy]", "9: 'container' must be a text, not a list")]
    [InlineData("pods: {app: mesh}", "pods: app=mesh", "10: 'pods' must be a mapping, not a text")]
    [InlineData("pods: {app: mesh}", "pods:", "10: 'pods' must be a mapping, not nothing")]
    [InlineData("pods: {app: mesh}", "pods: {}", "10: 'pods' is empty")]
    [InlineData("pods: {app: mesh}", "pods: {-app: mesh}", "10: '-app' is not the key of a pod's label")]
    [InlineData("pods: {app: mesh}", "pods: {a/b/c: mesh}", "10: 'a/b/c' is not the key of a pod's label")]
    [InlineData("pods: {app: mesh}", "pods: {app: a b}", "10: 'a b' is not the value of a pod's label")]
    [InlineData("pods: {app: mesh}", "pods: {app: " + SixtyThree + "4}", "10: '" + SixtyThree + "4' is not the value of a pod's label")]
    [InlineData("pods: {app: mesh}", "pods: {app: [mesh]}", "10: 'app' in 'pods' must be a text, not a list")]
    [InlineData("pods: {app: mesh}", "pods: {app: }", "10: 'app' in 'pods' must be a text, not nothing")]
    // The port.
    [InlineData("  port: metrics\n", "", "8: missing key 'port' in 'scrape'")]
    [InlineData("port: metrics", "port: http-envoy-prom", null)]
    [InlineData("port: metrics", "port: 1e3", null)]
    [InlineData("port: metrics", "port: 65535", null)]
    [InlineData("port: metrics", "port: 65536", "11: '65536' is not the number of a port: they go from 1 to 65535")]
    [InlineData("port: metrics", "port: 99999999999999999999", "11: '99999999999999999999' is not the number of a port: they go from 1 to 65535")]
    [InlineData("port: metrics", "port: 0", "11: '0' is not the number of a port: they go from 1 to 65535")]
    [InlineData("port: metrics", "port: 04191", "11: '04191' is not the number of a port: they go from 1 to 65535")]
    [InlineData("port: metrics", "port: -1", "11: '-1' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: ''", "11: '' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: Metrics", "11: 'Metrics' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: http_metrics", "11: 'http_metrics' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: http--metrics", "11: 'http--metrics' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: metrics-", "11: 'metrics-' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: 1-2", "11: '1-2' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: sixteen-letters-", "11: 'sixteen-letters-' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: sixteen--letters", "11: 'sixteen--letters' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: sixteen-letterss", "11: 'sixteen-letterss' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: \"\\u0661\"", "11: '\u0661' is neither the name of a port nor its number")]
    [InlineData("port: metrics", "port: {name: metrics}", "11: 'port' must be a text, not a mapping")]
    // The path.
    [InlineData("  path: /metrics\n", "", "8: missing key 'path' in 'scrape'")]
    [InlineData("path: /metrics", "path: /", null)]
    [InlineData("path: /metrics", "path: /a-b/c_d.e~f%20g:9", null)]
    [InlineData("path: /metrics", "path: metrics", "12: 'metrics' is not a path, which begins with one slash")]
    [InlineData("path: /metrics", "path: ''", "12: '' is not a path, which begins with one slash")]
    [InlineData("path: /metrics", "path: //example.com/metrics", "12: '//example.com/metrics' is not a path, which begins with one slash")]
    [InlineData("path: /metrics", "path: http://example.com/metrics", "12: 'http://example.com/metrics' is not a path, which begins with one slash")]
    [InlineData("path: /metrics", @"path: /\example.com", @"12: '/\example.com' has a character that a path cannot have")]
    [InlineData("path: /metrics", "path: /metrics?format=prometheus", "12: '/metrics?format=prometheus' has a character that a path cannot have")]
    [InlineData("path: /metrics", "path: '/metrics#top'", "12: '/metrics#top' has a character that a path cannot have")]
    [InlineData("path: /metrics", "path: '/me trics'", "12: '/me trics' has a character that a path cannot have")]
    [InlineData("path: /metrics", "path: \"/metrics\\r\\nX: y\"", "12: '/metrics  X: y' has a character that a path cannot have")]
    [InlineData("path: /metrics", "path: [/metrics]", "12: 'path' must be a text, not a list")]
    // The labels.
    [InlineData("  labels:\n    ns: namespace\n    owner: {podLabel: example.com/owner}\n", "", null)]
    [InlineData("  labels:\n    ns: namespace\n    owner: {podLabel: example.com/owner}\n", "  labels: {}\n", "13: 'labels' is empty")]
    [InlineData("  labels:\n    ns: namespace\n    owner: {podLabel: example.com/owner}\n", "  labels: [namespace]\n", "13: 'labels' must be a mapping, not a list")]
    [InlineData("    ns: namespace", "    n-s: namespace", "14: 'n-s' is not a label name")]
    [InlineData("    ns: namespace", "    __name__: namespace", "14: __name__ is not a label but the series' own name")]
    [InlineData("    ns: namespace", "    __address__: namespace", "14: '__address__' begins with two underscores, as only labels do that no series keeps")]
    [InlineData("    ns: namespace", "    _ns: namespace", null)]
    [InlineData("    ns: namespace", "    ns: namespaces", "14: 'namespaces' is nothing that a target has; " + Words)]
    [InlineData("    ns: namespace", "    ns: Pod", "14: 'Pod' is nothing that a target has; " + Words)]
    [InlineData("    ns: namespace", "    ns: ''", "14: '' is nothing that a target has; " + Words)]
    [InlineData("    ns: namespace", "    ns:", "14: 'ns' in 'labels' must be a text, not nothing")]
    [InlineData("    ns: namespace", "    ns: [namespace]", "14: 'ns' in 'labels' must be a text, not a list")]
    [InlineData("{podLabel: example.com/owner}", "{}", "15: missing key 'podLabel' in 'owner' in 'labels'")]
    [InlineData("{podLabel: example.com/owner}", "{podlabel: o}", "15: unknown key 'podlabel' in 'owner' in 'labels'; there are podLabel", "15: missing key 'podLabel' in 'owner' in 'labels'")]
    [InlineData("{podLabel: example.com/owner}", "{podLabel: o, annotation: a}", "15: unknown key 'annotation' in 'owner' in 'labels'; there are podLabel")]
    [InlineData("example.com/owner", "example.com/", "15: 'example.com/' is not the key of a pod's label")]
    [InlineData("example.com/owner", "Example.com/owner", "15: 'Example.com/owner' is not the key of a pod's label")]
    [InlineData("example.com/owner", "''", "15: '' is not the key of a pod's label")]
    [InlineData("example.com/owner", "", "15: 'podLabel' must be a text, not nothing")]
    public void Every_mistake_is_shown_with_its_line(string from, string to, params string[]? mistakes)
    {
        Assert.Contains(from, Sound, StringComparison.Ordinal);
        Assert.Equal(mistakes?.Select(mistake => "m.yaml:" + mistake) ?? [], Mistakes(Sound.Replace(from, to, StringComparison.Ordinal)));
    }

    [Fact]
    public void All_mistakes_come_at_once() => Assert.Equal(
        [
            "m.yaml:9: 'Proxy' is not a DNS label, which a container's name must be",
            "m.yaml:10: '_' is not the key of a pod's label",
            "m.yaml:11: '0' is not the number of a port: they go from 1 to 65535",
            "m.yaml:12: 'metrics' is not a path, which begins with one slash",
            "m.yaml:13: '1' is not a label name",
            "m.yaml:13: 'ip' is nothing that a target has; " + Words,
        ],
        Mistakes(Sound[..Sound.IndexOf("  container", StringComparison.Ordinal)] + """
              container: Proxy
              pods: {_: a}
              port: 0
              path: metrics
              labels: {1: ip}
            """));

    [Fact]
    public void Labels_of_pods_are_judged_as_Kubernetes_judges_them()
    {
        Gen<string> texts = Gen.OneOf(
            Gen.Char["aB9-_./ é"].Array[0, 8].Select(characters => new string(characters)),
            Gen.Int[61, 65].Select(length => new string('a', length)),
            Gen.Select(Gen.Int[251, 255], Gen.Bool, (length, dotted) => (dotted ? "a." + new string('b', length - 2) : new string('b', length)) + "/c"));
        texts.Sample(
            text =>
            {
                Assert.Equal(LabelSyntax.ProblemOfKey(text) is null, Names.IsPodLabel(text));
                Assert.Equal(LabelSyntax.ProblemOfValue(text) is null, Names.IsPodLabelValue(text));
            },
            iter: 10_000);
    }

    private static ProxyEndpoint Read(string scrape)
    {
        ProxyEndpoint? endpoint = DescriptorReader.Read(Sound[..Sound.IndexOf("scrape", StringComparison.Ordinal)] + scrape, "m.yaml").Scrape;
        return Assert.IsType<ProxyEndpoint>(endpoint);
    }

    private static IReadOnlyList<string> Mistakes(string text)
    {
        try
        {
            DescriptorReader.Read(text, "m.yaml");
            return [];
        }
        catch (DescriptorException exception)
        {
            return exception.Mistakes;
        }
    }
}
