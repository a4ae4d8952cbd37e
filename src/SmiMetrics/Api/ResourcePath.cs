using SmiMetrics.Kubernetes;

namespace SmiMetrics.Api;

/// <summary>
/// A URL below <c>/apis/metrics.smi-spec.io/VERSION</c>, taken apart as kube-apiserver takes it apart before it authorises
/// (apiserver <c>pkg/endpoints/request/requestinfo.go</c>), so that what we answer is what was allowed.
/// </summary>
/// <param name="Namespace">Null where the path names none; for a namespace itself it is null and <paramref name="Name"/> names it.</param>
/// <param name="Name">Null for a list.</param>
internal sealed record ResourcePath(string Version, ResourceKind Kind, string? Namespace, string? Name, bool Edges)
{
    /// <returns>Null where this API has no such resource.</returns>
    public static ResourcePath? Parse(string version, ReadOnlySpan<string> segments)
    {
        // namespaces/X and namespaces/X/edges are the namespace's own; anything else after X lies in it.
        if (segments is ["namespaces", var @namespace, var resource, .. var rest] && resource != EdgesSegment)
        {
            return TrafficApi.Kind(resource) is { Namespaced: true } kind ? Named(version, kind, @namespace, rest) : null;
        }

        return segments is [var clusterWide, .. var tail] && TrafficApi.Kind(clusterWide) is { } found && (tail.IsEmpty || !found.Namespaced)
            ? Named(version, found, null, tail)
            : null;
    }

    private const string EdgesSegment = "edges";

    private static ResourcePath? Named(string version, ResourceKind kind, string? @namespace, ReadOnlySpan<string> rest) => rest switch
    {
        [] => new(version, kind, @namespace, null, Edges: false),
        [var name] => new(version, kind, @namespace, name, Edges: false),
        [var name, EdgesSegment] => new(version, kind, @namespace, name, Edges: true),
        _ => null,
    };

    /// <summary>The URL path that leads here.</summary>
    public string SelfLink => TrafficApi.SelfLink(Version, Kind, Namespace, Name, Edges);
}
