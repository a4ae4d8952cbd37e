using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace SmiMetrics.Tests.Transport;

/// <summary>A certificate authority that is good for an hour, and issues certificates for localhost.</summary>
internal sealed class Authority : IDisposable
{
    private static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    private readonly X509Certificate2 _certificate;

    /// <param name="above">Who signs it; null for itself.</param>
    public Authority(string name, Authority? above = null)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        (DateTimeOffset from, DateTimeOffset to) = (Now.AddHours(-1), Now.AddHours(1));
        _certificate = above is null
            ? request.CreateSelfSigned(from, to)
            : request.Create(above._certificate, from, to, RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
    }

    public string Pem => _certificate.ExportCertificatePem() + "\n";

    public bool Issued(X509Certificate2 certificate)
    {
        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.CustomTrustStore.Add(_certificate);
        return chain.Build(certificate);
    }

    public X509Certificate2 Issue(string name) => Issue(name, Now.AddMinutes(50));

    public X509Certificate2 Issue(string name, DateTimeOffset notAfter)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(name, key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 signed = request.Create(_certificate, Now.AddHours(-1), notAfter, RandomNumberGenerator.GetBytes(8));
        return signed.CopyWithPrivateKey(key);
    }

    public void Dispose() => _certificate.Dispose();
}

/// <summary>An HTTPS server on this machine.</summary>
internal sealed class TlsServer(WebApplication application, X509Certificate2 certificate) : IAsyncDisposable
{
    /// <summary>By the name that certificates are for.</summary>
    public string Url => application.Urls.Single().Replace("127.0.0.1", "localhost", StringComparison.Ordinal);

    /// <param name="clients">Whose clients are let in; null for any, without a certificate.</param>
    public static Task<TlsServer> StartAsync(Authority authority, Authority? clients, RequestDelegate answer) =>
        StartAsync(authority.Issue("CN=localhost"), clients, answer);

    public static async Task<TlsServer> StartAsync(X509Certificate2 certificate, Authority? clients, RequestDelegate answer)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = clients is null ? ClientCertificateMode.NoCertificate : ClientCertificateMode.RequireCertificate;
            https.ClientCertificateValidation = (client, _, _) => clients!.Issued(client);
        })));
        WebApplication application = builder.Build();
        application.Run(answer);
        await application.StartAsync(TestContext.Current.CancellationToken);
        return new TlsServer(application, certificate);
    }

    public async ValueTask DisposeAsync()
    {
        await application.DisposeAsync();
        certificate.Dispose();
    }
}
