using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class IdentityTests
{
    [Fact]
    public void Its_labels_are_those_of_every_means_each_once()
    {
        Identity identity = Read("""
            namespace: ns
            kinds:
              pods: pod
              nodes: {through: pods}
              services: {label: svc, namespace: svc_ns}
              jobs: {unique: job}
            packed: {label: packed, pattern: "{statefulsets}"}
            workload: {kind: kind, name: name, namespace: w_ns}
            """);
        Assert.Equal(["job", "kind", "name", "ns", "packed", "pod", "svc", "svc_ns", "w_ns"], identity.Labels.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_name_without_a_namespace_has_no_label_for_one()
    {
        Identity identity = Read("kinds: {services: {unique: svc}}");
        IdentityMeans means = Assert.Single(identity.Means).Value;
        Assert.Equal(new IdentityMeans.UniqueName("svc"), means);
        Assert.Equal(["svc"], means.NameLabels);
        Assert.Null(means.HomeLabel);
        Assert.Equal(["svc"], identity.Labels);
        // Nor does it tell the namespace of anything else.
        Assert.Null(identity.NamespaceLabel);
        Assert.DoesNotContain("namespaces", identity.Means.Keys);
    }

    [Fact]
    public void A_name_without_a_namespace_needs_none_even_beside_a_label_that_has_one()
    {
        Identity identity = Read("namespace: ns\nkinds: {services: {unique: svc}}");
        Assert.Equal(["namespaces: ns", "services: unique svc"], identity.Show());
    }

    [Theory]
    [InlineData("nodes: node", "node", "")]
    [InlineData("pods: pod", "pod", "ns")]
    [InlineData("jobs: {name: w, namespace: w_ns}", "w", "w_ns")]
    [InlineData("jobs: {kind: k, name: w}", "k w", "ns")]
    [InlineData("jobs: {label: l, pattern: '{jobs}-{port}'}", "l", "")]
    [InlineData("jobs: {unique: j}", "j", "")]
    public void Means_know_their_labels(string kind, string names, string home)
    {
        IdentityMeans means = Read($"namespace: ns\nkinds:\n  {kind}").Means[kind[..kind.IndexOf(':', StringComparison.Ordinal)]];
        Assert.Equal(names, string.Join(' ', means.NameLabels));
        Assert.Equal(home, means.HomeLabel ?? "");
    }

    [Fact]
    public void Nobody_has_no_labels() => Assert.Empty(Identity.None.Labels);

    private static Identity Read(string destination) => DescriptorReader.Read(
        "name: m\ntitle: M\noutcome: {failure: ['c=\"5\"']}\nserver:\n  requests: r_total\n  destination:\n"
            + string.Concat(destination.Split('\n').Select(line => $"    {line}\n")),
        "m.yaml").Server!.Destination;
}
