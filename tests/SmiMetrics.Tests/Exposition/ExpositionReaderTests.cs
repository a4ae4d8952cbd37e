using System.Text;
using SmiMetrics.Exposition;

namespace SmiMetrics.Tests.Exposition;

public sealed class ExpositionReaderTests
{
    private const string Nothing = "";

    // Labels are shown as name=value, resolved, each followed by a bar.
    [Theory]
    [InlineData("a 1", "a", "a", Nothing)]
    [InlineData("a\t1", "a", "a", Nothing)]
    [InlineData("a  \t 1 \t", "a", "a", Nothing)]
    [InlineData(" \ta 1", "a", "a", Nothing)]
    [InlineData("_a 1", "_a", "_a", Nothing)]
    [InlineData(":a:b9 1", ":a:b9", ":a:b9", Nothing)]
    [InlineData("a{} 1", "a", "a{}", Nothing)]
    [InlineData("a{ } 1", "a", "a{ }", Nothing)]
    [InlineData("a{b=\"c\"} 1", "a", "a{b=\"c\"}", "b=c|")]
    [InlineData("a{b=\"c\"}\t1", "a", "a{b=\"c\"}", "b=c|")]
    [InlineData("a{b=\"c\"}1", "a", "a{b=\"c\"}", "b=c|")]
    [InlineData("a{b=\"\"} 1", "a", "a{b=\"\"}", "b=|")]
    [InlineData("a{b=\"c\",} 1", "a", "a{b=\"c\",}", "b=c|")]
    [InlineData("a{_b9=\"c\",D=\"e\"} 1", "a", "a{_b9=\"c\",D=\"e\"}", "_b9=c|D=e|")]
    [InlineData("a { b = \"c\" , d = \"e\" , } 1", "a", "a { b = \"c\" , d = \"e\" , }", "b=c|d=e|")]
    [InlineData("a\t{\tb\t=\t\"c\"\t} 1", "a", "a\t{\tb\t=\t\"c\"\t}", "b=c|")]
    [InlineData("a{b=\"c\" d=\"e\"} 1", "a", "a{b=\"c\" d=\"e\"}", "b=c|d=e|")]
    [InlineData("a{b=\"c\"d=\"e\"} 1", "a", "a{b=\"c\"d=\"e\"}", "b=c|d=e|")]
    [InlineData("a{b=\"c\",b=\"d\"} 1", "a", "a{b=\"c\",b=\"d\"}", "b=c|b=d|")]
    [InlineData("a{b=\"}\"} 1", "a", "a{b=\"}\"}", "b=}|")]
    [InlineData("a{b=\"} 2 # {\"} 1", "a", "a{b=\"} 2 # {\"}", "b=} 2 # {|")]
    [InlineData("a{b=\"\\\"\"} 1", "a", "a{b=\"\\\"\"}", "b=\"|")]
    [InlineData("a{b=\"\\\\\"} 1", "a", "a{b=\"\\\\\"}", "b=\\|")]
    [InlineData("a{b=\"\\n\"} 1", "a", "a{b=\"\\n\"}", "b=\n|")]
    [InlineData("a{b=\"\\x\\é\"} 1", "a", "a{b=\"\\x\\é\"}", "b=\\x\\é|")]
    [InlineData("a{b=\"网格 🕸\"} 1", "a", "a{b=\"网格 🕸\"}", "b=网格 🕸|")]
    [InlineData("a{b=\"\0\"} 1", "a", "a{b=\"\0\"}", "b=\0|")]
    [InlineData("a{b=\"tab\tcr\rhere\"} 1", "a", "a{b=\"tab\tcr\rhere\"}", "b=tab\tcr\rhere|")]
    [InlineData("a{__name__=\"b\"} 1", "a", "a{__name__=\"b\"}", "__name__=b|")]
    [InlineData("a{\"b.c\"=\"d\"} 1", "a", "a{\"b.c\"=\"d\"}", "b.c=d|")]
    [InlineData("{\"my.metric\"} 1", "my.metric", "{\"my.metric\"}", Nothing)]
    [InlineData("{\"my.metric\",} 1", "my.metric", "{\"my.metric\",}", Nothing)]
    [InlineData("{\"my.metric\",b=\"c\"} 1", "my.metric", "{\"my.metric\",b=\"c\"}", "b=c|")]
    [InlineData("{\"my.metric\", \"my.label\"=\"v\"} 1", "my.metric", "{\"my.metric\", \"my.label\"=\"v\"}", "my.label=v|")]
    [InlineData(" { \"my.metric\" , b = \"c\" , }1", "my.metric", "{ \"my.metric\" , b = \"c\" , }", "b=c|")]
    [InlineData("{\"a \\\"b\\\" {c\\n}\",\"d\\\\e\"=\"f\"} 1", "a \\\"b\\\" {c\\n}", "{\"a \\\"b\\\" {c\\n}\",\"d\\\\e\"=\"f\"}", "d\\e=f|")]
    public void A_sample_of_the_text_format_is_read(string line, string name, string series, string labels) =>
        Assert.Equal([new Sample(name, series, 1, null, labels)], Page.Read(line + "\n", ExpositionFormat.Text).Samples);

    [Theory]
    [InlineData("a 1", "a", "a", Nothing)]
    [InlineData("a{} 1", "a", "a{}", Nothing)]
    [InlineData("a{b=\"c\",d=\"e\",} 1", "a", "a{b=\"c\",d=\"e\",}", "b=c|d=e|")]
    [InlineData("a{b=\"c#d} 2\"} 1", "a", "a{b=\"c#d} 2\"}", "b=c#d} 2|")]
    [InlineData("{\"my.metric\",\"my.label\"=\"v\"} 1", "my.metric", "{\"my.metric\",\"my.label\"=\"v\"}", "my.label=v|")]
    [InlineData("a 1 # {} 0.5", "a", "a", Nothing)]
    [InlineData("a 1 # {trace_id=\"x\"} 0.5 1.2", "a", "a", Nothing)]
    [InlineData("a{b=\"c\"} 1 # {trace_id=\"}\"} 0.5 1.2", "a", "a{b=\"c\"}", "b=c|")]
    [InlineData("a{b=\"\\\" # {\"} 1 # {t=\"\\\"} 2 # {\"} 0.5", "a", "a{b=\"\\\" # {\"}", "b=\" # {|")]
    [InlineData("{\"a.b\",c=\"#\"} 1 # {t=\"u\"} 0.5", "a.b", "{\"a.b\",c=\"#\"}", "c=#|")]
    public void A_sample_of_openmetrics_is_read_without_its_exemplar(string line, string name, string series, string labels) =>
        Assert.Equal([new Sample(name, series, 1, null, labels)], Page.Read(line + "\n", ExpositionFormat.OpenMetrics).Samples);

    [Theory]
    [InlineData("a 1 0", 0L)]
    [InlineData("a 1 1700000000123", 1700000000123L)]
    [InlineData("a 1 -5", -5L)]
    [InlineData("a\t1 \t 007\t ", 7L)]
    [InlineData("a{b=\"c\"} 1 9223372036854775807", long.MaxValue)]
    [InlineData("a{b=\"c\"} 1 -9223372036854775808", long.MinValue)]
    public void A_timestamp_of_the_text_format_is_in_milliseconds(string line, long timestamp) =>
        Assert.Equal(timestamp, Assert.Single(Page.Read(line + "\n", ExpositionFormat.Text).Samples).Timestamp);

    [Theory]
    [InlineData("a 1 0", 0L)]
    [InlineData("a 1 1700000000", 1700000000000L)]
    [InlineData("a 1 1520879607.789", 1520879607789L)]
    [InlineData("a 1 1.5e9", 1500000000000L)]
    [InlineData("a 1 0.0019", 1L)]
    [InlineData("a 1 -1.5", -1500L)]
    [InlineData("a{b=\"c\"} 1 123.25 # {t=\"u\"} 4 5", 123250L)]
    public void A_timestamp_of_openmetrics_is_in_seconds(string line, long timestamp) =>
        Assert.Equal(timestamp, Assert.Single(Page.Read(line + "\n", ExpositionFormat.OpenMetrics).Samples).Timestamp);

    [Theory]
    [InlineData("0", 0d)]
    [InlineData("-0", -0d)]
    [InlineData("7", 7d)]
    [InlineData("+7", 7d)]
    [InlineData("-7", -7d)]
    [InlineData("007", 7d)]
    [InlineData("70424", 70424d)]
    [InlineData("999999999999999999", 1e18)]
    [InlineData("9007199254740993", 9007199254740992d)]
    [InlineData("9007199254740995", 9007199254740996d)]
    [InlineData("1234567890123456789012345", 1234567890123456789012345d)]
    [InlineData("000000000000000000000000000000000000000001", 1d)]
    [InlineData("41.864985474000235", 41.864985474000235)]
    [InlineData("1.", 1d)]
    [InlineData(".5", 0.5)]
    [InlineData("-.5", -0.5)]
    [InlineData("1e3", 1000d)]
    [InlineData("1E3", 1000d)]
    [InlineData("1.5e+06", 1500000d)]
    [InlineData("4.9351e-05", 0.000049351)]
    [InlineData("1.7976931348623157e308", double.MaxValue)]
    [InlineData("5e-324", 5e-324)]
    [InlineData("1e-400", 0d)]
    [InlineData("-1e-400", -0d)]
    [InlineData("1e-99999999999999999999", 0d)]
    [InlineData("0e99999999999999999999", 0d)]
    [InlineData("NaN", double.NaN)]
    [InlineData("nan", double.NaN)]
    [InlineData("NAN", double.NaN)]
    [InlineData("Inf", double.PositiveInfinity)]
    [InlineData("+Inf", double.PositiveInfinity)]
    [InlineData("-Inf", double.NegativeInfinity)]
    [InlineData("inf", double.PositiveInfinity)]
    [InlineData("+INF", double.PositiveInfinity)]
    [InlineData("Infinity", double.PositiveInfinity)]
    [InlineData("-infinity", double.NegativeInfinity)]
    [InlineData("+iNfInItY", double.PositiveInfinity)]
    public void A_number_is_what_go_takes_for_one(string number, double value)
    {
        foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
        {
            double read = Assert.Single(Page.Read($"a {number}\n", format).Samples).Value;
            Assert.Equal(BitConverter.DoubleToInt64Bits(value), BitConverter.DoubleToInt64Bits(read));
        }
    }

    [Theory]
    [InlineData("-")]
    [InlineData("+")]
    [InlineData(".")]
    [InlineData("-.")]
    [InlineData("e5")]
    [InlineData(".e5")]
    [InlineData("1e")]
    [InlineData("1e+")]
    [InlineData("1e5.5")]
    [InlineData("1.2.3")]
    [InlineData("--1")]
    [InlineData("+-1")]
    [InlineData("1-")]
    [InlineData("1,000")]
    [InlineData("0x10")]
    [InlineData("0x1p-3")]
    [InlineData("0X1P-3")]
    [InlineData("1_000")]
    [InlineData("1f")]
    [InlineData("true")]
    [InlineData("+NaN")]
    [InlineData("-NaN")]
    [InlineData("NaN0")]
    [InlineData("infi")]
    [InlineData("infinit")]
    [InlineData("infinityy")]
    [InlineData("--Inf")]
    [InlineData("∞")]
    [InlineData("−1")]
    [InlineData("١")]
    [InlineData("1\0")]
    [InlineData("\"1\"")]
    [InlineData("1e309")]
    [InlineData("-1e309")]
    [InlineData("1.7976931348623159e308")]
    [InlineData("1e99999999999999999999")]
    public void Anything_else_is_not_a_number(string text)
    {
        foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
        {
            AssertBad($"a {text}", format);
            AssertBad($"a{{b=\"c\"}} {text}", format);
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a ")]
    [InlineData("1")]
    [InlineData("9a 1")]
    [InlineData("-a 1")]
    [InlineData("my.metric 1")]
    [InlineData("my-metric 1")]
    [InlineData("métrique 1")]
    [InlineData("a\0{b=\"c\"} 1")]
    [InlineData("a+1")]
    [InlineData("a.5")]
    [InlineData("\"a\" 1")]
    [InlineData("a{b=\"c\"}")]
    [InlineData("a{b=\"c\"} ")]
    [InlineData("a{b=\"c\" 1")]
    [InlineData("a{b=\"c 1")]
    [InlineData("a{ 1")]
    [InlineData("a} 1")]
    [InlineData("a 1 }")]
    [InlineData("a 1{b=\"c\"}")]
    [InlineData("a{b=\"c\"} 1}")]
    [InlineData("{} 1")]
    [InlineData("{ 1")]
    [InlineData("{b=\"c\"} 1")]
    [InlineData("{\"b\"=\"c\"} 1")]
    [InlineData("{b=\"c\",\"my.metric\"} 1")]
    [InlineData("{my_metric} 1")]
    [InlineData("{\"\"} 1")]
    [InlineData("{\"a} 1")]
    [InlineData("{\"a\\\"} 1")]
    [InlineData("{\"a\\")]
    [InlineData("{\"a\" b=\"c\"} 1")]
    [InlineData("{\"a\"")]
    [InlineData("{\"a\",b=\"c\" 1")]
    [InlineData("a 1 2 3")]
    [InlineData("a 1 2 # {t=\"u\"} 3 4 5 6 7 8")]
    [InlineData("}")]
    [InlineData("\\")]
    [InlineData("\0")]
    [InlineData("<html>")]
    [InlineData("{\"kind\": \"Status\"}")]
    public void A_line_that_is_no_sample_is_bad_in_the_text_format(string line) => AssertBad(line, ExpositionFormat.Text);

    [Theory]
    [InlineData("a 1 1.5")]
    [InlineData("a 1 1e3")]
    [InlineData("a 1 +5")]
    [InlineData("a 1 --5")]
    [InlineData("a 1 -")]
    [InlineData("a 1 5_0")]
    [InlineData("a 1 0x5")]
    [InlineData("a 1 5a")]
    [InlineData("a 1 NaN")]
    [InlineData("a 1 5\0")]
    [InlineData("a 1 9223372036854775808")]
    [InlineData("a 1 -9223372036854775809")]
    [InlineData("a 1 # {t=\"u\"} 3")]
    [InlineData("a 1 5 # {t=\"u\"} 3")]
    [InlineData("a{b=\"c\"} 1 # {t=\"u\"}")]
    public void A_line_whose_timestamp_is_none_is_bad_in_the_text_format(string line) => AssertBad(line, ExpositionFormat.Text);

    [Theory]
    [InlineData(" a 1")]
    [InlineData("\ta 1")]
    [InlineData(" # HELP a b")]
    [InlineData("a  1")]
    [InlineData("a\t1")]
    [InlineData("a 1 ")]
    [InlineData("a 1\t")]
    [InlineData("a 1  2")]
    [InlineData("a 1 2 ")]
    [InlineData("a 1 2 3")]
    [InlineData("a {b=\"c\"} 1")]
    [InlineData("a{b=\"c\"}1")]
    [InlineData("a{b=\"c\"}  1")]
    [InlineData("a{b=\"c\"}")]
    [InlineData("a")]
    [InlineData("a 1 NaN")]
    [InlineData("a 1 Inf")]
    [InlineData("a 1 -Inf")]
    [InlineData("a 1 1e300")]
    [InlineData("a 1 9223372036854775.808")]
    [InlineData("a 1 0x5")]
    [InlineData("a 1 5_0")]
    [InlineData("a 1 #")]
    [InlineData("a 1 # comment")]
    [InlineData("a 1 #{t=\"u\"} 3")]
    [InlineData("a # {t=\"u\"} 3")]
    [InlineData("a{b=\"c\" # {t=\"u\" 3")]
    [InlineData("a{b=\"c# 1")]
    [InlineData("my.metric 1")]
    [InlineData("{b=\"c\"} 1")]
    [InlineData("{b=\"c\",\"my.metric\"} 1")]
    public void A_line_that_is_no_sample_is_bad_in_openmetrics(string line) => AssertBad(line, ExpositionFormat.OpenMetrics);

    [Fact]
    public void A_quoted_name_that_is_not_utf8_is_bad()
    {
        Page page = Page.Read(Encoding.Latin1.GetBytes("{\"a\xff\"} 1\nb 2\n"), ExpositionFormat.Text);

        Assert.Equal(["b"], page.Samples.Select(sample => sample.Name));
        Assert.Equal(1, page.BadLines);
    }

    [Fact]
    public void Comments_and_blank_lines_are_neither_samples_nor_bad()
    {
        Page page = Page.Read("\n# HELP a Text.\n# TYPE a counter\n#\n#nothing\n \t # indented\n\t\na 1\n\n\n# EOF\nb 2\n", ExpositionFormat.Text);

        Assert.Equal(["a", "b"], page.Samples.Select(sample => sample.Name));
        Assert.Equal(0, page.BadLines);
        Assert.False(page.Ended);
    }

    [Fact]
    public void Lines_may_end_in_carriage_return_and_line_feed()
    {
        const string Text = "# TYPE a counter\r\n\r\na 1\r\na{b=\"c\"} 1.5 7\r\n{\"d\"} 2 \r\n\"\r\n";
        Page page = Page.Read(Text, ExpositionFormat.Text);

        Assert.Equal([new("a", "a", 1, null, ""), new("a", "a{b=\"c\"}", 1.5, 7, "b=c|"), new("d", "{\"d\"}", 2, null, "")], page.Samples);
        Assert.Equal(1, page.BadLines);
        Assert.True(Page.Read("a 1\r\n# EOF\r\n", ExpositionFormat.OpenMetrics).Ended);
    }

    [Theory]
    [InlineData("", false, 0, 0)]
    [InlineData("a 1\n", false, 1, 0)]
    [InlineData("a 1\n# EOF\n", true, 1, 0)]
    [InlineData("a 1\n# EOF", true, 1, 0)]
    [InlineData("# EOF", true, 0, 0)]
    [InlineData("a 1\n# EO", false, 1, 1)]
    [InlineData("a 1\n# EOF \n", false, 1, 0)]
    [InlineData("a 1\n# EOFF\n", false, 1, 0)]
    [InlineData("a 1\n#EOF\n", false, 1, 0)]
    [InlineData("a 1\n# EOF\na 2\n\n# EOF\n# TYPE a counter\nb 3", true, 1, 4)]
    public void Openmetrics_ends_with_a_word_and_nothing_behind_it(string text, bool ended, int samples, int bad)
    {
        Page page = Page.Read(text, ExpositionFormat.OpenMetrics);

        Assert.Equal(ended, page.Ended);
        Assert.Equal(samples, page.Samples.Count);
        Assert.Equal(bad, page.BadLines);
    }

    [Theory]
    [InlineData("a 1")]
    [InlineData("# EOF")]
    [InlineData("#")]
    [InlineData(" ")]
    public void What_has_no_line_feed_is_one_bad_line(string text)
    {
        ExpositionReader reader = new(Encoding.UTF8.GetBytes("b 2\n" + text), ExpositionFormat.Text);

        Assert.True(reader.ReadName());
        Assert.False(reader.ReadName());
        Assert.False(reader.ReadName());
        Assert.Equal(1, reader.BadLines);
        Assert.True(reader.Name.IsEmpty);
    }

    [Fact]
    public void A_bad_line_spoils_only_itself()
    {
        Page page = Page.Read("a 1\nb x\n?\nc{d=\"e\"} 2\n{\"f 3\ng 4 x\nh 5\n", ExpositionFormat.Text);

        Assert.Equal(["a", "c", "h"], page.Samples.Select(sample => sample.Name));
        Assert.Equal(4, page.BadLines);
    }

    [Fact]
    public void A_line_that_the_caller_passes_over_by_its_name_is_not_looked_at()
    {
        ExpositionReader reader = new("a{b=\"c\"} 1\nunwanted{{{ x y z\na{b=\"d\"} 2\n"u8, ExpositionFormat.Text);
        double sum = 0;

        while (reader.ReadName())
        {
            if (reader.Name.SequenceEqual("a"u8) && reader.ReadSample(out _, out double value, out _))
            {
                sum += value;
            }
        }

        Assert.Equal(3, sum);
        Assert.Equal(0, reader.BadLines);
    }

    [Fact]
    public void A_sample_asked_for_before_any_name_is_bad()
    {
        ExpositionReader reader = new("a 1\n"u8, ExpositionFormat.Text);

        Assert.False(reader.ReadSample(out ReadOnlySpan<byte> series, out _, out _));
        Assert.True(series.IsEmpty);
        Assert.True(reader.ReadName());
    }

    // Counted in the files with other tools: lines that are neither comment nor blank, and the sum of their last words.
    [Theory]
    [InlineData("linkerd", 199, 3428961281.07)]
    [InlineData("istio-request-duration", 16, 6)]
    [InlineData("istio-requests-total", 5, 1271)]
    [InlineData("kuma-histogram", 220, 345.45)]
    [InlineData("kuma-counter", 30, 1968)]
    [InlineData("cilium", 15, 12.012345678)]
    [InlineData("traefik", 8, 493009.864985474235)]
    [InlineData("consul", 2, 2)]
    [InlineData("otel-service-graph", 1, 20)]
    public void A_capture_of_a_real_proxy_has_no_bad_line(string capture, int samples, double sum)
    {
        Page page = Page.Read(Page.Capture(capture), ExpositionFormat.Text);

        Assert.Equal(0, page.BadLines);
        Assert.Equal(samples, page.Samples.Count);
        Assert.DoesNotContain(Sample.Malformed, page.Samples.Select(sample => sample.Labels));
        Assert.Equal(sum, page.Samples.Sum(sample => sample.Value), 1e-6);
    }

    [Fact]
    public void Linkerds_labels_are_read_as_they_stand_in_the_capture()
    {
        Sample first = Page.Read(Page.Capture("linkerd"), ExpositionFormat.Text).Samples[0];

        Assert.Equal("inbound_http_authz_allow_total", first.Name);
        Assert.Equal(
            "target_addr=0.0.0.0:4191|target_ip=0.0.0.0|target_port=4191|srv_kind=default|srv_name=all-unauthenticated|authz_kind=default|"
            + "authz_name=all-unauthenticated|tls=no_identity|no_tls_reason=no_tls_from_remote|",
            first.Labels);
        Assert.Equal(30, first.Value);
    }

    private static void AssertBad(string line, ExpositionFormat format)
    {
        Page page = Page.Read(line + "\nnext 1\n", format);
        Assert.Equal(["next"], page.Samples.Select(sample => sample.Name));
        Assert.Equal(1, page.BadLines);
    }
}
