using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Api;

/// <summary>
/// A Kubernetes <c>metav1.Status</c> failure: the form of every error of this API. Fields in the order that Go writes them
/// (apimachinery <c>pkg/apis/meta/v1/types.go</c>).
/// </summary>
internal sealed record Status
{
    public string Kind { get; init; } = "Status";

    public string ApiVersion { get; init; } = "v1";

    public EmptyMetadata Metadata { get; init; } = new();

    [JsonPropertyName("status")]
    public string Outcome { get; init; } = "Failure";

    public required string Message { get; init; }

    /// <summary>A <c>metav1.StatusReason</c>: clients branch on it, people do not read it.</summary>
    public required string Reason { get; init; }

    public StatusDetails? Details { get; init; }

    /// <summary>The HTTP status.</summary>
    public required int Code { get; init; }

    internal sealed record EmptyMetadata;

    public static Status BadRequest(string message) => new() { Code = 400, Reason = "BadRequest", Message = message };

    public static Status Unauthorized() => new() { Code = 401, Reason = "Unauthorized", Message = "Unauthorized" };

    /// <summary>In the very words of kube-apiserver (apiserver <c>pkg/endpoints/handlers/responsewriters/errors.go</c>), which usually says so first.</summary>
    /// <param name="reason">The authorizer's; may be empty.</param>
    public static Status Forbidden(string user, RequestInfo request, string reason)
    {
        string resource = request.Resource + (request.Subresource.Length > 0 ? "/" + request.Subresource : "");
        string scope = request.Namespace.Length > 0 ? $"in the namespace {Quoted(request.Namespace)}" : "at the cluster scope";
        string cannot = request.IsResourceRequest
            ? $"User {Quoted(user)} cannot {request.Verb} resource {Quoted(resource)} in API group {Quoted(request.Group)} {scope}"
            : $"User {Quoted(user)} cannot {request.Verb} path {Quoted(request.Path)}";
        // A browser shall not take it for HTML.
        cannot = cannot.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal);
        string kind = request.Group.Length > 0 ? $"{request.Resource}.{request.Group}" : request.Resource;
        string subject = !request.IsResourceRequest ? "forbidden"
            : request.Name.Length > 0 ? $"{kind} {Quoted(request.Name)} is forbidden"
            : $"{kind} is forbidden";
        return new()
        {
            Code = 403,
            Reason = "Forbidden",
            Message = $"{subject}: {cannot}{(reason.Length > 0 ? ": " + reason : "")}",
            Details = request.IsResourceRequest
                ? new StatusDetails { Name = request.Name.Length > 0 ? request.Name : null, Group = request.Group.Length > 0 ? request.Group : null, Kind = request.Resource }
                : new StatusDetails(),
        };
    }

    /// <param name="resource">The plural name: <c>details.kind</c> holds that, whatever it is called.</param>
    public static Status NotFound(string resource, string name) => new()
    {
        Code = 404,
        Reason = "NotFound",
        Message = $"{resource}.{TrafficApi.Group} \"{name}\" not found",
        Details = new StatusDetails { Name = name, Group = TrafficApi.Group, Kind = resource },
    };

    public static Status NamespaceNotFound(string name) => new()
    {
        Code = 404,
        Reason = "NotFound",
        Message = $"namespaces \"{name}\" not found",
        Details = new StatusDetails { Name = name, Kind = "namespaces" },
    };

    /// <summary>For what discovery does not list, and for what no mesh here can tell.</summary>
    public static Status NoSuchResource(string? because = null) => new()
    {
        Code = 404,
        Reason = "NotFound",
        Message = "the server could not find the requested resource" + (because is null ? "" : ": " + because),
        Details = new StatusDetails(),
    };

    public static Status MethodNotAllowed() => new()
    {
        Code = 405,
        Reason = "MethodNotAllowed",
        Message = "the server does not allow this method on the requested resource",
        Details = new StatusDetails(),
    };

    public static Status WatchNotSupported(string resource) => new()
    {
        Code = 405,
        Reason = "MethodNotAllowed",
        Message = $"watch is not supported on resources of kind \"{resource}.{TrafficApi.Group}\"",
        Details = new StatusDetails { Group = TrafficApi.Group, Kind = resource },
    };

    public static Status NotAcceptable(string message = $"only the following media types are accepted: {Answer.Json}, {Answer.Yaml}") => new()
    {
        Code = 406,
        Reason = "NotAcceptable",
        Message = message,
    };

    /// <summary>The pages of a list are gone. client-go's pager asks for the whole list then; kubectl get tells its user.</summary>
    public static Status Expired() => new()
    {
        Code = 410,
        Reason = "Expired",
        Message = "the list that the continue parameter belongs to is no longer kept: begin again without it",
    };

    /// <summary>With Retry-After, so clients repeat the request by themselves.</summary>
    public static Status TooManyRequests(int retryAfterSeconds) => new()
    {
        Code = 429,
        Reason = "TooManyRequests",
        Message = "Too many requests, please try again later.",
        Details = new StatusDetails { RetryAfterSeconds = retryAfterSeconds },
    };

    public static Status InternalError() => new()
    {
        Code = 500,
        Reason = "InternalError",
        Message = "Internal error occurred: see the server's log",
    };

    /// <summary>Nobody could say who the user is, or whether the user may.</summary>
    public static Status Unjudged() => ServiceUnavailable("kube-apiserver did not say in time whether this is allowed: try again, or see the server's log");

    /// <summary>As Go's <c>%q</c>.</summary>
    private static string Quoted(string text)
    {
        StringBuilder quoted = new("\"", text.Length + 2);
        foreach (char c in text)
        {
            _ = c switch
            {
                '"' or '\\' => quoted.Append('\\').Append(c),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                < ' ' or '\u007f' => quoted.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}"),
                _ when char.IsControl(c) => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>Without Retry-After: kubectl and the HPA would repeat the request for ten seconds before they said anything.</summary>
    public static Status ServiceUnavailable(string message) => new() { Code = 503, Reason = "ServiceUnavailable", Message = message };

    public static Status Timeout(string message) => new() { Code = 504, Reason = "Timeout", Message = message, Details = new StatusDetails() };
}

/// <summary>What the error is about, as <c>metav1.StatusDetails</c>.</summary>
internal sealed record StatusDetails
{
    public string? Name { get; init; }

    public string? Group { get; init; }

    public string? Kind { get; init; }

    /// <summary>When to come again; the answer's <c>Retry-After</c> says the same. Clients heed it, so only where coming again soon promises something.</summary>
    public int? RetryAfterSeconds { get; init; }
}

/// <summary>Ends a request with this Status.</summary>
internal sealed class StatusException(Status status) : Exception(status.Message)
{
    public Status Status { get; } = status;
}
