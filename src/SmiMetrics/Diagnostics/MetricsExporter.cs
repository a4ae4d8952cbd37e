using System.Buffers;
using System.Collections.Frozen;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using SmiMetrics.Exposition;

namespace SmiMetrics.Diagnostics;

/// <summary>
/// Collects every meter whose name begins with <c>SmiMetrics.</c> and writes it as Prometheus text. An instrument's name is the family's,
/// with <c>_</c> for characters that Prometheus does not allow and <c>_total</c> at the end of a counter's, but for some; instruments of one name, even
/// of several meters, are one family. Histograms have the buckets that the instrument advises.
/// </summary>
internal sealed partial class MetricsExporter : IDisposable
{
    /// <summary>A family with more series than this has a label without bounds; further ones are counted instead of kept.</summary>
    public const int MaxSeries = 2_000;

    private const string MeterPrefix = "SmiMetrics.";

    /// <summary>Counters that Kubernetes named before it was the custom to end in <c>_total</c>, and that dashboards know so.</summary>
    private static readonly FrozenSet<string> NamedByKubernetes = ["authentication_attempts", "authenticated_user_requests"];

    private static readonly double[] DefaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly ILogger<MetricsExporter> _logger;
    private readonly BuildVersion _version;
    private readonly MeterListener _listener = new();
    private readonly Lock _collecting = new();
    private readonly SortedDictionary<string, Family> _families = new(StringComparer.Ordinal);
    private readonly double _startTime;

    public MetricsExporter(BuildVersion version, ILogger<MetricsExporter> logger)
    {
        _version = version;
        _logger = logger;
        using (Process self = Process.GetCurrentProcess())
        {
            _startTime = (self.StartTime.ToUniversalTime() - DateTime.UnixEpoch).TotalSeconds;
        }

        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name.StartsWith(MeterPrefix, StringComparison.Ordinal) && FamilyOf(instrument) is Family family)
            {
                listener.EnableMeasurementEvents(instrument, family);
            }
        };
        _listener.SetMeasurementEventCallback<double>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<float>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<long>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.SetMeasurementEventCallback<int>((_, value, tags, state) => ((Family)state!).Record(value, tags));
        _listener.Start();
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>Writes all families, sorted by name.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        ExpositionWriter writer = new(output);
        Single(writer, "process_cpu_seconds_total", MetricType.Counter, "Total user and system CPU time spent in seconds.", CpuSeconds());
        Single(writer, "process_resident_memory_bytes", MetricType.Gauge, "Resident memory size in bytes.", Environment.WorkingSet);
        Single(writer, "process_start_time_seconds", MetricType.Gauge, "Start time of the process since unix epoch in seconds.", _startTime);

        writer.Family("smi_metrics_build_info", MetricType.Gauge, "Which build this is.");
        writer.Sample("smi_metrics_build_info");
        writer.Label("version", _version.Version);
        writer.Value(1);

        // Two scrapes at once would see each other's half-collected gauges.
        lock (_collecting)
        {
            Family[] families;
            lock (_families)
            {
                families = [.. _families.Values];
            }

            foreach (Family family in families)
            {
                family.ForgetObserved();
            }

            Observe();

            long dropped = 0;
            foreach (Family family in families)
            {
                family.WriteTo(writer);
                dropped += family.Dropped;
            }

            Single(
                writer,
                "smi_metrics_exporter_dropped_measurements_total",
                MetricType.Counter,
                "Measurements of series beyond the limit of a family.",
                dropped);
        }
    }

    private void Observe()
    {
        try
        {
            _listener.RecordObservableInstruments();
        }
        catch (AggregateException e)
        {
            // Those that failed are absent from this scrape, the others are not.
            Log.ObservationFailed(_logger, e);
        }
    }

    private Family? FamilyOf(Instrument instrument)
    {
        Shape? shape = ShapeOf<double>(instrument) ?? ShapeOf<long>(instrument) ?? ShapeOf<int>(instrument) ?? ShapeOf<float>(instrument);
        if (shape is null)
        {
            Log.Ignored(_logger, instrument.Name, "its type of number is not supported");
            return null;
        }

        string name = Sanitize(instrument.Name);
        if (shape.Type == MetricType.Counter && !name.EndsWith("_total", StringComparison.Ordinal) && !NamedByKubernetes.Contains(name))
        {
            name += "_total";
        }

        lock (_families)
        {
            if (!_families.TryGetValue(name, out Family? family))
            {
                family = new Family(name, instrument.Description, shape);
                _families.Add(name, family);
            }
            else if (!family.IsOf(shape))
            {
                Log.Ignored(_logger, instrument.Name, "another instrument of that name is of another type");
                return null;
            }

            return family;
        }
    }

    private static Shape? ShapeOf<T>(Instrument instrument) where T : struct => instrument switch
    {
        Counter<T> => new Shape(MetricType.Counter, Observed: false, Sums: true, []),
        ObservableCounter<T> => new Shape(MetricType.Counter, Observed: true, Sums: false, []),
        UpDownCounter<T> => new Shape(MetricType.Gauge, Observed: false, Sums: true, []),
        ObservableUpDownCounter<T> or ObservableGauge<T> => new Shape(MetricType.Gauge, Observed: true, Sums: false, []),
        Gauge<T> => new Shape(MetricType.Gauge, Observed: false, Sums: false, []),
        Histogram<T> histogram => new Shape(MetricType.Histogram, Observed: false, Sums: false, BucketsOf(histogram)),
        _ => null,
    };

    private static double[] BucketsOf<T>(Histogram<T> histogram) where T : struct =>
        histogram.Advice?.HistogramBucketBoundaries is { Count: > 0 } advised
            ? [.. advised.Select(bound => Convert.ToDouble(bound, CultureInfo.InvariantCulture))]
            : DefaultBuckets;

    private static void Single(ExpositionWriter writer, string name, MetricType type, string help, double value)
    {
        writer.Family(name, type, help);
        writer.Sample(name);
        writer.Value(value);
    }

    private static double CpuSeconds()
    {
        using Process self = Process.GetCurrentProcess();
        return self.TotalProcessorTime.TotalSeconds;
    }

    private static string Sanitize(string name)
    {
        string allowed = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_'));
        return allowed.Length > 0 && !char.IsAsciiDigit(allowed[0]) ? allowed : "_" + allowed;
    }

    /// <summary>How the measurements of an instrument become values.</summary>
    /// <param name="Observed">Measured at each scrape, and only then.</param>
    /// <param name="Sums">A measurement adds to the value instead of replacing it.</param>
    /// <param name="Buckets">Upper bounds of a histogram's buckets, ascending, without infinity.</param>
    private sealed record Shape(MetricType Type, bool Observed, bool Sums, double[] Buckets);

    private sealed class Series(KeyValuePair<string, string>[] labels, int buckets)
    {
        public KeyValuePair<string, string>[] Labels => labels;
        public long[] Buckets { get; } = new long[buckets];
        public long Count { get; set; }

        /// <summary>A histogram's sum.</summary>
        public double Value { get; set; }
    }

    private sealed class Family(string name, string? help, Shape shape)
    {
        private readonly Lock _lock = new();
        private readonly SortedDictionary<string, Series> _series = new(StringComparer.Ordinal);

        public long Dropped { get; private set; }

        public bool IsOf(Shape other) => other.Type == shape.Type && other.Observed == shape.Observed && other.Sums == shape.Sums;

        public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            KeyValuePair<string, string>[] labels = Labels(tags);
            string key = string.Join('\0', labels.Select(label => $"{label.Key}\0{label.Value}"));
            lock (_lock)
            {
                if (!_series.TryGetValue(key, out Series? series))
                {
                    if (_series.Count >= MaxSeries)
                    {
                        Dropped++;
                        return;
                    }

                    series = new Series(labels, shape.Buckets.Length);
                    _series.Add(key, series);
                }

                if (shape.Type == MetricType.Histogram)
                {
                    int bucket = Array.FindIndex(shape.Buckets, bound => value <= bound);
                    if (bucket >= 0)
                    {
                        series.Buckets[bucket]++;
                    }

                    series.Count++;
                    series.Value += value;
                }
                else
                {
                    series.Value = shape.Sums ? series.Value + value : value;
                }
            }
        }

        /// <summary>So that what is no longer observed is no longer shown.</summary>
        public void ForgetObserved()
        {
            if (shape.Observed)
            {
                lock (_lock)
                {
                    _series.Clear();
                }
            }
        }

        public void WriteTo(ExpositionWriter writer)
        {
            lock (_lock)
            {
                if (_series.Count == 0)
                {
                    return;
                }

                writer.Family(name, shape.Type, help);
                foreach (Series series in _series.Values)
                {
                    if (shape.Type == MetricType.Histogram)
                    {
                        WriteHistogram(writer, series);
                    }
                    else
                    {
                        StartSample(writer, "", series);
                        writer.Value(series.Value);
                    }
                }
            }
        }

        private void WriteHistogram(ExpositionWriter writer, Series series)
        {
            long cumulative = 0;
            for (int i = 0; i < shape.Buckets.Length; i++)
            {
                cumulative += series.Buckets[i];
                StartSample(writer, "_bucket", series);
                writer.Label("le", shape.Buckets[i]);
                writer.Value(cumulative);
            }

            StartSample(writer, "_bucket", series);
            writer.Label("le", double.PositiveInfinity);
            writer.Value(series.Count);
            StartSample(writer, "_sum", series);
            writer.Value(series.Value);
            StartSample(writer, "_count", series);
            writer.Value(series.Count);
        }

        private void StartSample(ExpositionWriter writer, string suffix, Series series)
        {
            writer.Sample(name, suffix);
            foreach ((string label, string value) in series.Labels)
            {
                writer.Label(label, value);
            }
        }

        // Sorted, because the same tags in another order are the same series.
        private static KeyValuePair<string, string>[] Labels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            KeyValuePair<string, string>[] labels = new KeyValuePair<string, string>[tags.Length];
            for (int i = 0; i < tags.Length; i++)
            {
                labels[i] = new(Sanitize(tags[i].Key), Text(tags[i].Value));
            }

            Array.Sort(labels, static (a, b) => string.CompareOrdinal(a.Key, b.Key));
            return labels;
        }

        private static string Text(object? value) => value switch
        {
            null => "",
            string text => text,
            bool truth => truth ? "true" : "false",
            IFormattable formattable => formattable.ToString(null, CultureInfo.InvariantCulture),
            _ => value.ToString() ?? "",
        };
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Some gauges could not be observed")]
        public static partial void ObservationFailed(ILogger logger, Exception exception);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Instrument {Name} is not exported: {Why}")]
        public static partial void Ignored(ILogger logger, string name, string why);
    }
}
