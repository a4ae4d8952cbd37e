using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>One mesh's series of one side, and whose the rows of an answer are.</summary>
/// <param name="Outcome">How the outcome of these series is told: the mesh's own, but for some ways to see a split.</param>
/// <param name="BucketRows">Whose the rows of the histogram are: null where as those of the counter.</param>
internal sealed record View(MeshDescriptor Mesh, MeshSide Series, Outcome Outcome, Side Side, RowPlan Rows, RowPlan? BucketRows = null)
{
    /// <summary>What calls and is called: peers of a workload are sought among these, top owners first.</summary>
    private static readonly ResourceKind[] WorkloadKinds =
    [
        ResourceKind.Deployment, ResourceKind.StatefulSet, ResourceKind.DaemonSet, ResourceKind.CronJob, ResourceKind.Job,
        ResourceKind.ReplicationController, ResourceKind.ReplicaSet,
    ];

    /// <summary>What the objects of a scope received: as the server saw it, else as its clients did.</summary>
    /// <returns>Null when the mesh cannot tell them.</returns>
    /// <param name="units">Whether to tell the workloads within what contains several.</param>
    public static View? OfResources(MeshDescriptor mesh, ObjectScope scope, ClusterSnapshot snapshot, bool units)
    {
        foreach ((MeshSide series, Side side) in Sides(mesh, Side.Server))
        {
            if (IdentityPlan.Create(series.Destination, scope, snapshot, mesh.Unknown) is { } plan)
            {
                return new View(mesh, series, mesh.Outcome, side, Rows(plan, series.Destination), Buckets(series, destination =>
                    IdentityPlan.Create(destination, scope, snapshot, mesh.Unknown) is { } own ? Rows(own, destination) : null));
            }
        }

        return null;

        ResourceRows Rows(IdentityPlan plan, Identity destination) =>
            new(plan, units ? IdentityPlan.Create(destination, ObjectScope.Any(WorkloadKinds), snapshot, mesh.Unknown) : null);
    }

    /// <summary>The edges of an object in one direction: what it sends as the client saw it, what it receives as the server did, else the other way.</summary>
    /// <param name="only">Null for either side.</param>
    /// <returns>Null when the mesh cannot tell them.</returns>
    public static View? OfEdges(MeshDescriptor mesh, ObjectRef resource, Direction direction, Side? only, ClusterSnapshot snapshot) =>
        OfEdges(mesh, ObjectScope.Of(resource), direction, only, snapshot);

    /// <summary>The shares of traffic splits, as the mesh shows them: a view for each way, the best first.</summary>
    public static IEnumerable<View> OfSplits(MeshDescriptor mesh, IReadOnlyList<TrafficSplit> splits, ClusterSnapshot snapshot) =>
        mesh.Splits.Select(way => new View(
            mesh, way.Series, way.Outcome, way.ByClient ? Side.Client : Side.Server, new SplitRows(way, splits, snapshot)));

    /// <summary>The edges of every workload of a namespace, or of the cluster, in one direction.</summary>
    /// <inheritdoc cref="OfEdges(MeshDescriptor, ObjectRef, Direction, Side?, ClusterSnapshot)"/>
    public static View? OfGraph(MeshDescriptor mesh, string? @namespace, Direction direction, Side? only, ClusterSnapshot snapshot) =>
        OfEdges(mesh, new ObjectScope(WorkloadKinds, @namespace, null), direction, only, snapshot);

    private static View? OfEdges(MeshDescriptor mesh, ObjectScope scope, Direction direction, Side? only, ClusterSnapshot snapshot)
    {
        foreach ((MeshSide series, Side side) in Sides(mesh, direction == Direction.To ? Side.Client : Side.Server))
        {
            if (series is not { Source: { } sender, Destination: var receiver } || (only is not null && side != only))
            {
                continue;
            }

            foreach (IReadOnlyList<ResourceKind> peers in PeersOf(scope.Kinds))
            {
                if (Rows(sender, receiver, peers) is { } rows)
                {
                    return new View(
                        mesh, series, mesh.Outcome, side, rows, Buckets(series, destination => Rows(series.Latency!.Source ?? sender, destination, peers)));
                }
            }
        }

        return null;

        EdgeRows? Rows(Identity sender, Identity receiver, IReadOnlyList<ResourceKind> peers)
        {
            (Identity own, Identity other) = direction == Direction.To ? (sender, receiver) : (receiver, sender);
            return IdentityPlan.Create(own, scope, snapshot, mesh.Unknown) is { } ownPlan
                && IdentityPlan.Create(other, ObjectScope.Any(peers), snapshot, mesh.Unknown) is { } peerPlan
                ? new EdgeRows(ownPlan, peerPlan, direction)
                : null;
        }
    }

    /// <summary>A mesh's sides, the preferred one first, but one without series only after one that has some.</summary>
    private static IEnumerable<(MeshSide Series, Side Side)> Sides(MeshDescriptor mesh, Side preferred) =>
        from side in new[] { (Series: mesh.Server, Side: Side.Server), (Series: mesh.Client, Side: Side.Client) }
        where side.Series is not null
        orderby side.Series.Seen descending, side.Side == preferred descending
        select (side.Series!, side.Side);

    /// <summary>The plan for a histogram whose labels name the ends in another way than the counter's; rows of nobody where they cannot.</summary>
    private static RowPlan? Buckets(MeshSide series, Func<Identity, RowPlan?> plan) =>
        series.Latency is { } latency && (latency.Destination ?? latency.Source) is not null
            ? plan(latency.Destination ?? series.Destination) ?? NoRows.Instance
            : null;

    /// <summary>
    /// Of which kinds peers can be, the best first: those of a namespace or node are of its kind, those of a pod are pods, and those of all
    /// else workloads; where a mesh does not name these, Services. What the counter names the histogram must name too.
    /// </summary>
    private static IReadOnlyList<ResourceKind>[] PeersOf(IReadOnlyList<ResourceKind> kinds)
    {
        IReadOnlyList<ResourceKind>[] workloads = [WorkloadKinds, [ResourceKind.Service]];
        return kinds is not [var kind] ? workloads
            : kind == ResourceKind.Namespace || kind == ResourceKind.Node ? [[kind]]
            : kind == ResourceKind.Pod ? [[kind], .. workloads]
            : workloads;
    }
}
