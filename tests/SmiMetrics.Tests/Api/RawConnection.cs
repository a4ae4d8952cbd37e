using System.Buffers.Binary;
using System.IO.Compression;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace SmiMetrics.Tests.Api;

/// <summary>What came back.</summary>
/// <param name="Headers">As sent; names in lower case.</param>
/// <param name="Body">Unpacked, as Go's client does it.</param>
internal sealed record RawAnswer(int Status, IReadOnlyList<(string Name, string Value)> Headers, string Body)
{
    /// <summary>The one value of a header; null where there is none.</summary>
    public string? this[string name] => Headers.Where(header => header.Name == name).Select(header => header.Value).SingleOrDefault();
}

/// <summary>
/// A connection on which headers go out as they are given: each a line or field of its own, in this order, and with HTTP/1.1 in these letters. HttpClient joins
/// the values of a name, and so cannot say what kube-apiserver says. One request at a time.
/// </summary>
internal sealed class RawConnection : IAsyncDisposable
{
    private const byte Ack = 1;
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;

    private readonly Stream _stream;
    private readonly bool _isHttp2;
    private int _lastStream = -1;

    private RawConnection(Stream stream, bool isHttp2) => (_stream, _isHttp2) = (stream, isHttp2);

    /// <param name="protocols">What is offered; the first must be taken.</param>
    /// <param name="serverName">Null for none: what is dialled is an address.</param>
    public static async Task<RawConnection> ConnectAsync(
        int port, X509Certificate2 certificate, string? serverName, IReadOnlyList<SslApplicationProtocol> protocols, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = Patient(cancellationToken);
        TcpClient client = new();
        await client.ConnectAsync("127.0.0.1", port, patience.Token);
        SslStream stream = new(client.GetStream());
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions
            {
                TargetHost = serverName ?? "",
                ClientCertificateContext = SslStreamCertificateContext.Create(certificate, [], offline: true),
                RemoteCertificateValidationCallback = (_, served, _, _) => served is not null,
                ApplicationProtocols = [.. protocols],
            },
            patience.Token);
        Assert.Equal(protocols[0], stream.NegotiatedApplicationProtocol);
        RawConnection connection = new(stream, protocols[0] == SslApplicationProtocol.Http2);
        if (connection._isHttp2)
        {
            await connection.BeginAsync(patience.Token);
        }

        return connection;
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    /// <param name="authority">What kube-apiserver dialled.</param>
    /// <param name="headers">With HTTP/2 sent in lower case, as the protocol has it.</param>
    public async Task<RawAnswer> GetAsync(string authority, string pathAndQuery, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = Patient(cancellationToken);
        (IReadOnlyList<(string Name, string Value)> answered, byte[] body) = _isHttp2
            ? await GetByHttp2Async(authority, pathAndQuery, headers, patience.Token)
            : await GetByHttp11Async(authority, pathAndQuery, headers, patience.Token);
        string status = answered.Single(header => header.Name == ":status").Value;
        answered = [.. answered.Where(header => header.Name != ":status")];
        return new RawAnswer(int.Parse(status, null), answered, Encoding.UTF8.GetString(answered.Contains(("content-encoding", "gzip")) ? Unpack(body) : body));
    }

    private static CancellationTokenSource Patient(CancellationToken cancellationToken)
    {
        CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience.Limit);
        return patience;
    }

    private static byte[] Unpack(byte[] packed)
    {
        using GZipStream stream = new(new MemoryStream(packed), CompressionMode.Decompress);
        using MemoryStream body = new();
        stream.CopyTo(body);
        return body.ToArray();
    }

    private async Task<(IReadOnlyList<(string Name, string Value)> Headers, byte[] Body)> GetByHttp11Async(
        string authority, string pathAndQuery, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken)
    {
        string head = $"GET {pathAndQuery} HTTP/1.1\r\nHost: {authority}\r\n{string.Concat(headers.Select(header => $"{header.Name}: {header.Value}\r\n"))}\r\n";
        await _stream.WriteAsync(Encoding.ASCII.GetBytes(head), cancellationToken);
        List<byte> read = [];
        byte[] one = new byte[1];
        while (read is not [.., (byte)'\r', (byte)'\n', (byte)'\r', (byte)'\n'])
        {
            await _stream.ReadExactlyAsync(one, cancellationToken);
            read.Add(one[0]);
        }

        string[] lines = Encoding.ASCII.GetString([.. read]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        List<(string Name, string Value)> answered = [(":status", lines[0].Split(' ')[1])];
        answered.AddRange(lines.Skip(1).Select(line => line.Split(": ", 2)).Select(parts => (parts[0].ToLowerInvariant(), parts[1])));
        byte[] body = new byte[int.Parse(answered.SingleOrDefault(header => header.Name == "content-length").Value ?? "0", null)];
        await _stream.ReadExactlyAsync(body, cancellationToken);
        return (answered, body);
    }

    /// <summary>
    /// The preface, and settings as Go's client sends them (golang.org/x/net <c>http2/transport.go</c>): no pushes, windows that never fill. But no dynamic
    /// table, which is of no use to whoever reads one answer.
    /// </summary>
    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        byte[] settings = new byte[24];
        (ushort Id, uint Value)[] values = [(1, 0), (2, 0), (4, 4 << 20), (6, 10 << 20)];
        for (int i = 0; i < values.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(settings.AsSpan(i * 6), values[i].Id);
            BinaryPrimitives.WriteUInt32BigEndian(settings.AsSpan((i * 6) + 2), values[i].Value);
        }

        byte[] window = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(window, 1 << 30);
        await _stream.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray(), cancellationToken);
        await WriteFrameAsync(FrameType.Settings, 0, 0, settings, cancellationToken);
        await WriteFrameAsync(FrameType.WindowUpdate, 0, 0, window, cancellationToken);
    }

    private async Task<(IReadOnlyList<(string Name, string Value)> Headers, byte[] Body)> GetByHttp2Async(
        string authority, string pathAndQuery, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken)
    {
        _lastStream += 2;
        (string, string)[] fields =
        [
            (":authority", authority), (":method", "GET"), (":path", pathAndQuery), (":scheme", "https"),
            .. headers.Select(header => (header.Name.ToLowerInvariant(), header.Value)),
        ];
        await WriteFrameAsync(FrameType.Headers, EndStream | EndHeaders, _lastStream, Hpack.Encode(fields), cancellationToken);
        using MemoryStream block = new();
        using MemoryStream body = new();
        bool ended = false;
        byte[] head = new byte[9];
        while (!ended)
        {
            await _stream.ReadExactlyAsync(head, cancellationToken);
            byte[] payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
            await _stream.ReadExactlyAsync(payload, cancellationToken);
            FrameType type = (FrameType)head[3];
            byte flags = head[4];
            switch (type)
            {
                case FrameType.Settings or FrameType.Ping when (flags & Ack) == 0:
                    await WriteFrameAsync(type, Ack, 0, type == FrameType.Ping ? payload : [], cancellationToken);
                    break;
                case FrameType.Headers:
                    Assert.Equal(EndHeaders, flags & EndHeaders);
                    block.Write(payload);
                    ended |= (flags & EndStream) != 0;
                    break;
                case FrameType.Data:
                    body.Write(payload);
                    ended |= (flags & EndStream) != 0;
                    break;
                case FrameType.Settings or FrameType.Ping or FrameType.WindowUpdate:
                    break;
                default:
                    Assert.Fail($"frame {type}: {Convert.ToHexString(payload)}");
                    break;
            }
        }

        return (Hpack.Decode(block.ToArray()), body.ToArray());
    }

    private async Task WriteFrameAsync(FrameType type, byte flags, int stream, byte[] payload, CancellationToken cancellationToken)
    {
        Assert.InRange(payload.Length, 0, 16 * 1024);
        byte[] frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        frame[3] = (byte)type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        await _stream.WriteAsync(frame, cancellationToken);
    }

    private enum FrameType : byte
    {
        Data = 0,
        Headers = 1,
        Reset = 3,
        Settings = 4,
        Ping = 6,
        GoAway = 7,
        WindowUpdate = 8,
    }

    /// <summary>Header fields as RFC 7541 writes them, without a dynamic table and without Huffman's code.</summary>
    private static class Hpack
    {
        /// <summary>RFC 7541 appendix A, as far as names go; the values are those that answers use.</summary>
        private static readonly string[] Names =
        [
            "", ":authority", ":method", ":method", ":path", ":path", ":scheme", ":scheme", ":status", ":status", ":status", ":status", ":status", ":status", ":status",
            "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "accept", "access-control-allow-origin", "age", "allow", "authorization", "cache-control",
            "content-disposition", "content-encoding", "content-language", "content-length", "content-location", "content-range", "content-type", "cookie", "date", "etag",
            "expect", "expires", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "link", "location",
            "max-forwards", "proxy-authenticate", "proxy-authorization", "range", "referer", "refresh", "retry-after", "server", "set-cookie", "strict-transport-security",
            "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
        ];

        private static readonly string[] Statuses = ["200", "204", "206", "304", "400", "404", "500"];

        public static byte[] Encode(IEnumerable<(string Name, string Value)> fields)
        {
            List<byte> block = [];
            foreach ((string name, string value) in fields)
            {
                block.Add(0);
                WriteText(block, name);
                WriteText(block, value);
            }

            return [.. block];
        }

        public static List<(string Name, string Value)> Decode(ReadOnlySpan<byte> block)
        {
            List<(string Name, string Value)> fields = [];
            while (!block.IsEmpty)
            {
                byte first = block[0];
                if (first >= 0x80)
                {
                    int index = ReadInteger(ref block, 7);
                    Assert.InRange(index, 8, 14);
                    fields.Add((Names[index], Statuses[index - 8]));
                }
                else if ((first & 0xe0) == 0x20)
                {
                    Assert.Equal(0, ReadInteger(ref block, 5));
                }
                else
                {
                    int index = ReadInteger(ref block, (first & 0x40) != 0 ? 6 : 4);
                    string name = index == 0 ? ReadText(ref block) : Names[index];
                    fields.Add((name, ReadText(ref block)));
                }
            }

            return fields;
        }

        private static void WriteText(List<byte> block, string text)
        {
            int rest = text.Length;
            if (rest < 0x7f)
            {
                block.Add((byte)rest);
            }
            else
            {
                block.Add(0x7f);
                for (rest -= 0x7f; rest >= 0x80; rest >>= 7)
                {
                    block.Add((byte)(rest | 0x80));
                }

                block.Add((byte)rest);
            }

            block.AddRange(Encoding.ASCII.GetBytes(text));
        }

        private static string ReadText(ref ReadOnlySpan<byte> block)
        {
            Assert.True(block[0] < 0x80, "written in Huffman's code");
            int length = ReadInteger(ref block, 7);
            string text = Encoding.ASCII.GetString(block[..length]);
            block = block[length..];
            return text;
        }

        private static int ReadInteger(ref ReadOnlySpan<byte> block, int bits)
        {
            int most = (1 << bits) - 1;
            int value = block[0] & most;
            block = block[1..];
            for (int shift = 0, more = value == most ? 0x80 : 0; more != 0; shift += 7)
            {
                more = block[0] & 0x80;
                value += (block[0] & 0x7f) << shift;
                block = block[1..];
            }

            return value;
        }
    }
}
