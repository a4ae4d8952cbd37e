using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace SmiMetrics.Tests.Kubernetes;

/// <summary>A clock that tests turn, and that tells them which timers are waited for, so that they never turn it too early.</summary>
internal sealed class TestTime : FakeTimeProvider
{
    private readonly Channel<TimeSpan> _timers = Channel.CreateUnbounded<TimeSpan>();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ITimer timer = base.CreateTimer(callback, state, dueTime, period);
        if (dueTime != Timeout.InfiniteTimeSpan)
        {
            _timers.Writer.TryWrite(dueTime);
        }

        return timer;
    }

    /// <summary>The next timer, in the order of creation, that is due between these; those before it are forgotten.</summary>
    public async Task<TimeSpan> NextTimerAsync(TimeSpan shortest, TimeSpan longest)
    {
        using CancellationTokenSource patience = new(Patience.Limit);
        while (true)
        {
            TimeSpan due = await _timers.Reader.ReadAsync(patience.Token);
            if (due >= shortest && due <= longest)
            {
                return due;
            }
        }
    }
}
