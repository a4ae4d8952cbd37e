using System.Diagnostics;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>Waits for what other processes do in their own time. Nothing here waits longer than it must, nor for ever.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Tries until <paramref name="attempt"/> neither throws nor fails an assertion; then returns what it returned.</summary>
    /// <param name="explain">Adds what is known at the deadline, such as the tail of a log.</param>
    public static async Task<T> SucceedsAsync<T>(
        string what, TimeSpan deadline, Func<CancellationToken, Task<T>> attempt, Func<string>? explain, CancellationToken cancellationToken)
    {
        long begun = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                return await attempt(cancellationToken);
            }
            catch (Exception problem) when (!cancellationToken.IsCancellationRequested)
            {
                if (Stopwatch.GetElapsedTime(begun) > deadline)
                {
                    throw new TimeoutException($"{what}: not within {deadline.TotalSeconds} s; last: {problem.Message}\n{explain?.Invoke()}", problem);
                }
            }

            await Task.Delay(Pause, TimeProvider.System, cancellationToken);
        }
    }

    /// <inheritdoc cref="SucceedsAsync{T}"/>
    public static Task SucceedsAsync(
        string what, TimeSpan deadline, Func<CancellationToken, Task> attempt, Func<string>? explain, CancellationToken cancellationToken) =>
        SucceedsAsync<object?>(
            what,
            deadline,
            async token =>
            {
                await attempt(token);
                return null;
            },
            explain,
            cancellationToken);
}
