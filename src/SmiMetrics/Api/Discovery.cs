namespace SmiMetrics.Api;

/// <summary>Legacy discovery documents (apimachinery <c>pkg/apis/meta/v1/types.go</c>).</summary>
internal sealed record ApiGroupList(string Kind, string ApiVersion, IReadOnlyList<ApiGroup> Groups);

/// <param name="Kind">Left out inside a list, as Go does.</param>
internal sealed record ApiGroup(
    string? Kind, string? ApiVersion, string Name, IReadOnlyList<GroupVersion> Versions, GroupVersion PreferredVersion);

internal sealed record GroupVersion([property: System.Text.Json.Serialization.JsonPropertyName("groupVersion")] string Name, string Version)
{
    public static GroupVersion Of(string version) => new($"{TrafficApi.Group}/{version}", version);
}

internal sealed record ApiResourceList(string Kind, string ApiVersion, string GroupVersion, IReadOnlyList<ApiResource> Resources);

internal sealed record ApiResource(
    string Name,
    string SingularName,
    bool Namespaced,
    string Kind,
    IReadOnlyList<string> Verbs,
    IReadOnlyList<string>? ShortNames = null,
    IReadOnlyList<string>? Categories = null);

/// <summary>
/// What the API offers. Constant, so that availability and every client's discovery depend on nothing.
/// </summary>
internal static class Discovery
{
    private static readonly GroupVersion[] Versions = [.. TrafficApi.Versions.Select(version => GroupVersion.Of(version))];

    public static ApiGroup Group { get; } = new("APIGroup", "v1", TrafficApi.Group, Versions, Versions[0]);

    public static ApiGroupList Groups { get; } = new("APIGroupList", "v1", [Group with { Kind = null, ApiVersion = null }]);

    public static ApiResourceList Resources(string version) =>
        new("APIResourceList", "v1", $"{TrafficApi.Group}/{version}", [.. TrafficResource.All.SelectMany(Describe)]);

    /// <summary>The kind of a resource's lists, and thus of its edges.</summary>
    public static string ListKind(TrafficResource resource) => resource.Kind + "List";

    /// <summary>JSON leaves out what is null, and Go what is empty.</summary>
    public static IReadOnlyList<string>? UnlessEmpty(IReadOnlyList<string> names) => names.Count > 0 ? names : null;

    private static IEnumerable<ApiResource> Describe(TrafficResource resource)
    {
        yield return new ApiResource(
            resource.Name,
            resource.Singular,
            resource.Namespaced,
            resource.Kind,
            resource.Verbs,
            UnlessEmpty(resource.ShortNames),
            UnlessEmpty(resource.Categories));
        if (resource.HasEdges)
        {
            // In the scope of its parent, and never without it: kube-apiserver would drop the whole version.
            yield return new ApiResource($"{resource.Name}/{Wire.Edges}", "", resource.Namespaced, ListKind(resource), ["get"]);
        }
    }
}
