using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Auth;

/// <summary>The certificates of a PEM text: a certificate with its chain, or a bundle of certificate authorities.</summary>
internal static class PemBundle
{
    /// <summary>The certificates in their order; at least one.</summary>
    /// <exception cref="CryptographicException">There is none, one does not parse, or the text ends within one.</exception>
    public static X509Certificate2Collection Parse(string pem)
    {
        X509Certificate2Collection certificates = [];
        certificates.ImportFromPem(pem);

        // The import passes over a block that has no end, and a file that is being written looks just like that.
        int begun = pem.AsSpan().Count("-----BEGIN CERTIFICATE-----");
        if (certificates.Count < begun)
        {
            throw new CryptographicException($"only {certificates.Count} of {begun} certificates are complete");
        }

        return certificates.Count > 0 ? certificates : throw new CryptographicException("no PEM certificate in it");
    }
}
