using System.Runtime.CompilerServices;

namespace SmiMetrics.Tests.Traffic;

/// <summary>Every <c>testdata/traffic/*.traffic</c> file; <see cref="TrafficScript"/> says how they are written.</summary>
public sealed class TrafficScriptTests
{
    public static TheoryData<string> Scripts() => [.. Directory.GetFiles(Folder(), "*.traffic").Select(file => Path.GetFileNameWithoutExtension(file)!).Order()];

    [Theory]
    [MemberData(nameof(Scripts))]
    public Task The_script_holds(string name) => TrafficScript.RunAsync(Path.Combine(Folder(), name + ".traffic"));

    private static string Folder([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "testdata", "traffic");
}
