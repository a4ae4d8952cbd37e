using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Api;

/// <summary>Clusters for a server under test.</summary>
internal static class TestClusters
{
    private static readonly Dictionary<string, string> NoLabels = [];

    /// <summary>One of everything that the fake Prometheus has traffic of, and an idle workload.</summary>
    public static readonly ClusterSnapshot Shop = new(
        new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
        {
            [ResourceKind.Namespace] = [new(new("", "shop"), NoLabels, null)],
            [ResourceKind.Node] = [new(new("", "n1"), NoLabels, null)],
            [ResourceKind.Deployment] =
            [
                new(new("shop", "web"), new Dictionary<string, string> { ["app"] = "web" }, null),
                new(new("shop", "idle"), new Dictionary<string, string> { ["app"] = "idle" }, null),
            ],
            [ResourceKind.ReplicaSet] = [new(new("shop", "web-9"), NoLabels, new ObjectOwner("Deployment", "web"))],
            [ResourceKind.Pod] = [new Pod(new("shop", "web-1"), NoLabels, new ObjectOwner("ReplicaSet", "web-9"), "n1", "Running", "10.0.0.1")],
            [ResourceKind.TrafficSplit] =
            [
                new TrafficSplit(
                    new("shop", "db-canary"),
                    new Dictionary<string, string> { ["app"] = "db" },
                    ResourceKind.TrafficSplit,
                    "db-apex",
                    [new("db-apex", "shop", "db", 90), new("db-apex", "shop", "db-next", 10)]),
            ],
        },
        []);

    /// <summary>Idle Deployments <c>d0</c>, <c>d1</c>, … in three namespaces, half of them with <c>half=1</c>.</summary>
    public static ClusterSnapshot OfDeployments(int count) => new(
        new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>>
        {
            [ResourceKind.Namespace] = [.. Enumerable.Range(0, 3).Select(i => new ClusterObject(new("", $"n{i}"), NoLabels, null))],
            [ResourceKind.Deployment] =
            [
                .. Enumerable.Range(0, count).Select(i => new ClusterObject(
                    new($"n{i % 3}", $"d{i}"), new Dictionary<string, string> { ["half"] = $"{i % 2}", ["number"] = $"{i}" }, null)),
            ],
        },
        []);
}
