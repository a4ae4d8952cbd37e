using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace SmiMetrics.Tests;

/// <summary>A clock that tests turn, and that tells them how many timers are waiting to fire once: how many are at rest, and who is not.</summary>
internal sealed class CountedTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private static readonly DateTimeOffset AnyStart = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ConcurrentDictionary<Once, TimeSpan> _waiting = [];

    public CountedTime()
        : this(AnyStart)
    {
    }

    /// <summary>Those of deadlines (a <see cref="CancellationTokenSource"/>'s) apart.</summary>
    public int Waiting => _waiting.Count(timer => !timer.Key.IsDeadline);

    /// <summary>Those that were set for so long.</summary>
    public int WaitingFor(TimeSpan dueTime, bool isDeadline) => _waiting.Count(timer => timer.Key.IsDeadline == isDeadline && timer.Value == dueTime);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime == Timeout.InfiniteTimeSpan || period != Timeout.InfiniteTimeSpan)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        Once once = new(this, state is CancellationTokenSource);
        _waiting.TryAdd(once, dueTime);
        once.Timer = base.CreateTimer(
            _ =>
            {
                _waiting.TryRemove(once, out TimeSpan _);
                callback(state);
            },
            state: null,
            dueTime,
            period);
        return once;
    }

    private sealed class Once(CountedTime time, bool isDeadline) : ITimer
    {
        public ITimer? Timer { get; set; }

        public bool IsDeadline => isDeadline;

        public bool Change(TimeSpan dueTime, TimeSpan period) => Timer!.Change(dueTime, period);

        public void Dispose()
        {
            time._waiting.TryRemove(this, out _);
            Timer!.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            time._waiting.TryRemove(this, out _);
            return Timer!.DisposeAsync();
        }
    }
}
