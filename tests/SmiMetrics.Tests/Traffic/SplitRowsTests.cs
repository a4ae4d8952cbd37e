using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

/// <summary>Which rows are whose share of a split, and which must not be: a tenant writes splits, and names in them whatever it likes.</summary>
public sealed class SplitRowsTests
{
    private static readonly SplitView Traefik = Assert.Single(MeshCatalogue.Load().Find("traefik-mesh").Splits);
    private static readonly SplitView Consul = Assert.Single(MeshCatalogue.Load().Find("consul").Splits);
    private static readonly SplitView Istio = Assert.Single(MeshCatalogue.Load().Find("istio").Splits);

    [Fact]
    public void A_row_is_the_share_of_the_backend_that_it_names()
    {
        TrafficSplit split = Split("shop", "canary", "web", "web-v1", "web-v2");
        SplitRows rows = new(Traefik, [split], With(split));
        Assert.Equal(["service"], rows.Labels);
        Assert.Equal(["web-v1"], Read(rows, "shop-web-canary-8080-web-v1-traffic-split-backend@http"));
        Assert.Equal(["web-v2"], Read(rows, "shop-web-canary-80-web-v2-traffic-split-backend@http"));
        Assert.Empty(Read(rows, "shop-web-canary-8080-web-v3-traffic-split-backend@http"));
        Assert.Empty(Read(rows, "shop-web-canary-x-web-v1-traffic-split-backend@http"));
        Assert.Empty(Read(rows, "other-web-canary-8080-web-v1-traffic-split-backend@http"));
    }

    /// <summary>team/a-web and team-a/web are written alike, so whoever asks would read the other's.</summary>
    [Fact]
    public void What_is_written_like_a_split_of_another_namespace_is_nobodys()
    {
        TrafficSplit attacker = Split("team", "canary", "a-web", "v1");
        TrafficSplit victim = Split("team-a", "canary", "web", "v1");
        AssertNobodys(attacker, victim, "team-a-web-canary-80-v1-traffic-split-backend@http");
        Assert.Equal(["v1"], Read(new SplitRows(Traefik, [attacker], With(attacker)), "team-a-web-canary-80-v1-traffic-split-backend@http"));
    }

    /// <summary>A backend's name that begins like a port moves the place at which the port is read.</summary>
    [Fact]
    public void A_backend_named_like_a_port_does_not_read_another_namespaces_split()
    {
        TrafficSplit attacker = Split("a", "canary", "b-web", "8080-v1");
        TrafficSplit victim = Split("a-b", "canary-2", "web", "v1");
        AssertNobodys(attacker, victim, "a-b-web-canary-2-8080-v1-traffic-split-backend@http");
    }

    /// <summary>Claiming a name must not make another tenant's numbers vanish before anything is written alike.</summary>
    [Fact]
    public void What_is_only_claimed_is_still_told()
    {
        TrafficSplit claimant = Split("team", "canary", "a-web", "v2");
        TrafficSplit victim = Split("team-a", "canary", "web", "v1");
        Assert.Equal(["v1"], Read(new SplitRows(Traefik, [victim], With(claimant, victim)), "team-a-web-canary-80-v1-traffic-split-backend@http"));
    }

    private static void AssertNobodys(TrafficSplit attacker, TrafficSplit victim, string row)
    {
        foreach (TrafficSplit split in new[] { attacker, victim })
        {
            SplitRows rows = new(Traefik, [split], With(attacker, victim));
            Assert.Empty(Read(rows, row));
            Assert.Equal("the mesh writes it as it writes a split of another namespace", rows.NotTold(SplitRows.SubjectOf(split, split.Backends[0])));
        }
    }

    [Fact]
    public void A_backend_of_another_namespace_is_not_told_even_where_the_mesh_names_the_split()
    {
        TrafficSplit split = new(new("shop", "canary"), LabelSet.Empty, ResourceKind.HttpRoute, "web", [new("web", "victim", "billing", 1)]);
        SplitRows rows = new(Traefik, [split], With(split));
        Assert.True(rows.Empty);
        Assert.StartsWith("the backend is in another namespace", rows.NotTold(SplitRows.SubjectOf(split, split.Backends[0])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_backend_of_another_namespace_is_left_out_where_its_other_traffic_would_be_shown()
    {
        TrafficSplit split = new(new("shop", "canary"), LabelSet.Empty, ResourceKind.HttpRoute, "web", [new("web", "shop", "web-v1", 1), new("web", "victim", "billing", 1)]);
        SplitRows rows = new(Istio, [split], With(split));
        Assert.Equal(["web-v1"], Read(rows, "shop", "web-v1"));
        Assert.Empty(Read(rows, "victim", "billing"));
        Assert.Empty(Read(rows, "shop", "billing"));
        Assert.StartsWith("the backend is in another namespace", rows.NotTold(SplitRows.SubjectOf(split, split.Backends[1])), StringComparison.Ordinal);
        Assert.Null(rows.NotTold(SplitRows.SubjectOf(split, split.Backends[0])));
    }

    [Fact]
    public void A_backend_that_is_named_without_its_namespace_counts_only_where_no_other_has_the_name()
    {
        TrafficSplit split = Split("shop", "canary", "web", "web-v1", "billing", "gone");
        ClusterSnapshot snapshot = With([split], Service("shop", "web-v1"), Service("shop", "billing"), Service("victim", "billing"));
        SplitRows rows = new(Consul, [split], snapshot);
        Assert.Equal(["web-v1"], Read(rows, "web-v1"));
        Assert.Empty(Read(rows, "billing"));
        Assert.Empty(Read(rows, "gone"));
    }

    [Fact]
    public void The_apex_may_be_one_of_the_backends()
    {
        TrafficSplit split = Split("shop", "canary", "web", "web", "web-v2");
        SplitRows rows = new(Istio, [split], With(split));
        Assert.Equal(["web"], Read(rows, "shop", "web"));
        Assert.Equal(["web-v2"], Read(rows, "shop", "web-v2"));
    }

    [Fact]
    public void Many_backends_are_not_all_named_in_the_query_and_are_told_all_the_same()
    {
        TrafficSplit[] splits = [.. Enumerable.Range(0, 150).Select(i => Split("shop", $"canary-{i}", $"web-{i}", $"web-{i}-v1"))];
        SplitRows rows = new(Istio, splits, With(splits));
        Assert.Equal(
            ["destination_service_namespace=\"shop\"", "destination_service_name!=\"\""], rows.Matchers.Select(matcher => matcher.ToString()));
        Assert.Equal(["web-149-v1"], Read(rows, "shop", "web-149-v1"));
    }

    [Fact]
    public void Outcomes_may_follow_the_names_in_a_row()
    {
        TrafficSplit split = Split("shop", "canary", "web", "web-v1");
        Assert.Equal(["web-v1"], Read(new SplitRows(Istio, [split], With(split)), "shop", "web-v1", "200", ""));
    }

    private static IEnumerable<string> Read(SplitRows rows, params string[] row)
    {
        List<Part> found = [];
        rows.Read(row, found);
        return found.Select(part => part.Subject.Backend!.Name);
    }

    private static TrafficSplit Split(string @namespace, string name, string apex, params string[] backends) =>
        new(new(@namespace, name), LabelSet.Empty, ResourceKind.TrafficSplit, apex, [.. backends.Select(backend => new SplitBackend(apex, @namespace, backend, 1))]);

    private static ClusterObject Service(string @namespace, string name) => new(new(@namespace, name), LabelSet.Empty, null);

    private static ClusterSnapshot With(params TrafficSplit[] splits) => With(splits, []);

    private static ClusterSnapshot With(TrafficSplit[] splits, params ClusterObject[] services) => new(
        new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
        {
            [ResourceKind.TrafficSplit] = [.. splits.Where(split => split.Kind == ResourceKind.TrafficSplit)],
            [ResourceKind.HttpRoute] = [.. splits.Where(split => split.Kind == ResourceKind.HttpRoute)],
            [ResourceKind.Service] = services,
        },
        []);
}
