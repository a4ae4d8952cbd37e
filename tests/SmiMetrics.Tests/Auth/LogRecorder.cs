using Microsoft.Extensions.Logging;

namespace SmiMetrics.Tests.Auth;

/// <summary>Remembers what was logged, and lets a test wait for a line.</summary>
internal sealed class LogRecorder<T> : ILogger<T>
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private readonly List<(string Part, TaskCompletionSource Seen)> _awaited = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
            {
                return [.. _lines];
            }
        }
    }

    /// <summary>Completes with the next line that has <paramref name="part"/> in it.</summary>
    public Task Next(string part)
    {
        TaskCompletionSource seen = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _awaited.Add((part, seen));
        }

        return seen.Task.WaitAsync(Patience.Limit);
    }

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        string line = formatter(state, exception);
        lock (_lock)
        {
            _lines.Add(line);
            foreach ((string part, TaskCompletionSource seen) in _awaited)
            {
                if (line.Contains(part, StringComparison.Ordinal))
                {
                    seen.TrySetResult();
                }
            }
        }
    }

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
}
