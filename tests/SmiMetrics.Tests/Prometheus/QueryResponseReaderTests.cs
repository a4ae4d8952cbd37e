using System.Globalization;
using System.Text;
using CsCheck;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Prometheus;

public sealed class QueryResponseReaderTests
{
    private const string Vector = """
        {"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"namespace":"shop","deployment":"web","le":"+Inf"},"value":[1435781451.781,"12.5"]},
        {"metric":{"le":"1","deployment":"w\u00e9b\"\\","extra":"x"},"value":[1435781451,"0"]}
        ],"analysis":{"value":[{"metric":[]}]}},"warnings":["one store is down","another is slow"],"infos":["might not be a counter"]}
        """;

    private static readonly string[] By = ["deployment", "namespace", "le"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Values_come_in_the_order_of_the_grouping_labels_and_absent_ones_are_empty()
    {
        IncreaseRows rows = await ReadAsync(Vector);

        AssertIsVector(rows);
    }

    [Fact]
    public async Task Nothing_depends_on_where_the_network_cuts_the_body()
    {
        for (int size = 1; size <= Vector.Length; size += size < 40 ? 1 : 37)
        {
            IncreaseRows rows = new(By);
            await QueryResponseReader.ReadAsync(new CutStream(Encoding.UTF8.GetBytes(Vector), size), rows, 1 << 20, Token);

            AssertIsVector(rows);
        }
    }

    [Fact]
    public async Task A_body_that_ends_at_any_byte_too_early_is_unreadable_and_nothing_else()
    {
        byte[] body = Encoding.UTF8.GetBytes(Vector.TrimEnd());
        for (int length = 0; length < body.Length; length++)
        {
            UpstreamException e = await Assert.ThrowsAsync<UpstreamException>(
                () => QueryResponseReader.ReadAsync(new MemoryStream(body, 0, length), new IncreaseRows(By), 1 << 20, Token));

            Assert.Equal(UpstreamFailure.Unreadable, e.Failure);
        }
    }

    [Fact]
    public async Task A_body_with_any_byte_changed_is_read_or_refused_but_never_another_exception()
    {
        byte[] body = Encoding.UTF8.GetBytes(Vector);
        await Gen.Select(Gen.Int[0, body.Length - 1], Gen.Byte, Gen.Int[1, 64]).SampleAsync(async change =>
        {
            byte[] changed = [.. body];
            changed[change.Item1] = change.Item2;
            try
            {
                await QueryResponseReader.ReadAsync(new CutStream(changed, change.Item3), new IncreaseRows(By), 1 << 20, Token);
                await QueryResponseReader.ReadAsync(new CutStream(changed, change.Item3), new SampledSeriesList("vector"), 1 << 20, Token);
            }
            catch (UpstreamException)
            {
            }
        }, iter: 5_000);
    }

    [Fact]
    public async Task Keys_may_come_in_any_order()
    {
        IncreaseRows rows = await ReadAsync("""
            {"warnings":null,"data":{"result":[{"value":[1,"3"],"metric":{"deployment":"web"}}],"resultType":"vector"},"status":"success"}
            """);

        IncreaseRow row = Assert.Single(rows.Rows);
        Assert.Equal(["web", "", ""], row.Labels);
        Assert.Equal(3, row.Value);
        Assert.Empty(rows.Warnings);
    }

    [Theory]
    [InlineData("0", 0.0)]
    [InlineData("73.492", 73.492)]
    [InlineData("1e3", 1000.0)]
    [InlineData("4.9406564584124654e-324", double.Epsilon)]
    [InlineData("179769313486231570000000000000000000000", 1.7976931348623157e38)]
    public async Task Finite_values_are_kept(string text, double expected)
    {
        IncreaseRows rows = await ReadAsync(OneRow(text));

        Assert.Equal(expected, Assert.Single(rows.Rows).Value);
        Assert.Equal(0, rows.Dropped);
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("+Inf")]
    [InlineData("-Inf")]
    [InlineData("Infinity")]
    [InlineData("-0.5")]
    [InlineData("1e999")]
    [InlineData("")]
    [InlineData("1 2")]
    [InlineData("many")]
    public async Task Rows_without_a_finite_value_that_is_not_negative_are_left_out_and_counted(string text)
    {
        IncreaseRows rows = await ReadAsync(OneRow(text));

        Assert.Empty(rows.Rows);
        Assert.Equal(1, rows.Dropped);
    }

    [Fact]
    public async Task A_native_histogram_has_no_value_to_keep()
    {
        IncreaseRows rows = await ReadAsync("""
            {"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"5","buckets":[[0,"1","2","3"]]}]}]}}
            """);

        Assert.Empty(rows.Rows);
        Assert.Equal(1, rows.Dropped);
    }

    [Theory]
    [InlineData("bad_data", UpstreamFailure.QueryRefused)]
    [InlineData("execution", UpstreamFailure.QueryRefused)]
    [InlineData("timeout", UpstreamFailure.TimedOut)]
    [InlineData("canceled", UpstreamFailure.Broken)]
    [InlineData("internal", UpstreamFailure.Broken)]
    [InlineData("unavailable", UpstreamFailure.Broken)]
    [InlineData("brand_new", UpstreamFailure.Broken)]
    public async Task An_error_says_its_type(string errorType, object failure)
    {
        UpstreamException e = await Assert.ThrowsAsync<UpstreamException>(
            () => ReadAsync($$"""{"status":"error","errorType":"{{errorType}}","error":"it went wrong","data":null}"""));

        Assert.Equal(failure, e.Failure);
        Assert.Equal($"{errorType}: it went wrong", e.Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("<html>503</html>")]
    [InlineData("\u001f\u008b\b")]
    [InlineData("""{"status":"success"}""")]
    [InlineData("""{"status":"success","data":null}""")]
    [InlineData("""{"status":"success","data":[]}""")]
    [InlineData("""{"status":1,"data":{"resultType":"vector","result":[]}}""")]
    [InlineData("""{"status":"fine","data":{"resultType":"vector","result":[]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":null}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"matrix","result":[]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"string","result":[1,"a"]}}""")]
    [InlineData("""{"status":"success","data":{"result":[]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[[]]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":[],"value":[1,"2"]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":1},"value":[1,"2"]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,2]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["1","2"]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2","3"]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[{"metric":{"le":"\ud800"},"value":[1,"2"]}]}}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[]}} trailing""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[]},"warnings":"one"}""")]
    [InlineData("""{"status":"success","data":{"resultType":"vector","result":[]},"warnings":[{}]}""")]
    public async Task What_is_no_answer_with_a_vector_is_unreadable(string body)
    {
        UpstreamException e = await Assert.ThrowsAsync<UpstreamException>(() => ReadAsync(body));

        Assert.Equal(UpstreamFailure.Unreadable, e.Failure);
    }

    [Fact]
    public async Task A_partial_answer_of_VictoriaMetrics_carries_a_warning()
    {
        IncreaseRows rows = await ReadAsync("""{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}""");

        Assert.Single(rows.Warnings);
        Assert.Empty((await ReadAsync("""{"status":"success","isPartial":false,"data":{"resultType":"vector","result":[]}}""")).Warnings);
    }

    [Fact]
    public async Task A_body_longer_than_allowed_is_not_read_to_its_end()
    {
        CountingStream endless = new(Encoding.ASCII.GetBytes("""{"status":"success","data":{"resultType":"vector","result":["""), (byte)' ');

        UpstreamException e = await Assert.ThrowsAsync<UpstreamException>(
            () => QueryResponseReader.ReadAsync(endless, new IncreaseRows(By), 1 << 20, Token));

        Assert.Equal(UpstreamFailure.Unreadable, e.Failure);
        Assert.InRange(endless.Given, 1 << 20, (1 << 20) + (1 << 17));
    }

    [Fact]
    public async Task A_text_without_end_does_not_fill_the_memory()
    {
        CountingStream endless = new(Encoding.ASCII.GetBytes("{\"status\":\""), (byte)'x');

        UpstreamException e = await Assert.ThrowsAsync<UpstreamException>(
            () => QueryResponseReader.ReadAsync(endless, new IncreaseRows(By), 1L << 40, Token));

        Assert.Equal(UpstreamFailure.Unreadable, e.Failure);
        Assert.InRange(endless.Given, 1 << 20, 1 << 23);
    }

    [Fact]
    public async Task A_label_longer_than_the_buffer_is_read_whole()
    {
        string name = new('n', 300_000);

        IncreaseRows rows = await ReadAsync(OneRow("1", name));

        Assert.Equal(name, Assert.Single(rows.Rows).Labels[0]);
    }

    [Fact]
    public async Task Equal_label_values_are_one_string()
    {
        IncreaseRows rows = await ReadAsync("""
            {"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"deployment":"web","namespace":"grüße"},"value":[1,"1"]},
            {"metric":{"deployment":"w\u0065b","namespace":"gr\u00fc\u00dfe"},"value":[1,"2"]}]}}
            """);

        Assert.Same(rows.Rows[0].Labels[0], rows.Rows[1].Labels[0]);
        Assert.Same(rows.Rows[0].Labels[1], rows.Rows[1].Labels[1]);
        Assert.Equal("grüße", rows.Rows[0].Labels[1]);
    }

    [Fact]
    public async Task Any_rows_written_by_another_JSON_writer_read_back()
    {
        Gen<string> label = Gen.String[Gen.Char.Where(c => !char.IsSurrogate(c)), 0, 12];
        await Gen.Select(label, label, Gen.Double[0, 1e12]).Array[0, 30].SampleAsync(async expected =>
        {
            string body = System.Text.Json.JsonSerializer.Serialize(new
            {
                status = "success",
                data = new
                {
                    resultType = "vector",
                    result = expected.Select(row => new
                    {
                        metric = new Dictionary<string, string> { ["le"] = row.Item1, ["deployment"] = row.Item2 },
                        value = new object[] { 1435781451.781, row.Item3.ToString("R", CultureInfo.InvariantCulture) },
                    }),
                },
            });

            IncreaseRows rows = new(By);
            await QueryResponseReader.ReadAsync(new CutStream(Encoding.UTF8.GetBytes(body), 7), rows, 1 << 20, Token);

            Assert.Equal(expected.Select(row => (row.Item2, "", row.Item1, row.Item3)), rows.Rows.Select(row => (row.Labels[0], row.Labels[1], row.Labels[2], row.Value)));
        }, iter: 300);
    }

    [Fact]
    public async Task A_matrix_gives_all_labels_and_the_times_of_the_samples()
    {
        SampledSeriesList list = new("matrix");
        await QueryResponseReader.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes("""
            {"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up","job":"a"},"values":[[1.5,"1"],[2.5,"NaN"]]},{"metric":{},"values":[]}]}}
            """)), list, 1 << 20, Token);

        Assert.Equal(2, list.Series.Count);
        Assert.Equal("up", list.Series[0].Labels["__name__"]);
        Assert.Equal("a", list.Series[0].Labels["job"]);
        Assert.Equal([1.5, 2.5], list.Series[0].Timestamps);
        Assert.Empty(list.Series[1].Timestamps);
    }

    private static string OneRow(string value, string deployment = "web") =>
        $$$"""{"status":"success","data":{"resultType":"vector","result":[{"metric":{"deployment":"{{{deployment}}}"},"value":[1,"{{{value}}}"]}]}}""";

    private static async Task<IncreaseRows> ReadAsync(string body)
    {
        IncreaseRows rows = new(By);
        await QueryResponseReader.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(body)), rows, 1 << 20, Token);
        return rows;
    }

    private static void AssertIsVector(IncreaseRows rows)
    {
        Assert.Equal(2, rows.Rows.Count);
        Assert.Equal(["web", "shop", "+Inf"], rows.Rows[0].Labels);
        Assert.Equal(12.5, rows.Rows[0].Value);
        Assert.Equal(["wéb\"\\", "", "1"], rows.Rows[1].Labels);
        Assert.Equal(0, rows.Rows[1].Value);
        Assert.Equal(["one store is down", "another is slow"], rows.Warnings);
        Assert.Equal(["might not be a counter"], rows.Infos);
    }

    /// <summary>Gives a few bytes at a time.</summary>
    private sealed class CutStream(byte[] content, int size) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(size, buffer.Length)], cancellationToken);
    }

    /// <summary>A beginning, and then one byte for ever.</summary>
    private sealed class CountingStream(byte[] beginning, byte then) : MemoryStream
    {
        public long Given { get; private set; }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            buffer.Span.Fill(then);
            if (Given == 0)
            {
                beginning.CopyTo(buffer.Span);
            }

            Given += buffer.Length;
            return ValueTask.FromResult(buffer.Length);
        }
    }
}
