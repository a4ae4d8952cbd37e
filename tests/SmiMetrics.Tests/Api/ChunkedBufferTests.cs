using System.Buffers;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class ChunkedBufferTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(70_000)]
    public async Task What_is_written_in_pieces_is_read_whole(int piece)
    {
        byte[] all = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31))];
        using ChunkedBuffer buffer = new();
        foreach (byte[] part in all.Chunk(piece))
        {
            buffer.Write(part);
        }

        Assert.Equal(all.Length, buffer.Length);
        Assert.Equal(all, buffer.ToArray());
        using MemoryStream stream = new();
        await buffer.CopyToAsync(stream, TestContext.Current.CancellationToken);
        Assert.Equal(all, stream.ToArray());
    }

    [Fact]
    public void More_than_was_offered_cannot_be_claimed()
    {
        using ChunkedBuffer buffer = new();
        int offered = buffer.GetSpan(10).Length;
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Advance(offered + 1));
    }
}
