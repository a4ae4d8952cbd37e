using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using SmiMetrics.Prometheus;

namespace SmiMetrics.Tests.Prometheus;

/// <summary>What Prometheus was asked.</summary>
internal sealed record Asked(HttpMethod Method, Uri Uri, HttpRequestHeaders Headers, IReadOnlyDictionary<string, string> Form)
{
    public string Query => Form["query"];
}

/// <summary>Stands behind the <c>prometheus</c> door and answers as the test says.</summary>
internal sealed class FakePrometheus(Func<Asked, CancellationToken, Task<HttpResponseMessage>> answer) : HttpMessageHandler
{
    private readonly ConcurrentQueue<Asked> _asked = [];

    public FakePrometheus(Func<Asked, HttpResponseMessage> answer) : this((asked, _) => Task.FromResult(answer(asked)))
    {
    }

    public IReadOnlyList<Asked> Asked => [.. _asked];

    public static HttpResponseMessage Json(string body, HttpStatusCode status = HttpStatusCode.OK) =>
        new(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };

    /// <summary>A vector of one row without labels.</summary>
    public static HttpResponseMessage One(double value) => Json(
        string.Create(
            System.Globalization.CultureInfo.InvariantCulture,
            $$$"""{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"{{{value}}}"]}]}}"""));

    public static HttpRequestException Refused() =>
        new(HttpRequestError.ConnectionError, "Connection refused (10.1.2.3:9090)", new System.Net.Sockets.SocketException(111));

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string form = await request.Content!.ReadAsStringAsync(cancellationToken);
        Asked asked = new(
            request.Method,
            request.RequestUri!,
            request.Headers,
            form.Split('&').Select(pair => pair.Split('=')).ToDictionary(pair => WebUtility.UrlDecode(pair[0]), pair => WebUtility.UrlDecode(pair[1])));
        _asked.Enqueue(asked);
        return await answer(asked, cancellationToken);
    }
}

/// <summary>A request that hangs until the test lets it go or its sender gives up.</summary>
internal sealed class Gate
{
    private readonly Channel<bool> _entered = Channel.CreateUnbounded<bool>();
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _abandoned = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when a sender gave up.</summary>
    public Task Abandoned => _abandoned.Task;

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        _entered.Writer.TryWrite(true);
        try
        {
            await _opened.Task.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _abandoned.TrySetResult();
            throw;
        }
    }

    /// <summary>Ends once per request that came.</summary>
    public async Task EnteredAsync(CancellationToken cancellationToken) => await _entered.Reader.ReadAsync(cancellationToken);

    public void Open() => _opened.TrySetResult();
}

/// <summary>Keeps what was logged, exceptions included.</summary>
internal sealed class ListLogger<T> : ILogger<T>
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> _lines = [];

    public IReadOnlyList<(LogLevel Level, string Text)> Lines => [.. _lines];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue((logLevel, formatter(state, exception) + exception));
}

/// <summary>Adds up what the counters of one meter name count, by their first tag.</summary>
internal sealed class CounterReader : IDisposable
{
    private readonly ConcurrentDictionary<string, long> _counts = [];
    private readonly MeterListener _listener = new();

    // Meters are process-wide and other tests run beside this one, so only instruments count that are made in this context from now on.
    private static readonly AsyncLocal<CounterReader?> Current = new();

    public CounterReader()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == PrometheusMetrics.MeterName && Current.Value == this)
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<long>((instrument, measurement, tags, _) => Add(instrument, measurement, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, 1, tags));
        _listener.Start(); // publishes what other tests have made already
        Current.Value = this;
    }

    public long this[string key] => _counts.GetValueOrDefault(key);

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, long measurement, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string key = tags.Length == 0 ? instrument.Name : $"{instrument.Name}{{{tags[0].Key}={tags[0].Value}}}";
        _counts.AddOrUpdate(key, measurement, (_, sum) => sum + measurement);
    }
}
