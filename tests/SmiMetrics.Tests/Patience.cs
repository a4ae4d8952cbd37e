namespace SmiMetrics.Tests;

/// <summary>How long anything is waited for that must come.</summary>
internal static class Patience
{
    /// <summary>Ends a test that hangs, and no other, however busy the machine is: nothing that is asserted hangs on it.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits for what others in this process bring about and do not tell of.</summary>
    /// <exception cref="OperationCanceledException">It has not come about within <see cref="Limit"/>.</exception>
    public static Task UntilAsync(Func<bool> holds) => UntilAsync(() => Task.FromResult(holds()));

    /// <inheritdoc cref="UntilAsync(Func{bool})"/>
    public static async Task UntilAsync(Func<Task<bool>> holds)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Limit);
        while (!await holds())
        {
            await Task.Delay(Pause, TimeProvider.System, patience.Token);
        }
    }
}
