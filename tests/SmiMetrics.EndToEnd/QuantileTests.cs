using System.Globalization;
using System.Text.Json.Nodes;
using SmiMetrics.Traffic;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// The server's histogram against Prometheus' own <c>histogram_quantile</c>, before rounding to a quantity hides anything: the same buckets
/// at the same instant must give the same quantiles.
/// </summary>
public sealed class QuantileTests(World world, RecordedWorld recorded) : RecordedTest(world, recorded)
{
    private static readonly double[] Quantiles = [0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.99999, 1];

    [Theory]
    [InlineData("response_latency_ms_bucket", "namespace, deployment, statefulset, direction")]
    [InlineData("istio_request_duration_milliseconds_bucket", "destination_workload_namespace, destination_workload, reporter")]
    public async Task Every_quantile_agrees_with_Prometheus_to_a_millionth(string series, string by)
    {
        string buckets = $"sum by ({by}, le) (increase({series}[20s]))";
        Dictionary<string, Histogram> histograms = [];
        foreach (JsonNode? row in await Recorded.Prometheus.VectorAsync(buckets, Recorded.Instant, Token))
        {
            string bound = (string)row!["metric"]!["le"]!;
            Of(histograms, row).Add(bound == "+Inf" ? double.PositiveInfinity : Number(bound), Value(row));
        }

        int compared = 0;
        foreach (double quantile in Quantiles)
        {
            string promQl = $"histogram_quantile({quantile.ToString(CultureInfo.InvariantCulture)}, {buckets})";
            foreach (JsonNode? row in await Recorded.Prometheus.VectorAsync(promQl, Recorded.Instant, Token))
            {
                double expected = Value(row!);
                double actual = histograms[Key(row!)].Quantile(quantile) ?? double.NaN;
                Assert.True(
                    expected.Equals(actual) || Math.Abs(actual - expected) <= 1e-6 * Math.Max(1, Math.Abs(expected)),
                    $"the {quantile} quantile of {Key(row!)} is {actual}, Prometheus says {expected}");
                compared += double.IsNaN(expected) ? 0 : 1;
            }
        }

        Assert.True(compared >= Quantiles.Length * 5, $"only {compared} quantiles were compared");
    }

    private static Histogram Of(Dictionary<string, Histogram> histograms, JsonNode row) =>
        histograms.TryGetValue(Key(row), out Histogram? histogram) ? histogram : histograms[Key(row)] = new Histogram();

    private static string Key(JsonNode row) =>
        string.Join(", ", row["metric"]!.AsObject().Where(label => label.Key != "le").OrderBy(label => label.Key, StringComparer.Ordinal));

    private static double Value(JsonNode row) => (string)row["value"]![1]! is var text && text == "NaN" ? double.NaN : Number(text);

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
