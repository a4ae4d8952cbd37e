using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>A request of HTTP/1.1 that goes out as it is written, on a connection of its own: HttpClient does not send what nobody should.</summary>
internal static class RawRequest
{
    /// <param name="text">Each character is a byte.</param>
    /// <returns>The status of the answer, and all that came.</returns>
    public static async Task<(HttpStatusCode Code, string Answer)> SendAsync(int port, KeyPair identity, string text, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience.Limit);
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, port, patience.Token);
        await using SslStream stream = new(client.GetStream());
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = "127.0.0.1",
                ClientCertificateContext = SslStreamCertificateContext.Create(identity.Load(), [], offline: true),
                RemoteCertificateValidationCallback = (_, served, _, _) => served is not null,
                ApplicationProtocols = [SslApplicationProtocol.Http11],
            },
            patience.Token);
        await stream.WriteAsync(Encoding.Latin1.GetBytes(text), patience.Token);
        using StreamReader reader = new(stream, Encoding.Latin1);
        string answer = await reader.ReadToEndAsync(patience.Token);
        return ((HttpStatusCode)int.Parse(answer.Split(' ', 3)[1], null), answer);
    }
}
