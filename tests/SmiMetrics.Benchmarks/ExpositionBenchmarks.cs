using System.Globalization;
using System.Runtime.CompilerServices;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using SmiMetrics.Exposition;

namespace SmiMetrics.Benchmarks;

/// <summary>
/// What it costs to read a proxy's page: captures of real proxies, repeated to a megabyte, on one core. The baseline only looks for line
/// feeds, which no reader of lines can do without, so the ratio holds on a busy machine too.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(WithThroughput))]
public class ExpositionBenchmarks
{
    private const int PageSize = 1 << 20;

    private byte[] _page = [];

    [Params("linkerd", "istio", "kuma", "cilium", "traefik")]
    public string Capture { get; set; } = "";

    [GlobalSetup]
    public void Prepare() => _page = Page(Capture);

    [Benchmark(Baseline = true, Description = "count line feeds")]
    public int CountLineFeeds()
    {
        int lines = 0;
        ReadOnlySpan<byte> rest = _page;
        int length;
        while ((length = rest.IndexOf((byte)'\n')) >= 0)
        {
            rest = rest[(length + 1)..];
            lines++;
        }

        return lines;
    }

    [Benchmark(Description = "keep what Linkerd's descriptor names")]
    public double KeepNamed()
    {
        ExpositionReader reader = new(_page, ExpositionFormat.Text);
        double sum = 0;
        while (reader.ReadName())
        {
            if ((reader.Name.SequenceEqual("response_latency_ms_bucket"u8) || reader.Name.SequenceEqual("response_total"u8))
                && reader.ReadSample(out ReadOnlySpan<byte> series, out double value, out _))
            {
                sum += value + series.Length;
            }
        }

        return sum;
    }

    [Benchmark(Description = "keep all")]
    public double KeepAll() => KeepAll(ExpositionFormat.Text);

    [Benchmark(Description = "keep all, OpenMetrics")]
    public double KeepAllOfOpenMetrics() => KeepAll(ExpositionFormat.OpenMetrics);

    /// <summary>What a target's first page costs; from the second on, the series' bytes are known and nobody reads the labels again.</summary>
    [Benchmark(Description = "keep all, read labels")]
    public double ReadLabels()
    {
        ExpositionReader reader = new(_page, ExpositionFormat.Text);
        double sum = 0;
        while (reader.ReadName())
        {
            if (reader.ReadSample(out ReadOnlySpan<byte> series, out double value, out _))
            {
                LabelReader labels = new(series);
                while (labels.Read())
                {
                    sum += labels.Name.Length + labels.Value.Length;
                }

                sum += value;
            }
        }

        return sum;
    }

    private double KeepAll(ExpositionFormat format)
    {
        ExpositionReader reader = new(_page, format);
        double sum = 0;
        while (reader.ReadName())
        {
            if (reader.ReadSample(out ReadOnlySpan<byte> series, out double value, out _))
            {
                sum += value + series.Length;
            }
        }

        return sum;
    }

    private static byte[] Page(string capture, [CallerFilePath] string here = "")
    {
        string folder = Path.Combine(Path.GetDirectoryName(here)!, "..", "SmiMetrics.Tests", "testdata", "exposition");
        byte[] once = [.. Directory.GetFiles(folder, capture + "*.txt").Order(StringComparer.Ordinal).SelectMany(File.ReadAllBytes)];
        return [.. Enumerable.Repeat(once, (PageSize / once.Length) + 1).SelectMany(bytes => bytes)];
    }

    private sealed class WithThroughput : ManualConfig
    {
        public WithThroughput() => AddColumn(new Throughput());
    }

    private sealed class Throughput : IColumn
    {
        public string Id => nameof(Throughput);

        public string ColumnName => "MB/s";

        public string Legend => "Million bytes of the page per second";

        public bool AlwaysShow => true;

        public ColumnCategory Category => ColumnCategory.Custom;

        public int PriorityInCategory => 0;

        public bool IsNumeric => true;

        public UnitType UnitType => UnitType.Dimensionless;

        public bool IsAvailable(Summary summary) => true;

        public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
        {
            double? nanoseconds = summary[benchmarkCase]?.ResultStatistics?.Mean;
            int bytes = Page((string)benchmarkCase.Parameters[nameof(Capture)]).Length;
            return nanoseconds is null ? "?" : (bytes * 1e3 / nanoseconds.Value).ToString("N0", CultureInfo.InvariantCulture);
        }

        public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);
    }
}
