using System.Collections.Concurrent;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

/// <summary>The metrics of authentication, and what they counted: by name and label values, a histogram's measurements in their order.</summary>
internal sealed class AuthMeters : HeardMeters
{
    private readonly ConcurrentDictionary<string, long> _counts = [];
    private readonly ConcurrentDictionary<string, ConcurrentQueue<double>> _measurements = [];

    public AuthMeters()
    {
        Listener.SetMeasurementEventCallback<long>((instrument, count, tags, _) =>
            _counts.AddOrUpdate(Key(instrument.Name, tags), count, (_, before) => before + count));
        Listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) =>
            _measurements.GetOrAdd(Key(instrument.Name, tags), _ => []).Enqueue(value));
        Listener.Start();
        Metrics = new AuthMetrics(this);
    }

    public AuthMetrics Metrics { get; }

    public long Count(string series) => _counts.GetValueOrDefault(series);

    public IReadOnlyList<double> Measured(string series) => _measurements.TryGetValue(series, out ConcurrentQueue<double>? values) ? [.. values] : [];

    private static string Key(string name, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string labels = "";
        foreach ((string label, object? value) in tags)
        {
            labels += $"{{{label}={value}}}";
        }

        return name + labels;
    }
}
