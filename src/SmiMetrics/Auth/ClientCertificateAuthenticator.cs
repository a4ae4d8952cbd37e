using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Auth;

/// <summary>
/// Believes a client certificate of the cluster's (apiserver <c>pkg/authentication/request/x509/x509.go</c>): the common name is the user, every
/// organization a group. Users come this way when they go past kube-apiserver.
/// </summary>
internal sealed class ClientCertificateAuthenticator(AuthenticationTrust trust, AuthMetrics metrics, TimeProvider time)
{
    public AuthenticationResult Authenticate(HttpContext context)
    {
        if (trust.Clients is not { } authorities)
        {
            return new AuthenticationResult.NoOpinion("no authority of client certificates is known");
        }

        if (context.Connection.ClientCertificate is not { } leaf)
        {
            return new AuthenticationResult.NoOpinion("no client certificate");
        }

        CertificateVerdict verdict = Judge(leaf, context.Features.Get<PresentedCertificates>(), authorities);
        if (verdict.Fault is { } fault)
        {
            return new AuthenticationResult.Error(fault);
        }

        CertificateSubject subject = verdict.Subject;
        if (subject.CommonName.Length == 0)
        {
            return new AuthenticationResult.NoOpinion("the client certificate names nobody");
        }

        metrics.AuthenticatedByCertificate(new DateTimeOffset(leaf.NotAfter) - time.GetUtcNow());
        return new AuthenticationResult.Success(new RequestUser(subject.CommonName, null, subject.Organizations, RequestUser.NoExtra));
    }

    private CertificateVerdict Judge(X509Certificate2 leaf, PresentedCertificates? presented, ClientAuthorities authorities)
    {
        DateTimeOffset now = time.GetUtcNow();
        if (presented?.AsUser is { } known && known.Holds(authorities.Generation, now))
        {
            return known;
        }

        CertificateVerdict verdict = CertificateVerdict.Of(leaf, presented, authorities.Bundle, authorities.Generation, now);
        if (presented is not null)
        {
            presented.AsUser = verdict;
        }

        return verdict;
    }
}
