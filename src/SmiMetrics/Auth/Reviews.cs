using System.Text.Json.Serialization;

namespace SmiMetrics.Auth;

/// <summary>As far as we use it: <c>authentication.k8s.io/v1</c>.</summary>
internal sealed record TokenReview(TokenReviewSpec? Spec, TokenReviewStatus? Status)
{
    public const string Path = "/apis/authentication.k8s.io/v1/tokenreviews";

    public string Kind { get; init; } = "TokenReview";

    public string ApiVersion { get; init; } = "authentication.k8s.io/v1";
}

internal sealed record TokenReviewSpec(string Token);

internal sealed record TokenReviewStatus(bool Authenticated, ReviewedUser? User, string? Error);

internal sealed record ReviewedUser(string? Username, string? Uid, string[]? Groups, Dictionary<string, string[]>? Extra);

/// <summary>As far as we use it: <c>authorization.k8s.io/v1</c>.</summary>
internal sealed record SubjectAccessReview(SubjectAccessReviewSpec? Spec, SubjectAccessReviewStatus? Status)
{
    public const string Path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

    public string Kind { get; init; } = "SubjectAccessReview";

    public string ApiVersion { get; init; } = "authorization.k8s.io/v1";
}

/// <summary>One of the two kinds of attributes.</summary>
internal sealed record SubjectAccessReviewSpec(
    string User,
    string? Uid,
    IReadOnlyList<string> Groups,
    SortedDictionary<string, IReadOnlyList<string>>? Extra,
    ResourceAttributes? ResourceAttributes,
    NonResourceAttributes? NonResourceAttributes);

/// <summary>What is empty is left out.</summary>
internal sealed record ResourceAttributes(
    string? Namespace,
    string? Verb,
    string? Group,
    string? Version,
    string? Resource,
    string? Subresource,
    string? Name,
    SelectorAttributes? FieldSelector,
    SelectorAttributes? LabelSelector);

/// <summary>To which objects a list is limited, by fields or by labels: <c>FieldSelectorAttributes</c> and <c>LabelSelectorAttributes</c>, read by us.</summary>
internal sealed record SelectorAttributes(IReadOnlyList<SelectorRequirement> Requirements);

/// <param name="Operator"><c>In</c> or <c>NotIn</c>; of labels <c>Exists</c> or <c>DoesNotExist</c> as well, which have no values.</param>
internal sealed record SelectorRequirement(string Key, string Operator, IReadOnlyList<string>? Values);

internal sealed record NonResourceAttributes(string? Path, string? Verb);

internal sealed record SubjectAccessReviewStatus(bool Allowed, bool Denied, string? Reason);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TokenReview))]
[JsonSerializable(typeof(SubjectAccessReview))]
internal sealed partial class ReviewJson : JsonSerializerContext;
