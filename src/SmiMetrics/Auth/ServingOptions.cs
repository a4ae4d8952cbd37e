using System.Net;

namespace SmiMetrics.Auth;

/// <summary>The values of <c>--tls-min-version</c>, spelt as Kubernetes spells them.</summary>
internal enum TlsVersion
{
    VersionTLS12,
    VersionTLS13,
}

/// <summary>Where and with what certificate HTTPS is served.</summary>
internal sealed record ServingOptions
{
    /// <summary><c>--secure-port</c>; 0 lets the system choose.</summary>
    public int SecurePort { get; init; } = 6443;

    /// <summary><c>--bind-address</c>.</summary>
    public IPAddress BindAddress { get; init; } = IPAddress.Any;

    /// <summary><c>--tls-cert-file</c>: PEM, the leaf first, then its intermediates. Null: one is made in <see cref="CertDir"/>.</summary>
    public string? TlsCertFile { get; init; }

    /// <summary><c>--tls-private-key-file</c>: PEM, RSA or EC, not encrypted. Given with <see cref="TlsCertFile"/> or not at all.</summary>
    public string? TlsPrivateKeyFile { get; init; }

    /// <summary><c>--cert-dir</c>: where <c>apiserver.crt</c> and <c>apiserver.key</c> are made when no files are given.</summary>
    public string CertDir { get; init; } = "apiserver.local.config/certificates";

    /// <summary><c>--tls-min-version</c>.</summary>
    public TlsVersion TlsMinVersion { get; init; } = TlsVersion.VersionTLS12;
}
