using System.Buffers;

namespace SmiMetrics.Api;

/// <summary>
/// Holds a body until its size is known. In rented chunks: a list of thousands of objects has megabytes, and one array of that size, doubled and
/// copied until it fits, would be garbage of the dearest kind with every request.
/// </summary>
internal sealed class ChunkedBuffer : IBufferWriter<byte>, IDisposable
{
    private const int ChunkSize = 64 * 1024;

    private readonly List<(byte[] Array, int Written)> _chunks = [];

    public long Length { get; private set; }

    public void Advance(int count)
    {
        (byte[] array, int written) = _chunks[^1];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, array.Length - written);
        _chunks[^1] = (array, written + count);
        Length += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_chunks.Count == 0 || _chunks[^1].Array.Length - _chunks[^1].Written < Math.Max(sizeHint, 1))
        {
            _chunks.Add((ArrayPool<byte>.Shared.Rent(Math.Max(sizeHint, ChunkSize)), 0));
        }

        (byte[] array, int written) = _chunks[^1];
        return array.AsMemory(written);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public async Task CopyToAsync(Stream stream, CancellationToken cancellationToken)
    {
        foreach ((byte[] array, int written) in _chunks)
        {
            await stream.WriteAsync(array.AsMemory(0, written), cancellationToken);
        }
    }

    public byte[] ToArray()
    {
        byte[] all = new byte[Length];
        int at = 0;
        foreach ((byte[] array, int written) in _chunks)
        {
            array.AsSpan(0, written).CopyTo(all.AsSpan(at));
            at += written;
        }

        return all;
    }

    public void Dispose()
    {
        foreach ((byte[] array, _) in _chunks)
        {
            ArrayPool<byte>.Shared.Return(array);
        }

        _chunks.Clear();
    }
}
