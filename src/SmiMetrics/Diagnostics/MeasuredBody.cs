using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace SmiMetrics.Diagnostics;

/// <summary>A response's body that knows how much has been written to it.</summary>
internal sealed class MeasuredBody(IHttpResponseBodyFeature body) : IHttpResponseBodyFeature
{
    private MeasuredWriter? _writer;
    private Stream? _stream;

    /// <summary>In bytes, so far.</summary>
    public long Size => _writer?.Written ?? 0;

    public PipeWriter Writer => _writer ??= new MeasuredWriter(body.Writer);

    public Stream Stream => _stream ??= Writer.AsStream();

    public void DisableBuffering() => body.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken) => body.StartAsync(cancellationToken);

    public Task CompleteAsync() => body.CompleteAsync();

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);

    private sealed class MeasuredWriter(PipeWriter writer) : PipeWriter
    {
        public long Written { get; private set; }

        public override bool CanGetUnflushedBytes => writer.CanGetUnflushedBytes;

        public override long UnflushedBytes => writer.UnflushedBytes;

        public override void Advance(int bytes)
        {
            writer.Advance(bytes);
            Written += bytes;
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => writer.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => writer.GetSpan(sizeHint);

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
        {
            Written += source.Length;
            return writer.WriteAsync(source, cancellationToken);
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => writer.FlushAsync(cancellationToken);

        public override void CancelPendingFlush() => writer.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => writer.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => writer.CompleteAsync(exception);
    }
}
