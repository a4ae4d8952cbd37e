using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class ClusterSnapshotTests
{
    private static readonly Dictionary<string, string> NoLabels = [];

    [Fact]
    public void A_pod_belongs_to_its_ReplicaSet_and_through_it_to_the_Deployment()
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.Deployment, Object("shop", "web")),
            (ResourceKind.ReplicaSet, Object("shop", "web-5d", "Deployment", "web")),
            (ResourceKind.Pod, Pod("shop", "web-5d-a", "ReplicaSet", "web-5d")));

        AssertBelongs(snapshot, "shop", "web-5d-a", ResourceKind.ReplicaSet, "web-5d");
        AssertBelongs(snapshot, "shop", "web-5d-a", ResourceKind.Deployment, "web");
    }

    [Fact]
    public void A_pod_belongs_to_its_Job_and_through_it_to_the_CronJob()
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.Job, Object("shop", "tidy-1", "CronJob", "tidy")),
            (ResourceKind.Pod, Pod("shop", "tidy-1-x", "Job", "tidy-1")));

        AssertBelongs(snapshot, "shop", "tidy-1-x", ResourceKind.Job, "tidy-1");
        AssertBelongs(snapshot, "shop", "tidy-1-x", ResourceKind.CronJob, "tidy");
    }

    public static TheoryData<string> Workloads => ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"];

    [Theory]
    [MemberData(nameof(Workloads))]
    public void A_pod_belongs_to_the_workload_that_owns_it_directly(string kind)
    {
        ClusterSnapshot snapshot = Snapshot((ResourceKind.Pod, Pod("shop", "db-0", kind, "db")));

        AssertBelongs(snapshot, "shop", "db-0", ResourceKind.FromKind(kind)!, "db");
        foreach (string other in Workloads.Select(row => row.Data).Where(other => other != kind))
        {
            Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "db-0"), ResourceKind.FromKind(other)!));
        }
    }

    [Theory]
    [InlineData("Rollout")]
    [InlineData("StatefulSet.apps.kruise.io")]
    [InlineData("Node")]
    [InlineData("Namespace")]
    [InlineData("Service")]
    [InlineData("Pod")]
    public void An_owner_that_is_no_workload_of_ours_ends_the_chain(string kind)
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.ReplicaSet, Object("shop", "web-5d", kind, "web")),
            (ResourceKind.Pod, Pod("shop", "web-5d-a", "ReplicaSet", "web-5d")),
            (ResourceKind.Pod, Pod("shop", "direct", kind, "web")));

        AssertBelongs(snapshot, "shop", "web-5d-a", ResourceKind.ReplicaSet, "web-5d");
        Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "web-5d-a"), ResourceKind.Deployment));
        Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "direct"), ResourceKind.Node));
        Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "direct"), ResourceKind.Service));
        Assert.Equal(["direct"], Names(snapshot.PodsOf(new ObjectRef(ResourceKind.Pod, "shop", "direct"))));
    }

    [Fact]
    public void A_pod_without_an_owner_belongs_to_no_workload()
    {
        ClusterSnapshot snapshot = Snapshot((ResourceKind.Pod, Pod("shop", "alone")));

        foreach (string kind in Workloads.Select(row => row.Data))
        {
            Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "alone"), ResourceKind.FromKind(kind)!));
        }

        Assert.Equal([new ObjectRef(ResourceKind.Pod, "shop", "alone")], snapshot.ForPod(new ObjectKey("shop", "alone"), ResourceKind.Pod));
        Assert.Equal([new ObjectRef(ResourceKind.Namespace, "", "shop")], snapshot.ForPod(new ObjectKey("shop", "alone"), ResourceKind.Namespace));
    }

    [Fact]
    public void Owners_that_go_round_in_a_circle_end_somewhere()
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.ReplicaSet, Object("shop", "a", "Deployment", "b")),
            (ResourceKind.Deployment, Object("shop", "b", "ReplicaSet", "a")),
            (ResourceKind.Job, Object("shop", "self", "Job", "self")),
            (ResourceKind.Pod, Pod("shop", "one", "ReplicaSet", "a")),
            (ResourceKind.Pod, Pod("shop", "two", "Job", "self")));

        AssertBelongs(snapshot, "shop", "one", ResourceKind.ReplicaSet, "a");
        AssertBelongs(snapshot, "shop", "one", ResourceKind.Deployment, "b");
        AssertBelongs(snapshot, "shop", "two", ResourceKind.Job, "self");
    }

    [Fact]
    public void The_same_names_in_two_namespaces_never_mix()
    {
        ClusterSnapshot snapshot = Snapshot(
            [
                new EndpointSlice(new ObjectKey("blue", "web-x"), "web", ["web-5d-a"]),
                new EndpointSlice(new ObjectKey("green", "web-x"), "other", ["web-5d-a"]),
            ],
            (ResourceKind.ReplicaSet, Object("blue", "web-5d", "Deployment", "web")),
            (ResourceKind.ReplicaSet, Object("green", "web-5d", "Deployment", "elsewhere")),
            (ResourceKind.Pod, Pod("blue", "web-5d-a", "ReplicaSet", "web-5d")),
            (ResourceKind.Pod, Pod("green", "web-5d-a", "ReplicaSet", "web-5d")));

        foreach ((string @namespace, string deployment, string service) in new[] { ("blue", "web", "web"), ("green", "elsewhere", "other") })
        {
            AssertBelongs(snapshot, @namespace, "web-5d-a", ResourceKind.ReplicaSet, "web-5d");
            AssertBelongs(snapshot, @namespace, "web-5d-a", ResourceKind.Deployment, deployment);
            AssertBelongs(snapshot, @namespace, "web-5d-a", ResourceKind.Service, service);
        }

        Assert.Empty(snapshot.PodsOf(new ObjectRef(ResourceKind.Deployment, "green", "web")));
        Assert.Empty(snapshot.PodsOf(new ObjectRef(ResourceKind.Service, "green", "web")));
    }

    [Fact]
    public void A_ReplicaSet_of_the_same_name_elsewhere_is_not_an_owner()
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.ReplicaSet, Object("blue", "web-5d", "Deployment", "web")),
            (ResourceKind.Pod, Pod("green", "web-5d-a", "ReplicaSet", "web-5d")));

        Assert.Empty(snapshot.ForPod(new ObjectKey("green", "web-5d-a"), ResourceKind.Deployment));
        Assert.Empty(snapshot.PodsOf(new ObjectRef(ResourceKind.Deployment, "blue", "web")));
    }

    [Fact]
    public void A_pod_belongs_to_every_Service_that_has_it_in_a_slice_and_to_each_once()
    {
        ClusterSnapshot snapshot = Snapshot(
            [
                new EndpointSlice(new ObjectKey("shop", "web-4"), "web", ["a", "b"]),
                new EndpointSlice(new ObjectKey("shop", "web-6"), "web", ["b", "a", "unknown"]),
                new EndpointSlice(new ObjectKey("shop", "canary-4"), "canary", ["b"]),
            ],
            (ResourceKind.Pod, Pod("shop", "a")),
            (ResourceKind.Pod, Pod("shop", "b")));

        Assert.Equal(["a", "b"], Names(snapshot.PodsOf(new ObjectRef(ResourceKind.Service, "shop", "web"))));
        Assert.Equal(["b"], Names(snapshot.PodsOf(new ObjectRef(ResourceKind.Service, "shop", "canary"))));
        Assert.Equal(
            [new ObjectRef(ResourceKind.Service, "shop", "web"), new ObjectRef(ResourceKind.Service, "shop", "canary")],
            snapshot.ForPod(new ObjectKey("shop", "b"), ResourceKind.Service));
        Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "unknown"), ResourceKind.Service));
    }

    [Fact]
    public void A_node_has_the_pods_that_were_scheduled_to_it()
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.Pod, Pod("shop", "a") with { NodeName = "n1" }),
            (ResourceKind.Pod, Pod("bank", "b") with { NodeName = "n1" }),
            (ResourceKind.Pod, Pod("shop", "waiting") with { NodeName = "" }));

        Assert.Equal(["b", "a"], Names(snapshot.PodsOf(new ObjectRef(ResourceKind.Node, "", "n1"))));
        Assert.Equal([new ObjectRef(ResourceKind.Node, "", "n1")], snapshot.ForPod(new ObjectKey("shop", "a"), ResourceKind.Node));
        Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "waiting"), ResourceKind.Node));
    }

    [Fact]
    public void Lists_are_ordered_by_namespace_and_name_and_can_be_of_one_namespace()
    {
        ClusterSnapshot snapshot = Snapshot(
            (ResourceKind.Deployment, Object("shop", "b")),
            (ResourceKind.Deployment, Object("bank", "z")),
            (ResourceKind.Deployment, Object("shop", "a-1")),
            (ResourceKind.Deployment, Object("shop", "a")),
            (ResourceKind.Deployment, Object("Shop", "upper")),
            (ResourceKind.Node, Object("", "n2")),
            (ResourceKind.Node, Object("", "n1")));

        Assert.Equal(["upper", "z", "a", "a-1", "b"], Names(snapshot.List(ResourceKind.Deployment, null)));
        Assert.Equal(["a", "a-1", "b"], Names(snapshot.List(ResourceKind.Deployment, "shop")));
        Assert.Empty(snapshot.List(ResourceKind.Deployment, "nowhere"));
        Assert.Empty(snapshot.List(ResourceKind.Job, null));
        Assert.Equal(["n1", "n2"], Names(snapshot.List(ResourceKind.Node, null)));
        Assert.Equal(["n1", "n2"], Names(snapshot.List(ResourceKind.Node, "")));
    }

    [Fact]
    public void Find_and_Contains_go_by_kind_namespace_and_name()
    {
        ClusterSnapshot snapshot = Snapshot((ResourceKind.Deployment, Object("shop", "web")), (ResourceKind.Namespace, Object("", "shop")));

        Assert.Equal("web", snapshot.Find(new ObjectRef(ResourceKind.Deployment, "shop", "web"))!.Key.Name);
        Assert.True(snapshot.Contains(new ObjectRef(ResourceKind.Namespace, "", "shop")));
        Assert.False(snapshot.Contains(new ObjectRef(ResourceKind.Deployment, "bank", "web")));
        Assert.False(snapshot.Contains(new ObjectRef(ResourceKind.StatefulSet, "shop", "web")));
        Assert.Null(snapshot.Find(new ObjectRef(ResourceKind.Job, "shop", "web")));
    }

    [Fact]
    public void Only_None_has_no_cluster()
    {
        Assert.False(ClusterSnapshot.None.HasCluster);
        Assert.True(Snapshot().HasCluster);
        Assert.Empty(ClusterSnapshot.None.List(ResourceKind.Pod, null));
        Assert.Empty(ClusterSnapshot.None.PodsOf(new ObjectRef(ResourceKind.Namespace, "", "shop")));
        Assert.Empty(ClusterSnapshot.None.ForPod(new ObjectKey("shop", "a"), ResourceKind.Pod));
    }

    [Fact]
    public void Departed_pods_belong_as_before_but_do_not_exist()
    {
        Departed departed = new(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
            {
                [ResourceKind.Pod] = [Pod("shop", "web-4c-a", "ReplicaSet", "web-4c") with { NodeName = "n1" }, Pod("shop", "web-5d-a", "ReplicaSet", "web-4c")],
                [ResourceKind.ReplicaSet] = [Object("shop", "web-4c", "Deployment", "web")],
            },
            [new EndpointSlice(new ObjectKey("shop", ""), "web", ["web-4c-a", "web-5d-a"])]);
        ClusterSnapshot snapshot = new(
            new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
            {
                [ResourceKind.Pod] = [Pod("shop", "web-5d-a", "ReplicaSet", "web-5d")],
                [ResourceKind.ReplicaSet] = [Object("shop", "web-5d", "Deployment", "web")],
            },
            [],
            departed);

        AssertBelongs(snapshot, "shop", "web-4c-a", ResourceKind.Deployment, "web");
        AssertBelongs(snapshot, "shop", "web-4c-a", ResourceKind.Service, "web");
        Assert.Equal(["web-4c-a"], Names(snapshot.PodsOf(new ObjectRef(ResourceKind.Node, "", "n1"))));
        Assert.Equal(["web-5d-a", "web-4c-a"], Names(snapshot.PodsOf(new ObjectRef(ResourceKind.Namespace, "", "shop"))));
        Assert.Equal(["web-5d-a"], Names(snapshot.List(ResourceKind.Pod, "shop")));
        Assert.Equal(["web-5d"], Names(snapshot.List(ResourceKind.ReplicaSet, "shop")));
        Assert.False(snapshot.Contains(new ObjectRef(ResourceKind.Pod, "shop", "web-4c-a")));
        Assert.Null(snapshot.Find(new ObjectRef(ResourceKind.ReplicaSet, "shop", "web-4c")));

        // The one that exists again is what it is now.
        AssertBelongs(snapshot, "shop", "web-5d-a", ResourceKind.ReplicaSet, "web-5d");
        Assert.Empty(snapshot.ForPod(new ObjectKey("shop", "web-5d-a"), ResourceKind.Service));
    }

    [Fact]
    public void PodsOf_is_the_inverse_of_ForPod()
    {
        Random random = new(7);
        List<(ResourceKind, ClusterObject)> objects = [];
        for (int i = 0; i < 60; i++)
        {
            string @namespace = $"ns{random.Next(3)}";
            objects.Add((ResourceKind.ReplicaSet, Object(@namespace, $"rs{i % 20}-{i}", "Deployment", $"d{random.Next(5)}")));
        }

        foreach ((_, ClusterObject replicaSet) in objects.ToArray())
        {
            for (int i = random.Next(4); i > 0; i--)
            {
                objects.Add((ResourceKind.Pod, Pod(replicaSet.Key.Namespace, $"{replicaSet.Key.Name}-{i}", "ReplicaSet", replicaSet.Key.Name) with { NodeName = $"n{random.Next(4)}" }));
            }
        }

        EndpointSlice[] slices = [.. Enumerable.Range(0, 12).Select(i => new EndpointSlice(
            new ObjectKey($"ns{i % 3}", $"s{i}"),
            $"svc{i % 5}",
            [.. objects.Where(o => o.Item1 == ResourceKind.Pod && o.Item2.Key.Namespace == $"ns{i % 3}" && random.Next(2) == 0).Select(o => o.Item2.Key.Name)]))];
        ClusterSnapshot snapshot = Snapshot(slices, [.. objects]);

        foreach (ResourceKind kind in ResourceKind.All)
        {
            (ObjectRef, ObjectKey)[] forward = [.. from pod in snapshot.List(ResourceKind.Pod, null) from owner in snapshot.ForPod(pod.Key, kind) select (owner, pod.Key)];
            (ObjectRef, ObjectKey)[] backward = [.. from owner in forward.Select(pair => pair.Item1).Distinct() from pod in snapshot.PodsOf(owner) select (owner, pod.Key)];
            Assert.Equal(forward.ToHashSet(), backward.ToHashSet());
            Assert.Equal(forward.Length, backward.Length);
        }
    }

    private static void AssertBelongs(ClusterSnapshot snapshot, string @namespace, string pod, ResourceKind kind, string name)
    {
        ObjectRef owner = new(kind, @namespace, name);
        Assert.Equal([owner], snapshot.ForPod(new ObjectKey(@namespace, pod), kind));
        Assert.Contains(pod, Names(snapshot.PodsOf(owner)));
    }

    private static IEnumerable<string> Names(IEnumerable<ClusterObject> objects) => objects.Select(one => one.Key.Name);

    private static Pod Pod(string @namespace, string name, string? ownerKind = null, string ownerName = "") =>
        new(new ObjectKey(@namespace, name), NoLabels, ownerKind is null ? null : new ObjectOwner(ownerKind, ownerName), "", "Running", "10.0.0.1");

    private static ClusterObject Object(string @namespace, string name, string? ownerKind = null, string ownerName = "") =>
        new(new ObjectKey(@namespace, name), NoLabels, ownerKind is null ? null : new ObjectOwner(ownerKind, ownerName));

    private static ClusterSnapshot Snapshot(params (ResourceKind Kind, ClusterObject One)[] objects) => Snapshot([], objects);

    private static ClusterSnapshot Snapshot(EndpointSlice[] slices, params (ResourceKind Kind, ClusterObject One)[] objects) =>
        new(objects.GroupBy(o => o.Kind, o => o.One).ToDictionary(group => group.Key, group => (IReadOnlyCollection<ClusterObject>)[.. group]), slices);
}
