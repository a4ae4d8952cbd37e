using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace SmiMetrics.Prometheus;

/// <summary>
/// The real transport behind the <c>prometheus</c> door: connections, name resolution and TLS. Certificates are read again at
/// most once a minute; when they have changed, new connections use the new ones.
/// </summary>
internal sealed class PrometheusHandler : HttpMessageHandler
{
    /// <summary>After it a connection is made anew, and with it the name resolved.</summary>
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);

    private readonly PrometheusOptions _options;
    private readonly RereadFile? _ca;
    private readonly RereadFile? _certificate;
    private readonly RereadFile? _key;
    private readonly Lock _lock = new();
    private Transport? _transport;

    public PrometheusHandler(PrometheusOptions options, TimeProvider timeProvider)
    {
        _options = options;
        _ca = options.CaFile is null ? null : new RereadFile(options.CaFile, timeProvider);
        _certificate = options.ClientCertFile is null ? null : new RereadFile(options.ClientCertFile, timeProvider);
        _key = options.ClientKeyFile is null ? _certificate : new RereadFile(options.ClientKeyFile, timeProvider);
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        Current().Invoker.SendAsync(request, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _transport?.Invoker.Dispose();
        }

        base.Dispose(disposing);
    }

    private Transport Current()
    {
        try
        {
            byte[]? ca = _ca?.Content;
            byte[]? certificate = _certificate?.Content;
            byte[]? key = _key?.Content;
            lock (_lock)
            {
                if (_transport is null || _transport.Ca != ca || _transport.Certificate != certificate || _transport.Key != key)
                {
                    // The one before is not disposed: requests may be under way on it. Its idle connections close themselves.
                    _transport = new Transport(new HttpMessageInvoker(Build(ca, certificate, key)), ca, certificate, key);
                }

                return _transport;
            }
        }
        catch (CryptographicException) when (_transport is not null)
        {
            // A certificate whose key has not been written yet: the pair before it works, and these files are read again in a moment.
            return _transport;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new UpstreamException(UpstreamFailure.AccessDenied, "the certificate files cannot be read", e);
        }
    }

    private SocketsHttpHandler Build(byte[]? ca, byte[]? certificate, byte[]? key)
    {
        SocketsHttpHandler handler = new()
        {
            PooledConnectionLifetime = ConnectionLifetime,
            // A host that swallows packets must leave time for a second attempt.
            ConnectTimeout = _options.Timeout / 2,
            // On the same machine compressing costs more than it saves; over a network it divides the body by 6 to 17.
            AutomaticDecompression = _options.Urls.All(url => new Uri(url).IsLoopback) ? DecompressionMethods.None : DecompressionMethods.GZip,
            // Our headers are meant for the configured host alone, and a redirected POST would lose its body.
            AllowAutoRedirect = false,
            UseCookies = false,
        };
        if (ca is not null)
        {
            X509ChainPolicy policy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPem(Encoding.UTF8.GetString(ca));
            policy.DisableCertificateDownloads = true;
            if (policy.CustomTrustStore.Count == 0)
            {
                throw new CryptographicException("there is no certificate in the CA file");
            }

            handler.SslOptions.CertificateChainPolicy = policy;
        }

        if (certificate is not null && key is not null)
        {
            string pem = Encoding.UTF8.GetString(certificate);
            X509Certificate2Collection intermediates = [];
            intermediates.ImportFromPem(pem);
            handler.SslOptions.ClientCertificateContext = SslStreamCertificateContext.Create(
                X509Certificate2.CreateFromPem(pem, Encoding.UTF8.GetString(key)), [.. intermediates.Skip(1)], offline: true);
        }

        return handler;
    }

    private sealed record Transport(HttpMessageInvoker Invoker, byte[]? Ca, byte[]? Certificate, byte[]? Key);
}
