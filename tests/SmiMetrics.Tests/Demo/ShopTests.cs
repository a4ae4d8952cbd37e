using SmiMetrics.Demo;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Demo;

/// <summary>What the demo declares is a world in which right answers exist.</summary>
public sealed class ShopTests
{
    public static TheoryData<string> Meshes => [.. SimulatedMesh.All.Select(mesh => mesh.Name)];

    [Fact]
    public void The_shares_of_every_flow_add_up_to_one_in_thousandths() =>
        Assert.All(Shop.World.Flows, flow =>
        {
            Assert.Equal(1, flow.Replies.Sum(reply => reply.Share), 9);
            Assert.All(flow.Replies, reply => Assert.Equal(Math.Round(reply.Share * 1000), reply.Share * 1000, 9));
            Assert.Single(flow.Replies.Select(reply => reply.GrpcStatus is null).Distinct());
        });

    [Fact]
    public void There_is_every_kind_of_workload_in_several_namespaces()
    {
        Assert.Equal(
            [ResourceKind.CronJob, ResourceKind.DaemonSet, ResourceKind.Deployment, ResourceKind.Job, ResourceKind.ReplicaSet, ResourceKind.ReplicationController, ResourceKind.StatefulSet],
            Shop.World.Workloads.Select(workload => workload.Kind).Distinct().OrderBy(kind => kind.Kind, StringComparer.Ordinal));
        Assert.True(Shop.World.Workloads.Select(workload => workload.Namespace).Distinct().Count() > 2);
        Assert.Equal(Shop.World.Workloads.Count, Shop.World.Workloads.Select(workload => (workload.Kind, workload.Namespace, workload.Name)).Distinct().Count());
        Assert.All(Shop.World.Flows, flow => Assert.Contains(flow.To, Shop.World.Workloads));
        Assert.Contains(Shop.World.Workloads, idle => Shop.World.Flows.All(flow => flow.To != idle && flow.From != idle));
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public void Declared_percentiles_are_bounds_of_the_buckets_so_that_they_can_be_found_exactly(string mesh)
    {
        IReadOnlyList<double> bounds = SimulatedMesh.All.Single(one => one.Name == mesh).Bounds;
        Assert.Equal(bounds.Order(), bounds);
        Assert.All(Shop.World.Flows, flow => Assert.Subset(bounds.ToHashSet(), new HashSet<double> { flow.Latency.P50, flow.Latency.P90, flow.Latency.P99 }));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.25, 5)]
    [InlineData(0.5, 10)]
    [InlineData(0.7, 30)]
    [InlineData(0.9, 50)]
    [InlineData(0.99, 100)]
    [InlineData(0.995, 150)]
    [InlineData(1, 200)]
    public void Latencies_lie_evenly_between_the_percentiles(double quantile, double milliseconds) =>
        Assert.Equal(milliseconds, new Latency(10, 50, 100).At(quantile), 9);

    [Theory]
    [InlineData(0, 0)]
    [InlineData(5, 5)]
    [InlineData(20, 20)]
    [InlineData(44, 20)]
    [InlineData(45, 20)]
    [InlineData(50, 25)]
    [InlineData(91, 41)]
    public void Bursts_are_busy_at_the_beginning_of_each_period(int age, int busy) =>
        Assert.Equal(TimeSpan.FromSeconds(busy), new Bursts(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(45)).BusyUntil(TimeSpan.FromSeconds(age)));
}
