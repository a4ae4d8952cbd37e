namespace SmiMetrics.Meshes;

/// <summary>Reads the <c>splits</c> of a descriptor.</summary>
internal static class SplitViewReader
{
    private const string Client = "client";
    private const string Server = "server";

    public static IReadOnlyList<SplitView> Read(YamlSection mesh, MeshSide? server, MeshSide? client, Outcome outcome, Mistakes mistakes) =>
        [.. (mesh.Items("splits") ?? []).Select(item => ReadOne(item, mesh, server, client, outcome, mistakes))];

    private static SplitView ReadOne(YamlNode node, YamlSection mesh, MeshSide? server, MeshSide? client, Outcome outcome, Mistakes mistakes)
    {
        YamlSection split = YamlSection.Open(
            "a way in 'splits'", node.Line, node, mistakes, ["side", .. SeriesReader.Keys, "outcome", "names"]);
        string side = split.RequiredText("side", text => text is Client or Server ? null : $"'{text}' is not a side; there are {Client} and {Server}");
        MeshSide series = SeriesReader.Read(split, side == Client ? client : server, mistakes);
        if (split.Has("outcome") && !split.Has("failures"))
        {
            // Who tells the outcome by labels does not want it from the counter of failures beside the side's own counter.
            series = series with { Failures = null };
        }
        else if (split.Has("requests") && !split.Has("failures") && !mesh.Has("outcome"))
        {
            split.Missing("'outcome' (or 'failures')");
        }

        return new SplitView(
            side == Client,
            series,
            split.Has("outcome") ? SeriesReader.ReadOutcome(split.Section("outcome", "success", "failure"), mistakes) : outcome,
            ReadNames(split, mistakes));
    }

    private static LabelPattern[] ReadNames(YamlSection split, Mistakes mistakes)
    {
        if (split.Find("names") is not { } found)
        {
            split.Missing("'names'");
            return [];
        }

        IReadOnlyList<YamlEntry> entries = YamlSection.Entries("'names'", found.Line, found.Value, mistakes);
        LabelPattern[] names = [.. entries.Select(name => ReadName(name, mistakes)).OfType<LabelPattern>()];
        if (found.Value is YamlNode.Mapping && names.Length == entries.Count && !names.Any(name => name.Pattern.Kinds.Contains(SplitNames.Backend)))
        {
            mistakes.Add(found.Line, $"'names' has no {{{SplitNames.Backend}}}");
        }

        return names;
    }

    private static LabelPattern? ReadName(YamlEntry entry, Mistakes mistakes)
    {
        if (DescriptorNames.NoLabel(entry.Key) is { } reason)
        {
            mistakes.Add(entry.Line, reason);
        }

        NamePattern? pattern = null;
        YamlSection.Text($"the pattern of '{entry.Key}'", entry.Value, mistakes, text =>
        {
            try
            {
                pattern = NamePattern.Parse(text, SplitNames.All);
                return null;
            }
            catch (FormatException exception)
            {
                return $"bad pattern {text}: {exception.Message}";
            }
        });
        return pattern is null ? null : new LabelPattern(entry.Key, pattern);
    }
}
