using System.Diagnostics.CodeAnalysis;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace SmiMetrics.Auth;

/// <summary>
/// How Kestrel serves an aggregated API: TLS that asks for a client certificate and judges none, and limits that kube-apiserver fits into, whoever its users are.
/// </summary>
internal static class ServingEndpoint
{
    /// <summary>Real chains have one or two; more than this is somebody making work.</summary>
    private const int MaxIntermediates = 8;

    /// <summary>
    /// In bytes, with 32 for each header (RFC 9113 section 6.5.2). Thousands of groups fit, or a URL of 200 kB, which kube-apiserver repeats in a header; Go's
    /// own server takes twice as much.
    /// </summary>
    private const int MaxRequestHeaders = 512 * 1024;

    /// <summary>What a header counts at least: 32 bytes and a letter.</summary>
    private const int SmallestHeader = 33;

    /// <summary>Requests at a time on one connection; as Go's server. kube-apiserver makes further connections when these are taken.</summary>
    private const int MaxStreams = 250;

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
    /// Lets kube-apiserver's one connection for all users live through whatever one of them sends. Kestrel ends an HTTP/2 connection, with everybody's
    /// requests on it, for what is the fault of one request: a header that is not UTF-8, a long one, many. So every header is taken as bytes, and the total
    /// is the only limit that can be reached: kube-apiserver is told of it (SETTINGS_MAX_HEADER_LIST_SIZE), and itself refuses a request beyond it. Also skips
    /// bodies, and keeps Kestrel from naming itself.
    /// </summary>
    public static void UseServingLimits(this KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        // One byte, one character: nothing that cannot be read. Whoever reads names reads them as UTF-8 again.
        kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxRequestHeaders;
        kestrel.Limits.MaxRequestHeaderCount = MaxRequestHeaders / SmallestHeader;
        // Up to twice the total Kestrel reads a request and then refuses it alone.
        kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 2 * MaxRequestHeaders;
        kestrel.Limits.MaxRequestLineSize = MaxRequestHeaders;
        kestrel.Limits.Http2.MaxStreamsPerConnection = MaxStreams;
        kestrel.Limits.MaxRequestBodySize = MaxRequestBody;
    }

    // Copied, because SslStream disposes of the originals after the handshake.
    private static byte[][] Copy(X509Chain? chain) =>
        chain is null ? [] : [.. chain.ChainPolicy.ExtraStore.Take(MaxIntermediates).Select(certificate => certificate.RawData)];
}
