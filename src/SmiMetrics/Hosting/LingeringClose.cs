using System.IO.Pipelines;
using System.Net.Security;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace SmiMetrics.Hosting;

/// <summary>
/// Keeps an HTTP/2 connection open for a moment after it was ended with GOAWAY, and throws away what still comes. Requests that the caller had
/// sent before it read the GOAWAY would otherwise meet a closed socket, which answers with a reset; that overtakes the GOAWAY and the answers
/// on their way, and kube-apiserver's transport then knows neither that it may send its requests again nor what was answered.
/// </summary>
/// <remarks>Kestrel closes at once. Go's own server waits for a second too (net/http2 <c>server.go</c>, <c>goAwayTimeout</c>).</remarks>
internal static class LingeringClose
{
    /// <summary>Longer than any round trip, and than a busy kube-apiserver takes to read.</summary>
    public static readonly TimeSpan Time = TimeSpan.FromSeconds(2);

    /// <param name="tls">Puts TLS on the listener, within which it is settled what is spoken.</param>
    public static void UseLingeringClose(this ListenOptions listen, TimeProvider clock, Action<ListenOptions> tls)
    {
        listen.Use(next => async connection =>
        {
            await next(connection);
            if (connection.Items.ContainsKey(typeof(LingeringClose)))
            {
                await LingerAsync(connection, clock);
            }
        });
        tls(listen);
        listen.Use(next => connection =>
        {
            if (connection.Features.Get<ISslStreamFeature>()?.SslStream.NegotiatedApplicationProtocol == SslApplicationProtocol.Http2)
            {
                connection.Items[typeof(LingeringClose)] = true;
            }

            return next(connection);
        });
    }

    private static async Task LingerAsync(ConnectionContext connection, TimeProvider clock)
    {
        using CancellationTokenSource end = new(Time, clock);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, connection.ConnectionClosed);
        PipeReader input = connection.Transport.Input;
        try
        {
            while (true)
            {
                ReadResult read = await input.ReadAsync(either.Token);
                input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidOperationException)
        {
            // Time is up, or the caller is gone, or the connection is broken and its reader done.
        }
    }
}
