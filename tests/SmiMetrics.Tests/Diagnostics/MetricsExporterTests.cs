using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Diagnostics;

namespace SmiMetrics.Tests.Diagnostics;

/// <summary>Exporters listen to the whole process, so each test has instruments of its own name.</summary>
public sealed class MetricsExporterTests : IDisposable
{
    private readonly MetricsExporter _exporter = new(new BuildVersion("1.2.3", "abc"), NullLogger<MetricsExporter>.Instance);
    private readonly Meter _meter = new("SmiMetrics.Tests.Exporter");

    public void Dispose()
    {
        _exporter.Dispose();
        _meter.Dispose();
    }

    [Fact]
    public void The_process_and_the_build_are_always_there()
    {
        PrometheusText text = Scrape();

        Assert.Equal(1, text.Samples["smi_metrics_build_info{version=1.2.3}"]);
        Assert.Equal("gauge", text.Types["smi_metrics_build_info"]);
        Assert.Equal("counter", text.Types["process_cpu_seconds_total"]);
        Assert.InRange(text.Samples["process_cpu_seconds_total"], 0.001, 100_000);
        Assert.Equal("gauge", text.Types["process_resident_memory_bytes"]);
        Assert.InRange(text.Samples["process_resident_memory_bytes"], 1e6, 1e12);
        Assert.Equal("gauge", text.Types["process_start_time_seconds"]);
        double now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds() / 1e3;
        Assert.InRange(text.Samples["process_start_time_seconds"], now - 3_600, now);
    }

    [Fact]
    public void A_counter_adds_up_for_each_set_of_labels()
    {
        Counter<long> counter = _meter.CreateCounter<long>("test_exporter.adds-up", "x", "Help\nin two lines.");
        counter.Add(1);
        counter.Add(2, new KeyValuePair<string, object?>("code", 200), new KeyValuePair<string, object?>("zone.name", "a\"b\\c\nd"));
        counter.Add(3, new KeyValuePair<string, object?>("zone.name", "a\"b\\c\nd"), new KeyValuePair<string, object?>("code", 200));
        counter.Add(4, new KeyValuePair<string, object?>("code", true));
        counter.Add(5, new KeyValuePair<string, object?>("code", null));

        PrometheusText text = Scrape();

        Assert.Equal("counter", text.Types["test_exporter_adds_up_total"]);
        Assert.Equal(1, text.Samples["test_exporter_adds_up_total"]);
        Assert.Equal(5, text.Samples["test_exporter_adds_up_total{code=200,zone_name=a\"b\\c\nd}"]);
        Assert.Equal(4, text.Samples["test_exporter_adds_up_total{code=true}"]);
        Assert.Equal(5, text.Samples["test_exporter_adds_up_total{code=}"]);
    }

    [Fact]
    public void Counters_of_every_number_are_counters()
    {
        _meter.CreateCounter<int>("test_exporter_int").Add(1);
        _meter.CreateCounter<float>("test_exporter_float").Add(1.5f);
        _meter.CreateCounter<double>("test_exporter_double_total").Add(2.5);

        PrometheusText text = Scrape();

        Assert.Equal(1, text.Samples["test_exporter_int_total"]);
        Assert.Equal(1.5, text.Samples["test_exporter_float_total"]);
        Assert.Equal(2.5, text.Samples["test_exporter_double_total"]);
    }

    /// <summary>Dashboards know them without the ending that others have.</summary>
    [Fact]
    public void Counters_that_Kubernetes_named_keep_their_names()
    {
        _meter.CreateCounter<long>("authentication_attempts").Add(1);

        PrometheusText text = Scrape();

        Assert.Equal("counter", text.Types["authentication_attempts"]);
        Assert.Equal(1, text.Samples["authentication_attempts"]);
    }

    [Fact]
    public void A_histogram_has_the_buckets_that_are_advised()
    {
        Histogram<double> histogram = _meter.CreateHistogram(
            "test_exporter_advised", unit: null, description: null, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 1, 10] });
        foreach (double value in new[] { 0.05, 0.1, 0.5, 10, 11, 1000 })
        {
            histogram.Record(value, new KeyValuePair<string, object?>("v", "x"));
        }

        PrometheusText text = Scrape();

        Assert.Equal("histogram", text.Types["test_exporter_advised"]);
        Assert.Equal(2, text.Samples["test_exporter_advised_bucket{le=0.1,v=x}"]);
        Assert.Equal(3, text.Samples["test_exporter_advised_bucket{le=1,v=x}"]);
        Assert.Equal(4, text.Samples["test_exporter_advised_bucket{le=10,v=x}"]);
        Assert.Equal(6, text.Samples["test_exporter_advised_bucket{le=+Inf,v=x}"]);
        Assert.Equal(6, text.Samples["test_exporter_advised_count{v=x}"]);
        Assert.Equal(1021.65, text.Samples["test_exporter_advised_sum{v=x}"], 9);
    }

    [Fact]
    public void A_histogram_without_advice_has_buckets_all_the_same()
    {
        _meter.CreateHistogram<long>("test_exporter_default").Record(3);

        PrometheusText text = Scrape();

        Assert.Equal(0, text.Samples["test_exporter_default_bucket{le=2.5}"]);
        Assert.Equal(1, text.Samples["test_exporter_default_bucket{le=5}"]);
    }

    [Fact]
    public void Gauges_are_observed_at_each_scrape_and_forgotten_when_gone()
    {
        List<Measurement<int>> measurements = [new(7, new KeyValuePair<string, object?>("a", "1")), new(8, new KeyValuePair<string, object?>("a", "2"))];
        _meter.CreateObservableGauge("test_exporter_gauge", () => measurements);
        long total = 5;
        _meter.CreateObservableCounter("test_exporter_observed", () => total);
        _meter.CreateObservableUpDownCounter("test_exporter_level", () => -1.5);

        PrometheusText text = Scrape();
        Assert.Equal("gauge", text.Types["test_exporter_gauge"]);
        Assert.Equal(7, text.Samples["test_exporter_gauge{a=1}"]);
        Assert.Equal(8, text.Samples["test_exporter_gauge{a=2}"]);
        Assert.Equal("counter", text.Types["test_exporter_observed_total"]);
        Assert.Equal(5, text.Samples["test_exporter_observed_total"]);
        Assert.Equal("gauge", text.Types["test_exporter_level"]);
        Assert.Equal(-1.5, text.Samples["test_exporter_level"]);

        measurements.RemoveAt(0);
        total = 6;
        text = Scrape();
        Assert.DoesNotContain("test_exporter_gauge{a=1}", text.Samples.Keys);
        Assert.Equal(8, text.Samples["test_exporter_gauge{a=2}"]);
        Assert.Equal(6, text.Samples["test_exporter_observed_total"]);
    }

    [Fact]
    public void Set_gauges_show_their_last_value_and_levels_their_sum()
    {
        Gauge<double> gauge = _meter.CreateGauge<double>("test_exporter_set");
        UpDownCounter<int> level = _meter.CreateUpDownCounter<int>("test_exporter_in_flight");
        gauge.Record(3);
        gauge.Record(double.PositiveInfinity);
        level.Add(2);
        level.Add(-1);

        PrometheusText text = Scrape();

        Assert.Equal(double.PositiveInfinity, text.Samples["test_exporter_set"]);
        Assert.Equal("gauge", text.Types["test_exporter_in_flight"]);
        Assert.Equal(1, text.Samples["test_exporter_in_flight"]);
    }

    [Fact]
    public void A_gauge_that_fails_does_not_take_the_others_along()
    {
        using Meter broken = new("SmiMetrics.Tests.Broken");
        broken.CreateObservableGauge("test_exporter_broken", int () => throw new InvalidOperationException("broken"));
        broken.CreateObservableGauge("test_exporter_whole", () => 1);

        PrometheusText text = Scrape();

        Assert.Equal(1, text.Samples["test_exporter_whole"]);
        Assert.DoesNotContain("test_exporter_broken", text.Samples.Keys);
    }

    [Fact]
    public void Instruments_of_one_name_are_one_family_unless_they_differ_in_kind()
    {
        using Meter other = new("SmiMetrics.Tests.Other");
        _meter.CreateCounter<long>("test_exporter_shared").Add(1);
        other.CreateCounter<long>("test_exporter_shared").Add(2);
        other.CreateHistogram<double>("test_exporter_shared_total").Record(100);

        PrometheusText text = Scrape();

        Assert.Equal("counter", text.Types["test_exporter_shared_total"]);
        Assert.Equal(3, text.Samples["test_exporter_shared_total"]);
    }

    [Fact]
    public void Other_peoples_meters_are_left_alone()
    {
        using Meter other = new("SmiMetricsish");
        other.CreateCounter<long>("test_exporter_foreign").Add(1);

        Assert.DoesNotContain("test_exporter_foreign_total", Scrape().Samples.Keys);
    }

    [Fact]
    public void A_family_stops_at_two_thousand_series_and_says_so()
    {
        Counter<long> counter = _meter.CreateCounter<long>("test_exporter_unbounded");
        for (int i = 0; i < 2_005; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("id", i));
        }

        counter.Add(1, new KeyValuePair<string, object?>("id", 0));
        PrometheusText text = Scrape();

        Assert.Equal(2_000, text.Samples.Keys.Count(name => name.StartsWith("test_exporter_unbounded_total{", StringComparison.Ordinal)));
        Assert.Equal(2, text.Samples["test_exporter_unbounded_total{id=0}"]);
        Assert.Equal(5, text.Samples["smi_metrics_exporter_dropped_measurements_total"]);
    }

    [Fact]
    public async Task Scrapes_and_measurements_may_run_at_once()
    {
        Counter<long> counter = _meter.CreateCounter<long>("test_exporter_parallel");
        _meter.CreateObservableGauge("test_exporter_parallel_gauge", () => 1);
        Task[] writers = [.. Enumerable.Range(0, 4).Select(writer => Task.Run(() =>
        {
            for (int i = 0; i < 5_000; i++)
            {
                counter.Add(1, new KeyValuePair<string, object?>("series", (writer + i) % 10));
            }
        }))];
        Task[] readers = [.. Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < 20; i++)
            {
                Assert.Equal(1, Scrape().Samples["test_exporter_parallel_gauge"]);
            }
        }))];

        await Task.WhenAll([.. writers, .. readers]);

        Assert.Equal(20_000, Scrape().Samples.Where(pair => pair.Key.StartsWith("test_exporter_parallel_total{", StringComparison.Ordinal)).Sum(pair => pair.Value));
    }

    private PrometheusText Scrape()
    {
        ArrayBufferWriter<byte> buffer = new();
        _exporter.WriteTo(buffer);
        return PrometheusText.Parse(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }
}
