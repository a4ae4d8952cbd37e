using System.Collections.Frozen;

namespace SmiMetrics.Meshes;

/// <summary>Reads the <c>destination</c> or <c>source</c> of a descriptor's side.</summary>
internal sealed class IdentityReader
{
    // Stands in for what could not be read: nothing further is wrong with it.
    private static readonly IdentityMeans Mistaken = new IdentityMeans.Label("", "");

    private readonly Mistakes _mistakes;
    private readonly string? _namespaceLabel;
    private readonly Dictionary<string, IdentityMeans> _means = [];
    private readonly List<(string Title, int Line)> _throughPods = [];

    private IdentityReader(string? namespaceLabel, Mistakes mistakes)
    {
        _namespaceLabel = namespaceLabel;
        _mistakes = mistakes;
    }

    /// <returns>Null only when the side has no such key.</returns>
    public static Identity? Read(YamlSection side, string key, Mistakes mistakes)
    {
        if (side.Section(key, "namespace", "kinds", "packed", "workload", "encoding") is not { } identity)
        {
            return null;
        }

        return new IdentityReader(identity.OptionalText("namespace", DescriptorNames.NoLabel), mistakes).Read(identity);
    }

    // The more particular wins: a kind's own entry, then a pattern that names the kind, then the workload of any kind.
    private Identity Read(YamlSection identity)
    {
        if (_namespaceLabel is not null)
        {
            _means.Add(KindNames.Namespaces, new IdentityMeans.Label(_namespaceLabel, null));
        }

        ReadKinds(identity.Find("kinds"));
        ReadPacked(identity);
        ReadWorkload(identity.Find("workload"));
        if (_means.Count == 0 && !identity.Has("packed"))
        {
            identity.Complain($"{identity.Title} names nobody");
        }

        if (_means.GetValueOrDefault(KindNames.Pods) is not IdentityMeans.Label)
        {
            foreach ((string title, int line) in _throughPods)
            {
                _mistakes.Add(line, $"{title} cannot go through pods: no label names the pods");
            }
        }

        return new Identity(_namespaceLabel, _means.ToFrozenDictionary(), ReadEncoding(identity.Find("encoding")));
    }

    private void ReadKinds(YamlEntry? kinds)
    {
        foreach (YamlEntry kind in kinds is null ? [] : YamlSection.Entries("'kinds'", kinds.Line, kinds.Value, _mistakes))
        {
            if (kind.Key == KindNames.Namespaces)
            {
                _mistakes.Add(kind.Line, "namespaces are told by the key 'namespace', or by {namespaces} in a pattern");
            }
            else if (!KindNames.All.Contains(kind.Key))
            {
                _mistakes.Add(kind.Line, $"unknown kind '{kind.Key}'; there are {string.Join(", ", KindNames.All)}");
            }

            _means[kind.Key] = ReadKind(kind);
        }
    }

    private IdentityMeans ReadKind(YamlEntry kind)
    {
        string title = $"'{kind.Key}'";
        if (kind.Value is not YamlNode.Mapping { Entries: var entries })
        {
            string label = YamlSection.Text(title, kind.Value, _mistakes, DescriptorNames.NoLabel);
            return new IdentityMeans.Label(label, NamespaceOf(kind.Key, own: null, kind.Line));
        }

        bool Has(string key) => entries.Any(entry => entry.Key == key);
        return Has("through") ? ReadThrough(kind)
            : Has("pattern") ? ReadPattern(title, kind.Line, kind.Value, mustName: kind.Key)
            : Has("label") ? ReadLabel(kind)
            : Has("name") ? ReadName(kind)
            : Has("unique") ? ReadUnique(kind)
            : Refuse(kind.Line, $"{title} has none of the keys 'label', 'name', 'unique' and 'through'");
    }

    private IdentityMeans.Label ReadLabel(YamlEntry kind)
    {
        YamlSection section = Open(kind, KindNames.IsNamespaced(kind.Key) ? ["label", "namespace"] : ["label"]);
        string label = section.RequiredText("label", DescriptorNames.NoLabel);
        return new IdentityMeans.Label(label, NamespaceOf(kind.Key, section.OptionalText("namespace", DescriptorNames.NoLabel), kind.Line));
    }

    private IdentityMeans ReadName(YamlEntry entry)
    {
        YamlSection section = Open(entry, "name", "kind", "namespace");
        string name = section.RequiredText("name", DescriptorNames.NoLabel);
        string? kind = section.OptionalText("kind", DescriptorNames.NoLabel);
        string? own = section.OptionalText("namespace", DescriptorNames.NoLabel);
        if (KindNames.All.Except(KindNames.Workloads).Contains(entry.Key))
        {
            return Refuse(entry.Line, $"only workloads are told by 'name'; give {entry.Key} a 'label'");
        }

        string @namespace = NamespaceOf(entry.Key, own, entry.Line) ?? "";
        return kind is null ? new IdentityMeans.NameOnly(name, @namespace) : new IdentityMeans.KindAndName(kind, name, @namespace);
    }

    private IdentityMeans ReadUnique(YamlEntry entry)
    {
        YamlSection section = Open(entry, "unique");
        string label = section.RequiredText("unique", DescriptorNames.NoLabel);
        return KindNames.IsNamespaced(entry.Key) && entry.Key != KindNames.Pods
            ? new IdentityMeans.UniqueName(label)
            : Refuse(entry.Line, $"{entry.Key} cannot be told by 'unique'; give them a 'label'");
    }

    private IdentityMeans ReadThrough(YamlEntry entry)
    {
        YamlSection section = Open(entry, "through");
        section.RequiredText("through", text => text == KindNames.Pods ? null : $"'{text}' is nothing to go through; there are pods");
        if (entry.Key == KindNames.Pods)
        {
            return Refuse(entry.Line, "pods cannot go through pods; give them a 'label'");
        }

        _throughPods.Add(($"'{entry.Key}'", entry.Line));
        return new IdentityMeans.ThroughPods();
    }

    private void ReadPacked(YamlSection identity)
    {
        HashSet<string> packed = [];
        foreach (YamlNode item in identity.Find("packed")?.Value is YamlNode.Mapping one ? [one] : identity.Items("packed") ?? [])
        {
            if (ReadPattern("'packed'", item.Line, item, mustName: null) is IdentityMeans.Packed means)
            {
                foreach (string kind in means.Kinds)
                {
                    if (!packed.Add(kind) && kind != KindNames.Namespaces)
                    {
                        _mistakes.Add(item.Line, $"{{{kind}}} is in another pattern already; give patterns of one label as a list");
                    }

                    _means.TryAdd(kind, means);
                }
            }
        }
    }

    private IdentityMeans ReadPattern(string title, int line, YamlNode node, string? mustName)
    {
        YamlSection section = YamlSection.Open(title, line, node, _mistakes, "label", "pattern");
        string label = section.RequiredText("label", DescriptorNames.NoLabel);
        bool list = section.Find("pattern") is { Value: YamlNode.Sequence };
        NamePattern[] patterns =
        [
            .. (list
                ? section.Items("pattern")!.Select(item => YamlSection.Text("a pattern", item, _mistakes, text => NoPattern(text, mustName)))
                : [section.RequiredText("pattern", text => NoPattern(text, mustName))])
                .Where(text => text.Length > 0)
                .Select(NamePattern.Parse),
        ];
        if (patterns.FirstOrDefault(pattern => !pattern.Kinds.Order(StringComparer.Ordinal).SequenceEqual(patterns[0].Kinds.Order(StringComparer.Ordinal))) is { } other)
        {
            return Refuse(line, $"the pattern {other} has other names in it than {patterns[0]}");
        }

        return patterns.Length == 0 ? Mistaken : new IdentityMeans.Packed(label, patterns);
    }

    private string? NoPattern(string text, string? mustName)
    {
        NamePattern pattern;
        try
        {
            pattern = NamePattern.Parse(text);
        }
        catch (FormatException exception)
        {
            return $"bad pattern {text}: {exception.Message}";
        }

        return mustName is not null && !pattern.Kinds.Contains(mustName) ? $"the pattern of '{mustName}' has no {{{mustName}}}"
            : _namespaceLabel is null && !pattern.Kinds.Contains(KindNames.Namespaces) && pattern.Kinds.Any(KindNames.IsNamespaced)
                ? "the pattern has no {namespaces}, and there is no key 'namespace'"
            : null;
    }

    private void ReadWorkload(YamlEntry? workload)
    {
        if (workload is null)
        {
            return;
        }

        IdentityMeans means = workload.Value switch
        {
            YamlNode.Sequence => ReadNameElsePods(workload),
            YamlNode.Mapping { Entries: var entries } when entries.Any(entry => entry.Key == "through") => ReadThrough(workload),
            YamlNode.Mapping => ReadName(workload),
            _ => new IdentityMeans.NameOnly(
                YamlSection.Text("'workload'", workload.Value, _mistakes, DescriptorNames.NoLabel), NamespaceOf(workload.Key, own: null, workload.Line) ?? ""),
        };

        // Where a mesh names workloads it names topmost owners, and so never a Deployment's ReplicaSet: asked for by name it
        // would look idle. Pods know their ReplicaSet.
        foreach (string kind in KindNames.Workloads.Where(kind => kind != KindNames.ReplicaSets || means is IdentityMeans.ThroughPods))
        {
            _means.TryAdd(kind, means);
        }
    }

    /// <summary>A name, and for where it is empty the pods.</summary>
    private IdentityMeans ReadNameElsePods(YamlEntry workload)
    {
        if (workload.Value is not YamlNode.Sequence { Items: [YamlNode.Scalar name, YamlNode.Mapping { Entries: [var through] } pods] } || through.Key != "through")
        {
            return Refuse(workload.Line, "a list in 'workload' is a label and {through: pods}, for where the label is empty");
        }

        string label = YamlSection.Text("'workload'", name, _mistakes, DescriptorNames.NoLabel);
        ReadThrough(new YamlEntry(workload.Key, workload.Line, pods));
        return new IdentityMeans.NameOnly(label, NamespaceOf(workload.Key, own: null, workload.Line) ?? "", ElseThroughPods: true);
    }

    private FrozenDictionary<char, char> ReadEncoding(YamlEntry? encoding)
    {
        Dictionary<char, char> characters = [];
        foreach (YamlEntry entry in encoding is null ? [] : YamlSection.Entries("'encoding'", encoding.Line, encoding.Value, _mistakes))
        {
            string to = YamlSection.Text(
                "a character of 'encoding'", entry.Value, _mistakes, text => NoCharacter(text) ?? NoCharacter(entry.Key));
            if (to.Length > 0)
            {
                characters.Add(entry.Key[0], to[0]);
            }
        }

        // Which characters end a name would depend on the encoding. No mesh does both.
        if (encoding is not null && _means.Values.Any(means => means is IdentityMeans.Packed or IdentityMeans.UniqueName))
        {
            _mistakes.Add(encoding.Line, "'encoding' cannot be combined with a pattern, nor with 'unique'");
        }

        return characters.ToFrozenDictionary();
    }

    private static string? NoCharacter(string text) => text.Length == 1 ? null : $"'{text}' is not one character";

    // Objects of two namespaces must never be mistaken for each other, whoever is allowed to see which: no namespaced kind without one.
    private string? NamespaceOf(string kind, string? own, int line)
    {
        if (!KindNames.IsNamespaced(kind))
        {
            return null;
        }

        if ((own ?? _namespaceLabel) is { } label)
        {
            return label;
        }

        _mistakes.Add(line, $"no label names the namespace of '{kind}'; give the key 'namespace'");
        return "";
    }

    private YamlSection Open(YamlEntry entry, params IReadOnlyList<string> keys) =>
        YamlSection.Open($"'{entry.Key}'", entry.Line, entry.Value, _mistakes, keys);

    private IdentityMeans Refuse(int line, string reason)
    {
        _mistakes.Add(line, reason);
        return Mistaken;
    }
}
