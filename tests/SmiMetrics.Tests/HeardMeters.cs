using System.Diagnostics.Metrics;

namespace SmiMetrics.Tests;

/// <summary>Makes meters and hears what they alone measure, whatever other tests measure meanwhile.</summary>
internal abstract class HeardMeters : IMeterFactory
{
    private readonly List<Meter> _meters = [];

    protected HeardMeters() => Listener.InstrumentPublished = (instrument, listener) =>
    {
        if (ReferenceEquals(instrument.Meter.Scope, this))
        {
            listener.EnableMeasurementEvents(instrument);
        }
    };

    /// <summary>To be given its callbacks and started.</summary>
    protected MeterListener Listener { get; } = new();

    public Meter Create(MeterOptions options)
    {
        options.Scope = this;
        Meter meter = new(options);
        _meters.Add(meter);
        return meter;
    }

    public void Dispose()
    {
        Listener.Dispose();
        _meters.ForEach(meter => meter.Dispose());
    }
}
