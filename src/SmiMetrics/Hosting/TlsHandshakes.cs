using Microsoft.AspNetCore.Server.Kestrel.Core;
using SmiMetrics.Diagnostics;

namespace SmiMetrics.Hosting;

/// <summary>Counts the connections that end before their TLS handshake does: callers with the wrong trust, scanners, and plain HTTP.</summary>
internal static class TlsHandshakes
{
    /// <param name="tls">Puts TLS on the listener.</param>
    public static void UseCountedHandshakes(this ListenOptions listen, RequestMetrics metrics, Action<ListenOptions> tls)
    {
        // Kestrel ends such a connection without a word to anybody; but it does not pass it on either.
        listen.Use(next => async connection =>
        {
            await next(connection);
            if (!connection.Items.ContainsKey(typeof(TlsHandshakes)))
            {
                metrics.HandshakeFailed();
            }
        });
        tls(listen);
        listen.Use(next => connection =>
        {
            connection.Items[typeof(TlsHandshakes)] = true;
            return next(connection);
        });
    }
}
