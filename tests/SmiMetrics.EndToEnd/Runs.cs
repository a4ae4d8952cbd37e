namespace SmiMetrics.EndToEnd;

/// <summary>
/// The suite runs twice, with the framework build of the server program and with its NativeAOT build (test.sh). What has this trait runs in one of the
/// two only.
/// </summary>
internal static class Runs
{
    public const string Trait = "runs";

    /// <summary>
    /// With the framework build: the server under test is inside the tests' own process, or there is none; or what it does there it does in other
    /// tests too, which run with each build.
    /// </summary>
    public const string Once = "once";

    /// <summary>With the NativeAOT build, which is the one that people install: it says what the framework build says, unless something is lost on the way to it.</summary>
    public const string Published = "published";
}
