namespace SmiMetrics.Tests;

/// <summary>The collection of tests that measure the memory of the process, and so run alone.</summary>
[CollectionDefinition(nameof(HeldMemory), DisableParallelization = true)]
public sealed class HeldMemory
{
    /// <summary>What is held, in bytes, once it no longer falls: tests before may have left servers behind that are still going.</summary>
    public static async Task<long> SettledAsync()
    {
        using PeriodicTimer pause = new(TimeSpan.FromMilliseconds(50));
        long least = long.MaxValue;
        for (int unchanged = 0; unchanged < 5; unchanged++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            long held = GC.GetTotalMemory(forceFullCollection: true);
            if (held < least - 50_000)
            {
                (least, unchanged) = (held, 0);
            }

            await pause.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }

        return least;
    }
}
