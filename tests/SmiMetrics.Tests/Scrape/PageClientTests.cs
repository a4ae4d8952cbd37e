using System.Net;
using System.Net.Http.Headers;
using System.Text;
using SmiMetrics.Exposition;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

/// <summary>How bodies become lines, without sockets.</summary>
public sealed class PageClientTests
{
    private static readonly SeriesSelection Selection = new(MeshCatalogue.Load().All);
    private static readonly ScrapeTarget Target = new(new Uri("http://10.0.0.1/metrics"), new ObjectKey("shop", "web-1"), LabelSet.Empty);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(16 * 1024 - 1)]
    [InlineData(16 * 1024)]
    [InlineData(100_000)]
    public async Task A_page_is_the_same_in_whatever_pieces_it_comes(int piece)
    {
        StringBuilder page = new();
        for (int series = 0; series < 300; series++)
        {
            page.Append($"response_total{{direction=\"inbound\",classification=\"success\",pod=\"{series}\",filler=\"{new string('x', series)}\"}} {series}\n# a remark\n");
        }

        byte[] bytes = Encoding.ASCII.GetBytes(page.ToString());

        Assert.Equal(new PageCounts(300, 0, 0), await FetchAsync(new PiecewiseStream(bytes, piece)));
    }

    [Theory]
    [InlineData(PageClient.MaxLineBytes - 1, true)] // and its line feed
    [InlineData(PageClient.MaxLineBytes, false)]
    public async Task A_line_has_at_most_a_mebibyte(int length, bool fits)
    {
        byte[] page = [.. Encoding.ASCII.GetBytes("# " + new string('x', length - 2)), (byte)'\n', .. "process_open_fds 7\n"u8];
        if (fits)
        {
            Assert.Equal(new PageCounts(0, 1, 0), await FetchAsync(new MemoryStream(page)));
        }
        else
        {
            ScrapeException refused = await Assert.ThrowsAsync<ScrapeException>(() => FetchAsync(new MemoryStream(page)));
            Assert.Equal("a line is longer than 1 MiB", refused.Message);
        }
    }

    [Fact]
    public async Task What_is_read_is_bounded_and_costs_no_memory_by_its_length()
    {
        // Everything completes at once here, so it happens on this thread.
        await FetchAsync(new EndlessStream(1024 * 1024));
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(0, (await FetchAsync(new EndlessStream(PageClient.MaxPageBytes))).Bad);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(allocated, 0, 1024 * 1024);

        ScrapeException refused = await Assert.ThrowsAsync<ScrapeException>(() => FetchAsync(new EndlessStream(long.MaxValue)));
        Assert.Equal("page is larger than 64 MiB", refused.Message);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("text/plain; version=0.0.4; charset=utf-8", true)]
    [InlineData("text/plain; version=1.0.0; escaping=allow-utf-8", true)]
    [InlineData("TEXT/PLAIN", true)]
    [InlineData("application/octet-stream", true)]
    [InlineData("application/openmetrics-text; version=1.0.0", true)]
    [InlineData("text/html", false)]
    [InlineData("application/json", false)]
    [InlineData("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", false)]
    public async Task The_content_type_has_to_be_one_of_metrics(string? type, bool right)
    {
        MemoryStream page = new("process_open_fds 7\n# EOF\n"u8.ToArray());
        if (right)
        {
            Assert.Equal(1, (await FetchAsync(page, type)).Dropped);
        }
        else
        {
            Assert.Equal(ScrapeOutcome.Unreadable, (await Assert.ThrowsAsync<ScrapeException>(() => FetchAsync(page, type))).Outcome);
        }
    }

    /// <summary>A page's format decides what its last line has to be.</summary>
    [Fact]
    public async Task OpenMetrics_is_read_as_such()
    {
        PageException cut = await Assert.ThrowsAsync<PageException>(
            () => FetchAsync(new MemoryStream("process_open_fds 7\n"u8.ToArray()), "application/openmetrics-text; version=1.0.0"));

        Assert.Equal("the page ends before its # EOF", cut.Message);
    }

    /// <summary>Each may hold a mebibyte then, and whoever makes pods could make hundreds that do.</summary>
    [Fact]
    public async Task Only_a_few_pages_at_a_time_may_have_long_lines()
    {
        const int Pages = 50;
        const int Few = 32;
        TaskCompletionSource open = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource full = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int inside = 0;
        using PageClient client = NewClient(_ => Answer(new LongLineStream(async () =>
        {
            if (Interlocked.Increment(ref inside) == Few)
            {
                full.SetResult();
            }

            await open.Task;
        })));

        Task[] fetches = [.. Enumerable.Range(0, Pages).Select(_ => client.FetchAsync(Target, NewSeries().Begin(DateTimeOffset.UnixEpoch), Token))];
        await full.Task.WaitAsync(Patience.Limit, Token);
        Assert.Equal(Few, inside);

        open.SetResult();
        await Task.WhenAll(fetches).WaitAsync(Patience.Limit, Token);
        Assert.Equal(Pages, inside);
    }

    private static async Task<PageCounts> FetchAsync(Stream body, string? contentType = "text/plain")
    {
        using PageClient client = NewClient(_ => Answer(body, contentType));
        PageInProgress page = NewSeries().Begin(DateTimeOffset.UnixEpoch);
        await client.FetchAsync(Target, page, Token);
        return page.Complete();
    }

    private static TargetSeries NewSeries() => new(Target, Selection, TimeSpan.FromHours(1), new Pool(16));

    private static PageClient NewClient(Func<HttpRequestMessage, HttpResponseMessage> answer) =>
        new(new ScrapeOptions(), new Door(answer), "1.2.3", TimeProvider.System);

    private static HttpResponseMessage Answer(Stream body, string? contentType = "text/plain") => new(HttpStatusCode.OK)
    {
        Content = new StreamContent(body) { Headers = { ContentType = contentType is null ? null : MediaTypeHeaderValue.Parse(contentType) } },
    };

    private sealed class Door(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(answer(request));
    }

    /// <summary>Gives no more than so many bytes at a time.</summary>
    private sealed class PiecewiseStream(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(piece, buffer.Length)], cancellationToken);
    }

    /// <summary>Gives remarks of 64 bytes, as many as fit in a length.</summary>
    private sealed class EndlessStream(long length) : NewStream
    {
        private long _left = length / 64 * 64;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int count = (int)Math.Min(_left, buffer.Length / 64 * 64);
            for (int at = 0; at < count; at += 64)
            {
                "# all work and no play makes a remark that has sixty-four bytes\n"u8.CopyTo(buffer.Span[at..]);
            }

            _left -= count;
            return ValueTask.FromResult(count);
        }
    }

    /// <summary>Fills the first buffer without a line feed, then enters, and ends.</summary>
    private sealed class LongLineStream(Func<Task> enter) : NewStream
    {
        private int _reads;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            switch (_reads++)
            {
                case 0:
                    buffer.Span.Fill((byte)'#');
                    return buffer.Length;
                case 1:
                    await enter();
                    buffer.Span[0] = (byte)'\n';
                    return 1;
                default:
                    return 0;
            }
        }
    }

    private abstract class NewStream : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public abstract override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
