using Microsoft.Extensions.Time.Testing;

namespace SmiMetrics.Tests.Scrape;

/// <summary>
/// A clock that tests turn, and that knows how many scrape loops sleep until their next turn. Only when all do may it be turned on: a loop that
/// is still at work would come too late for its turn, and what it has seen would hang on when its thread was scheduled.
/// </summary>
/// <param name="deadline">Of a scrape. A timer of this length is no turn.</param>
/// <param name="longestTurn">From now to a turn. A longer timer is something else's.</param>
internal sealed class TurnTime(DateTimeOffset start, TimeSpan deadline, TimeSpan longestTurn) : FakeTimeProvider(start)
{
    private int _sleeping;

    /// <summary>How many loops wait for a turn that has not come.</summary>
    public int Sleeping => Volatile.Read(ref _sleeping);

    /// <summary>Called whenever a loop has gone to sleep.</summary>
    public Action Slept { get; set; } = () => { };

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime == Timeout.InfiniteTimeSpan || dueTime == deadline || dueTime > longestTurn || period != Timeout.InfiniteTimeSpan)
        {
            return base.CreateTimer(callback, state, dueTime, period);
        }

        int over = 0;
        void End() => Interlocked.Add(ref _sleeping, -(1 - Interlocked.Exchange(ref over, 1)));
        // Counted first: the timer may fire before it is handed out.
        Interlocked.Increment(ref _sleeping);
        ITimer timer = base.CreateTimer(
            _ =>
            {
                End();
                callback(state);
            },
            state: null,
            dueTime,
            period);
        Slept();
        return new Turn(timer, End);
    }

    private sealed class Turn(ITimer timer, Action end) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(dueTime, period);

        public void Dispose()
        {
            end();
            timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            end();
            return timer.DisposeAsync();
        }
    }
}
