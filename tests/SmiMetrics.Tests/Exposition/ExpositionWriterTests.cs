using System.Buffers;
using System.Globalization;
using System.Text;
using CsCheck;
using SmiMetrics.Exposition;

namespace SmiMetrics.Tests.Exposition;

public sealed class ExpositionWriterTests
{
    [Fact]
    public void A_family_is_help_and_type_and_samples() =>
        Assert.Equal(
            """
            # HELP requests_total Requests, all of them.
            # TYPE requests_total counter
            requests_total 3
            requests_total{code="200"} 2
            requests_total{code="404",path="/x"} 1 1700000000123

            """,
            Written(writer =>
            {
                writer.Family("requests_total", MetricType.Counter, "Requests, all of them.");
                writer.Sample("requests_total");
                writer.Value(3);
                writer.Sample("requests_total");
                writer.Label("code", "200");
                writer.Value(2);
                writer.Sample("requests_total");
                writer.Label("code", "404");
                writer.Label("path", "/x");
                writer.Value(1, 1700000000123);
            }));

    [Fact]
    public void A_histogram_has_suffixes_and_numbers_for_labels() =>
        Assert.Equal(
            """
            # TYPE latency histogram
            latency_bucket{le="0.5"} 1
            latency_bucket{le="+Inf"} 2
            latency_sum 7.25
            latency_count 2

            """,
            Written(writer =>
            {
                writer.Family("latency", MetricType.Histogram, help: null);
                writer.Sample("latency", "_bucket");
                writer.Label("le", 0.5);
                writer.Value(1);
                writer.Sample("latency", "_bucket");
                writer.Label("le", double.PositiveInfinity);
                writer.Value(2);
                writer.Sample("latency", "_sum");
                writer.Value(7.25);
                writer.Sample("latency", "_count");
                writer.Value(2);
            }));

    [Theory]
    [InlineData(nameof(MetricType.Untyped), "untyped")]
    [InlineData(nameof(MetricType.Counter), "counter")]
    [InlineData(nameof(MetricType.Gauge), "gauge")]
    [InlineData(nameof(MetricType.Histogram), "histogram")]
    [InlineData(nameof(MetricType.Summary), "summary")]
    public void Each_type_has_its_word(string type, string word) =>
        Assert.Equal($"# TYPE x {word}\n", Written(writer => writer.Family("x", Enum.Parse<MetricType>(type), "")));

    [Theory]
    [InlineData("", "")]
    [InlineData("plain", "plain")]
    [InlineData("a\"b", "a\\\"b")]
    [InlineData("a\\b", "a\\\\b")]
    [InlineData("a\nb", "a\\nb")]
    [InlineData("\\\"\n", "\\\\\\\"\\n")]
    [InlineData("tab\tand\rreturn", "tab\tand\rreturn")]
    [InlineData("Grüße 网格 🕸", "Grüße 网格 🕸")]
    public void Label_values_are_escaped(string value, string written) =>
        Assert.Equal($"x{{l=\"{written}\"}} 0\n", Written(writer =>
        {
            writer.Sample("x");
            writer.Label("l", value);
            writer.Value(0);
        }));

    [Theory]
    [InlineData("two\nlines", "two\\nlines")]
    [InlineData("back\\slash", "back\\\\slash")]
    [InlineData("\"quoted\"", "\"quoted\"")]
    public void Help_is_escaped_but_its_quotes(string help, string written) =>
        Assert.Equal($"# HELP x {written}\n# TYPE x gauge\n", Written(writer => writer.Family("x", MetricType.Gauge, help)));

    // Right-hand sides are what Go's strconv.FormatFloat(v, 'g', -1, 64) and Prometheus' special cases give.
    [Theory]
    [InlineData(0d, "0")]
    [InlineData(-0d, "-0")]
    [InlineData(1d, "1")]
    [InlineData(-1d, "-1")]
    [InlineData(0.1, "0.1")]
    [InlineData(0.30000000000000004, "0.30000000000000004")]
    [InlineData(100d, "100")]
    [InlineData(123456d, "123456")]
    [InlineData(999999d, "999999")]
    [InlineData(999999.5, "999999.5")]
    [InlineData(1000000d, "1e+06")]
    [InlineData(-1000000d, "-1e+06")]
    [InlineData(1234567d, "1.234567e+06")]
    [InlineData(-1234567.25, "-1.23456725e+06")]
    [InlineData(20000000d, "2e+07")]
    [InlineData(123456789d, "1.23456789e+08")]
    [InlineData(1700000000.123, "1.700000000123e+09")]
    [InlineData(100000000000000d, "1e+14")]
    [InlineData(123456789012345d, "1.23456789012345e+14")]
    [InlineData(999999999999999d, "9.99999999999999e+14")]
    [InlineData(1e15, "1e+15")]
    [InlineData(1234567890123456789d, "1.2345678901234568e+18")]
    [InlineData(1e21, "1e+21")]
    [InlineData(double.MaxValue, "1.7976931348623157e+308")]
    [InlineData(0.0001, "0.0001")]
    [InlineData(0.00012345, "0.00012345")]
    [InlineData(0.00001, "1e-05")]
    [InlineData(0.000012345, "1.2345e-05")]
    [InlineData(-1.5e-7, "-1.5e-07")]
    [InlineData(5e-324, "5e-324")]
    [InlineData(double.NaN, "NaN")]
    [InlineData(double.PositiveInfinity, "+Inf")]
    [InlineData(double.NegativeInfinity, "-Inf")]
    public void Numbers_are_written_as_prometheus_writes_them(double value, string written) => Assert.Equal(written, Number(value));

    [Fact]
    public void Every_number_reads_back_as_itself() =>
        Gen.OneOf(Gen.Double, Gen.Long.Select(bits => BitConverter.Int64BitsToDouble(bits)), Gen.Double[1e5, 1e16]).Sample(
            value => double.IsFinite(value) ? double.Parse(Number(value), CultureInfo.InvariantCulture).Equals(value) : Number(value) is "NaN" or "+Inf" or "-Inf");

    [Fact]
    public void A_sample_allocates_nothing()
    {
        ArrayBufferWriter<byte> buffer = new(1 << 20);
        ExpositionWriter writer = new(buffer);
        Write(writer);
        // As with the reader: what a collection takes of the thread's allocation buffer counts as allocated. A writer that allocates does so every time.
        Assert.Equal(0, Enumerable.Range(0, 5).Min(_ => Allocated(writer)));

        static long Allocated(ExpositionWriter writer)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 200; i++)
            {
                Write(writer);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        static void Write(ExpositionWriter writer)
        {
            writer.Sample("istio_request_duration_milliseconds", "_bucket");
            writer.Label("destination_workload", "reviews \"v1\"");
            writer.Label("le", 0.5);
            writer.Value(12345678);
        }
    }

    private static string Number(double value) => Written(writer =>
    {
        writer.Sample("x");
        writer.Value(value);
    })[2..^1];

    private static string Written(Action<ExpositionWriter> write)
    {
        ArrayBufferWriter<byte> buffer = new();
        write(new ExpositionWriter(buffer));
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
