using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace SmiMetrics.Tests;

/// <summary>Which folder of the server may use which: arrows go down only, so that each can be read without those above it.</summary>
public sealed partial class ArrowsTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        // HTTP over TLS from files that are renewed: three doors need it, and none of them may use another.
        ["Transport"] = [],
        ["Kubernetes"] = ["Transport"],
        ["Meshes"] = [],
        ["Exposition"] = [],
        ["Traffic"] = ["Kubernetes", "Meshes"],
        ["Prometheus"] = ["Traffic", "Meshes", "Transport"],
        ["Scrape"] = ["Traffic", "Meshes", "Kubernetes", "Exposition", "Transport"],
        ["Auth"] = ["Kubernetes", "Transport"],
        ["Api"] = ["Traffic", "Kubernetes"],
        ["Diagnostics"] = ["Traffic", "Meshes", "Exposition"],
        // How requests are let in, and how serving ends: answers as the API does, asks who somebody is, and counts.
        ["Hosting"] = ["Api", "Auth", "Diagnostics", "Kubernetes"],
        ["Demo"] = ["Kubernetes", "Meshes", "Exposition"],
    };

    [Fact]
    public void Every_folder_uses_only_what_lies_below_it()
    {
        string source = Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "src", "SmiMetrics");
        List<string> wrong = [];
        int read = 0;
        foreach (string file in Directory.GetDirectories(source).SelectMany(folder => Directory.GetFiles(folder, "*.cs", SearchOption.AllDirectories)))
        {
            string path = Path.GetRelativePath(source, file);
            string folder = path.Split(Path.DirectorySeparatorChar)[0];
            if (!Allowed.TryGetValue(folder, out string[]? allowed))
            {
                wrong.Add($"{path}: folder {folder} is not in the house's plan");
                continue;
            }

            string text = File.ReadAllText(file);
            read++;
            if (!text.Contains($"namespace SmiMetrics.{folder};", StringComparison.Ordinal))
            {
                wrong.Add($"{path}: its namespace is not SmiMetrics.{folder}");
            }

            // Any mention counts, so a using cannot be avoided by writing the name out.
            wrong.AddRange(Mention().Matches(text)
                .Select(match => match.Groups[1].Value)
                .Where(used => used != folder && Allowed.ContainsKey(used) && !allowed.Contains(used))
                .Distinct()
                .Select(used => $"{path}: uses {used}"));
        }

        Assert.True(read > 30, $"only {read} files were read");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"(?:using |global::|[^\w.""])SmiMetrics\.(\w+)")]
    private static partial Regex Mention();
}
