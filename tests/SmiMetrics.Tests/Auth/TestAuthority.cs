using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Tests.Auth;

/// <summary>A certificate authority of a test, and what it issues. Certificates carry their keys.</summary>
internal sealed class TestAuthority
{
    public const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    public const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";
    public const string AnyUsage = "2.5.29.37.0";

    /// <summary>The clock of these tests. Authorities are good for years around it, what they issue for a day.</summary>
    public static readonly DateTimeOffset Now = new(2031, 5, 17, 11, 43, 7, TimeSpan.Zero);

    private TestAuthority(X509Certificate2 certificate) => Certificate = certificate;

    public X509Certificate2 Certificate { get; }

    public string Pem => Certificate.ExportCertificatePem() + "\n";

    public static TestAuthority Root(string name)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = AuthorityRequest(name, key);
        return new TestAuthority(request.CreateSelfSigned(Now.AddYears(-5), Now.AddYears(5)));
    }

    public TestAuthority Intermediate(string name)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = AuthorityRequest(name, key);
        return new TestAuthority(Sign(request, Now.AddYears(-4), Now.AddYears(4)).CopyWithPrivateKey(key));
    }

    /// <param name="usages">Extended key usages; none leaves the extension out.</param>
    public X509Certificate2 Issue(string subject, params string[] usages) => Issue(subject, Now.AddHours(-12), Now.AddHours(12), usages);

    public X509Certificate2 Issue(string subject, DateTimeOffset notBefore, DateTimeOffset notAfter, params string[] usages) =>
        Issue(new X500DistinguishedName(subject), notBefore, notAfter, usages);

    public X509Certificate2 Issue(string subject, X509Extension extension)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(extension);
        return Sign(request, Now.AddHours(-12), Now.AddHours(12)).CopyWithPrivateKey(key);
    }

    public X509Certificate2 Issue(X500DistinguishedName subject, DateTimeOffset notBefore, DateTimeOffset notAfter, params string[] usages)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        AddUsages(request, usages);
        return Sign(request, notBefore, notAfter).CopyWithPrivateKey(key);
    }

    /// <summary>A serving certificate for localhost and 127.0.0.1.</summary>
    public X509Certificate2 IssueServing(AsymmetricAlgorithm key)
    {
        X500DistinguishedName subject = new("CN=localhost");
        CertificateRequest request = key is RSA rsa
            ? new CertificateRequest(subject, rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            : new CertificateRequest(subject, (ECDsa)key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        X509Certificate2 certificate = Sign(request, Now.AddDays(-30), Now.AddDays(30));
        return key is RSA ? certificate.CopyWithPrivateKey((RSA)key) : certificate.CopyWithPrivateKey((ECDsa)key);
    }

    /// <summary>A certificate that says it was issued by <paramref name="issuer"/> but was signed with a key of the forger's own.</summary>
    public static X509Certificate2 Forge(string subject, X509Certificate2 issuer) =>
        IssueInTheNameOf(issuer, subject, ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>A certificate that is correctly signed with the key of one that may not sign any.</summary>
    public static X509Certificate2 Usurp(string subject, X509Certificate2 leaf) => IssueInTheNameOf(leaf, subject, leaf.GetECDsaPrivateKey()!);

    private static X509Certificate2 IssueInTheNameOf(X509Certificate2 issuer, string subject, ECDsa signer)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(subject, key, HashAlgorithmName.SHA256);
        AddUsages(request, [ClientAuthentication]);
        X509Certificate2 certificate = request.Create(
            issuer.SubjectName, X509SignatureGenerator.CreateForECDsa(signer), Now.AddHours(-12), Now.AddHours(12), RandomNumberGenerator.GetBytes(12));
        return certificate.CopyWithPrivateKey(key);
    }

    private X509Certificate2 Sign(CertificateRequest request, DateTimeOffset notBefore, DateTimeOffset notAfter) =>
        request.Create(
            Certificate.SubjectName,
            X509SignatureGenerator.CreateForECDsa(Certificate.GetECDsaPrivateKey()!),
            notBefore,
            notAfter,
            RandomNumberGenerator.GetBytes(12));

    private static CertificateRequest AuthorityRequest(string name, ECDsa key)
    {
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        return request;
    }

    private static void AddUsages(CertificateRequest request, string[] usages)
    {
        if (usages.Length > 0)
        {
            OidCollection oids = [];
            foreach (string usage in usages)
            {
                oids.Add(new Oid(usage));
            }

            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension(oids, critical: false));
        }
    }
}
