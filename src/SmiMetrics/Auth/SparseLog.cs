namespace SmiMetrics.Auth;

/// <summary>Says which lines of a kind to log: one in ten seconds, however many strangers knock or requests fail meanwhile.</summary>
internal sealed class SparseLog(TimeProvider time)
{
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private DateTimeOffset _quietUntil = DateTimeOffset.MinValue;
    private long _unsaid;

    /// <param name="unsaid">How many lines since the last one were left out.</param>
    public bool MaySpeak(out long unsaid)
    {
        lock (_lock)
        {
            DateTimeOffset now = time.GetUtcNow();
            if (now < _quietUntil)
            {
                _unsaid++;
                unsaid = 0;
                return false;
            }

            _quietUntil = now + QuietTime;
            unsaid = _unsaid;
            _unsaid = 0;
            return true;
        }
    }
}
