using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using SmiMetrics.Exposition;

namespace SmiMetrics.Tests.Exposition;

/// <summary>What holds of the reader for any page: generated ones, and real captures cut and damaged.</summary>
public sealed class ExpositionPropertyTests
{
    private const string Name = "[a-zA-Z_:][a-zA-Z0-9_:]*";
    private const string Quoted = @"""(\\.|[^\\""])*""";
    private const string QuotedName = @"""(\\.|[^\\""])+""";
    private const string Label = $@"([a-zA-Z_][a-zA-Z0-9_]*|{QuotedName})[ \t]*=[ \t]*{Quoted}[ \t]*,?[ \t]*";
    private const string Labels = $@"\{{[ \t]*({Label})*\}}";
    private const string QuotedSeries = $@"\{{[ \t]*{QuotedName}[ \t]*(,[ \t]*({Label})*)?\}}";
    private const string Float = @"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?";
    private const string Number = $"({Float}|[nN][aA][nN])";

    [Theory]
    [InlineData("linkerd", nameof(ExpositionFormat.Text))]
    [InlineData("linkerd", nameof(ExpositionFormat.OpenMetrics))]
    [InlineData("istio-request-duration", nameof(ExpositionFormat.Text))]
    [InlineData("istio-requests-total", nameof(ExpositionFormat.Text))]
    [InlineData("kuma-histogram", nameof(ExpositionFormat.Text))]
    [InlineData("kuma-counter", nameof(ExpositionFormat.Text))]
    [InlineData("cilium", nameof(ExpositionFormat.Text))]
    [InlineData("cilium", nameof(ExpositionFormat.OpenMetrics))]
    [InlineData("traefik", nameof(ExpositionFormat.Text))]
    public void A_capture_cut_at_any_byte_gives_the_samples_of_its_whole_lines(string capture, string format) =>
        AssertTruncationIsSafe(Page.Capture(capture), Enum.Parse<ExpositionFormat>(format));

    [Theory]
    [InlineData(nameof(ExpositionFormat.Text), "a{b=\"\\\"\\\\\\n}\"} 1.5 -17\r\n\r\n# TYPE c counter\n{\"c.d\", \"e f\"=\"é🕸\"} +Inf 12\n\ta\t{ } NaN\n")]
    [InlineData(
        nameof(ExpositionFormat.OpenMetrics),
        "a{b=\"#} 9\"} 1.5 -17.25 # {t=\"u\"} 3 4\r\n# TYPE c counter\n{\"c.d\",\"e f\"=\"é🕸\"} +Inf 12\n# UNIT x seconds\na NaN # {} 1\n# EOF\n")]
    public void A_page_of_every_feature_cut_at_any_byte_gives_the_samples_of_its_whole_lines(string format, string page) =>
        AssertTruncationIsSafe(Encoding.UTF8.GetBytes(page), Enum.Parse<ExpositionFormat>(format));

    [Fact]
    public void What_the_writer_writes_reads_back_as_itself()
    {
        Gen<string> metricName = Gen.String[Gen.Char["abzAZ_:09"], 1, 9].Select(name => char.IsAsciiDigit(name[0]) ? "_" + name : name);
        Gen<string> labelName = Gen.String[Gen.Char["abzAZ_09"], 1, 9].Select(name => char.IsAsciiDigit(name[0]) ? "_" + name : name);
        Gen<(string, string)[]> labels = Gen.Select(labelName, AnyText).Array[0, 4];

        Gen.Select(metricName, labels, AnyDouble, Gen.Long.Nullable()).Array[0, 5].Sample(
            expected =>
            {
                ArrayBufferWriter<byte> buffer = new();
                ExpositionWriter writer = new(buffer);
                foreach ((string name, (string, string)[] itsLabels, double value, long? timestamp) in expected)
                {
                    writer.Family(name, MetricType.Gauge, "Some\nhelp.");
                    writer.Sample(name);
                    foreach ((string label, string text) in itsLabels)
                    {
                        writer.Label(label, text);
                    }

                    if (timestamp is { } milliseconds)
                    {
                        writer.Value(value, milliseconds);
                    }
                    else
                    {
                        writer.Value(value);
                    }
                }

                Page page = Page.Read(buffer.WrittenSpan, ExpositionFormat.Text);
                Assert.Equal(0, page.BadLines);
                Assert.Equal(
                    expected.Select(sample => (sample.Item1, Page.Show(sample.Item2), BitConverter.DoubleToInt64Bits(sample.Item3), sample.Item4)),
                    page.Samples.Select(sample => (sample.Name, sample.Labels, BitConverter.DoubleToInt64Bits(sample.Value), sample.Timestamp)));
            });
    }

    [Fact]
    public void Quoted_names_of_any_characters_read_back_as_themselves()
    {
        Gen<string> name = AnyText.Where(text => text.Length > 0);

        Gen.Select(name, Gen.Select(name, AnyText).Array[0, 4]).Sample((metric, labels) =>
        {
            StringBuilder line = new($"{{{Quote(metric)}");
            foreach ((string label, string value) in labels)
            {
                line.Append(CultureInfo.InvariantCulture, $",{Quote(label)}={Quote(value)}");
            }

            foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
            {
                Sample sample = Assert.Single(Page.Read(line + "} 1\n", format).Samples);
                Assert.Equal(Quote(metric), $"\"{sample.Name}\"");
                Assert.Equal(Page.Show(labels), sample.Labels);
            }
        });

        static string Quote(string text) => $"\"{text.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")}\"";
    }

    /// <summary>
    /// The reader takes short cuts; the grammar, written as one pattern a format, takes none. Lines start as good ones and are damaged in up to
    /// three places.
    /// </summary>
    [Fact]
    public void A_line_is_a_sample_if_and_only_if_the_grammar_says_so()
    {
        Gen<string> label = Gen.OneOf("b=\"c\"", "b=\"c\",", "b=\"c\",", "b = \"}\" ", "\"é{\"=\"\\\"\",", "b=\"# {\",", " ");
        Gen<string> labels = label.Array[0, 3].Select(string.Concat);
        Gen<string> series = Gen.Select(Gen.OneOf("a{", "a {", "{\"a\",", "{ \"é}\" ,"), labels, (start, inner) => start + inner + "}");
        Gen<string> tail = Gen.OneOf(" 1", " -2.5", "\tNaN", "3", " 1 4", " 1 5.5", " 1 # {b=\"c\"} 1", " 1 6 # {} 1 ", " 1 }");
        Gen<string> fragment = Gen.OneOf("{", "}", "\"", "\\", "=", ",", " ", "\t", "#", "1", "a", ".", "-", "é", " # {", "\"}");
        Gen<(int, bool, string)[]> edits = Gen.Select(Gen.Int[0, 99], Gen.Bool, fragment).Array[0, 3];
        Gen<string> line = Gen.Select(Gen.OneOf(series, Gen.OneOf("a", " a", "")), tail, edits, (start, end, itsEdits) => itsEdits.Aggregate(start + end, Edit));

        int samples = 0;
        line.Sample(
            text =>
            {
                foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
                {
                    Page page = Page.Read(text + "\n", format);
                    Match match = (format == ExpositionFormat.Text ? TextGrammar : OpenMetricsGrammar).Match(text);
                    if (match.Success)
                    {
                        Sample sample = Assert.Single(page.Samples);
                        Interlocked.Increment(ref samples);
                        Assert.Equal(match.Groups["series"].Value, sample.Series);
                        Assert.NotEqual(Sample.Malformed, sample.Labels);
                        Assert.Equal(double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture), sample.Value);
                        Assert.Equal(match.Groups["time"].Success, sample.Timestamp.HasValue);
                    }
                    else if (text.Trim(' ', '\t').Length > 0 && !(format == ExpositionFormat.Text ? text.TrimStart(' ', '\t') : text).StartsWith('#'))
                    {
                        Assert.Equal(1, page.BadLines + page.Samples.Count(sample => sample.Labels == Sample.Malformed));
                    }
                    else
                    {
                        Assert.Equal((0, 0), (page.BadLines, page.Samples.Count));
                    }
                }
            },
            iter: 50_000);

        // Of a hundred thousand readings, enough must be of either kind for the test to mean anything.
        Assert.InRange(samples, 10_000, 90_000);

        static string Edit(string text, (int At, bool Insert, string Fragment) edit)
        {
            int at = edit.At % (text.Length + 1);
            return edit.Insert ? text.Insert(at, edit.Fragment) : text.Remove(at, at < text.Length ? 1 : 0);
        }
    }

    [Fact]
    public void Garbage_is_read_to_its_end_without_an_exception()
    {
        Gen<byte[]> garbage = Gen.OneOf(
            Gen.Byte.Array[0, 300],
            Gen.OneOf("a{}\"\\=, \t\r\n#1\0\xff"u8.ToArray()).Array[0, 300]);

        garbage.Sample(bytes =>
        {
            int lines = bytes.Count(value => value == '\n') + 1;
            foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
            {
                Page page = Page.Read(bytes, format);
                Assert.InRange(page.BadLines + page.Samples.Count, 0, lines);
            }

            LabelReader labels = new(bytes);
            int read = 0;
            while (labels.Read())
            {
                read++;
            }

            Assert.InRange(read, 0, bytes.Length);
            Assert.InRange(LabelReader.Unescape(bytes, new byte[bytes.Length]).Length, 0, bytes.Length);
        });
    }

    [Fact]
    public void A_capture_with_a_byte_changed_loses_at_most_two_lines()
    {
        byte[] capture = Page.Capture("cilium");
        int whole = Page.Read(capture, ExpositionFormat.Text).Samples.Count;

        Gen.Select(Gen.Int[0, capture.Length - 1], Gen.Byte).Sample((position, value) =>
        {
            byte[] changed = [.. capture];
            changed[position] = value;
            foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
            {
                Assert.InRange(Page.Read(changed, format).Samples.Count, whole - 2, whole + 1);
            }
        });
    }

    [Fact]
    public void Reading_allocates_nothing()
    {
        byte[] page = [.. Page.Capture("linkerd"), .. Page.Capture("kuma-histogram"), .. "{\"a.b\",c=\"d\"} 1.5 7\na NaN -1\nbad {\n"u8];
        ReadAll(page, ExpositionFormat.Text);
        ReadAll(page, ExpositionFormat.OpenMetrics);
        // A collection that another test brings about takes the thread's allocation buffer away, and what was left of it counts as allocated. A
        // reader that allocates does so every time.
        Assert.Equal(0, Enumerable.Range(0, 5).Min(_ => Allocated(page)));

        static long Allocated(byte[] page)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 20; i++)
            {
                ReadAll(page, ExpositionFormat.Text);
                ReadAll(page, ExpositionFormat.OpenMetrics);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        static void ReadAll(byte[] page, ExpositionFormat format)
        {
            ExpositionReader reader = new(page, format);
            while (reader.ReadName())
            {
                if (reader.ReadSample(out ReadOnlySpan<byte> series, out _, out _))
                {
                    LabelReader labels = new(series);
                    while (labels.Read())
                    {
                    }
                }
            }
        }
    }

    private static Gen<string> AnyText =>
        Gen.OneOf(Gen.Int[0, 0x7f], Gen.Int[0, 0xd7ff], Gen.Int[0xe000, 0x10ffff], Gen.OneOf('\\', '"', '\n', '\r', '}').Select(character => (int)character))
            .Array[0, 12].Select(runes => string.Concat(runes.Select(rune => new Rune(rune).ToString())));

    private static Gen<double> AnyDouble =>
        Gen.OneOf(
            Gen.Double,
            Gen.Long.Select(bits => BitConverter.Int64BitsToDouble(bits)).Select(value => double.IsNaN(value) ? double.NaN : value),
            Gen.Int[0, 1_000_000].Select(count => (double)count),
            Gen.OneOf(double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0d, double.Epsilon, double.MaxValue));

    private static Regex TextGrammar { get; } = Grammar(
        $@"[ \t]*((?<series>{Name}[ \t]*{Labels}|{QuotedSeries})[ \t]*|(?<series>{Name})[ \t]+)(?<value>{Number})([ \t]+(?<time>-?[0-9]+))?[ \t]*");

    private static Regex OpenMetricsGrammar { get; } = Grammar(
        $@"(?<series>{Name}|{Name}{Labels}|{QuotedSeries})\ (?<value>{Number})(\ (?<time>{Float}))?(\ \#\ \{{.*)?");

    private static Regex Grammar(string pattern) =>
        new($@"\A(?:{pattern})\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.Singleline);

    private static void AssertTruncationIsSafe(ReadOnlySpan<byte> page, ExpositionFormat format)
    {
        Page whole = Page.Read(page, format);
        byte[][] series = [.. whole.Samples.Select(sample => Encoding.UTF8.GetBytes(sample.Series))];
        int ends = page.LastIndexOf("# EOF"u8);
        for (int length = 0; length <= page.Length; length++)
        {
            ExpositionReader reader = new(page[..length], format);
            int samples = 0;
            while (reader.ReadName())
            {
                Assert.True(reader.ReadSample(out ReadOnlySpan<byte> itsSeries, out double value, out long? timestamp));
                Assert.True(itsSeries.SequenceEqual(series[samples]));
                Assert.True(value.Equals(whole.Samples[samples].Value) && timestamp == whole.Samples[samples].Timestamp);
                samples++;
            }

            bool cutOffEnd = format == ExpositionFormat.OpenMetrics && ends >= 0 && length == ends + "# EOF".Length;
            Assert.Equal(length == 0 || page[length - 1] == '\n' || cutOffEnd ? 0 : 1, reader.BadLines);
            if (length == page.Length)
            {
                Assert.Equal(series.Length, samples);
            }
        }
    }
}
