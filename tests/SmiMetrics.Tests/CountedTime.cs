using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace SmiMetrics.Tests;

/// <summary>
/// A clock that tests turn, and that tells them how many timers are waiting to fire once: how many are at rest, and who is not. Who is still at work
/// when the clock is turned comes too late for its turn, and what it then sees would hang on when its thread was scheduled.
/// </summary>
internal sealed class CountedTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private static readonly DateTimeOffset AnyStart = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly ConcurrentDictionary<Once, bool> _waiting = [];

    public CountedTime()
        : this(AnyStart)
    {
    }

    /// <summary>Called whenever a timer has been set.</summary>
    public Action Changed { get; set; } = () => { };

    /// <summary>Those of deadlines (a <see cref="CancellationTokenSource"/>'s) apart.</summary>
    public int Waiting => _waiting.Count(timer => !timer.Key.IsDeadline);

    /// <summary>Those that were set for so long.</summary>
    public int WaitingFor(TimeSpan dueTime, bool isDeadline) => _waiting.Count(timer => timer.Key.IsDeadline == isDeadline && timer.Key.DueTime == dueTime);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime == Timeout.InfiniteTimeSpan || period != Timeout.InfiniteTimeSpan)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        Once once = new(this, dueTime, state is CancellationTokenSource);
        // Counted when it is set and not before: whoever sees it may turn the clock.
        once.Set(base.CreateTimer(
            _ =>
            {
                once.End();
                callback(state);
            },
            state: null,
            dueTime,
            period));
        Changed();
        return once;
    }

    private sealed class Once(CountedTime time, TimeSpan dueTime, bool isDeadline) : ITimer
    {
        private readonly Lock _lock = new();
        private ITimer? _timer;
        private bool _over;

        public TimeSpan DueTime => dueTime;

        public bool IsDeadline => isDeadline;

        public void Set(ITimer timer)
        {
            lock (_lock)
            {
                _timer = timer;
                if (!_over)
                {
                    time._waiting.TryAdd(this, true);
                }
            }
        }

        public void End()
        {
            lock (_lock)
            {
                _over = true;
                time._waiting.TryRemove(this, out _);
            }
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => _timer!.Change(dueTime, period);

        public void Dispose()
        {
            End();
            _timer!.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            End();
            return _timer!.DisposeAsync();
        }
    }
}
