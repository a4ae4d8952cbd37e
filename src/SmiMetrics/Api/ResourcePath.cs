using SmiMetrics.Kubernetes;

namespace SmiMetrics.Api;

/// <summary>
/// What a URL below <c>/apis/metrics.smi-spec.io/VERSION</c> stands for here. Made of the <see cref="RequestInfo"/> that was judged, so that what we
/// answer is what was allowed.
/// </summary>
/// <param name="Namespace">Null where the path names none; for a namespace itself it is null and <paramref name="Name"/> names it.</param>
/// <param name="Name">Null for a list.</param>
internal sealed record ResourcePath(string Version, TrafficResource Resource, string? Namespace, string? Name, bool Edges)
{
    /// <returns>Null where this API has no such resource.</returns>
    public static ResourcePath? Of(RequestInfo info)
    {
        if (!info.IsResourceRequest || info.Group != TrafficApi.Group || !TrafficApi.Versions.Contains(info.Version) || info.VerbInPath)
        {
            return null;
        }

        string? @namespace = info.Namespace.Length > 0 ? info.Namespace : null;
        // The parts and not the name: a list that is selected by a name is a list.
        ReadOnlySpan<string> parts = [.. info.Parts];
        return parts switch
        {
            // What a namespace is asked for by its own name lies in no other. To be judged, its edges are a resource of the namespace.
            ["namespaces", var name] when name == @namespace => new(info.Version, TrafficResource.Namespaces, null, name, Edges: false),
            [Wire.Edges] when @namespace is not null => new(info.Version, TrafficResource.Namespaces, null, @namespace, Edges: true),
            [var found, .. var rest] when TrafficResource.Find(found) is { } resource
                && (@namespace is not null ? resource.Namespaced : rest.IsEmpty || !resource.Namespaced) => Named(info.Version, resource, @namespace, rest),
            _ => null,
        };
    }

    private static ResourcePath? Named(string version, TrafficResource resource, string? @namespace, ReadOnlySpan<string> rest) => rest switch
    {
        [] => new(version, resource, @namespace, null, Edges: false),
        [var name] when resource.HasNames => new(version, resource, @namespace, name, Edges: false),
        [var name, Wire.Edges] when resource.HasEdges => new(version, resource, @namespace, name, Edges: true),
        _ => null,
    };

    /// <summary>The URL path that leads here.</summary>
    public string SelfLink =>
        $"/apis/{TrafficApi.Group}/{Version}{(Namespace is null ? "" : "/namespaces/" + Namespace)}/{Resource.Name}"
        + $"{(Name is null ? "" : "/" + Name)}{(Edges ? "/" + Wire.Edges : "")}";
}
