using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace SmiMetrics.Tests.Hosting;

/// <summary>What was counted and observed, by <c>name{label=value,…}</c> with sorted labels.</summary>
internal sealed class RequestMeters : HeardMeters
{
    private readonly ConcurrentDictionary<string, double> _sums = [];

    public RequestMeters()
    {
        Listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        Listener.SetMeasurementEventCallback<double>((instrument, _, tags, _) => Add(instrument, 1, tags));
        Listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        Listener.Start();
    }

    /// <summary>The sum of a counter, the number of a histogram's values, the last value of a gauge.</summary>
    public double this[string series]
    {
        get
        {
            Listener.RecordObservableInstruments();
            return _sums.GetValueOrDefault(series);
        }
    }

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        _sums.AddOrUpdate(Name(instrument, tags), value, (_, before) => instrument.IsObservable ? value : before + value);

    private static string Name(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> tags) =>
        $"{instrument.Name}{{{string.Join(',', tags.ToArray().OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => $"{tag.Key}={tag.Value}"))}}}";
}
