using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Auth;

/// <summary>
/// Makes the certificate that is served when none is given, as Kubernetes' generic server does (client-go <c>util/cert/cert.go</c>):
/// good for one year, for the names below.
/// </summary>
internal static class SelfSignedCertificate
{
    private const UnixFileMode OwnerOnlyFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode OwnerOnlyDirectory = OwnerOnlyFile | UnixFileMode.UserExecute;
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>What kube-apiserver verifies the certificate against: the Service that our manifests create.</summary>
    private const string ServiceName = "smi-metrics.smi-metrics.svc";

    private static readonly TimeSpan Lifetime = TimeSpan.FromDays(365);

    /// <summary>Clocks of other machines may be behind ours.</summary>
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(5);

    /// <summary>Makes a pair and puts it into the two files, each of them whole or not at all, the key readable by its owner only.</summary>
    public static void Write(string certificateFile, string keyFile, DateTimeOffset now)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 certificate = Make(key, now);

        CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(certificateFile))!);
        // A crash between the two leaves a pair that does not match, which the next start replaces.
        Replace(keyFile, key.ExportPkcs8PrivateKeyPem());
        Replace(certificateFile, certificate.ExportCertificatePem());
    }

    private static X509Certificate2 Make(ECDsa key, DateTimeOffset now)
    {
        string host = Dns.GetHostName();
        X500DistinguishedNameBuilder subject = new();
        // The common name is at most 64 characters (RFC 5280); host names may be longer.
        subject.AddCommonName($"{host[..Math.Min(host.Length, 48)]}@{now.ToUnixTimeSeconds()}");

        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        names.AddDnsName(ServiceName);
        if (!IPAddress.TryParse(host, out _) && host != "localhost")
        {
            names.AddDnsName(host);
        }

        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);

        CertificateRequest request = new(subject.Build(), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(ServerAuthentication)], critical: false));
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(now - ClockSkew, now + Lifetime);
    }

    private static void CreateDirectory(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(directory);
        }
        else
        {
            Directory.CreateDirectory(directory, OwnerOnlyDirectory);
        }
    }

    private static void Replace(string file, string pem)
    {
        string unfinished = file + ".new";
        // The mode counts for a new file only; one that a crash left behind may have any.
        File.Delete(unfinished);
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnlyFile;
        }

        using (StreamWriter writer = new(unfinished, options))
        {
            writer.Write(pem);
            writer.Write('\n');
        }

        File.Move(unfinished, file, overwrite: true);
    }
}
