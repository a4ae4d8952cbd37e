using System.Collections.Frozen;
using System.Globalization;

namespace SmiMetrics.Meshes;

/// <summary>Reads the <c>scrape</c> of a descriptor.</summary>
internal static class ProxyEndpointReader
{
    // What RFC 3986 allows in a path. A query or a fragment would be another request than the one that people see.
    private const string PathPunctuation = "/-._~!$&'()*+,;=:@%";

    private static readonly OrderedDictionary<string, TargetLabel> Words = new()
    {
        ["namespace"] = new TargetLabel.Namespace(),
        ["pod"] = new TargetLabel.PodName(),
        ["node"] = new TargetLabel.NodeName(),
    };

    // Stands in for what could not be read.
    private static readonly TargetLabel Mistaken = new TargetLabel.PodLabel("");

    /// <returns>Null only when the mesh has no such key.</returns>
    public static ProxyEndpoint? Read(YamlSection mesh, Mistakes mistakes)
    {
        if (mesh.Section("scrape", "container", "pods", "port", "path", "labels") is not { } scrape)
        {
            return null;
        }

        if (!scrape.Has("container") && !scrape.Has("pods"))
        {
            scrape.Missing("'container' or 'pods'");
        }

        return new ProxyEndpoint(
            scrape.OptionalText("container", NoContainer),
            ReadEntries(scrape, "pods", mistakes, NoPodLabel, (title, value) => YamlSection.Text(title, value, mistakes, NoPodLabelValue)),
            scrape.RequiredText("port", NoPort),
            scrape.RequiredText("path", NoPath),
            ReadEntries(scrape, "labels", mistakes, NoTargetLabel, (title, value) => ReadLabel(title, value, mistakes)));
    }

    private static FrozenDictionary<string, T> ReadEntries<T>(
        YamlSection scrape, string key, Mistakes mistakes, Func<string, string?> complaintOfKey, Func<string, YamlNode, T> read)
    {
        Dictionary<string, T> entries = [];
        if (scrape.Find(key) is { } section)
        {
            if (section.Value is YamlNode.Mapping { Entries.Count: 0 })
            {
                mistakes.Add(section.Line, $"'{key}' is empty");
            }

            foreach (YamlEntry entry in YamlSection.Entries($"'{key}'", section.Line, section.Value, mistakes))
            {
                if (complaintOfKey(entry.Key) is { } reason)
                {
                    mistakes.Add(entry.Line, reason);
                }

                entries.Add(entry.Key, read($"'{entry.Key}' in '{key}'", entry.Value));
            }
        }

        return entries.ToFrozenDictionary();
    }

    private static TargetLabel ReadLabel(string title, YamlNode value, Mistakes mistakes)
    {
        if (value is YamlNode.Mapping)
        {
            YamlSection section = YamlSection.Open(title, value.Line, value, mistakes, "podLabel");
            return new TargetLabel.PodLabel(section.RequiredText("podLabel", NoPodLabel));
        }

        string word = YamlSection.Text(title, value, mistakes, text =>
            Words.ContainsKey(text)
                ? null
                : $"'{text}' is nothing that a target has; there are {string.Join(", ", Words.Keys)} and {{podLabel: KEY}}");
        return Words.GetValueOrDefault(word, Mistaken);
    }

    private static string? NoContainer(string name) => Names.IsDnsLabel(name) ? null : $"'{name}' is not a DNS label, which a container's name must be";

    // A port's name has a letter in it, so nothing is both.
    private static string? NoPort(string port) =>
        Names.IsPortName(port) ? null
        : port.Length == 0 || !port.All(char.IsAsciiDigit) ? $"'{port}' is neither the name of a port nor its number"
        : port[0] == '0' || !ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out _)
            ? $"'{port}' is not the number of a port: they go from 1 to {ushort.MaxValue}"
        : null;

    // What begins with two slashes names a host.
    private static string? NoPath(string path) =>
        !path.StartsWith('/') || path.StartsWith("//", StringComparison.Ordinal) ? $"'{path}' is not a path, which begins with one slash"
        : !path.All(character => char.IsAsciiLetterOrDigit(character) || PathPunctuation.Contains(character))
            ? $"'{path}' has a character that a path cannot have"
        : null;

    // Prometheus keeps these to itself (scrape/target.go, Target.Labels).
    private static string? NoTargetLabel(string name) =>
        DescriptorNames.NoLabel(name)
        ?? (name.StartsWith("__", StringComparison.Ordinal) ? $"'{name}' begins with two underscores, as only labels do that no series keeps" : null);

    private static string? NoPodLabel(string key) => Names.IsPodLabel(key) ? null : $"'{key}' is not the key of a pod's label";

    private static string? NoPodLabelValue(string value) => Names.IsPodLabelValue(value) ? null : $"'{value}' is not the value of a pod's label";
}
