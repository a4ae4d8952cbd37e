using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

namespace SmiMetrics.Tests.Api;

/// <summary>
/// The <c>prometheus</c> door of a server under test: answers queries about Linkerd with fixed rows for whatever labels it is asked to group by,
/// and keeps what it was asked. Probes are answered with a scrape every ten seconds and counted apart.
/// </summary>
internal sealed partial class FakePrometheus : HttpMessageHandler
{
    private static readonly Dictionary<string, string> Web = new()
    {
        ["namespace"] = "shop",
        ["pod"] = "web-1",
        ["deployment"] = "web",
        ["dst_namespace"] = "shop",
        ["dst_pod"] = "db-0",
        ["dst_statefulset"] = "db",
        ["dst_service"] = "db",
    };

    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _together = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inFlight;

    /// <summary>The increase queries, in the order of their arrival.</summary>
    public List<string> Asked { get; } = [];

    /// <summary>The same, while more may come.</summary>
    public IReadOnlyList<string> AskedSoFar
    {
        get
        {
            lock (_lock)
            {
                return [.. Asked];
            }
        }
    }

    public int MostInFlight { get; private set; }

    /// <summary>How many queries must be waiting before any of them is answered: shows that they come together.</summary>
    public int AnswerOnlyWhenInFlight { get; init; }

    /// <summary>Answers, however few are waiting.</summary>
    public void AnswerAtOnce() => _together.TrySetResult();

    /// <summary>What happens instead of an answer.</summary>
    public Func<HttpResponseMessage>? Instead { get; set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        string form = await request.Content!.ReadAsStringAsync(cancellationToken);
        Dictionary<string, string> fields = form.Split('&').ToDictionary(pair => pair.Split('=')[0], pair => WebUtility.UrlDecode(pair.Split('=', 2)[1]));
        string query = fields["query"];
        string time = fields["time"];
        if (Instead is not null)
        {
            return Instead();
        }

        if (!query.Contains("increase(", StringComparison.Ordinal))
        {
            return query.StartsWith("label_replace", StringComparison.Ordinal)
                ? Vector(string.Join(',', Web.Keys.Append("classification").Where(label => query.Contains($"\"{label}\"", StringComparison.Ordinal))
                    .Select(label => $$$"""{"metric":{"label":"{{{label}}}"},"value":[0,"1"]}""")))
                : query.Contains("topk", StringComparison.Ordinal)
                ? Vector("""{"metric":{"__name__":"response_total","pod":"web-1"},"value":[0,"1"]}""")
                : Json($$$"""{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"response_total","pod":"web-1"},"values":[{{{Samples(time)}}}]}]}}""");
        }

        lock (_lock)
        {
            Asked.Add(query);
            MostInFlight = Math.Max(MostInFlight, ++_inFlight);
            if (_inFlight >= AnswerOnlyWhenInFlight)
            {
                _together.TrySetResult();
            }
        }

        try
        {
            await _together.Task.WaitAsync(cancellationToken);
            return Vector(string.Join(',', Rows(query, time)));
        }
        finally
        {
            lock (_lock)
            {
                _inFlight--;
            }
        }
    }

    private static string Samples(string time)
    {
        long now = long.Parse(time, CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"[{now - 20},\"1\"],[{now - 10},\"1\"],[{now},\"2\"]");
    }

    private static IEnumerable<string> Rows(string query, string time)
    {
        string[] by = By().Match(query).Groups[1].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (Match matcher in Exact().Matches(query))
        {
            if (Web.TryGetValue(matcher.Groups[1].Value, out string? value) && value != matcher.Groups[2].Value)
            {
                yield break;
            }
        }

        string Row(string more, string value) =>
            "{\"metric\":{" + string.Join(',', by.Where(Web.ContainsKey).Select(label => $"\"{label}\":\"{Web[label]}\"").Append(more)) + $"}},\"value\":[{time},\"{value}\"]}}";

        if (by.Contains("le"))
        {
            yield return Row("\"le\":\"10\"", "50");
            yield return Row("\"le\":\"20\"", "100");
            yield return Row("\"le\":\"+Inf\"", "100");
        }
        else
        {
            yield return Row("\"classification\":\"success\"", "98.5");
            yield return Row("\"classification\":\"failure\"", "1.5");
        }
    }

    private static HttpResponseMessage Vector(string rows) => Json($$$"""{"status":"success","data":{"resultType":"vector","result":[{{{rows}}}]}}""");

    public static HttpResponseMessage Json(string body, HttpStatusCode code = HttpStatusCode.OK) =>
        new(code) { Content = new StringContent(body, Encoding.UTF8, "application/json") };

    [GeneratedRegex(@"^sum by \(([^)]*)\)")]
    private static partial Regex By();

    [GeneratedRegex("""(\w+)="((?:[^"\\]|\\.)*)"[,}]""")]
    private static partial Regex Exact();
}
