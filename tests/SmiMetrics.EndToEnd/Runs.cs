namespace SmiMetrics.EndToEnd;

/// <summary>
/// The suite runs with each build of the server program (test.sh). What has this trait runs once: the server under test is inside the tests' own
/// process, or there is none, or the test is waiting for the most part.
/// </summary>
internal static class Runs
{
    public const string Trait = "runs";
    public const string Once = "once";
}
