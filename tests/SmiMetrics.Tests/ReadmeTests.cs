using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using SmiMetrics.Api;

namespace SmiMetrics.Tests;

/// <summary>What README.md shows is what the program does.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Repository = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, "..", ".."));
    private static readonly string Readme = File.ReadAllText(Path.Combine(Repository, "README.md"));

    [Fact]
    public void The_answer_it_opens_with_is_one_that_the_server_gives()
    {
        string shown = Block("console").Split('\n', 2)[1];
        string given = File.ReadAllText(Path.Combine(Repository, "tests", "SmiMetrics.Tests", "testdata", "api", "get.golden"));
        Assert.Equal(given.TrimEnd(), shown.TrimEnd());
    }

    [Fact]
    public async Task The_command_it_begins_with_is_understood()
    {
        string command = Shell().First(line => line.StartsWith("dotnet run", StringComparison.Ordinal));
        string[] words = command.Split(' ');
        Assert.Equal(["dotnet", "run", "--project", "src/SmiMetrics", "--"], words[..5]);
        ServeOptions? options = null;
        StringWriter errors = new();
        await CommandLine.RunAsync(
            words[5..],
            _ => null,
            (read, _) => Task.FromResult((options = read) is null ? 1 : 0),
            (_, _) => Task.FromResult(1),
            TextWriter.Null,
            errors,
            TestContext.Current.CancellationToken);
        Assert.True(options is not null, errors.ToString());
        Assert.Equal(18080, options.InsecurePort);
    }

    [Fact]
    public void Every_path_it_lists_is_one_that_the_API_has()
    {
        MatchCollection paths = PathRow().Matches(Readme);
        Assert.True(paths.Count >= 8, "the table of paths is gone");
        Assert.All(paths, path => Assert.True(ResourcePath.Parse("v1alpha2", path.Groups[1].Value.Split('/')) is not null, path.Value));
        Assert.All(
            Shell().Where(line => line.StartsWith("curl", StringComparison.Ordinal)),
            line => Assert.NotNull(ResourcePath.Parse("v1alpha2", line.Split("/v1alpha2/")[1].Split('/'))));
    }

    [Fact]
    public void Every_file_it_names_exists()
    {
        foreach (Match link in FileName().Matches(Readme))
        {
            Assert.True(Path.Exists(Path.Combine(Repository, link.Groups[1].Value)), link.Groups[1].Value);
        }
    }

    [Fact]
    public void Every_flag_it_names_exists() =>
        Assert.All(
            Flag().Matches(Readme).Select(match => match.Groups[1].Value).Except(["project", "raw", "help"]),
            name => Assert.Contains(ServeOptions.Flags.All, flag => flag.Name == name));

    private static string Block(string language) => Regex.Match(Readme, $"```{language}\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;

    private static IEnumerable<string> Shell() =>
        Regex.Matches(Readme, "```sh\n(.*?)```", RegexOptions.Singleline).SelectMany(block => block.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries));

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"^\| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex PathRow();

    [GeneratedRegex(@"[`(/ ]((?:src|tests|apiservice|docs)/[\w./-]*\w|Dockerfile|test\.sh)")]
    private static partial Regex FileName();

    [GeneratedRegex(@"--([a-z][a-z-]+)")]
    private static partial Regex Flag();
}
