using SmiMetrics.Kubernetes;

namespace SmiMetrics.Api;

/// <summary>Legacy discovery documents (apimachinery <c>pkg/apis/meta/v1/types.go</c>).</summary>
internal sealed record ApiGroupList(string Kind, string ApiVersion, IReadOnlyList<ApiGroup> Groups);

/// <param name="Kind">Left out inside a list, as Go does.</param>
internal sealed record ApiGroup(
    string? Kind, string? ApiVersion, string Name, IReadOnlyList<GroupVersion> Versions, GroupVersion PreferredVersion);

internal sealed record GroupVersion(string Version)
{
    [System.Text.Json.Serialization.JsonPropertyName("groupVersion")]
    public string Name => $"{TrafficApi.Group}/{Version}";
}

internal sealed record ApiResourceList(string Kind, string ApiVersion, string GroupVersion, IReadOnlyList<ApiResource> Resources);

internal sealed record ApiResource(string Name, string SingularName, bool Namespaced, string Kind, IReadOnlyList<string> Verbs);

/// <summary>
/// What the API offers. Constant, so that availability and every client's discovery depend on nothing.
/// </summary>
internal static class Discovery
{
    private static readonly GroupVersion[] Versions = [.. TrafficApi.Versions.Select(version => new GroupVersion(version))];

    public static ApiGroup Group { get; } = new("APIGroup", "v1", TrafficApi.Group, Versions, Versions[0]);

    public static ApiGroupList Groups { get; } = new("APIGroupList", "v1", [Group with { Kind = null, ApiVersion = null }]);

    /// <summary>
    /// Every resource has a kind of its own. With the one kind for all that the SMI examples show, kubectl resolves any of them to the
    /// last in the list and silently reads another resource.
    /// </summary>
    /// <remarks>Only <c>get</c> and <c>list</c>: controllers that see <c>delete</c> or <c>watch</c> here would try them.</remarks>
    public static ApiResourceList Resources(string version) => new(
        "APIResourceList",
        "v1",
        $"{TrafficApi.Group}/{version}",
        [.. TrafficApi.Kinds.SelectMany(kind => new[]
        {
            new ApiResource(kind.Resource, kind.Kind.ToLowerInvariant(), kind.Namespaced, kind.Kind + "TrafficMetrics", ["get", "list"]),
            new ApiResource(kind.Resource + "/edges", "", kind.Namespaced, kind.Kind + "TrafficMetricsList", ["get"]),
        })]);
}
