using System.Collections.Frozen;

namespace SmiMetrics.Meshes;

/// <summary>
/// Reads a mesh descriptor, as <c>docs/adding-a-mesh.md</c> has it, and finds everything that is wrong with it at once. What it returns
/// can be relied on: every name is one, every expression compiles, and every kind that goes through pods has pods to go through.
/// </summary>
internal sealed class DescriptorReader
{
    /// <summary>Longer texts, in characters, are refused unread: a descriptor has a few thousand, so another file was meant.</summary>
    public const int MaxLength = 256 * 1024;

    // `--mesh auto` means whichever meshes are there.
    private const string ReservedName = "auto";

    private readonly Mistakes _mistakes;

    private DescriptorReader(Mistakes mistakes) => _mistakes = mistakes;

    /// <param name="text">The YAML.</param>
    /// <param name="file">What to call the file in mistakes.</param>
    /// <exception cref="DescriptorException">With all mistakes.</exception>
    public static MeshDescriptor Read(string text, string file)
    {
        Mistakes mistakes = new(file);
        MeshDescriptor? descriptor = YamlTree.Read(text, mistakes) is { } root ? new DescriptorReader(mistakes).ReadMesh(root) : null;
        mistakes.ThrowIfAny();
        return descriptor!;
    }

    private MeshDescriptor ReadMesh(YamlNode root)
    {
        YamlSection mesh = YamlSection.Open(
            "the descriptor", line: 1, root, _mistakes, "name", "title", "outcome", "unknown", "server", "client", "scrape");
        MeshDescriptor descriptor = new(
            mesh.RequiredText("name", NoMeshName),
            mesh.RequiredText("title", AnyText),
            ReadOutcome(mesh.Section("outcome", "success", "failure")),
            ReadUnknown(mesh),
            ReadSide(mesh, "server"),
            ReadSide(mesh, "client"),
            ProxyEndpointReader.Read(mesh, _mistakes));
        if (!mesh.Has("server") && !mesh.Has("client"))
        {
            mesh.Missing("'server' or 'client'");
        }

        if (!mesh.Has("outcome") && (descriptor.Server is { Failures: null } || descriptor.Client is { Failures: null }))
        {
            mesh.Missing("'outcome' (or 'failures' on every side)");
        }

        return descriptor;
    }

    private FrozenSet<string> ReadUnknown(YamlSection mesh) =>
        [.. (mesh.Items("unknown") ?? []).Select(item => YamlSection.Text("a value of 'unknown'", item, _mistakes, AnyText))];

    private Outcome ReadOutcome(YamlSection? outcome)
    {
        if (outcome is null)
        {
            return new Outcome(null, null);
        }

        if (!outcome.Has("success") && !outcome.Has("failure"))
        {
            outcome.Missing("'success' or 'failure'");
        }

        return new Outcome(ReadAlternatives(outcome, "success"), ReadAlternatives(outcome, "failure"));
    }

    private IReadOnlyList<IReadOnlyList<Matcher>>? ReadAlternatives(YamlSection outcome, string key) =>
        outcome.Items(key) is { } alternatives
            ? [.. alternatives.Select(item => ReadMatchers(
                item is YamlNode.Sequence ? YamlSection.Items($"a list in '{key}'", item.Line, item, _mistakes) : [item]))]
            : null;

    private IReadOnlyList<Matcher> ReadMatchers(IReadOnlyList<YamlNode> items) => [.. items.Select(ReadMatcher).OfType<Matcher>()];

    private Matcher? ReadMatcher(YamlNode node)
    {
        Matcher? matcher = null;
        YamlSection.Text("a matcher", node, _mistakes, text =>
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

    private MeshSide? ReadSide(YamlSection mesh, string key)
    {
        if (mesh.Section(key, "requests", "failures", "where", "latency", "destination", "source") is not { } side)
        {
            return null;
        }

        if (!side.Has("destination") && !side.Has("source"))
        {
            side.Missing("'destination' or 'source'");
        }

        IReadOnlyList<Matcher> where = ReadMatchers(side.Items("where") ?? []);
        return new MeshSide(
            side.RequiredText("requests", DescriptorNames.NoMetric),
            side.OptionalText("failures", DescriptorNames.NoMetric),
            where,
            ReadLatency(side.Section("latency", "histogram", "unit", "where"), where),
            IdentityReader.Read(side, "destination", _mistakes) ?? Identity.None,
            IdentityReader.Read(side, "source", _mistakes));
    }

    private LatencyHistogram? ReadLatency(YamlSection? latency, IReadOnlyList<Matcher> whereOfSide) =>
        latency is null
            ? null
            : new LatencyHistogram(
                latency.RequiredText("histogram", NoHistogram),
                latency.RequiredText("unit", NoUnit) == "s" ? 1000 : 1,
                latency.Items("where") is { } where ? ReadMatchers(where) : whereOfSide);

    private static string? AnyText(string text) => text.Length > 0 ? null : "an empty text says nothing";

    private static string? NoMeshName(string name) =>
        !Names.IsDnsLabel(name) ? $"'{name}' is not a DNS label, which a mesh's name must be"
        : name == ReservedName ? $"a mesh cannot be named '{ReservedName}': --mesh {ReservedName} means all that are there"
        : null;

    private static string? NoHistogram(string series) =>
        series.EndsWith("_bucket", StringComparison.Ordinal)
            ? $"'{series}' is the name of the buckets; give that of the histogram, without _bucket"
            : DescriptorNames.NoMetric(series);

    private static string? NoUnit(string unit) => unit is "ms" or "s" ? null : $"'{unit}' is not a unit of latency; there are ms and s";
}

/// <summary>What is wrong with a name in a descriptor; null when nothing is.</summary>
internal static class DescriptorNames
{
    // The series is named by its own key. Prometheus refuses a selector that names it twice.
    private const string SeriesNameLabel = "__name__";

    public static string? NoLabel(string name) =>
        !Names.IsLabel(name) ? $"'{name}' is not a label name"
        : name == SeriesNameLabel ? $"{SeriesNameLabel} is not a label but the series' own name"
        : null;

    public static string? NoMetric(string name) => Names.IsMetric(name) ? null : $"'{name}' is not a metric name";
}
