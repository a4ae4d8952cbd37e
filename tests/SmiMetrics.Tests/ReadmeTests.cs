using System.Text.RegularExpressions;
using SmiMetrics.Api;
using SmiMetrics.Demo;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests;

/// <summary>What README.md shows is what the program does.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(Golden.Repository, "README.md"));

    /// <summary>The end-to-end tests have the real kubectl print these.</summary>
    [Fact]
    public void What_kubectl_shows_is_what_it_prints()
    {
        string[] printed = [.. Directory.EnumerateFiles(Path.Combine(Golden.Repository, "tests", "SmiMetrics.EndToEnd", "testdata", "kubectl")).Select(file => File.ReadAllText(file).TrimEnd())];
        string[] shown = [.. Blocks("console").Where(block => block.StartsWith("$ kubectl get ", StringComparison.Ordinal)).Select(block => block.TrimEnd())];
        Assert.True(shown.Length >= 4, "the README no longer opens with what a user sees");
        Assert.All(shown, block => Assert.Contains(block, printed));
    }

    [Fact]
    public async Task The_command_it_begins_with_is_the_demo()
    {
        (_, DemoOptions? demo, string errors) = await ReadAsync(Shell().First());
        Assert.True(demo is not null, errors);
        Assert.Equal(8080, demo.Port);
    }

    [Fact]
    public async Task The_command_for_a_Prometheus_is_understood()
    {
        (ServeOptions? serve, _, string errors) = await ReadAsync(Shell().Single(line => line.Contains("-- serve", StringComparison.Ordinal)));
        Assert.True(serve is not null, errors);
        Assert.Equal(18080, serve.InsecurePort);
        Assert.NotNull(serve.Prometheus);
    }

    [Fact]
    public async Task What_the_demo_says_is_what_it_shows()
    {
        (_, DemoOptions? demo, _) = await ReadAsync(Shell().First());
        StringWriter said = new();
        await new Guide(Shop.World, demo!.Mesh, demo.Port).WriteAsync(said);
        string shown = Blocks("console").Single(block => block.StartsWith("$ dotnet run", StringComparison.Ordinal)).Split('\n', 2)[1];
        Assert.StartsWith(said.ToString().ReplaceLineEndings("\n"), shown);

        string[] table = shown[said.ToString().ReplaceLineEndings("\n").Length..].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(LiveView.Header[8..], table[0][8..]);
        Assert.Equal(LiveView.Shown.Select(shown => $"{shown.Namespace}/{shown.Name.Split('.', 2)[1]}"), table[1..].Select(row => row.Split(' ')[0]));
        Assert.All(table[1..], row =>
        {
            string[] name = row.Split(' ')[0].Split('/');
            double declared = Shop.World.Flows.Where(flow => flow.To.Namespace == name[0] && flow.To.Name == name[1]).Sum(flow => flow.PerSecond);
            Assert.Equal(declared, double.Parse(row[34..43], System.Globalization.CultureInfo.InvariantCulture), declared * 0.02);
        });
    }

    [Fact]
    public async Task What_kubectl_shows_of_the_demo_is_what_there_is()
    {
        (_, DemoOptions? demo, _) = await ReadAsync(Shell().First());
        string[] lines = Blocks("console").Single(block => block.StartsWith("$ kubectl --server", StringComparison.Ordinal)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Contains(lines[0][2..], new Guide(Shop.World, demo!.Mesh, demo.Port).Commands);
        Assert.Equal(
            Shop.World.Workloads.Where(workload => workload.Kind == ResourceKind.Deployment).Select(workload => $"{workload.Namespace} {workload.Name}").Order(StringComparer.Ordinal),
            lines[2..].Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2])));
    }

    [Fact]
    public void Every_path_it_lists_is_one_that_the_API_has()
    {
        MatchCollection paths = PathRow().Matches(Readme);
        Assert.True(paths.Count >= 8, "the table of paths is gone");
        Assert.All(paths, path => Assert.True(PathOf(path.Groups[1].Value) is not null, path.Value));
        Assert.All(
            Shell().Where(line => line.StartsWith("curl", StringComparison.Ordinal)),
            line => Assert.NotNull(PathOf(line.Split("/v1alpha2/")[1])));

        static ResourcePath? PathOf(string path) => ResourcePath.Of(RequestInfo.Of("GET", "/apis/metrics.smi-spec.io/v1alpha2/" + path, null));
    }

    [Fact]
    public void Every_file_it_names_exists()
    {
        foreach (Match link in FileName().Matches(Readme))
        {
            Assert.True(Path.Exists(Path.Combine(Golden.Repository, link.Groups[1].Value)), link.Groups[1].Value);
        }
    }

    [Fact]
    public void Every_flag_it_names_exists() =>
        Assert.All(
            Flag().Matches(Readme).Select(match => match.Groups[1].Value).Except(["project", "raw", "help", "server", "all-namespaces", "sort-by", "field-selector", "as", "subresource"]),
            name => Assert.Contains(ServeOptions.Flags.All.Concat(DemoOptions.Flags.All), flag => flag.Name == name));

    /// <summary>What a command line that runs the server from source asks for.</summary>
    private static async Task<(ServeOptions? Serve, DemoOptions? Demo, string Errors)> ReadAsync(string command)
    {
        string[] words = command.Split(' ');
        Assert.Equal(["dotnet", "run", "--project", "src/SmiMetrics", "--"], words[..5]);
        ServeOptions? serve = null;
        DemoOptions? demo = null;
        StringWriter errors = new();
        await CommandLine.RunAsync(
            words[5..],
            _ => null,
            new Commands
            {
                Serve = (read, _) => Task.FromResult((serve = read) is null ? 1 : 0),
                Demo = (read, _) => Task.FromResult((demo = read) is null ? 1 : 0),
            },
            TextWriter.Null,
            errors,
            TestContext.Current.CancellationToken);
        return (serve, demo, errors.ToString());
    }

    private static IEnumerable<string> Blocks(string language) =>
        Regex.Matches(Readme, $"```{language}\n(.*?)```", RegexOptions.Singleline).Select(block => block.Groups[1].Value);

    private static IEnumerable<string> Shell() =>
        Blocks("sh").SelectMany(block => block.Split('\n', StringSplitOptions.RemoveEmptyEntries));

    [GeneratedRegex(@"^\| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex PathRow();

    [GeneratedRegex(@"[`(/ ]((?:src|tests|apiservice|docs)/[\w./-]*\w|Dockerfile|test\.sh)")]
    private static partial Regex FileName();

    [GeneratedRegex(@"--([a-z][a-z-]+)")]
    private static partial Regex Flag();
}
