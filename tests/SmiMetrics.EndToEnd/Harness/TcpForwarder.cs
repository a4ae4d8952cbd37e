using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>Passes bytes between a port of its own and another, until it is cut.</summary>
internal sealed class TcpForwarder : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Socket, bool> _sockets = new();
    private Socket _listener;
    private Task _accepting;

    public TcpForwarder(int target)
    {
        Target = target;
        (_listener, _accepting) = Listen(0);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
    }

    public int Port { get; }

    /// <summary>Where new connections lead.</summary>
    public int Target { get; set; }

    /// <summary>Breaks every connection and refuses new ones.</summary>
    public async Task CutAsync()
    {
        _listener.Dispose();
        await _accepting;
        foreach (Socket socket in _sockets.Keys)
        {
            socket.Dispose();
        }
    }

    /// <summary>Accepts connections again, on the same port.</summary>
    public void Mend() => (_listener, _accepting) = Listen(Port);

    public async ValueTask DisposeAsync() => await CutAsync();

    private (Socket Listener, Task Accepting) Listen(int port)
    {
        Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
        listener.Listen();
        return (listener, AcceptAsync(listener));
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket near;
            try
            {
                near = await listener.AcceptAsync();
            }
            catch (Exception cut) when (cut is SocketException or ObjectDisposedException)
            {
                return;
            }

            _ = ForwardAsync(near);
        }
    }

    private async Task ForwardAsync(Socket near)
    {
        Socket far = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _sockets[near] = _sockets[far] = true;
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, Target);
            await Task.WhenAny(CopyAsync(near, far), CopyAsync(far, near));
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The target is down: the caller sees its connection close.
        }
        finally
        {
            foreach (Socket socket in new[] { near, far })
            {
                _sockets.TryRemove(socket, out _);
                socket.Dispose();
            }
        }
    }

    private static async Task CopyAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[16384];
        try
        {
            while (await from.ReceiveAsync(buffer) is > 0 and int count)
            {
                await to.SendAsync(buffer.AsMemory(0, count));
            }
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // Cut, or the peer hung up.
        }
    }
}
