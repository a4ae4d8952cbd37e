using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Auth;

/// <summary>
/// A connection's feature: what the TLS peer presented besides its leaf, and what was last thought of it. The other certificates
/// are material for a chain, never identities: anybody may send a copy of somebody else's.
/// </summary>
internal sealed class PresentedCertificates
{
    private volatile CertificateVerdict? _asFrontProxy;
    private volatile CertificateVerdict? _asUser;

    /// <summary>DER, in no particular order.</summary>
    public IReadOnlyList<byte[]> Intermediates { get; set; } = [];

    /// <summary>Whether the peer is a front proxy. Requests of one connection may race to set it; they come to the same.</summary>
    public CertificateVerdict? AsFrontProxy
    {
        get => _asFrontProxy;
        set => _asFrontProxy = value;
    }

    /// <summary>Whether the peer is a user with a certificate of the cluster's. Set as <see cref="AsFrontProxy"/> is.</summary>
    public CertificateVerdict? AsUser
    {
        get => _asUser;
        set => _asUser = value;
    }
}

/// <summary>A judgement on a client certificate, which holds for one generation of trust and until a moment.</summary>
/// <param name="Generation">Of what it was judged by.</param>
/// <param name="Until">Afterwards the certificate is judged again; never later than the end of any certificate of its chain.</param>
/// <param name="Subject">Whose certificate it is, if there is no fault.</param>
/// <param name="Fault">Null if the certificate is vouched for; else why not, fit for a log.</param>
internal sealed record CertificateVerdict(long Generation, DateTimeOffset Until, CertificateSubject Subject, string? Fault)
{
    /// <summary>A peer refused for its dates may come right without a new connection, as clocks do.</summary>
    private static readonly TimeSpan RefusalLifetime = TimeSpan.FromMinutes(1);

    /// <summary>Whether it may be used instead of judging again: the chain is by far the dearest part of a request.</summary>
    public bool Holds(long generation, DateTimeOffset now) => Generation == generation && now <= Until;

    /// <summary>Judges a certificate by a bundle of authorities.</summary>
    /// <param name="generation">Of the bundle.</param>
    public static CertificateVerdict Of(
        X509Certificate2 leaf, PresentedCertificates? presented, IReadOnlyList<X509Certificate2> bundle, long generation, DateTimeOffset now)
    {
        CertificateSubject subject = CertificateSubject.Of(leaf);
        ClientCertificateChain.Verification verification = ClientCertificateChain.Verify(leaf, presented?.Intermediates ?? [], bundle, now);
        return verification.Fault is { } fault ? Refused(generation, now, subject, fault) : new(generation, verification.NotAfter, subject, null);
    }

    public static CertificateVerdict Refused(long generation, DateTimeOffset now, CertificateSubject subject, string fault) =>
        new(generation, now + RefusalLifetime, subject, $"client certificate cn={Printable(subject.CommonName)}: {fault}");

    // A stranger chose it, and it goes to a log.
    private static string Printable(string name)
    {
        const int Longest = 64;
        string start = name.Length > Longest ? name[..Longest] + "…" : name;
        return string.Concat(start.Select(c => char.IsControl(c) ? '?' : c));
    }
}
