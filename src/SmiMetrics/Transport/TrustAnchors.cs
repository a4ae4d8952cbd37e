using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Transport;

/// <summary>
/// Verifies servers by a bundle of authorities as Go does, and with it kubectl and Prometheus: any certificate of the bundle is an
/// anchor, also one that another authority has signed. To .NET only a self-signed one is, and the rest are partial chains.
/// </summary>
internal static class TrustAnchors
{
    /// <summary>Makes these authorities the only ones that connections with <paramref name="options"/> trust.</summary>
    public static void TrustOnly(X509Certificate2Collection authorities, SslClientAuthenticationOptions options)
    {
        options.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        options.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        options.RemoteCertificateValidationCallback = (_, _, chain, errors) =>
            errors == SslPolicyErrors.None || (errors == SslPolicyErrors.RemoteCertificateChainErrors && EndsIn(authorities, chain));
    }

    // The engine has verified signatures, dates and usages up to the last certificate; that it is an anchor is all that it cannot see.
    private static bool EndsIn(X509Certificate2Collection authorities, X509Chain? chain) =>
        chain is { ChainElements.Count: > 0 }
        && chain.ChainStatus.All(status => status.Status is X509ChainStatusFlags.PartialChain)
        && authorities.Any(authority => authority.RawDataMemory.Span.SequenceEqual(chain.ChainElements[^1].Certificate.RawDataMemory.Span));
}
