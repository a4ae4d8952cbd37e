using System.Text;
using SmiMetrics.Exposition;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Scrape;

/// <summary>Pages put into the store by hand, with times in seconds after <see cref="Start"/>.</summary>
internal static class ScrapedPages
{
    public static readonly DateTimeOffset Start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    public static readonly IReadOnlyList<MeshDescriptor> Meshes = [MeshCatalogue.Load().Find("linkerd"), MeshCatalogue.Load().Find("istio")];

    public static SeriesSelection Selection { get; } = new(Meshes);

    public static ScrapeTarget Pod(string name, string mesh = "linkerd", params (string Name, string Value)[] labels)
    {
        string[] parts = name.Split('/');
        return new ScrapeTarget(
            new Uri($"http://10.0.0.1:4191/{name}"),
            new ObjectKey(parts[0], parts[1]),
            new LabelSet(
            [
                KeyValuePair.Create("namespace", parts[0]),
                KeyValuePair.Create("pod", parts[1]),
                .. labels.Select(label => KeyValuePair.Create(label.Name, label.Value)),
            ]))
        {
            Meshes = [mesh],
        };
    }

    public static TargetSeries Target(ScrapeTarget? target = null, TimeSpan? retention = null) =>
        new(target ?? Pod("shop/web-1"), Selection, retention ?? TimeSpan.FromHours(1), new Pool(64));

    /// <summary>A line of Linkerd's counter, inbound.</summary>
    public static string Responses(string target, double value) =>
        FormattableString.Invariant($"response_total{{direction=\"inbound\",target_port=\"8080\",target_addr=\"{target}\",classification=\"success\"}} {value:R}\n");

    public static PageCounts Scrape(this TargetSeries target, double seconds, string page, ExpositionFormat format = ExpositionFormat.Text)
    {
        PageInProgress reading = target.Begin(Start.AddSeconds(seconds));
        try
        {
            reading.Read(Encoding.UTF8.GetBytes(page), format);
            return reading.Complete();
        }
        catch (PageException e)
        {
            reading.Fail(e.Message);
            throw;
        }
    }

    /// <summary>The rows of one target, as <c>a,b: value</c>.</summary>
    public static IReadOnlyList<string> Increase(this TargetSeries target, string series, double window, double at, params string[] by)
    {
        IncreaseQuery query = new(series, [], by, TimeSpan.FromSeconds(window));
        IncreaseSum sum = new(query, Selection.Series.Single(named => named.Name == series), Start.AddSeconds(at).ToUnixTimeMilliseconds());
        sum.Add(target.State);
        return [.. sum.Rows.Select(row => FormattableString.Invariant($"{string.Join(',', row.Labels)}: {Math.Round(row.Value, 3)}")).Order(StringComparer.Ordinal)];
    }
}
