using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace SmiMetrics.Tests.Scrape;

/// <summary>Plays proxies on a bare socket, so that it can break every rule of HTTP.</summary>
internal sealed class ProxyServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Exchange, Task> _answer;
    private readonly Task _accepting;
    private int _connections;
    private int _requests;
    private int _hanging;

    /// <param name="answer">Called for each request; the connection stays open until it throws or closes it.</param>
    public ProxyServer(Func<Exchange, Task> answer)
    {
        _answer = answer;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public int Connections => _connections;

    public int Requests => _requests;

    /// <summary>How many requests are being kept waiting.</summary>
    public int Hanging => _hanging;

    /// <summary>Called whenever <see cref="Hanging"/> has changed.</summary>
    public Action Changed { get; set; } = () => { };

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        List<Task> connections = [];
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_stop.Token);
                Interlocked.Increment(ref _connections);
                connections.Add(ServeAsync(socket));
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // Whatever a listener says that is stopped while it accepts.
        }

        await Task.WhenAll(connections);
    }

    private async Task ServeAsync(Socket socket)
    {
        await using NetworkStream stream = new(socket, ownsSocket: true);
        try
        {
            while (await ReadHeadAsync(stream) is { } head)
            {
                Interlocked.Increment(ref _requests);
                await _answer(new Exchange(this, head, stream, _stop.Token));
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    private async Task<string?> ReadHeadAsync(NetworkStream stream)
    {
        byte[] buffer = new byte[8192];
        for (int length = 0; ;)
        {
            int read = await stream.ReadAsync(buffer.AsMemory(length), _stop.Token);
            if (read == 0)
            {
                return null;
            }

            length += read;
            if (buffer.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
            {
                return Encoding.ASCII.GetString(buffer, 0, length);
            }
        }
    }

    private void Hang(int by)
    {
        Interlocked.Add(ref _hanging, by);
        Changed();
    }

    /// <summary>A request and the way to answer it.</summary>
    internal sealed class Exchange(ProxyServer server, string head, NetworkStream stream, CancellationToken stop)
    {
        public string Path => head.Split(' ')[1];

        public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

        public Task SendAsync(byte[] bytes) => stream.WriteAsync(bytes, stop).AsTask();

        /// <summary>A whole answer, after which the connection can be used again.</summary>
        public Task PageAsync(string body, string status = "200 OK", string contentType = "text/plain; version=0.0.4", string more = "") =>
            PageAsync(Encoding.UTF8.GetBytes(body), status, contentType, more);

        public async Task PageAsync(byte[] body, string status = "200 OK", string contentType = "text/plain; version=0.0.4", string more = "")
        {
            await SendAsync(string.Create(
                CultureInfo.InvariantCulture, $"HTTP/1.1 {status}\r\nContent-Type: {contentType}\r\nContent-Length: {body.Length}\r\n{more}\r\n"));
            await SendAsync(body);
        }

        /// <summary>Ends the connection, without a reset for what is under way.</summary>
        public void Close()
        {
            stream.Socket.Shutdown(SocketShutdown.Both);
            throw new IOException("closed");
        }

        /// <summary>Waits until the other side gives up, and sends <paramref name="drop"/> whenever <paramref name="next"/> completes.</summary>
        public async Task HangAsync(string drop = "", Func<Task>? next = null)
        {
            server.Hang(1);
            try
            {
                Task<int> gone = stream.ReadAsync(new byte[1], stop).AsTask();
                while (next is not null && !gone.IsCompleted)
                {
                    await Task.WhenAny(gone, next());
                    await SendAsync(drop);
                }

                await gone;
            }
            finally
            {
                server.Hang(-1);
            }

            throw new IOException("given up");
        }
    }
}
