using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using SmiMetrics.Transport;

namespace SmiMetrics.Auth;

/// <summary>The serving certificate cannot be had. The message names the flag and the file.</summary>
internal sealed class ServingCertificateException(string message, Exception? innerException) : Exception(message, innerException);

/// <summary>
/// The certificate that new HTTPS connections get. The files' contents are compared every five seconds, which also sees the swapped symbolic
/// links of a mounted Secret; whatever does not load leaves the last good pair in use. Existing connections keep theirs (as in
/// apiserver <c>pkg/server/dynamiccertificates</c>).
/// </summary>
internal sealed partial class ServingCertificate : PolledFiles
{
    /// <summary>A self-signed certificate with less than this left is replaced.</summary>
    private static readonly TimeSpan RenewBefore = TimeSpan.FromDays(7);

    private readonly TimeProvider _time;
    private readonly ILogger<ServingCertificate> _logger;
    private readonly bool _selfSigned;
    private readonly string _certificateFile;
    private readonly string _keyFile;
    private readonly string _certificateFlag;
    private readonly string _keyFlag;

    private volatile Pair? _current;
    private string? _lastFault;

    /// <summary>Loads the certificate, or makes one.</summary>
    /// <exception cref="ServingCertificateException">It cannot be loaded or made.</exception>
    public ServingCertificate(ServingOptions options, TimeProvider time, ILogger<ServingCertificate> logger) : base(time, EveryFiveSeconds)
    {
        _time = time;
        _logger = logger;
        _selfSigned = options.TlsCertFile is null;
        _certificateFile = options.TlsCertFile ?? Path.Combine(options.CertDir, "apiserver.crt");
        _keyFile = _selfSigned ? Path.Combine(options.CertDir, "apiserver.key") : options.TlsPrivateKeyFile ?? "";
        _certificateFlag = _selfSigned ? "--cert-dir" : "--tls-cert-file";
        _keyFlag = _selfSigned ? "--cert-dir" : "--tls-private-key-file";

        if (_selfSigned)
        {
            ReuseOrMake();
        }
        else
        {
            _current = Load(Read());
        }
    }

    /// <summary>The certificate with the intermediates that are sent along.</summary>
    public SslStreamCertificateContext Context => _current!.Context;

    public override void Refresh()
    {
        try
        {
            if (_selfSigned && NearItsEnd(_current!))
            {
                Make();
                return;
            }

            Source source = Read();
            if (source == _current!.Source)
            {
                _lastFault = null;
                return;
            }

            _current = Load(source);
            _lastFault = null;
            Log.Reloaded(_logger, _certificateFile, _current.Context.TargetCertificate.NotAfter);
        }
        catch (ServingCertificateException e)
        {
            // A fault that lasts is one line, not one every time.
            if (e.Message != _lastFault)
            {
                _lastFault = e.Message;
                Log.NotReloaded(_logger, e.Message);
            }
        }
    }

    private void ReuseOrMake()
    {
        if (File.Exists(_certificateFile) && File.Exists(_keyFile))
        {
            try
            {
                Pair found = Load(Read());
                if (!NearItsEnd(found))
                {
                    _current = found;
                    return;
                }
            }
            catch (ServingCertificateException e)
            {
                Log.NotReused(_logger, e.Message);
            }
        }

        Make();
    }

    private void Make()
    {
        try
        {
            SelfSignedCertificate.Write(_certificateFile, _keyFile, _time.GetUtcNow());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string directory = Path.GetDirectoryName(_certificateFile)!;
            throw new ServingCertificateException($"--cert-dir: no certificate can be made in {directory}: {e.Message}", e);
        }

        _current = Load(Read());
        Log.Made(_logger, _certificateFile, _current.Context.TargetCertificate.NotAfter);
    }

    private bool NearItsEnd(Pair pair)
    {
        X509Certificate2 leaf = pair.Context.TargetCertificate;
        DateTime now = _time.GetUtcNow().UtcDateTime;
        return leaf.NotAfter.ToUniversalTime() - now <= RenewBefore || leaf.NotBefore.ToUniversalTime() > now;
    }

    private Source Read() => new(Read(_certificateFlag, _certificateFile), Read(_keyFlag, _keyFile));

    private static string Read(string flag, string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ServingCertificateException($"{flag}: {file} cannot be read: {e.Message}", e);
        }
    }

    private Pair Load(Source source)
    {
        X509Certificate2Collection chain;
        try
        {
            chain = PemBundle.Parse(source.Certificate);
        }
        catch (CryptographicException e)
        {
            throw new ServingCertificateException($"{_certificateFlag}: {_certificateFile}: {e.Message}", e);
        }

        try
        {
            X509Certificate2 leaf = X509Certificate2.CreateFromPem(source.Certificate, source.Key);
            chain.RemoveAt(0);
            // Offline: the peer is sent what the file has, and nothing is fetched from addresses that certificates mention.
            return new Pair(source, SslStreamCertificateContext.Create(leaf, chain, offline: true));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new ServingCertificateException($"{_keyFlag}: {_keyFile} does not fit {_certificateFile}: {e.Message}", e);
        }
    }

    private sealed record Source(string Certificate, string Key)
    {
        // A record prints its properties, and one of these is a private key.
        public override string ToString() => nameof(Source);
    }

    private sealed record Pair(Source Source, SslStreamCertificateContext Context);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "Serving certificate made: {File}, valid until {NotAfter:u}")]
        public static partial void Made(ILogger logger, string file, DateTime notAfter);

        [LoggerMessage(Level = LogLevel.Information, Message = "Serving certificate reloaded from {File}, valid until {NotAfter:u}")]
        public static partial void Reloaded(ILogger logger, string file, DateTime notAfter);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The serving certificate in use stays, as the new one does not load: {Fault}")]
        public static partial void NotReloaded(ILogger logger, string fault);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The self-signed certificate of an earlier run is replaced: {Fault}")]
        public static partial void NotReused(ILogger logger, string fault);
    }
}
