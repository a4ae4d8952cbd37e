using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>The values of <c>--authorization-mode</c>.</summary>
internal enum AuthorizationMode
{
    /// <summary>kube-apiserver is asked.</summary>
    Delegated,

    /// <summary>Whoever proves to be somebody may do everything.</summary>
    AlwaysAllow,
}

/// <summary>How it is found out who may do what.</summary>
internal sealed record AuthorizationOptions
{
    public static readonly TimeSpan DefaultTtl = TimeSpan.FromSeconds(10);

    /// <summary><c>--authorization-mode</c>.</summary>
    public AuthorizationMode Mode { get; init; } = AuthorizationMode.Delegated;

    /// <summary><c>--authorization-webhook-cache-authorized-ttl</c>: how long a right that was taken away still works.</summary>
    public TimeSpan AuthorizedTtl { get; init; } = DefaultTtl;

    /// <summary><c>--authorization-webhook-cache-unauthorized-ttl</c>: how long a right that was given does not work yet.</summary>
    public TimeSpan UnauthorizedTtl { get; init; } = DefaultTtl;

    /// <summary><c>--authorization-always-allow-paths</c>: open to anybody. A <c>*</c> at the end stands for whatever follows.</summary>
    public IReadOnlyList<string> AlwaysAllowPaths { get; init; } = ["/healthz", "/readyz", "/livez"];

    /// <summary>Whether it is one of these paths. A resource never is.</summary>
    public bool IsAlwaysAllowed(RequestInfo request) => !request.IsResourceRequest && AlwaysAllowPaths.Any(path =>
        path.EndsWith('*') ? Plain(request.Path).StartsWith(Plain(path[..^1]), StringComparison.Ordinal) : Plain(request.Path) == Plain(path));

    private static string Plain(string path) => path.StartsWith('/') ? path[1..] : path;
}
