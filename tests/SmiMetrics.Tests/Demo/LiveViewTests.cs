using System.Net;
using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Demo;

namespace SmiMetrics.Tests.Demo;

/// <summary>What is drawn on a terminal, and what is written to a file.</summary>
public sealed class LiveViewTests : IDisposable
{
    private const string List = """
        {"items":[
          {"metadata":{"namespace":"shop","name":"deployment.web","annotations":{"metrics.smi-spec.io/state":"ok"}},"window":"10s","metrics":[
            {"name":"p99_response_latency","unit":"ms","value":"100"},{"name":"p90_response_latency","unit":"ms","value":"49600m"},
            {"name":"p50_response_latency","unit":"ms","value":"10"},{"name":"success_count","value":"3980"},{"name":"failure_count","value":"20"}]},
          {"metadata":{"namespace":"shop","name":"deployment.catalog-canary","annotations":{"metrics.smi-spec.io/state":"ok"}},"window":"10s","metrics":[
            {"name":"p99_response_latency","unit":"ms","value":"1k"},{"name":"p90_response_latency","unit":"ms","value":"100"},
            {"name":"p50_response_latency","unit":"ms","value":"50"},{"name":"success_count","value":"180"},{"name":"failure_count","value":"60500m"}]},
          {"metadata":{"namespace":"shop","name":"deployment.gift-cards","annotations":{"metrics.smi-spec.io/state":"idle"}},"window":"10s","metrics":[
            {"name":"p99_response_latency","unit":"ms","value":"0"},{"name":"p90_response_latency","unit":"ms","value":"0"},
            {"name":"p50_response_latency","unit":"ms","value":"0"},{"name":"success_count","value":"0"},{"name":"failure_count","value":"0"}]},
          {"metadata":{"namespace":"shop","name":"deployment.somebody-else","annotations":{}},"window":"10s","metrics":[]}
        ]}
        """;

    private const string Web = "shop/web                   99.50 %    400.0    10 ms    50 ms   100 ms  ok";
    private const string Canary = "shop/catalog-canary        74.84 %     24.1    50 ms   100 ms  1000 ms  ok";
    private const string GiftCards = "shop/gift-cards                  -        0        -        -        -  idle";
    private const string Header = "12:00:00                   success      rps      p50      p90      p99  state";

    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));
    private readonly FrameWriter _output = new();
    private HttpStatusCode _status = HttpStatusCode.OK;

    public void Dispose() => _output.Dispose();

    [Fact]
    public async Task On_a_terminal_each_frame_is_drawn_over_the_one_before()
    {
        await using View view = Show(new Screen(InPlace: true, Colour: true, () => (120, 40)), fill: TimeSpan.Zero);
        Assert.Equal($"{Header}\e[K\n{Web}\e[K\n\e[31m{Canary}\e[0m\e[K\n\e[90m{GiftCards}\e[0m\e[K\n\e[J", await _output.NextAsync());
        Assert.StartsWith("\r\e[4A12:00:01  ", await NextSecondAsync());
        Assert.Equal("\r\e[K", await view.EndAsync());
    }

    [Fact]
    public async Task Without_colours_it_is_drawn_in_place_all_the_same()
    {
        await using View view = Show(new Screen(InPlace: true, Colour: false, () => (120, 40)), fill: TimeSpan.Zero);
        Assert.Equal($"{Header}\e[K\n{Web}\e[K\n{Canary}\e[K\n{GiftCards}\e[K\n\e[J", await _output.NextAsync());
    }

    [Fact]
    public async Task Lines_are_cut_where_the_terminal_ends()
    {
        await using View view = Show(new Screen(InPlace: true, Colour: true, () => (21, 4)), fill: TimeSpan.Zero);
        Assert.Equal($"{Header[..20]}\e[K\n{Web[..20]}\e[K\n\e[31m{Canary[..20]}\e[0m\e[K\n\e[J", await _output.NextAsync());
    }

    [Fact]
    public async Task A_note_counts_down_while_the_first_window_fills()
    {
        await using View view = Show(new Screen(InPlace: true, Colour: true, () => (120, 40)), fill: TimeSpan.FromSeconds(2));
        Assert.Equal("The first window fills: numbers in 2 s.\e[K\n\e[J", await _output.NextAsync());
        Assert.Equal("\r\e[1AThe first window fills: numbers in 1 s.\e[K\n\e[J", await NextSecondAsync());
        Assert.StartsWith("\r\e[1A12:00:02  ", await NextSecondAsync());
    }

    [Fact]
    public async Task In_a_file_blocks_follow_each_other_without_escape_sequences()
    {
        await using View view = Show(Screen.Plain, fill: TimeSpan.FromSeconds(12));
        Assert.Equal("The first window fills: numbers in 12 s." + Environment.NewLine, await _output.NextAsync());
        _time.Advance(TimeSpan.FromSeconds(12));
        Assert.Equal($"\n12:00:12{Header[8..]}\n{Web}\n{Canary}\n{GiftCards}\n", await _output.NextAsync());
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.StartsWith("\n12:00:22  ", await _output.NextAsync());
        Assert.Null(await view.EndAsync());
    }

    [Fact]
    public async Task An_answer_that_is_none_is_said_and_asked_for_again()
    {
        _status = HttpStatusCode.ServiceUnavailable;
        await using View view = Show(new Screen(InPlace: true, Colour: true, () => (120, 40)), fill: TimeSpan.Zero);
        Assert.Equal("12:00:00  the server answers 503\e[K\n\e[J", await _output.NextAsync());
        _status = HttpStatusCode.OK;
        Assert.Contains(Web, await NextSecondAsync());
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("17", 17)]
    [InlineData("2500m", 2.5)]
    [InlineData("4k", 4000)]
    [InlineData("3M", 3e6)]
    [InlineData("2G", 2e9)]
    [InlineData("1T", 1e12)]
    [InlineData("9P", 9e15)]
    [InlineData("1E", 1e18)]
    public void Quantities_are_read(string text, double value) => Assert.Equal(value, LiveView.Number(text));

    /// <summary>The next frame, when its timer is there to be fired.</summary>
    private async Task<string> NextSecondAsync()
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        return await _output.NextAsync();
    }

    private View Show(Screen screen, TimeSpan fill)
    {
        HttpClient api = new(new Stub(() => new HttpResponseMessage(_status) { Content = new StringContent(List) })) { BaseAddress = new Uri("http://127.0.0.1/") };
        CancellationTokenSource stop = new();
        return new View(new LiveView(api, _output, screen, fill, _time).RunAsync(stop.Token), stop, _output);
    }

    private sealed class View(Task running, CancellationTokenSource stop, FrameWriter output) : IAsyncDisposable
    {
        /// <summary>What it writes last; null for nothing.</summary>
        public async Task<string?> EndAsync()
        {
            await stop.CancelAsync();
            await running.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);
            return output.TryNext();
        }

        public async ValueTask DisposeAsync()
        {
            await EndAsync();
            stop.Dispose();
        }
    }

    private sealed class Stub(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Assert.Equal("/apis/metrics.smi-spec.io/v1alpha2/trafficmetrics", request.RequestUri!.AbsolutePath);
            return Task.FromResult(answer());
        }
    }

    /// <summary>Hands out what was written, a write at a time.</summary>
    private sealed class FrameWriter : StringWriter
    {
        private readonly Channel<string> _frames = Channel.CreateUnbounded<string>();

        public override Task WriteAsync(string? value)
        {
            _frames.Writer.TryWrite(value!);
            return Task.CompletedTask;
        }

        public override Task WriteLineAsync(string? value) => WriteAsync(value + Environment.NewLine);

        public Task<string> NextAsync() => _frames.Reader.ReadAsync().AsTask().WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);

        public string? TryNext() => _frames.Reader.TryRead(out string? frame) ? frame : null;
    }
}
