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

    private const string ExtendsKey = "extends";
    private const string AllEdges = "edges";
    private const string EdgesSuffix = "/edges";

    // Nobody extends what extends what extends; but a file may extend itself.
    private const int MostExtensions = 4;

    private readonly Mistakes _mistakes;

    private DescriptorReader(Mistakes mistakes) => _mistakes = mistakes;

    /// <param name="text">The YAML.</param>
    /// <param name="file">What to call the file in mistakes.</param>
    /// <exception cref="DescriptorException">With all mistakes.</exception>
    public static MeshDescriptor Read(string text, string file) => Read(text, file, _ => null);

    /// <param name="textOf">The YAML of the mesh that <c>extends</c> names; null when there is none of that name.</param>
    /// <inheritdoc cref="Read(string, string)"/>
    public static MeshDescriptor Read(string text, string file, Func<string, string?> textOf)
    {
        Mistakes mistakes = new(file);
        MeshDescriptor? descriptor = YamlTree.Read(text, mistakes) is { } root && Extended(root, textOf, mistakes, depth: 0) is { } whole
            ? new DescriptorReader(mistakes).ReadMesh(whole)
            : null;
        mistakes.ThrowIfAny();
        return descriptor!;
    }

    /// <summary>The document with the keys of the one that it extends, of which each key given here replaces the whole.</summary>
    /// <returns>Null where there is none to extend: what that would have given must not be called missing.</returns>
    private static YamlNode? Extended(YamlNode root, Func<string, string?> textOf, Mistakes mistakes, int depth)
    {
        if (root is not YamlNode.Mapping { Entries: var own } || own.FirstOrDefault(entry => entry.Key == ExtendsKey) is not { } extends)
        {
            return root;
        }

        YamlNode? other = null;
        YamlSection.Text($"'{ExtendsKey}'", extends.Value, mistakes, name =>
        {
            string? text = depth < MostExtensions ? textOf(name) : null;
            other = text is null ? null : YamlTree.Read(text, mistakes);
            return other is null ? $"there is no built-in mesh '{name}' to extend" : null;
        });
        return other is null || Extended(other, textOf, mistakes, depth + 1) is not YamlNode.Mapping { Entries: var inherited }
            ? null
            : new YamlNode.Mapping(
                root.Line,
                [.. own, .. inherited.Where(entry => !own.Any(given => given.Key == entry.Key)).Select(entry => MovedTo(extends.Line, entry))]);
    }

    // The lines of another file would point anywhere in this one. What does not go together with what is given here is wrong with `extends`.
    private static YamlEntry MovedTo(int line, YamlEntry entry) => new(entry.Key, line, MovedTo(line, entry.Value));

    private static YamlNode MovedTo(int line, YamlNode node) => node switch
    {
        YamlNode.Mapping mapping => new YamlNode.Mapping(line, [.. mapping.Entries.Select(entry => MovedTo(line, entry))]),
        YamlNode.Sequence sequence => new YamlNode.Sequence(line, [.. sequence.Items.Select(item => MovedTo(line, item))]),
        _ => node with { Line = line },
    };

    private MeshDescriptor ReadMesh(YamlNode root)
    {
        YamlSection mesh = YamlSection.Open(
            "the descriptor",
            line: 1,
            root,
            _mistakes,
            "name", "title", ExtendsKey, "within", "outcome", "unknown", "server", "client", "splits", "scrape", "cannot", "advice");
        Outcome outcome = SeriesReader.ReadOutcome(mesh.Section("outcome", "success", "failure"), _mistakes);
        MeshSide? server = ReadSide(mesh, "server");
        MeshSide? client = ReadSide(mesh, "client");
        YamlSection? advice = mesh.Section("advice", "series", "labels");
        MeshDescriptor descriptor = new(
            mesh.RequiredText("name", NoMeshName),
            mesh.RequiredText("title", AnyText),
            outcome,
            ReadUnknown(mesh),
            server,
            client,
            SplitViewReader.Read(mesh, server, client, outcome, _mistakes),
            ProxyEndpointReader.Read(mesh, _mistakes),
            ReadCannot(mesh, server, client),
            new Advice(advice?.OptionalText("series", AnyText), advice?.OptionalText("labels", AnyText)),
            mesh.OptionalText("within", NoMeshName));
        if (!mesh.Has("server") && !mesh.Has("client"))
        {
            mesh.Missing("'server' or 'client'");
        }

        if (!mesh.Has("outcome") && descriptor.Sides.Any(side => side.Failures is null))
        {
            mesh.Missing("'outcome' (or 'failures' on every side)");
        }

        return descriptor;
    }

    private FrozenDictionary<string, string> ReadCannot(YamlSection mesh, MeshSide? server, MeshSide? client)
    {
        Dictionary<string, string> reasons = [];
        foreach (YamlEntry entry in mesh.Find("cannot") is { } cannot ? YamlSection.Entries("'cannot'", cannot.Line, cannot.Value, _mistakes) : [])
        {
            string kind = entry.Key.EndsWith(EdgesSuffix, StringComparison.Ordinal) ? entry.Key[..^EdgesSuffix.Length] : entry.Key;
            if (!KindNames.All.Contains(kind) && entry.Key is not (AllEdges or SplitNames.Split))
            {
                _mistakes.Add(
                    entry.Line,
                    $"'{entry.Key}' is nothing that can be asked for; there are {AllEdges}, {SplitNames.Split}, the kinds, and KIND{EdgesSuffix}: {string.Join(", ", KindNames.All)}");
            }
            else if (kind == entry.Key && new[] { server, client }.Any(side => side?.Destination.Means.ContainsKey(kind) == true))
            {
                _mistakes.Add(entry.Line, $"'{kind}' is told by a 'destination', so it is nothing that the mesh cannot tell");
            }

            reasons.Add(entry.Key, YamlSection.Text($"'{entry.Key}' in 'cannot'", entry.Value, _mistakes, AnyText));
        }

        return reasons.ToFrozenDictionary();
    }

    private FrozenSet<string> ReadUnknown(YamlSection mesh) =>
        [.. (mesh.Items("unknown") ?? []).Select(item => YamlSection.Text("a value of 'unknown'", item, _mistakes, AnyText))];

    private MeshSide? ReadSide(YamlSection mesh, string key)
    {
        if (mesh.Section(key, [.. SeriesReader.Keys, "destination", "source"]) is not { } side)
        {
            return null;
        }

        if (!side.Has("destination") && !side.Has("source"))
        {
            side.Missing("'destination' or 'source'");
        }

        return SeriesReader.Read(side, fallback: null, _mistakes) with
        {
            Destination = IdentityReader.Read(side, "destination", _mistakes) ?? Identity.None,
            Source = IdentityReader.Read(side, "source", _mistakes),
        };
    }

    private static string? AnyText(string text) => text.Length > 0 ? null : "an empty text says nothing";

    private static string? NoMeshName(string name) =>
        !Names.IsDnsLabel(name) ? $"'{name}' is not a DNS label, which a mesh's name must be"
        : name == ReservedName ? $"a mesh cannot be named '{ReservedName}': --mesh {ReservedName} means all that are there"
        : null;
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
