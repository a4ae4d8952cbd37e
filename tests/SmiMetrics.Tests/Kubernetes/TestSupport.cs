using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace SmiMetrics.Tests.Kubernetes;

/// <summary>Counts what meters count, by instrument and resource.</summary>
internal sealed class TestMeters : HeardMeters
{
    private readonly ConcurrentDictionary<string, long> _counts = [];
    private readonly SemaphoreSlim _measurements = new(0);

    public TestMeters()
    {
        Listener.SetMeasurementEventCallback<long>((instrument, count, tags, _) =>
        {
            _counts.AddOrUpdate($"{instrument.Name}{{{tags[0].Value}}}", count, (_, before) => before + count);
            _measurements.Release();
        });
        Listener.Start();
    }

    public long Count(string instrument, string resource) => _counts.GetValueOrDefault($"smi_metrics_kubernetes_{instrument}_total{{{resource}}}");

    /// <summary>Waits until that much has been counted. For one waiter at a time.</summary>
    public async Task ReachedAsync(string instrument, string resource, long count)
    {
        using CancellationTokenSource patience = new(Patience.Limit);
        while (Count(instrument, resource) < count)
        {
            await _measurements.WaitAsync(patience.Token);
        }
    }
}

/// <summary>Keeps what is logged at Information and above.</summary>
internal sealed class TestLog<T> : ILogger<T>
{
    private readonly ConcurrentQueue<string> _lines = [];

    public IReadOnlyList<string> Lines => [.. _lines];

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue($"{logLevel}: {formatter(state, exception)}");
}
