using Microsoft.Extensions.Time.Testing;

namespace SmiMetrics.Tests.Auth;

/// <summary>A clock that tells when somebody has set a timer, so that a test does not turn it too early.</summary>
internal sealed class WatchedTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private readonly TaskCompletionSource _timerSet = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task TimerSet => _timerSet.Task.WaitAsync(Patience.Limit);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ITimer timer = base.CreateTimer(callback, state, dueTime, period);
        _timerSet.TrySetResult();
        return timer;
    }
}
