using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace SmiMetrics.Transport;

/// <summary>How a door reaches the other side: what its own options say, without the names of their flags.</summary>
internal sealed record TransportOptions
{
    /// <summary>PEM. Only what it holds is trusted then (<see cref="TrustAnchors"/>); the system's roots are not.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM, with any intermediate certificates after our own.</summary>
    public string? ClientCertFile { get; init; }

    /// <summary>PEM; null when the key is in <see cref="ClientCertFile"/> too.</summary>
    public string? ClientKeyFile { get; init; }

    /// <summary>How long making a connection may take.</summary>
    public required TimeSpan ConnectTimeout { get; init; }

    /// <summary>After it a connection is made anew, and with it the name resolved.</summary>
    public required TimeSpan ConnectionLifetime { get; init; }

    /// <summary>How long a connection without requests is kept.</summary>
    public required TimeSpan IdleTimeout { get; init; }

    /// <summary>Whether bodies are asked for compressed.</summary>
    public required bool Compression { get; init; }

    /// <summary>The HTTP proxy to go through, the environment's (<c>http_proxy</c>) unless it is said otherwise; null for none.</summary>
    public IWebProxy? Proxy { get; init; } = HttpClient.DefaultProxy;
}

/// <summary>
/// The real transport behind a door: connections, name resolution and TLS. Redirects are answers like any other, and cookies are
/// ignored. Certificates are read again at most once a minute; when they have changed, new connections use the new ones.
/// </summary>
/// <remarks>Besides what <see cref="SocketsHttpHandler"/> throws, sending throws <see cref="CredentialsException"/> when the files cannot be read.</remarks>
internal sealed class TransportHandler : HttpMessageHandler
{
    private readonly TransportOptions _options;
    private readonly RereadFile? _ca;
    private readonly RereadFile? _certificate;
    private readonly RereadFile? _key;
    private readonly Lock _lock = new();
    private volatile Connections? _connections;

    public TransportHandler(TransportOptions options, TimeProvider timeProvider)
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
            _connections?.Invoker.Dispose();
        }

        base.Dispose(disposing);
    }

    private Connections Current()
    {
        try
        {
            byte[]? ca = _ca?.Content;
            byte[]? certificate = _certificate?.Content;
            byte[]? key = _key?.Content;
            if (_connections is { } current && current.Use(ca, certificate, key))
            {
                return current;
            }

            lock (_lock)
            {
                if (_connections is null || !_connections.Use(ca, certificate, key))
                {
                    // The ones before are not disposed: requests may be under way on them. The idle ones close themselves.
                    _connections = new Connections(new HttpMessageInvoker(Build(ca, certificate, key)), ca, certificate, key);
                }

                return _connections;
            }
        }
        catch (CryptographicException) when (_connections is { } before)
        {
            // A certificate whose key has not been written yet: the pair before it works, and these files are read again in a moment.
            return before;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CredentialsException("the certificate files cannot be read", e);
        }
    }

    private SocketsHttpHandler Build(byte[]? ca, byte[]? certificate, byte[]? key)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectTimeout = _options.ConnectTimeout,
            PooledConnectionLifetime = _options.ConnectionLifetime,
            PooledConnectionIdleTimeout = _options.IdleTimeout,
            AutomaticDecompression = _options.Compression ? DecompressionMethods.GZip : DecompressionMethods.None,
            UseProxy = _options.Proxy is not null,
            Proxy = _options.Proxy,
            // Our headers are meant for the host that was named alone, and a redirected POST would lose its body.
            AllowAutoRedirect = false,
            UseCookies = false,
        };
        if (ca is not null)
        {
            X509Certificate2Collection authorities = [];
            authorities.ImportFromPem(Encoding.UTF8.GetString(ca));
            if (authorities.Count == 0)
            {
                throw new CryptographicException("there is no certificate in the CA file");
            }

            TrustAnchors.TrustOnly(authorities, handler.SslOptions);
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

    /// <summary>The connections that were made with these files' contents.</summary>
    private sealed record Connections(HttpMessageInvoker Invoker, byte[]? Ca, byte[]? Certificate, byte[]? Key)
    {
        public bool Use(byte[]? ca, byte[]? certificate, byte[]? key) => Ca == ca && Certificate == certificate && Key == key;
    }
}
