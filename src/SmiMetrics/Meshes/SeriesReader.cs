namespace SmiMetrics.Meshes;

/// <summary>Reads what a descriptor says of series, whichever part of it speaks of them: their names, their matchers and their outcome.</summary>
internal static class SeriesReader
{
    /// <summary>The keys of a section with series.</summary>
    public static readonly IReadOnlyList<string> Keys = ["requests", "failures", "where", "latency"];

    /// <summary>The series of a section.</summary>
    /// <param name="fallback">Whose series are meant where the section names none; null where it must.</param>
    /// <returns>A side that names nobody.</returns>
    public static MeshSide Read(YamlSection section, MeshSide? fallback, Mistakes mistakes)
    {
        string[] requests = section.Has("requests") || fallback is null ? ReadNames(section, mistakes) : [fallback.Requests, .. fallback.OtherNames];
        // Who names another counter means that one alone, and not the failures beside the counter that it is not.
        MeshSide? rest = section.Has("requests") ? null : fallback;
        IReadOnlyList<Matcher> where = section.Items("where") is { } given ? ReadMatchers(given, mistakes) : fallback?.Where ?? [];
        return new MeshSide(
            requests[0],
            section.OptionalText("failures", DescriptorNames.NoMetric) ?? rest?.Failures,
            where,
            ReadLatency(section.Section("latency", "histogram", "unit", "where", "destination", "source"), where, mistakes)
                ?? (rest?.Latency is { } latency && section.Has("where") ? latency with { Where = where } : rest?.Latency),
            Identity.None,
            Source: null)
        {
            OtherNames = requests[1..],
        };
    }

    /// <returns>An outcome without lists where there is no section.</returns>
    public static Outcome ReadOutcome(YamlSection? outcome, Mistakes mistakes)
    {
        if (outcome is null)
        {
            return new Outcome(null, null);
        }

        if (!outcome.Has("success") && !outcome.Has("failure"))
        {
            outcome.Missing("'success' or 'failure'");
        }

        return new Outcome(ReadAlternatives(outcome, "success", mistakes), ReadAlternatives(outcome, "failure", mistakes));
    }

    private static string[] ReadNames(YamlSection section, Mistakes mistakes) =>
        section.Find("requests") is { Value: YamlNode.Sequence }
            && section.Items("requests") is { Count: > 0 } items
            ? [.. items.Select(item => YamlSection.Text("a name in 'requests'", item, mistakes, DescriptorNames.NoMetric))]
            : [section.Find("requests") is { Value: YamlNode.Sequence } ? "" : section.RequiredText("requests", DescriptorNames.NoMetric)];

    private static IReadOnlyList<IReadOnlyList<Matcher>>? ReadAlternatives(YamlSection outcome, string key, Mistakes mistakes) =>
        outcome.Items(key) is { } alternatives
            ? [.. alternatives.Select(item => ReadMatchers(
                item is YamlNode.Sequence ? YamlSection.Items($"a list in '{key}'", item.Line, item, mistakes) : [item], mistakes))]
            : null;

    private static IReadOnlyList<Matcher> ReadMatchers(IReadOnlyList<YamlNode> items, Mistakes mistakes) =>
        [.. items.Select(item => ReadMatcher(item, mistakes)).OfType<Matcher>()];

    private static Matcher? ReadMatcher(YamlNode node, Mistakes mistakes)
    {
        Matcher? matcher = null;
        YamlSection.Text("a matcher", node, mistakes, text =>
        {
            try
            {
                matcher = Matcher.Parse(text);
                return DescriptorNames.NoLabel(matcher.Label);
            }
            catch (FormatException exception)
            {
                return $"bad matcher {text}: {exception.Message}";
            }
        });
        return matcher;
    }

    private static LatencyHistogram? ReadLatency(YamlSection? latency, IReadOnlyList<Matcher> whereOfSide, Mistakes mistakes) =>
        latency is null
            ? null
            : new LatencyHistogram(
                latency.RequiredText("histogram", NoHistogram),
                latency.RequiredText("unit", NoUnit) == "s" ? 1000 : 1,
                latency.Items("where") is { } where ? ReadMatchers(where, mistakes) : whereOfSide)
            {
                Destination = IdentityReader.Read(latency, "destination", mistakes),
                Source = IdentityReader.Read(latency, "source", mistakes),
            };

    private static string? NoHistogram(string series) =>
        series.EndsWith("_bucket", StringComparison.Ordinal)
            ? $"'{series}' is the name of the buckets; give that of the histogram, without _bucket"
            : DescriptorNames.NoMetric(series);

    private static string? NoUnit(string unit) => unit is "ms" or "s" ? null : $"'{unit}' is not a unit of latency; there are ms and s";
}
