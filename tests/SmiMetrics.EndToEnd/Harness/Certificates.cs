using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>A certificate and its key as PEM texts, and as files for programs that want files.</summary>
internal sealed record KeyPair(string Certificate, string Key, string CertificateFile, string KeyFile)
{
    public X509Certificate2 Load() => X509Certificate2.CreateFromPem(Certificate, Key);
}

/// <summary>A certificate authority of one test run.</summary>
internal sealed class CertificateAuthority
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";

    private readonly Workspace _workspace;
    private readonly X509Certificate2 _authority;
    private readonly string _name;
    private readonly DateTimeOffset _begin = TimeProvider.System.GetUtcNow().AddMinutes(-5);
    private readonly DateTimeOffset _end = TimeProvider.System.GetUtcNow().AddDays(1);

    public CertificateAuthority(Workspace workspace, string name)
    {
        (_workspace, _name) = (workspace, name);
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        _authority = request.CreateSelfSigned(_begin, _end);
        Certificate = _authority.ExportCertificatePem();
        File = workspace.Write($"certificates/{name}.crt", Certificate);
    }

    public string Certificate { get; }

    public string File { get; }

    /// <summary>A client certificate: Kubernetes takes the common name for the user and the organisations for the groups.</summary>
    public KeyPair ForUser(string user, params string[] groups) => Issue(user, groups, ClientAuthentication, []);

    /// <summary>A serving certificate.</summary>
    public KeyPair ForServer(string name, params string[] dnsNames) => Issue(name, [], ServerAuthentication, dnsNames);

    private KeyPair Issue(string commonName, string[] organisations, string usage, string[] dnsNames)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        X500DistinguishedNameBuilder subject = new();
        foreach (string organisation in organisations)
        {
            subject.AddOrganizationName(organisation);
        }

        subject.AddCommonName(commonName);
        CertificateRequest request = new(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], critical: false));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(_authority, true, false));
        if (dnsNames.Length > 0)
        {
            SubjectAlternativeNameBuilder names = new();
            names.AddIpAddress(IPAddress.Loopback);
            foreach (string name in dnsNames)
            {
                names.AddDnsName(name);
            }

            request.CertificateExtensions.Add(names.Build());
        }

        using X509Certificate2 certificate = request.Create(_authority, _begin, _end, RandomNumberGenerator.GetBytes(8));
        string pem = certificate.ExportCertificatePem();
        string keyPem = key.ExportPkcs8PrivateKeyPem();
        // A file of its own for each: kube-apiserver reads its client certificate again while it runs.
        string file = $"certificates/{_name}/{commonName.Replace(':', '-')}-{Guid.NewGuid():N}";
        return new KeyPair(pem, keyPem, _workspace.Write($"{file}.crt", pem), _workspace.Write($"{file}.key", keyPem));
    }
}
