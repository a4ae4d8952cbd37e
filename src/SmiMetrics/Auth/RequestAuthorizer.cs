using System.Security.Cryptography;
using System.Text.Json;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>Whether a user may make a request.</summary>
internal abstract record AuthorizationResult
{
    private AuthorizationResult()
    {
    }

    public sealed record Allowed : AuthorizationResult
    {
        public static readonly Allowed Instance = new();
    }

    /// <param name="Reason">The authorizer's, for the user; often empty.</param>
    public sealed record Denied(string Reason) : AuthorizationResult;

    /// <summary>Nobody could say. The cause is in the log.</summary>
    public sealed record Failed : AuthorizationResult
    {
        public static readonly Failed Instance = new();
    }
}

/// <summary>
/// Finds out whether a user may make a request (apiserver <c>pkg/server/options/authorization.go</c>,
/// <c>pkg/authorization/authorizerfactory/delegating.go</c>):
/// <list type="number">
/// <item>with <c>--authorization-mode AlwaysAllow</c> whoever is here may;</item>
/// <item>the group <c>system:masters</c> may, without asking anybody: kube-apiserver's own requests are answered while it answers none of ours;</item>
/// <item>some paths that are no resources are for everybody;</item>
/// <item>else kube-apiserver says so, by a SubjectAccessReview, and its word is kept for a short time; a list is reviewed with its selectors, because from
/// 1.32 on a user may have the right to some objects only (apiserver <c>plugin/pkg/authorizer/webhook/webhook.go</c>);</item>
/// <item>who gets no answer from it lets nobody in.</item>
/// </list>
/// </summary>
internal sealed partial class RequestAuthorizer
{
    /// <summary>Go's bound (apiserver <c>pkg/authorization/authorizerfactory</c>).</summary>
    public const int MaxKept = 8192;

    /// <summary>Verdicts on requests that say more than this about themselves are not kept: a caller could fill the memory with them.</summary>
    private const int MaxKeptAttributes = 10_000;

    private readonly AuthorizationOptions _options;
    private readonly ReviewClient<SubjectAccessReview>? _client;
    private readonly ReviewCache<AuthorizationResult> _cache;
    private readonly SparseLog _failures;
    private readonly ILogger<RequestAuthorizer> _logger;

    /// <param name="api">Null where there is no cluster to ask; then <see cref="AuthorizationMode.Delegated"/> lets nobody in.</param>
    public RequestAuthorizer(
        AuthorizationOptions options, KubernetesApi? api, AuthMetrics metrics, TimeProvider time, ILogger<RequestAuthorizer> logger)
    {
        _options = options;
        _client = api is null
            ? null
            : new ReviewClient<SubjectAccessReview>(
                api, SubjectAccessReview.Path, ReviewJson.Default.SubjectAccessReview, metrics.AccessReviewed, time);
        _cache = new ReviewCache<AuthorizationResult>(
            MaxKept, result => result is AuthorizationResult.Allowed ? options.AuthorizedTtl : options.UnauthorizedTtl, time) { Trouble = () => _client?.Trouble };
        _failures = new SparseLog(time);
        _logger = logger;
    }

    public async Task<AuthorizationResult> AuthorizeAsync(RequestUser user, RequestInfo request, CancellationToken cancellationToken)
    {
        if (_options.Mode == AuthorizationMode.AlwaysAllow || user.Groups.Contains(RequestUser.MastersGroup) || _options.IsAlwaysAllowed(request))
        {
            return AuthorizationResult.Allowed.Instance;
        }

        SubjectAccessReview review = new(SpecOf(user, request), Status: null);
        try
        {
            if (_client is not { } client)
            {
                throw new ReviewException("there is no cluster to ask", isPassing: false, innerException: null);
            }

            // The whole review is the question, and it may be long: its hash tells it from others as well.
            string question = Convert.ToBase64String(
                SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(review, ReviewJson.Default.SubjectAccessReview)));
            return await _cache.AskAsync(question, LengthOf(request) < MaxKeptAttributes, () => ReviewAsync(client, review), cancellationToken);
        }
        catch (ReviewException e)
        {
            if (_failures.MaySpeak(out long unsaid))
            {
                Log.Failed(_logger, user.Name, request.Verb, request.Path, e.Message, unsaid);
            }

            return AuthorizationResult.Failed.Instance;
        }
    }

    private static async Task<AuthorizationResult> ReviewAsync(ReviewClient<SubjectAccessReview> client, SubjectAccessReview review)
    {
        SubjectAccessReview answer = await client.PostAsync(review);
        return answer.Status switch
        {
            { Allowed: true, Denied: false } => AuthorizationResult.Allowed.Instance,
            { Reason: var reason } => new AuthorizationResult.Denied(reason ?? ""),
            null => throw new ReviewException("the answer has no status", isPassing: false, innerException: null),
        };
    }

    private static SubjectAccessReviewSpec SpecOf(RequestUser user, RequestInfo request) => new(
        user.Name,
        user.Uid,
        user.Groups,
        user.Extra.Count == 0 ? null : new SortedDictionary<string, IReadOnlyList<string>>(user.Extra.ToDictionary(), StringComparer.Ordinal),
        request.IsResourceRequest
            ? new ResourceAttributes(
                Said(request.Namespace), Said(request.Verb), Said(request.Group), Said(request.Version), Said(request.Resource),
                Said(request.Subresource), Said(request.Name), Said(request.FieldTerms.Select(RequirementOf)), Said(request.LabelRequirements.Select(RequirementOf)))
            : null,
        request.IsResourceRequest ? null : new NonResourceAttributes(Said(request.Path), Said(request.Verb)));

    private static string? Said(string text) => text.Length > 0 ? text : null;

    private static SelectorAttributes? Said(IEnumerable<SelectorRequirement?> requirements) =>
        requirements.OfType<SelectorRequirement>().ToArray() is { Length: > 0 } said ? new SelectorAttributes(said) : null;

    private static SelectorRequirement RequirementOf(FieldTerm term) => new(term.Field, term.Equal ? "In" : "NotIn", [term.Value]);

    /// <summary>Null where reviews have no such operator. Each requirement only narrows, so that without it more is asked for than is given.</summary>
    private static SelectorRequirement? RequirementOf(LabelRequirement requirement) => requirement.Operator switch
    {
        LabelOperator.Equals or LabelOperator.DoubleEquals or LabelOperator.In => new(requirement.Key, "In", requirement.Values),
        LabelOperator.NotEquals or LabelOperator.NotIn => new(requirement.Key, "NotIn", requirement.Values),
        LabelOperator.Exists => new(requirement.Key, "Exists", Values: null),
        LabelOperator.DoesNotExist => new(requirement.Key, "DoesNotExist", Values: null),
        LabelOperator.GreaterThan or LabelOperator.LessThan => null,
        _ => throw new InvalidOperationException($"no such operator: {requirement.Operator}"),
    };

    private static int LengthOf(RequestInfo request) =>
        request.Namespace.Length + request.Verb.Length + request.Group.Length + request.Version.Length + request.Resource.Length
        + request.Subresource.Length + request.Name.Length + request.Path.Length;

    private static partial class Log
    {
        [LoggerMessage(
            Level = LogLevel.Error,
            Message = "Nobody could say whether {User} may {Verb} {Path}, so it was refused: {Cause} ({Unsaid} more since the last such line)")]
        public static partial void Failed(ILogger logger, string user, string verb, string path, string cause, long unsaid);
    }
}
