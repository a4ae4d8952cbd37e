namespace SmiMetrics.Auth;

/// <summary>
/// A connection's feature: what the TLS peer presented besides its leaf, and what was last thought of it. The other certificates
/// are material for a chain, never identities: anybody may send a copy of somebody else's.
/// </summary>
internal sealed class PresentedCertificates
{
    private volatile FrontProxyVerdict? _verdict;

    /// <summary>DER, in no particular order.</summary>
    public IReadOnlyList<byte[]> Intermediates { get; set; } = [];

    /// <summary>The front-proxy verdict on this connection. Requests of one connection may race to set it; they come to the same.</summary>
    public FrontProxyVerdict? Verdict
    {
        get => _verdict;
        set => _verdict = value;
    }
}

/// <summary>A judgement on a client certificate, which holds for one generation of trust and until a moment.</summary>
/// <param name="Generation">Of the <see cref="FrontProxyConfiguration"/> that it was judged by.</param>
/// <param name="Until">Afterwards the certificate is judged again; never later than the end of any certificate of its chain.</param>
/// <param name="Fault">Null if the peer is a front proxy; else why not.</param>
internal sealed record FrontProxyVerdict(long Generation, DateTimeOffset Until, string? Fault);
