using System.Diagnostics;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// Waits for a stated condition that other processes bring about in their own time. What is waited for is not what a test then asserts: nothing is
/// asserted here, and no failed assertion is caught.
/// </summary>
internal static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>Looks again and again until there is something, and returns it.</summary>
    /// <param name="what">What is waited for, as a sentence.</param>
    /// <param name="look">Null means not yet, and so does that nobody answers (<see cref="HttpRequestException"/>).</param>
    /// <param name="explain">Adds what is known when patience ends, such as the tail of a log.</param>
    /// <exception cref="TimeoutException">It has not come about within <see cref="Patience.Limit"/>.</exception>
    public static async Task<T> SomeAsync<T>(string what, Func<CancellationToken, Task<T?>> look, Func<string>? explain, CancellationToken cancellationToken)
        where T : class
    {
        long begun = Stopwatch.GetTimestamp();
        HttpRequestException? unanswered = null;
        while (Stopwatch.GetElapsedTime(begun) < Patience.Limit)
        {
            try
            {
                if (await look(cancellationToken) is { } found)
                {
                    return found;
                }
            }
            catch (HttpRequestException nobody)
            {
                unanswered = nobody;
            }

            await Task.Delay(Pause, TimeProvider.System, cancellationToken);
        }

        throw new TimeoutException($"{what}: not within {Patience.Limit}; {unanswered?.Message}\n{explain?.Invoke()}", unanswered);
    }

    /// <summary>Looks again and again until it is so.</summary>
    /// <inheritdoc cref="SomeAsync" path="/param"/>
    /// <inheritdoc cref="SomeAsync" path="/exception"/>
    public static Task TrueAsync(string what, Func<CancellationToken, Task<bool>> look, Func<string>? explain, CancellationToken cancellationToken) =>
        SomeAsync(what, async token => await look(token) ? what : null, explain, cancellationToken);
}
