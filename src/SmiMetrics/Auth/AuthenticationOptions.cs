namespace SmiMetrics.Auth;

/// <summary>By what it is found out who makes a request.</summary>
internal sealed record AuthenticationOptions
{
    public static readonly TimeSpan DefaultTokenCacheTtl = TimeSpan.FromSeconds(10);

    /// <summary>Whether there is a cluster, whose ConfigMap says what the flags do not, and who knows tokens.</summary>
    public bool HasCluster { get; init; } = true;

    public FrontProxyOptions FrontProxy { get; init; } = new();

    /// <summary><c>--client-ca-file</c>: PEM bundle of who issues users' certificates, read again when it changes. Null: the ConfigMap counts.</summary>
    public string? ClientCaFile { get; init; }

    /// <summary><c>--authentication-token-webhook-cache-ttl</c>: how long kube-apiserver's word on a token is kept, good or bad.</summary>
    public TimeSpan TokenCacheTtl { get; init; } = DefaultTokenCacheTtl;

    /// <summary>Whether the ConfigMap has anything to say.</summary>
    public bool NeedsConfigMap => HasCluster && (FrontProxy.RequestHeaderClientCaFile is null || ClientCaFile is null);
}

/// <summary>
/// The <c>--requestheader-*</c> flags. They take the place of the cluster's ConfigMap as a whole, and only if
/// <see cref="RequestHeaderClientCaFile"/> is given.
/// </summary>
internal sealed record FrontProxyOptions
{
    /// <summary><c>--requestheader-client-ca-file</c>: PEM bundle, read again when it changes. Null: the ConfigMap counts.</summary>
    public string? RequestHeaderClientCaFile { get; init; }

    /// <summary><c>--requestheader-allowed-names</c>: common names of front proxies; empty allows any that the bundle vouches for.</summary>
    public IReadOnlyList<string> AllowedNames { get; init; } = [];

    /// <summary><c>--requestheader-username-headers</c>.</summary>
    public IReadOnlyList<string> UsernameHeaders { get; init; } = ["x-remote-user"];

    /// <summary><c>--requestheader-group-headers</c>.</summary>
    public IReadOnlyList<string> GroupHeaders { get; init; } = ["x-remote-group"];

    /// <summary><c>--requestheader-extra-headers-prefix</c>.</summary>
    public IReadOnlyList<string> ExtraHeadersPrefix { get; init; } = ["x-remote-extra-"];

    /// <summary>
    /// <c>--requestheader-uid-headers</c>. None by default, as in Kubernetes: a front proxy that does not know the header does not remove
    /// a caller's own either.
    /// </summary>
    public IReadOnlyList<string> UidHeaders { get; init; } = [];
}
