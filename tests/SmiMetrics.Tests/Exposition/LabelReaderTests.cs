using System.Text;
using SmiMetrics.Exposition;

namespace SmiMetrics.Tests.Exposition;

public sealed class LabelReaderTests
{
    [Theory]
    [InlineData("a{,} 1")]
    [InlineData("a{,b=\"c\"} 1")]
    [InlineData("a{b=\"c\",,} 1")]
    [InlineData("a{b=\"c\",,d=\"e\"} 1")]
    [InlineData("a{b} 1")]
    [InlineData("a{b=} 1")]
    [InlineData("a{=\"c\"} 1")]
    [InlineData("a{\"\"=\"c\"} 1")]
    [InlineData("a{b=c} 1")]
    [InlineData("a{b='c'} 1")]
    [InlineData("a{b==\"c\"} 1")]
    [InlineData("a{b:\"c\"} 1")]
    [InlineData("a{b:c=\"d\"} 1")]
    [InlineData("a{b.c=\"d\"} 1")]
    [InlineData("a{9b=\"c\"} 1")]
    [InlineData("a{é=\"c\"} 1")]
    [InlineData("a{b c=\"d\"} 1")]
    [InlineData("a{b\0=\"c\"} 1")]
    [InlineData("a{b=\0\"c\"} 1")]
    [InlineData("a{b=\"c} 1")]
    [InlineData("a{b=\"c\\\"} 1")]
    [InlineData("a{b=\"c\\\\\\\"} 1")]
    [InlineData("a{b=\"c\"\"d\"} 1")]
    [InlineData("a{b=\"c\";d=\"e\"} 1")]
    [InlineData("a{b=\"c\"}d=\"e\"} 1")]
    [InlineData("a{b=\"c\"}{d=\"e\"} 1")]
    [InlineData("a{{b=\"c\"} 1")]
    [InlineData("a{b=\"c\"}} 1")]
    [InlineData("a{\"b\"} 1")]
    [InlineData("a{\"b\",c=\"d\"} 1")]
    [InlineData("a{\"b=\"c\"} 1")]
    [InlineData("a{b\\nc=\"d\"} 1")]
    [InlineData("{\"a\",\"b\"} 1")]
    [InlineData("{\"a\",b} 1")]
    [InlineData("{\"a\",,} 1")]
    [InlineData("{\"a\", \"b = \"c\"} 1")]
    public void Labels_that_are_none_are_found_by_the_label_reader(string line)
    {
        foreach (ExpositionFormat format in Enum.GetValues<ExpositionFormat>())
        {
            Page page = Page.Read(line + "\n", format);
            Assert.Equal(0, page.BadLines);
            Assert.Equal(Sample.Malformed, Assert.Single(page.Samples).Labels);
        }
    }

    // Prometheus checks label values in its parsers and names when it has them all; a byte that is not UTF-8 is fatal in either.
    [Theory]
    [InlineData("a{b=\"c\xff\"} 1")]
    [InlineData("a{\"b\xff\"=\"c\"} 1")]
    [InlineData("a{b\xff=\"c\"} 1")]
    [InlineData("a{b=\"\xc3\"} 1")]
    [InlineData("a{b=\"\xed\xa0\x80\"} 1")]
    [InlineData("{\"a\",b=\"\xff\"} 1")]
    public void Labels_that_are_not_utf8_are_malformed(string latin1) =>
        Assert.Equal(Sample.Malformed, Assert.Single(Page.Read(Encoding.Latin1.GetBytes(latin1 + "\n"), ExpositionFormat.Text).Samples).Labels);

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("}")]
    [InlineData("{}")]
    [InlineData("a{")]
    [InlineData("a}")]
    [InlineData("a ")]
    [InlineData("9a")]
    [InlineData("9a{}")]
    [InlineData("{\"a\"")]
    [InlineData("{\"a\"}}")]
    public void What_is_no_series_has_malformed_labels(string series)
    {
        LabelReader labels = new(Encoding.UTF8.GetBytes(series));

        Assert.False(labels.Read());
        Assert.True(labels.Malformed);
        Assert.False(labels.Read());
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("plain", "plain")]
    [InlineData("\\n", "\n")]
    [InlineData("\\\\n", "\\n")]
    [InlineData("\\\\\\n", "\\\n")]
    [InlineData("a\\\"b\\\"c", "a\"b\"c")]
    [InlineData("\\t\\r\\'", "\\t\\r\\'")]
    [InlineData("end\\", "end\\")]
    [InlineData("\\", "\\")]
    public void Escapes_are_resolved(string escaped, string resolved)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(escaped);

        Assert.Equal(resolved, Encoding.UTF8.GetString(LabelReader.Unescape(bytes, new byte[bytes.Length])));
    }
}
