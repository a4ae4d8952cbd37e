using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Auth;

/// <summary>
/// Verifies a client certificate as Go's <c>x509.Certificate.Verify</c> does for Kubernetes (apiserver
/// <c>pkg/authentication/request/x509/x509.go</c>): to a bundle that changes at run time, at a given moment, without asking anybody.
/// </summary>
internal static class ClientCertificateChain
{
    private const string ClientAuthentication = "1.3.6.1.5.5.7.3.2";
    private const string AnyUsage = "2.5.29.37.0";
    private const string UnknownAuthority = "signed by an unknown authority";

    /// <summary>What became of a verification.</summary>
    /// <param name="Fault">Null if the leaf is vouched for; else why not, fit for a log.</param>
    /// <param name="NotAfter">The earliest end of the chain's certificates; of no meaning with a fault.</param>
    public readonly record struct Verification(string? Fault, DateTimeOffset NotAfter);

    /// <summary>Verifies the leaf, and only the leaf: the other presented certificates serve as links to the bundle and say nothing of the peer.</summary>
    public static Verification Verify(
        X509Certificate2 leaf, IReadOnlyList<byte[]> presented, IReadOnlyList<X509Certificate2> bundle, DateTimeOffset now)
    {
        X509Certificate2Collection intermediates = [];
        try
        {
            AddIntermediates(intermediates, presented);
            string? fault = null;
            // One at a time: authorities that follow each other often have the same name, and a chain engine that is given both may
            // settle for the wrong one.
            foreach (X509Certificate2 authority in bundle)
            {
                Verification verification = Verify(leaf, intermediates, authority, now);
                if (verification.Fault is null)
                {
                    return verification;
                }

                fault ??= verification.Fault == UnknownAuthority ? null : verification.Fault;
            }

            return new Verification(fault ?? UnknownAuthority, default);
        }
        catch (CryptographicException)
        {
            // .NET reads a certificate bit by bit, when a property is first asked for; a stranger may have put anything there.
            return new Verification("malformed certificate", default);
        }
        finally
        {
            foreach (X509Certificate2 intermediate in intermediates)
            {
                intermediate.Dispose();
            }
        }
    }

    private static Verification Verify(
        X509Certificate2 leaf, X509Certificate2Collection intermediates, X509Certificate2 authority, DateTimeOffset now)
    {
        using X509Chain chain = new();
        X509ChainPolicy policy = chain.ChainPolicy;
        policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        policy.CustomTrustStore.Add(authority);
        policy.ExtraStore.AddRange(intermediates);
        policy.RevocationMode = X509RevocationMode.NoCheck;
        policy.DisableCertificateDownloads = true;
        policy.VerificationTime = now.UtcDateTime;
        // .NET calls a chain to an authority that is not self-signed partial; for Go every certificate of the bundle is a root. Hence the
        // root is not left to the chain engine but looked for below, by its bytes. Signatures, dates and constraints remain the engine's.
        policy.VerificationFlags = X509VerificationFlags.AllowUnknownCertificateAuthority;

        bool built = chain.Build(leaf);
        try
        {
            ReadOnlySpan<byte> root = authority.RawDataMemory.Span;
            DateTime notAfter = DateTime.MaxValue;
            bool rooted = false;
            foreach (X509ChainElement element in chain.ChainElements)
            {
                DateTime end = element.Certificate.NotAfter.ToUniversalTime();
                notAfter = end < notAfter ? end : notAfter;
                rooted |= element.Certificate.RawDataMemory.Span.SequenceEqual(root);
            }

            if (!rooted)
            {
                return new Verification(UnknownAuthority, default);
            }

            if (!built)
            {
                return new Verification(Describe(chain.ChainStatus), default);
            }

            return chain.ChainElements.All(element => AllowsClientAuthentication(element.Certificate))
                ? new Verification(null, new DateTimeOffset(notAfter))
                : new Verification("not for client authentication", default);
        }
        finally
        {
            foreach (X509ChainElement element in chain.ChainElements)
            {
                element.Certificate.Dispose();
            }
        }
    }

    /// <summary>
    /// Go's rule: a certificate that lists usages must list this one or any; one that lists none is good for all. It binds authorities, too.
    /// </summary>
    private static bool AllowsClientAuthentication(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509EnhancedKeyUsageExtension>()
            .All(usage => usage.EnhancedKeyUsages.Cast<Oid>().Any(oid => oid.Value is ClientAuthentication or AnyUsage));

    private static void AddIntermediates(X509Certificate2Collection intermediates, IReadOnlyList<byte[]> presented)
    {
        foreach (byte[] der in presented)
        {
            X509Certificate2 certificate = X509CertificateLoader.LoadCertificate(der);
            // A self-issued one would be a root, and roots come from the bundle alone.
            if (!certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData))
            {
                intermediates.Add(certificate);
            }
        }
    }

    private static string Describe(X509ChainStatus[] statuses)
    {
        X509ChainStatusFlags flags = statuses.Aggregate(X509ChainStatusFlags.NoError, (all, status) => all | status.Status);
        flags &= ~(X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain);
        return flags == X509ChainStatusFlags.NotTimeValid ? "expired or not yet valid" : $"chain refused: {flags}";
    }
}
