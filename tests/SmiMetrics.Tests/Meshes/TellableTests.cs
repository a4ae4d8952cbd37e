using System.Text.RegularExpressions;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Meshes;

/// <summary>What each built-in mesh says that it cannot tell, held against what the plans of its queries can.</summary>
public sealed class TellableTests
{
    private const string Shop = "shop";

    public static TheoryData<string> Meshes() => [.. MeshCatalogue.Load().All.Select(mesh => mesh.Name)];

    [Theory]
    [MemberData(nameof(Meshes))]
    public void Whatever_a_mesh_cannot_tell_has_a_reason(string name)
    {
        MeshDescriptor mesh = MeshCatalogue.Load().Find(name);
        string[] silent =
        [
            .. from kind in ResourceKind.All
               where !TellsOwn(mesh, kind) && !mesh.Cannot.ContainsKey(kind.Resource)
               select kind.Resource,
            .. from kind in ResourceKind.All
               let keys = new[] { kind.Resource + "/edges", "edges", kind.Resource }
               where !TellsEdges(mesh, kind) && !keys.Any(mesh.Cannot.ContainsKey)
               select keys[0],
            .. mesh.Splits.Count == 0 && !mesh.Cannot.ContainsKey("trafficsplits") ? ["trafficsplits"] : Array.Empty<string>(),
        ];
        Assert.Empty(silent);
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public void Nothing_that_a_mesh_can_tell_has_a_reason_why_not(string name)
    {
        MeshDescriptor mesh = MeshCatalogue.Load().Find(name);
        Assert.All(mesh.Cannot.Keys, key => Assert.False(key switch
        {
            "trafficsplits" => mesh.Splits.Count > 0,
            "edges" => ResourceKind.All.Any(kind => TellsEdges(mesh, kind)),
            _ when key.EndsWith("/edges", StringComparison.Ordinal) => TellsEdges(mesh, ResourceKind.FromResource(key[..^"/edges".Length])!),
            _ => TellsOwn(mesh, ResourceKind.FromResource(key)!),
        }));
    }

    // It is the end of the sentence "NAME cannot tell the traffic of KIND: …".
    [Theory]
    [MemberData(nameof(Meshes))]
    public void Reasons_are_clauses_and_advice_is_sentences(string name)
    {
        MeshDescriptor mesh = MeshCatalogue.Load().Find(name);
        Assert.All(mesh.Cannot.Values, reason => Assert.Matches(@"^(OpenTelemetry|[a-z]).{15,160}[^.;:,\s]$", reason));
        Assert.All([mesh.Advice.Series, mesh.Advice.Labels], advice => Assert.Matches(@"^[A-Z].{40,}\.$", advice));
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public void A_comment_says_where_the_facts_are_from(string name) =>
        // A file of a repository, or a page of documentation; and which version of it, where it is a file.
        Assert.Matches(
            new Regex(@"^ *#.*(\b[\w-]+/[\w./-]+\.(go|cc|rs|js|json|yaml|md|rst|txt|lua)\b|\bdocs\.[\w.]+/\S+)", RegexOptions.Multiline),
            MeshCatalogue.BuiltIn(name));

    private static bool TellsOwn(MeshDescriptor mesh, ResourceKind kind) =>
        View.OfResources(mesh, ObjectScope.Of(One(kind)), Cluster(), units: false) is not null;

    private static bool TellsEdges(MeshDescriptor mesh, ResourceKind kind) =>
        (from direction in new[] { Direction.To, Direction.From }
         from side in new[] { Side.Server, Side.Client }
         select View.OfEdges(mesh, One(kind), direction, side, Cluster())).Any(view => view is not null);

    private static ObjectRef One(ResourceKind kind) => new(kind, kind.Namespaced ? Shop : "", kind == ResourceKind.Namespace ? Shop : "one");

    /// <summary>A cluster with an object of every kind.</summary>
    private static ClusterSnapshot Cluster() => new(
        ResourceKind.All.ToDictionary(kind => kind, kind => (IReadOnlyCollection<ClusterObject>)
        [
            kind == ResourceKind.Pod
                ? new Pod(One(kind).Key, Labels, new ObjectOwner("ReplicaSet", "one"), "one", Pod.Running, "10.0.0.1")
                : new ClusterObject(One(kind).Key, Labels, kind == ResourceKind.ReplicaSet ? new ObjectOwner("Deployment", "one") : null),
        ]),
        [new EndpointSlice(new ObjectKey(Shop, "one-x"), "one", ["one"])]);

    private static readonly Dictionary<string, string> Labels = [];
}
