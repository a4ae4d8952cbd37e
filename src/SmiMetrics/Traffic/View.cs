using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>One mesh's series of one side, and how they name the resource and, for edges, its peers.</summary>
/// <param name="Direction">Of edges; null for an object's own traffic, as is <paramref name="Peers"/>.</param>
internal sealed record View(MeshDescriptor Mesh, MeshSide Series, Side Side, Direction? Direction, IdentityPlan Plan, IdentityPlan? Peers)
{
    /// <summary>What calls and is called: peers of a workload are sought among these, top owners first.</summary>
    private static readonly ResourceKind[] WorkloadKinds =
    [
        ResourceKind.Deployment, ResourceKind.StatefulSet, ResourceKind.DaemonSet, ResourceKind.CronJob, ResourceKind.Job,
        ResourceKind.ReplicationController, ResourceKind.ReplicaSet,
    ];

    /// <summary>What the objects of a scope received: as the server saw it, else as its clients did.</summary>
    /// <returns>Null when the mesh cannot tell them.</returns>
    public static View? OfResources(MeshDescriptor mesh, ObjectScope scope, ClusterSnapshot snapshot)
    {
        foreach ((MeshSide? series, Side side) in new[] { (mesh.Server, Side.Server), (mesh.Client, Side.Client) })
        {
            if (series is not null && IdentityPlan.Create(series.Destination, scope, snapshot, mesh.Unknown) is { } plan)
            {
                return new View(mesh, series, side, null, plan, null);
            }
        }

        return null;
    }

    /// <summary>The edges of an object in one direction: what it sends as the client saw it, what it receives as the server did, else the other way.</summary>
    /// <param name="only">Null for either side.</param>
    /// <returns>Null when the mesh cannot tell them.</returns>
    public static View? OfEdges(MeshDescriptor mesh, ObjectRef resource, Direction direction, Side? only, ClusterSnapshot snapshot)
    {
        (MeshSide? Series, Side Side)[] sides = [(mesh.Client, Side.Client), (mesh.Server, Side.Server)];
        if (direction == Traffic.Direction.From)
        {
            Array.Reverse(sides);
        }

        foreach ((MeshSide? series, Side side) in sides)
        {
            if (series is not { Source: { } sender, Destination: var receiver } || (only is not null && side != only))
            {
                continue;
            }

            (Identity own, Identity other) = direction == Traffic.Direction.To ? (sender, receiver) : (receiver, sender);
            if (IdentityPlan.Create(own, ObjectScope.Of(resource), snapshot, mesh.Unknown) is { } ownPlan
                && PeersOf(other, resource.Kind, snapshot, mesh.Unknown) is { } peerPlan)
            {
                return new View(mesh, series, side, direction, ownPlan, peerPlan);
            }
        }

        return null;
    }

    private static IdentityPlan? PeersOf(Identity identity, ResourceKind kind, ClusterSnapshot snapshot, IReadOnlySet<string> unknown)
    {
        ResourceKind[] workloads = [.. WorkloadKinds.Where(workload => identity.Means.GetValueOrDefault(workload.Resource) is not IdentityMeans.ThroughPods)];
        IdentityPlan? Plan(params ResourceKind[] kinds) => IdentityPlan.Create(identity, ObjectScope.Any(kinds), snapshot, unknown);
        return kind == ResourceKind.Namespace || kind == ResourceKind.Node ? Plan(kind)
            : kind == ResourceKind.Pod ? Plan(kind) ?? Plan(workloads)
            : Plan(workloads);
    }
}
