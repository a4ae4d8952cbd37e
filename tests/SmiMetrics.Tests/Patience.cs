namespace SmiMetrics.Tests;

/// <summary>How long anything is waited for that must come.</summary>
internal static class Patience
{
    /// <summary>Ends a test that hangs, and no other, however busy the machine is: nothing that is asserted hangs on it.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);
}
