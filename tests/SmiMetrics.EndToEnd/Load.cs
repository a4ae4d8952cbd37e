using System.Collections.Concurrent;
using System.Net;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>Callers who ask again and again, each on a connection of its own, and keep what went wrong. Nothing is tried twice.</summary>
internal sealed class Load : IAsyncDisposable
{
    // Leaves the processor to what is waited for, about half of the time.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<string> _failures = [];
    private readonly Task[] _callers;
    private int _answers;

    private Load(IReadOnlyList<KubeApi> clients, string[] paths) => _callers = [.. clients.Select(client => CallAsync(client, paths))];

    /// <summary>How many requests were answered well.</summary>
    public int Answers => Volatile.Read(ref _answers);

    /// <summary>What was answered otherwise, or not at all, and when.</summary>
    public IReadOnlyList<string> Failures => [.. _failures];

    /// <param name="clients">Disposed of with the load.</param>
    public static Load Start(IReadOnlyList<KubeApi> clients, params string[] paths) => new(clients, paths);

    /// <summary>Waits until this many more requests have been answered well, or one has failed.</summary>
    public Task AnsweredAsync(int more, CancellationToken cancellationToken)
    {
        int goal = Answers + more;
        return Eventually.TrueAsync(
            $"{more} more answers", _ => Task.FromResult(Answers >= goal || Failures.Count > 0), () => $"{Answers} of {goal}", cancellationToken);
    }

    /// <summary>Ends the load; every request has its answer first.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_callers);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
    }

    private async Task CallAsync(KubeApi client, string[] paths)
    {
        using KubeApi own = client;
        for (int i = 0; !_stop.IsCancellationRequested; i++)
        {
            string path = paths[i % paths.Length];
            try
            {
                HttpAnswer answer = await own.SendAsync(HttpMethod.Get, path, null, [], CancellationToken.None);
                if (answer.Code == HttpStatusCode.OK)
                {
                    Interlocked.Increment(ref _answers);
                }
                else
                {
                    Failed(path, $"{(int)answer.Code} {answer.ContentType} {answer.Body}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                Failed(path, e.ToString());
            }

            await Task.Delay(Pause, TimeProvider.System, CancellationToken.None);
        }
    }

    private void Failed(string path, string how) => _failures.Enqueue($"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {path}: {how}");
}
