using System.Net;
using System.Net.Sockets;

namespace SmiMetrics.Tests;

/// <summary>
/// A port that nobody listens on, for what cannot be told to choose its own, or for what nobody is to answer on. The system gives none of
/// these to whoever asks for any port or connects, so none is taken before it is used; and none is given out twice.
/// </summary>
internal static class FreePort
{
    // Below what Linux gives out (net.ipv4.ip_local_port_range begins at 32768), above what has a name.
    private const int First = 12_000;
    private const int Count = 20_000;

    // Each process begins elsewhere, for two may be testing at a time.
    private static readonly int Offset = Random.Shared.Next(Count);

    private static int _given;

    public static int Next()
    {
        while (true)
        {
            int port = First + ((Offset + Interlocked.Increment(ref _given)) % Count);
            using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                probe.Bind(new IPEndPoint(IPAddress.Any, port));
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }
}
