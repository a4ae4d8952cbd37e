namespace SmiMetrics.EndToEnd;

/// <summary>
/// The suite runs with each build of the server program (test.sh), but what has this trait runs once: the server under test is inside the tests' own
/// process, or there is none; or what it does there it does in other tests too, which run with each build.
/// </summary>
internal static class Runs
{
    public const string Trait = "runs";
    public const string Once = "once";
}
