namespace SmiMetrics.Meshes;

/// <summary>
/// A mapping whose keys are known beforehand. Reading notes mistakes and goes on with stand-ins (empty texts and lists), so that one
/// run finds all of them; with any mistake the whole document is thrown away, so nobody sees a stand-in.
/// </summary>
internal sealed class YamlSection
{
    private readonly IReadOnlyList<YamlEntry> _entries;
    private readonly bool _isMapping;
    private readonly Mistakes _mistakes;

    private YamlSection(string title, int line, IReadOnlyList<YamlEntry> entries, bool isMapping, Mistakes mistakes)
    {
        Title = title;
        Line = line;
        _entries = entries;
        _isMapping = isMapping;
        _mistakes = mistakes;
    }

    /// <summary>What mistakes call it.</summary>
    public string Title { get; }

    /// <summary>Where its key is.</summary>
    public int Line { get; }

    /// <param name="title">What mistakes call it.</param>
    /// <param name="line">Where its key is.</param>
    /// <param name="node">What stands there; anything but a mapping is a mistake.</param>
    /// <param name="mistakes">Where mistakes go.</param>
    /// <param name="keys">All keys that it may have; any other is a mistake.</param>
    public static YamlSection Open(string title, int line, YamlNode node, Mistakes mistakes, params IReadOnlyList<string> keys)
    {
        IReadOnlyList<YamlEntry> entries = Entries(title, line, node, mistakes);
        foreach (YamlEntry entry in entries.Where(entry => !keys.Contains(entry.Key)))
        {
            mistakes.Add(entry.Line, $"unknown key '{entry.Key}' in {title}; there are {string.Join(", ", keys)}");
        }

        return new YamlSection(title, line, entries, node is YamlNode.Mapping, mistakes);
    }

    /// <summary>The entries of a mapping whose keys are not known beforehand.</summary>
    public static IReadOnlyList<YamlEntry> Entries(string title, int line, YamlNode node, Mistakes mistakes)
    {
        if (node is YamlNode.Mapping mapping)
        {
            return mapping.Entries;
        }

        mistakes.Add(line, $"{title} must be a mapping, not {node.Sort}");
        return [];
    }

    /// <summary>The items of a list, of which there must be one.</summary>
    public static IReadOnlyList<YamlNode> Items(string title, int line, YamlNode node, Mistakes mistakes)
    {
        switch (node)
        {
            case YamlNode.Sequence { Items.Count: > 0 } sequence:
                return sequence.Items;
            case YamlNode.Sequence:
                mistakes.Add(line, $"{title} is empty");
                return [];
            default:
                mistakes.Add(line, $"{title} must be a list, not {node.Sort}");
                return [];
        }
    }

    /// <summary>The text of a scalar.</summary>
    /// <param name="complaint">What is wrong with a text, or null.</param>
    public static string Text(string title, YamlNode node, Mistakes mistakes, Func<string, string?> complaint)
    {
        if (node is not YamlNode.Scalar { IsNull: false, Text: var text })
        {
            mistakes.Add(node.Line, $"{title} must be a text, not {node.Sort}");
            return "";
        }

        if (complaint(text) is { } reason)
        {
            mistakes.Add(node.Line, reason);
            return "";
        }

        return text;
    }

    public bool Has(string key) => Find(key) is not null;

    public YamlEntry? Find(string key) => _entries.FirstOrDefault(entry => entry.Key == key);

    /// <returns>Null only when there is no such key.</returns>
    public YamlSection? Section(string key, params IReadOnlyList<string> keys) =>
        Find(key) is { } entry ? Open($"'{key}'", entry.Line, entry.Value, _mistakes, keys) : null;

    /// <returns>Null only when there is no such key.</returns>
    public string? OptionalText(string key, Func<string, string?> complaint) =>
        Find(key) is { } entry ? Text($"'{key}'", entry.Value, _mistakes, complaint) : null;

    public string RequiredText(string key, Func<string, string?> complaint) => OptionalText(key, complaint) ?? Missing($"'{key}'");

    /// <summary>The items of a list, of which there must be one.</summary>
    /// <returns>Null only when there is no such key.</returns>
    public IReadOnlyList<YamlNode>? Items(string key) => Find(key) is { } entry ? Items($"'{key}'", entry.Line, entry.Value, _mistakes) : null;

    /// <summary>Notes that one of these keys must be there.</summary>
    public string Missing(string keys)
    {
        Complain($"missing key {keys} in {Title}");
        return "";
    }

    /// <summary>Notes a mistake of the whole; not when it is no mapping at all, which was noted and explains everything.</summary>
    public void Complain(string reason)
    {
        if (_isMapping)
        {
            _mistakes.Add(Line, reason);
        }
    }
}
