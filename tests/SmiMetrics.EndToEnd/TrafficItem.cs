using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>A TrafficMetrics object as a client reads it, and what must be true of it.</summary>
internal sealed class TrafficItem(JsonNode json)
{
    private static readonly string[] MetricNames = ["p99_response_latency", "p90_response_latency", "p50_response_latency", "success_count", "failure_count"];

    /// <summary>The quantile of each latency metric, in the order in which they stand.</summary>
    public static readonly IReadOnlyList<(int Index, double Quantile)> Percentiles = [(0, 0.99), (1, 0.9), (2, 0.5)];

    /// <summary>Between the answers of two that hold the same samples: what sums in another order may differ by.</summary>
    public const double Precision = 1e-9;

    /// <summary>Half of the smallest step of a Quantity in milli.</summary>
    public const double Rounding = 0.0005;

    /// <summary>Between the traffic that was made and what is told of it: proxies count whole requests.</summary>
    private const double Tolerance = 0.02;

    public JsonNode Json { get; } = json;

    public string Kind => Text(Json["resource"]!["kind"]);

    public string Namespace => Text(Json["resource"]!["namespace"]);

    public string Name => Text(Json["resource"]!["name"]);

    public string State => Text(Json["metadata"]!["annotations"]?["metrics.smi-spec.io/state"]);

    public string Reason => Text(Json["metadata"]!["annotations"]?["metrics.smi-spec.io/reason"]);

    public string Direction => Text(Json["edge"]?["direction"]);

    public string Side => Text(Json["edge"]?["side"] ?? Json["metadata"]!["annotations"]?["metrics.smi-spec.io/side"]);

    public DateTimeOffset Timestamp => DateTimeOffset.Parse(Text(Json["timestamp"]), CultureInfo.InvariantCulture);

    public TimeSpan Window => GoDuration(Text(Json["window"]));

    public string EdgeKey => $"{Direction} {Text(Json["edge"]!["resource"]!["kind"])} {Text(Json["edge"]!["resource"]!["namespace"])}/{Text(Json["edge"]!["resource"]!["name"])}";

    /// <summary>What tells it from every other of the same window: the object, and the other end if it is an edge.</summary>
    public string Key => $"{Kind} {Namespace}/{Name}{(Peer is null ? "" : $" {EdgeKey}")}";

    /// <summary>The name at the other end; null for what is no edge.</summary>
    public string? Peer => Json["edge"]?["resource"]?["name"]?.GetValue<string>();

    public bool IsWithoutTraffic => Value(3) == 0 && Value(4) == 0;

    public static IReadOnlyList<TrafficItem> ListOf(JsonNode list)
    {
        Assert.Equal("TrafficMetricsList", Text(list["kind"]));
        Assert.StartsWith("metrics.smi-spec.io/", Text(list["apiVersion"]), StringComparison.Ordinal);
        return [.. list["items"]!.AsArray().Select(item => new TrafficItem(item!))];
    }

    /// <summary>The value of the metric at this place.</summary>
    public double Value(int index) => Quantity(Text(Json["metrics"]![index]!["value"]));

    /// <summary>Checks everything that does not depend on traffic.</summary>
    /// <param name="instant">What the numbers are about; null where the clock is the world's.</param>
    public void AssertShape(string version, TimeSpan window, string mesh, DateTimeOffset? instant)
    {
        Assert.Equal("TrafficMetrics", Text(Json["kind"]));
        Assert.Equal($"metrics.smi-spec.io/{version}", Text(Json["apiVersion"]));
        Assert.Equal(MetricNames, Json["metrics"]!.AsArray().Select(metric => Text(metric!["name"])));
        Assert.All(Percentiles, percentile => Assert.Equal("ms", Text(Json["metrics"]![percentile.Index]!["unit"])));
        Assert.Equal(window, Window);
        Assert.Equal(mesh, Text(Json["metadata"]!["annotations"]?["metrics.smi-spec.io/mesh"]));
        Assert.Equal(instant ?? Timestamp, Timestamp);
    }

    /// <summary>Checks the object that the metrics are of.</summary>
    public void AssertResource(Target target)
    {
        Assert.Equal((target.Kind, target.ApiVersion, target.Namespace, target.Name), (Kind, Text(Json["resource"]!["apiVersion"]), Namespace, Name));
        Assert.Equal((target.Name, target.Namespace), (Text(Json["metadata"]!["name"]), Text(Json["metadata"]!["namespace"])));
    }

    /// <summary>Checks the counts against the traffic that was made.</summary>
    public void AssertCounts(Rates perSecond, string what)
    {
        AssertCount(perSecond.Success * Window.TotalSeconds, Value(3), $"success_count of {what}");
        AssertCount(perSecond.Failure * Window.TotalSeconds, Value(4), $"failure_count of {what}");
    }

    /// <summary>Checks that the percentiles are these values, as precisely as a Quantity in milli can say it.</summary>
    public void AssertPercentiles(IReadOnlyList<double?> expected, string what)
    {
        foreach ((int index, double quantile) in Percentiles)
        {
            Assert.True(
                expected[index] is { } value && Math.Abs(Value(index) - value) <= Rounding + (Precision * value),
                $"p{quantile * 100:0} of {what}: Prometheus says {expected[index]}, the server {Value(index)}");
        }
    }

    /// <summary>Checks that another who holds the same samples says the same, but for the last digit of a quantity.</summary>
    public void AssertSameNumbers(TrafficItem other, string what)
    {
        for (int index = 0; index < MetricNames.Length; index++)
        {
            Assert.True(
                Math.Abs(Value(index) - other.Value(index)) <= (2 * Rounding) + (Precision * other.Value(index)),
                $"{MetricNames[index]} of {Key}, {what}:\n{other}\nand\n{this}");
        }
    }

    public override string ToString() => Json.ToJsonString();

    private void AssertCount(double expected, double actual, string what) => Assert.True(
        Math.Abs(actual - expected) <= expected * Tolerance, $"{what}: {expected} were made, {actual} were reported\n{Json.ToJsonString()}");

    private static string Text(JsonNode? node) => node?.GetValue<string>() ?? "";

    // Only what a canonical Quantity in milli precision can be.
    private static double Quantity(string text)
    {
        Match match = Regex.Match(text, "^(?<number>[0-9]+)(?<suffix>[mkMGTPE]?)$", RegexOptions.NonBacktracking);
        Assert.True(match.Success, $"not a canonical Quantity: \"{text}\"");
        return double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * match.Groups["suffix"].Value switch
        {
            "m" => 1e-3,
            "k" => 1e3,
            "M" => 1e6,
            "G" => 1e9,
            "T" => 1e12,
            "P" => 1e15,
            "E" => 1e18,
            _ => 1,
        };
    }

    private static TimeSpan GoDuration(string text)
    {
        Match match = Regex.Match(text, "^((?<h>[0-9]+)h)?((?<m>[0-9]+)m)?(?<s>[0-9.]+)s$", RegexOptions.NonBacktracking);
        Assert.True(match.Success, $"not a Go duration: \"{text}\"");
        double Part(string name) => match.Groups[name].Success ? double.Parse(match.Groups[name].Value, CultureInfo.InvariantCulture) : 0;
        return TimeSpan.FromSeconds((Part("h") * 3600) + (Part("m") * 60) + Part("s"));
    }
}
