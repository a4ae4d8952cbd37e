using System.Runtime.CompilerServices;
using System.Text;

namespace SmiMetrics.Tests;

/// <summary>Compares text with <c>testdata/NAME.golden</c>. <c>UPDATE_GOLDEN=1</c> writes the file instead; git then shows what changed.</summary>
internal static class Golden
{
    /// <summary>The folder of SmiMetrics.sln.</summary>
    public static string Repository { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", ".."));

    public static bool Updating => Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1";

    public static void Verify(string name, string actual) => VerifyFile($"tests/SmiMetrics.Tests/testdata/{name}.golden", actual);

    /// <summary>The same with any file of the repository.</summary>
    /// <param name="name">Its path from the root.</param>
    public static void VerifyFile(string name, string actual)
    {
        string path = Path.Combine(Repository, name);
        if (Updating)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
            return;
        }

        string expected = File.Exists(path) ? File.ReadAllText(path) : "";
        if (expected != actual)
        {
            Assert.Fail($"{name} differs; UPDATE_GOLDEN=1 accepts the new text.\n{Difference(expected.Split('\n'), actual.Split('\n'))}");
        }
    }

    /// <summary>The differing stretch between the common beginning and the common end.</summary>
    private static string Difference(string[] expected, string[] actual)
    {
        int shorter = Math.Min(expected.Length, actual.Length);
        int start = 0;
        while (start < shorter && expected[start] == actual[start])
        {
            start++;
        }

        int end = 0;
        while (end < shorter - start && expected[^(end + 1)] == actual[^(end + 1)])
        {
            end++;
        }

        StringBuilder text = new($"@@ line {start + 1} @@\n");
        foreach (string line in expected[start..^end])
        {
            text.Append("- ").Append(line).Append('\n');
        }

        foreach (string line in actual[start..^end])
        {
            text.Append("+ ").Append(line).Append('\n');
        }

        return text.ToString();
    }

    private static string Here([CallerFilePath] string thisFile = "") => thisFile;
}
