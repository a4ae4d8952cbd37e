using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

/// <summary>
/// Names that do not say whose they are. What a tenant calls its own must never bring it the traffic of another's namesake, not even of one
/// that has just been deleted: its requests are still within the window.
/// </summary>
public sealed class NamesakesTests
{
    private static readonly ObjectRef Mine = new(ResourceKind.Service, "team", "a-web");
    private static readonly ObjectRef Victims = new(ResourceKind.Service, "team-a", "web");

    [Fact]
    public void A_packed_name_that_was_anothers_moments_ago_is_nobodys()
    {
        Assert.Equal([Mine], Recognized("traefik-mesh", [Mine], [], "team-a-web-80@http"));
        Assert.Empty(Recognized("traefik-mesh", [Mine, Victims], [], "team-a-web-80@http"));
        Assert.Empty(Recognized("traefik-mesh", [Mine], [Victims], "team-a-web-80@http"));
        Assert.Equal([Victims], Recognized("traefik-mesh", [], [Victims], "team-a-web-80@http"));
    }

    [Fact]
    public void A_name_without_its_namespace_that_was_anothers_moments_ago_is_nobodys()
    {
        ObjectRef mine = new(ResourceKind.Service, "team", "web");
        Assert.Equal([mine], Recognized("consul", [mine], [], "web"));
        Assert.Empty(Recognized("consul", [mine, Victims], [], "web"));
        Assert.Empty(Recognized("consul", [mine], [Victims], "web"));
    }

    [Fact]
    public void A_split_that_was_written_like_anothers_moments_ago_is_nobodys()
    {
        TrafficSplit mine = Split("team", "a-web");
        TrafficSplit victims = Split("team-a", "web");
        SplitView way = MeshCatalogue.Load().Find("traefik-mesh").Splits[0];
        const string Row = "team-a-web-canary-80-v1-traffic-split-backend@http";
        Assert.Single(Read(Cluster([], [], mine)));
        ClusterSnapshot deleted = new(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.TrafficSplit] = [mine] },
            [],
            new Departed(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.TrafficSplit] = [victims] }, []));
        Assert.Empty(Read(deleted));

        List<Part> Read(ClusterSnapshot snapshot)
        {
            List<Part> found = [];
            new SplitRows(way, [mine], snapshot).Read([Row], found);
            return found;
        }
    }

    private static IEnumerable<ObjectRef> Recognized(string mesh, ObjectRef[] existing, ObjectRef[] departed, string label)
    {
        MeshDescriptor descriptor = MeshCatalogue.Load().Find(mesh);
        Identity identity = mesh == "consul" ? descriptor.Client!.Destination : descriptor.Server!.Destination;
        IdentityPlan plan = IdentityPlan.Create(identity, ObjectScope.Any(ResourceKind.Service), Cluster(existing, departed), descriptor.Unknown)!;
        List<Attribution> found = [];
        plan.Recognize([label], found);
        return found.Select(attribution => attribution.Object);
    }

    private static TrafficSplit Split(string @namespace, string apex) =>
        new(new(@namespace, "canary"), LabelSet.Empty, ResourceKind.TrafficSplit, apex, [new(apex, @namespace, "v1", 1)]);

    private static ClusterSnapshot Cluster(ObjectRef[] existing, ObjectRef[] departed, params TrafficSplit[] splits) => new(
        new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
        {
            [ResourceKind.Namespace] = [.. new[] { "team", "team-a" }.Select(name => new ClusterObject(new("", name), LabelSet.Empty, null))],
            [ResourceKind.Service] = [.. existing.Select(of => new ClusterObject(of.Key, LabelSet.Empty, null))],
            [ResourceKind.TrafficSplit] = splits,
        },
        [],
        new Departed(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Service] = [.. departed.Select(of => new ClusterObject(of.Key, LabelSet.Empty, null))] }, []));
}
