using System.Text.Json.Serialization;

namespace SmiMetrics.Api;

/// <summary>The golden metrics of one object or edge, as SMI has them (smi-sdk-go <c>pkg/apis/metrics/v1alpha2/resource.go</c>).</summary>
internal sealed record TrafficMetrics(
    string Kind,
    string ApiVersion,
    ObjectMeta Metadata,
    string Timestamp,
    string Window,
    ObjectReference Resource,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] Edge? Edge,
    Backend? Backend,
    IReadOnlyList<Metric> Metrics);

/// <summary>The part of <c>metav1.ObjectMeta</c> that means something here.</summary>
/// <param name="Labels">The resource's own, by which it is selected. Null where it has none.</param>
/// <param name="CreationTimestamp">When these numbers came to be: the instant at which their window ends. Null for what has no such moment.</param>
internal sealed record ObjectMeta(
    string Name,
    string? Namespace,
    string SelfLink,
    string? CreationTimestamp,
    IReadOnlyDictionary<string, string>? Labels,
    IReadOnlyDictionary<string, string>? Annotations);

/// <summary>The part of <c>v1.ObjectReference</c> that names an object; lists leave out what they do not restrict.</summary>
internal sealed record ObjectReference(string? Kind, string? Namespace, string? Name, string? ApiVersion)
{
    /// <summary>Restricts nothing: whoever it was.</summary>
    public static readonly ObjectReference Anybody = new(null, null, null, null);
}

/// <summary>The other end. <paramref name="Direction"/> is <c>to</c> when the resource sends to it, <c>from</c> when it receives from it.</summary>
/// <param name="Side">Whose proxy measured: <c>client</c> or <c>server</c>.</param>
internal sealed record Edge(string Direction, string Side, ObjectReference Resource);

/// <summary>Whose share of a traffic split it is (smi-sdk-go <c>pkg/apis/metrics/v1alpha2/backend.go</c>).</summary>
/// <param name="Weight">A whole number: Go's clients refuse the whole list over any other.</param>
internal sealed record Backend(string Apex, string Name, int Weight);

/// <param name="Unit">Of latencies only.</param>
/// <param name="Value">A canonical quantity.</param>
internal sealed record Metric(string Name, string? Unit, string Value);

internal sealed record TrafficMetricsList(string Kind, string ApiVersion, ListMeta Metadata, ObjectReference Resource, IReadOnlyList<TrafficMetrics> Items);

/// <summary>The part of <c>metav1.ListMeta</c> that means something here.</summary>
/// <param name="Continue">Leads to the next page; null on the last.</param>
/// <param name="RemainingItemCount">How many objects are on the pages to come; null where selectors make Kubernetes not tell, and on the last.</param>
internal sealed record ListMeta(string SelfLink, string? Continue = null, int? RemainingItemCount = null);

/// <summary>Every JSON document of this API, in Kubernetes' manner: camel case, absent instead of null.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    GenerationMode = JsonSourceGenerationMode.Default)]
[JsonSerializable(typeof(TrafficMetrics))]
[JsonSerializable(typeof(TrafficMetricsList))]
[JsonSerializable(typeof(Mesh))]
[JsonSerializable(typeof(MeshList))]
[JsonSerializable(typeof(Table))]
[JsonSerializable(typeof(PartialObjectMetadata))]
[JsonSerializable(typeof(PartialObjectMetadataList))]
[JsonSerializable(typeof(Status))]
[JsonSerializable(typeof(ApiGroupList))]
[JsonSerializable(typeof(ApiGroup))]
[JsonSerializable(typeof(ApiResourceList))]
[JsonSerializable(typeof(GroupDiscoveryList))]
internal sealed partial class ApiJson : JsonSerializerContext;
