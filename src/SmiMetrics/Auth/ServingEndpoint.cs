using System.Diagnostics.CodeAnalysis;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace SmiMetrics.Auth;

/// <summary>
/// How Kestrel serves an aggregated API: TLS that asks for a client certificate and judges none, and limits that kube-apiserver fits into.
/// </summary>
internal static class ServingEndpoint
{
    /// <summary>Real chains have one or two; more than this is somebody making work.</summary>
    private const int MaxIntermediates = 8;

    /// <summary>No request has a body that is read; what kubectl sends along with a DELETE is smaller, and skipped.</summary>
    private const long MaxRequestBody = 64 * 1024;

    /// <summary>
    /// Serves TLS with the certificate of the moment. A client certificate is requested but neither required nor verified here: that is
    /// the authenticators' work, whose trust changes at run time. Every server name is accepted, because kube-apiserver's availability
    /// probe sends an address or none.
    /// </summary>
    [SuppressMessage("Security", "CA5359", Justification = "Trust changes at run time: the authenticators judge.")]
    public static ListenOptions UseServingCertificate(this ListenOptions listen, ServingCertificate certificate, TlsVersion minimum)
    {
        SslProtocols protocols = minimum == TlsVersion.VersionTLS13 ? SslProtocols.Tls13 : SslProtocols.Tls12 | SslProtocols.Tls13;
        listen.Protocols = HttpProtocols.Http1AndHttp2;
        return listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            OnConnection = context =>
            {
                PresentedCertificates presented = new();
                context.Connection.Features.Set(presented);
                return ValueTask.FromResult(new SslServerAuthenticationOptions
                {
                    ServerCertificateContext = certificate.Context,
                    EnabledSslProtocols = protocols,
                    ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
                    ClientCertificateRequired = true,
                    RemoteCertificateValidationCallback = (_, _, chain, _) =>
                    {
                        presented.Intermediates = Copy(chain);
                        return true;
                    },
                    // The handshake builds a chain whose result nobody looks at: it must not fetch what a stranger's certificate points to.
                    CertificateChainPolicy = new X509ChainPolicy
                    {
                        RevocationMode = X509RevocationMode.NoCheck,
                        DisableCertificateDownloads = true,
                        TrustMode = X509ChainTrustMode.CustomRootTrust,
                    },
                    // A resumed session would have the leaf but not its intermediates; a renegotiated one could have another leaf.
                    AllowTlsResume = false,
                    AllowRenegotiation = false,
                });
            },
        });
    }

    /// <summary>
    /// Raises the limits that users with hundreds of groups, and one connection for all users of a kube-apiserver, would run into; Go's
    /// server has 1 MiB of headers and 1000 streams. Lowers the one for bodies. Also keeps Kestrel from naming itself.
    /// </summary>
    public static void UseServingLimits(this KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestHeaderCount = 2_000;
        kestrel.Limits.MaxRequestHeadersTotalSize = 1024 * 1024;
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 128 * 1024;
        kestrel.Limits.Http2.MaxStreamsPerConnection = 1_000;
        kestrel.Limits.MaxRequestBodySize = MaxRequestBody;
    }

    // Copied, because SslStream disposes of the originals after the handshake.
    private static byte[][] Copy(X509Chain? chain) =>
        chain is null ? [] : [.. chain.ChainPolicy.ExtraStore.Take(MaxIntermediates).Select(certificate => certificate.RawData)];
}
