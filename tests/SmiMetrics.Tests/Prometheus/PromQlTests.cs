using System.Globalization;
using System.Text;
using CsCheck;
using SmiMetrics.Meshes;
using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Prometheus;

public sealed class PromQlTests
{
    private static readonly TimeSpan HalfAMinute = TimeSpan.FromSeconds(30);

    [Fact]
    public void Buckets_of_one_deployment() => Verify("buckets-of-one-deployment", new IncreaseQuery(
        "response_latency_ms_bucket",
        [new("direction", MatchOperator.Equal, "inbound"), new("namespace", MatchOperator.Equal, "shop"), new("deployment", MatchOperator.Equal, "web")],
        ["namespace", "deployment", "le"],
        HalfAMinute));

    [Fact]
    public void All_four_operators() => Verify("all-four-operators", new IncreaseQuery(
        "istio_requests_total",
        [
            new("reporter", MatchOperator.Equal, "destination"),
            new("destination_workload", MatchOperator.NotEqual, "unknown"),
            new("response_code", MatchOperator.Matches, "5..|4\\d\\d"),
            new("grpc_response_status", MatchOperator.NotMatches, "0|"),
        ],
        ["destination_workload_namespace", "response_code"],
        TimeSpan.FromMinutes(5)));

    [Fact]
    public void Nothing_to_match_and_nothing_to_group_by() =>
        Verify("nothing-to-match", new IncreaseQuery("response_total", [], [], HalfAMinute));

    [Fact]
    public void A_window_that_is_not_whole_seconds() =>
        Verify("window-of-1500ms", new IncreaseQuery("response_total", [], ["pod"], TimeSpan.FromMilliseconds(1500)));

    // The reference server can be made to run this (its template pastes the name from the URL).
    [Fact]
    public void A_name_that_tries_to_be_a_query() => Verify("injection", new IncreaseQuery(
        "response_total",
        [new("deployment", MatchOperator.Equal, "x\"}[30s])) by (deployment) or sum(increase(response_total{namespace=\"victim\\")],
        ["deployment"],
        HalfAMinute));

    [Fact]
    public void Names_and_labels_that_only_newer_Prometheus_has() => Verify("utf8-names", new IncreaseQuery(
        "http.server.request.duration\"_bucket",
        [new("k8s.pod.name", MatchOperator.Equal, "web-0"), new("a\"b", MatchOperator.Equal, "c")],
        ["k8s.namespace.name", "le", "0day"],
        HalfAMinute));

    [Fact]
    public void Characters_that_a_literal_cannot_hold_as_they_are() => Verify("characters", new IncreaseQuery(
        "response_total",
        [new("pod", MatchOperator.Equal, "\0\t\n\r\u001b\u007f\u0085\ufffd \ud83d\ude00 ü \ud83d \ude00\\")],
        [],
        HalfAMinute));

    [Fact]
    public void The_two_queries_of_a_probe() => Golden.Verify(
        "promql/probe",
        PromQl.AnySeries("response_total", [new("direction", MatchOperator.Equal, "inbound")]) + "\n"
            + PromQl.Samples(
                new Dictionary<string, string> { ["pod"] = "web-0", ["__name__"] = "response_total", ["direction"] = "inbound" },
                TimeSpan.FromMinutes(10)) + "\n");

    [Theory]
    [InlineData(10_000_000L, "1s")]
    [InlineData(36_000_000_000L, "3600s")]
    [InlineData(10_000L, "1ms")]
    [InlineData(15_000_000L, "1500ms")]
    public void Durations_are_exact(long ticks, string expected) => Assert.Equal(expected, PromQl.Duration(TimeSpan.FromTicks(ticks)));

    [Theory]
    [InlineData(0L)]
    [InlineData(-10_000_000L)]
    [InlineData(1L)]
    [InlineData(10_001L)]
    public void A_window_that_PromQL_cannot_say_is_refused(long ticks) => Assert.Throws<ArgumentOutOfRangeException>(
        () => PromQl.Increase(new IncreaseQuery("response_total", [], [], TimeSpan.FromTicks(ticks))));

    [Fact]
    public void Any_value_reads_back_from_its_literal() => Gen.String[Gen.Char, 0, 40].Sample(value =>
    {
        string text = PromQl.Increase(new IncreaseQuery("x", [new("l", MatchOperator.Equal, value)], [], HalfAMinute));
        const string Before = "sum(increase(x{l=";
        const string After = "}[30s]))";
        Assert.StartsWith(Before, text, StringComparison.Ordinal);
        Assert.EndsWith(After, text, StringComparison.Ordinal);
        // Half surrogate pairs become U+FFFD, as in every UTF-8 encoder.
        Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(value)), Unquote(text[Before.Length..^After.Length]));
    }, iter: 20_000);

    [Fact]
    public void Equal_queries_give_equal_texts_and_are_equal()
    {
        IncreaseQuery one = new("x", [new("l", MatchOperator.Equal, "v")], ["a", "b"], HalfAMinute);
        IncreaseQuery other = new("x", [new("l", MatchOperator.Equal, "v")], ["a", "b"], HalfAMinute);

        Assert.Equal(one, other);
        Assert.Equal(one.GetHashCode(), other.GetHashCode());
        Assert.Equal(PromQl.Increase(one), PromQl.Increase(other));
    }

    private static void Verify(string name, IncreaseQuery query) => Golden.Verify("promql/" + name, PromQl.Increase(query) + "\n");

    /// <summary>
    /// Reads a double-quoted PromQL string after the rules of Prometheus' strutil.Unquote and its lexer, which both must accept:
    /// written anew here so that it shares nothing with the escaping under test.
    /// </summary>
    private static string Unquote(string literal)
    {
        Assert.True(literal.Length >= 2 && literal[0] == '"' && literal[^1] == '"', literal);
        StringBuilder text = new();
        int i = 1;
        while (i < literal.Length - 1)
        {
            char c = literal[i++];
            Assert.False(c is '"' or '\n' or '\uFFFD' || char.IsControl(c), $"a bare {(int)c:x4} in {literal}");
            if (c != '\\')
            {
                text.Append(c);
                continue;
            }

            Assert.True(i < literal.Length - 1, $"the closing quote is escaped in {literal}");
            switch (literal[i++])
            {
                case '\\':
                    text.Append('\\');
                    break;
                case '"':
                    text.Append('"');
                    break;
                case 'n':
                    text.Append('\n');
                    break;
                case 'u':
                    int code = int.Parse(literal.AsSpan(i, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                    Assert.False(code is >= 0xD800 and < 0xE000, $"half a surrogate pair in {literal}");
                    text.Append((char)code);
                    i += 4;
                    break;
                default:
                    Assert.Fail($"an escape that is not expected in {literal}");
                    break;
            }
        }

        return text.ToString();
    }
}
