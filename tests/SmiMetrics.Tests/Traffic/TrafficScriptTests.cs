using System.Runtime.CompilerServices;

namespace SmiMetrics.Tests.Traffic;

/// <summary>Every <c>testdata/traffic/*.traffic</c> file; <see cref="TrafficScript"/> says how they are written.</summary>
public sealed class TrafficScriptTests
{
    public static TheoryData<string> Scripts() => [.. Directory.GetFiles(Folder(), "*.traffic").Select(file => Path.GetFileNameWithoutExtension(file)!).Order()];

    [Theory]
    [MemberData(nameof(Scripts))]
    public Task The_script_holds(string name) => TrafficScript.RunAsync(Path.Combine(Folder(), name + ".traffic"), scraped: false);

    /// <summary>But for the one about a Prometheus that fails.</summary>
    public static TheoryData<string> ScrapedScripts() => [.. Scripts().Select(row => row.Data).Where(name => name != "stale-and-partial")];

    [Theory]
    [MemberData(nameof(ScrapedScripts))]
    public Task The_script_holds_through_the_embedded_scraper(string name) => TrafficScript.RunAsync(Path.Combine(Folder(), name + ".traffic"), scraped: true);

    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "testdata", "traffic");
}
