using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace SmiMetrics.Auth;

/// <summary>
/// Makes a caller whose certificate nobody vouches for wait a moment for that to change, before its first request is looked at. A kube-apiserver
/// with a new front-proxy authority asks within milliseconds of its start whether we are available, and publishes the authority a few hundred
/// milliseconds later. Were it refused, it would note for all kube-apiservers that we are not there, and they would answer 503 for us.
/// </summary>
internal sealed class UnknownAuthority(AuthenticationOptions options, AuthenticationTrust trust, TimeProvider clock)
{
    /// <summary>kube-apiserver's question is given five seconds.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(50);

    /// <summary>Strangers cost a little memory while they wait; more than these are not waited with.</summary>
    private const int MaxWaiting = 100;

    private int _waiting;

    /// <summary>To be put on the listener after TLS is.</summary>
    public void Use(ListenOptions listen) => listen.Use(next => async connection =>
    {
        if (connection.Features.Get<ITlsConnectionFeature>()?.ClientCertificate is { } leaf)
        {
            await WaitAsync(leaf, connection.Features.Get<PresentedCertificates>()?.Intermediates ?? [], connection.ConnectionClosed);
        }

        await next(connection);
    });

    /// <summary>Done when the certificate is vouched for, or will not be.</summary>
    public async Task WaitAsync(X509Certificate2 leaf, IReadOnlyList<byte[]> intermediates, CancellationToken cancellationToken)
    {
        // Before it is looked at, or what changes meanwhile would be missed.
        (FrontProxyConfiguration?, ClientAuthorities?) seen = (trust.FrontProxy, trust.Clients);
        // The flags' files change when somebody changes them.
        if (!options.NeedsConfigMap || IsKnown(leaf, intermediates))
        {
            return;
        }

        try
        {
            if (Interlocked.Increment(ref _waiting) <= MaxWaiting)
            {
                await ChangeAsync(leaf, intermediates, seen, cancellationToken);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiting);
        }
    }

    private async Task ChangeAsync(
        X509Certificate2 leaf, IReadOnlyList<byte[]> intermediates, (FrontProxyConfiguration?, ClientAuthorities?) seen, CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(Period, clock);
        long begun = clock.GetTimestamp();
        try
        {
            while (clock.GetElapsedTime(begun) < Patience && await timer.WaitForNextTickAsync(cancellationToken))
            {
                (FrontProxyConfiguration?, ClientAuthorities?) now = (trust.FrontProxy, trust.Clients);
                if (now != seen && IsKnown(leaf, intermediates))
                {
                    return;
                }

                seen = now;
            }
        }
        catch (OperationCanceledException)
        {
            // The caller is gone.
        }
    }

    private bool IsKnown(X509Certificate2 leaf, IReadOnlyList<byte[]> intermediates)
    {
        DateTimeOffset now = clock.GetUtcNow();
        return IsIssuedBy(trust.FrontProxy?.Bundle) || IsIssuedBy(trust.Clients?.Bundle);

        bool IsIssuedBy(IReadOnlyList<X509Certificate2>? bundle) =>
            bundle is not null && ClientCertificateChain.Verify(leaf, intermediates, bundle, now).Fault is null;
    }
}
