namespace SmiMetrics.Api;

/// <summary>
/// A URL below <c>/apis/metrics.smi-spec.io/VERSION</c>, taken apart as kube-apiserver takes it apart before it authorises
/// (apiserver <c>pkg/endpoints/request/requestinfo.go</c>), so that what we answer is what was allowed.
/// </summary>
/// <param name="Namespace">Null where the path names none; for a namespace itself it is null and <paramref name="Name"/> names it.</param>
/// <param name="Name">Null for a list.</param>
internal sealed record ResourcePath(string Version, TrafficResource Resource, string? Namespace, string? Name, bool Edges)
{
    private const string EdgesSegment = "edges";

    /// <returns>Null where this API has no such resource.</returns>
    public static ResourcePath? Parse(string version, ReadOnlySpan<string> segments)
    {
        // namespaces/X and namespaces/X/edges are the namespace's own; anything else after X lies in it.
        if (segments is ["namespaces", var @namespace, var inside, .. var rest] && inside != EdgesSegment)
        {
            return TrafficResource.Find(inside) is { Namespaced: true } resource ? Named(version, resource, @namespace, rest) : null;
        }

        return segments is [var clusterWide, .. var tail] && TrafficResource.Find(clusterWide) is { } found && (tail.IsEmpty || !found.Namespaced)
            ? Named(version, found, null, tail)
            : null;
    }

    private static ResourcePath? Named(string version, TrafficResource resource, string? @namespace, ReadOnlySpan<string> rest) => rest switch
    {
        [] => new(version, resource, @namespace, null, Edges: false),
        [var name] when resource.HasNames => new(version, resource, @namespace, name, Edges: false),
        [var name, EdgesSegment] when resource.HasEdges => new(version, resource, @namespace, name, Edges: true),
        _ => null,
    };

    /// <summary>The URL path that leads here.</summary>
    public string SelfLink =>
        $"/apis/{TrafficApi.Group}/{Version}{(Namespace is null ? "" : "/namespaces/" + Namespace)}/{Resource.Name}"
        + $"{(Name is null ? "" : "/" + Name)}{(Edges ? "/" + EdgesSegment : "")}";
}
