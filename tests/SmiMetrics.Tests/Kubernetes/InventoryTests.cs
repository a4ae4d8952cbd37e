using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class InventoryTests
{
    private static readonly TimeSpan Retention = TimeSpan.FromHours(1);
    private static readonly ObjectKey A = new("shop", "web-5d-a");

    private static readonly IReadOnlySet<ResourceKind> NothingUnread = new HashSet<ResourceKind>();

    private readonly FakeTimeProvider _time = new();
    private readonly Inventory _inventory;

    public InventoryTests() => _inventory = new Inventory(Retention, _time);

    [Fact]
    public void What_is_put_again_unchanged_changes_nothing()
    {
        Pool pool = new(slots: 1);
        Pod Heartbeat() => Pod("web-5d-a") with { Labels = pool.Share(new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" }) };

        Assert.True(_inventory.Put(ResourceKind.Pod, Heartbeat()));
        Assert.False(_inventory.Put(ResourceKind.Pod, Heartbeat()));
        Assert.True(_inventory.Put(ResourceKind.Pod, Heartbeat() with { Phase = "Failed" }));
        Assert.True(_inventory.Put(ResourceKind.Pod, Heartbeat() with { Labels = LabelSet.Empty }));
        Assert.True(_inventory.Put(Slice("web-5d-a", "b")));
        Assert.False(_inventory.Put(Slice("web-5d-a", "b")));
        Assert.True(_inventory.Put(Slice("web-5d-a")));
        Assert.True(_inventory.Remove(ResourceKind.Pod, A));
        Assert.False(_inventory.Remove(ResourceKind.Pod, A));
        Assert.False(_inventory.Remove(ResourceKind.Deployment, A));
    }

    [Fact]
    public void Other_containers_are_a_change_and_the_same_ones_are_none()
    {
        Assert.True(Put(Containers(("app", [new("http", 8080), new("", 9090)]), ("proxy", []))));
        Assert.False(Put(Containers(("app", [new("http", 8080), new("", 9090)]), ("proxy", []))));
        Assert.True(Put(Containers(("app", [new("http", 8081), new("", 9090)]), ("proxy", []))));
        Assert.True(Put(Containers(("app", [new("web", 8081), new("", 9090)]), ("proxy", []))));
        Assert.True(Put(Containers(("app", [new("web", 8081)]), ("proxy", []))));
        Assert.True(Put(Containers(("app", [new("web", 8081)]), ("proxy", [new("admin", 4191)]))));
        Assert.True(Put(Containers(("app", [new("web", 8081)]), ("sidecar", [new("admin", 4191)]))));
        Assert.True(Put(Containers(("app", [new("web", 8081)]))));
        Assert.True(Put(PodContainers.None));
        Assert.False(Put(Containers()));

        bool Put(PodContainers containers) => _inventory.Put(ResourceKind.Pod, Pod("web-5d-a") with { Containers = containers });
    }

    [Fact]
    public void A_deleted_pod_is_remembered_for_its_time()
    {
        PutRollout();
        _inventory.Remove(ResourceKind.Pod, A);

        _time.Advance(Retention);
        AssertBelongs(_inventory.Snapshot(NothingUnread));
        Assert.True(_inventory.Remembers);

        _time.Advance(TimeSpan.FromTicks(1));
        AssertForgotten(_inventory.Snapshot(NothingUnread));
        Assert.False(_inventory.Remembers);
    }

    [Fact]
    public void A_ReplicaSet_is_remembered_as_long_as_one_of_its_pods_is()
    {
        PutRollout();
        _inventory.Remove(ResourceKind.ReplicaSet, new ObjectKey("shop", "web-5d"));
        _time.Advance(Retention * 3); // Its pod takes its time to end.
        AssertBelongs(_inventory.Snapshot(NothingUnread));

        _inventory.Remove(ResourceKind.Pod, A);
        _time.Advance(Retention / 2);
        AssertBelongs(_inventory.Snapshot(NothingUnread));

        _time.Advance(Retention);
        AssertForgotten(_inventory.Snapshot(NothingUnread));
        Assert.False(_inventory.Remembers);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_Service_of_a_deleted_pod_is_remembered_whichever_went_first(bool podFirst)
    {
        PutRollout();
        _inventory.Put(Slice("web-5d-a"));
        if (podFirst)
        {
            _inventory.Remove(ResourceKind.Pod, A);
            _inventory.Put(Slice());
        }
        else
        {
            _inventory.Put(Slice());
            _inventory.Remove(ResourceKind.Pod, A);
        }

        Assert.Equal([new ObjectRef(ResourceKind.Service, "shop", "web")], _inventory.Snapshot(NothingUnread).ForPod(A, ResourceKind.Service));
    }

    [Fact]
    public void The_Service_of_a_deleted_pod_is_remembered_when_its_slice_is_deleted()
    {
        PutRollout();
        _inventory.Put(Slice("web-5d-a"));
        _inventory.Remove(new ObjectKey("shop", "web-x"));
        _inventory.Remove(ResourceKind.Pod, A);

        Assert.Equal(A, Assert.Single(_inventory.Snapshot(NothingUnread).PodsOf(new ObjectRef(ResourceKind.Service, "shop", "web"))).Key);
    }

    [Fact]
    public void A_pod_that_leaves_a_Service_and_lives_on_does_not_belong_to_it()
    {
        PutRollout();
        _inventory.Put(Slice("web-5d-a"));
        _inventory.Put(Slice());

        Assert.Empty(_inventory.Snapshot(NothingUnread).ForPod(A, ResourceKind.Service));
    }

    [Fact]
    public void A_pod_that_is_back_under_its_name_is_the_new_one()
    {
        _inventory.Put(ResourceKind.Pod, Pod("web-5d-a") with { NodeName = "old" });
        _inventory.Remove(ResourceKind.Pod, A);
        _inventory.Put(ResourceKind.Pod, Pod("web-5d-a") with { NodeName = "new" });

        ClusterSnapshot snapshot = _inventory.Snapshot(NothingUnread);
        Assert.Equal([new ObjectRef(ResourceKind.Node, "", "new")], snapshot.ForPod(A, ResourceKind.Node));
        Assert.Empty(snapshot.PodsOf(new ObjectRef(ResourceKind.Node, "", "old")));
        Assert.Single(snapshot.PodsOf(new ObjectRef(ResourceKind.Namespace, "", "shop")));
        Assert.False(_inventory.Remembers);
    }

    [Fact]
    public void A_snapshot_does_not_change_with_the_inventory()
    {
        PutRollout();
        ClusterSnapshot before = _inventory.Snapshot(NothingUnread);
        _inventory.Remove(ResourceKind.Pod, A);
        _inventory.Put(ResourceKind.Pod, Pod("b"));

        Assert.Equal(A, Assert.Single(before.List(ResourceKind.Pod, null)).Key);
        Assert.Equal(A, Assert.Single(before.PodsOf(new ObjectRef(ResourceKind.Deployment, "shop", "web"))).Key);
    }

    private void PutRollout()
    {
        _inventory.Put(ResourceKind.Deployment, new ClusterObject(new ObjectKey("shop", "web"), LabelSet.Empty, null));
        _inventory.Put(ResourceKind.ReplicaSet, new ClusterObject(new ObjectKey("shop", "web-5d"), LabelSet.Empty, new ObjectOwner("Deployment", "web")));
        _inventory.Put(ResourceKind.Pod, Pod("web-5d-a"));
    }

    private static void AssertBelongs(ClusterSnapshot snapshot)
    {
        Assert.Equal([new ObjectRef(ResourceKind.ReplicaSet, "shop", "web-5d")], snapshot.ForPod(A, ResourceKind.ReplicaSet));
        Assert.Equal([new ObjectRef(ResourceKind.Deployment, "shop", "web")], snapshot.ForPod(A, ResourceKind.Deployment));
        Assert.Equal(A, Assert.Single(snapshot.PodsOf(new ObjectRef(ResourceKind.Deployment, "shop", "web"))).Key);
    }

    private static void AssertForgotten(ClusterSnapshot snapshot)
    {
        Assert.Empty(snapshot.ForPod(A, ResourceKind.Pod));
        Assert.Empty(snapshot.PodsOf(new ObjectRef(ResourceKind.Deployment, "shop", "web")));
    }

    private static Pod Pod(string name) =>
        new(new ObjectKey("shop", name), LabelSet.Empty, new ObjectOwner("ReplicaSet", "web-5d"), "n1", "Running", "10.1.2.3");

    private static PodContainers Containers(params (string Name, ContainerPort[] Ports)[] containers) =>
        new([.. containers.Select(container => new PodContainer(container.Name, container.Ports))]);

    private static EndpointSlice Slice(params string[] pods) => new(new ObjectKey("shop", "web-x"), "web", pods);
}
