namespace SmiMetrics.Scrape;

/// <summary>How a target's last scrape ended.</summary>
internal enum TargetHealth
{
    /// <summary>There has been none.</summary>
    Pending,

    Up,

    Failing,
}

/// <summary>
/// Bounds how many scrapes run at a time, so that nobody waits for those that hang: targets that answered last time, that failed last
/// time and that have not been asked yet each wait for their own kind alone. A target that hangs is in the way of others for one
/// timeout, the first one; only hundreds that answer and hang in turn would be so for longer.
/// </summary>
internal sealed class ScrapeLanes
{
    public const int Wide = 256;

    /// <summary>Enough to see soon that a target is back; a thousand that hang then take turns.</summary>
    public const int Narrow = 64;

    private readonly Dictionary<TargetHealth, SemaphoreSlim> _lanes = new()
    {
        [TargetHealth.Pending] = new(Wide),
        [TargetHealth.Up] = new(Wide),
        [TargetHealth.Failing] = new(Narrow),
    };

    /// <summary>Waits for a place in the lane of targets of this health, first come first served.</summary>
    /// <returns>To be disposed when the scrape has ended.</returns>
    public async Task<Place> EnterAsync(TargetHealth health, CancellationToken cancellationToken)
    {
        SemaphoreSlim lane = _lanes[health];
        await lane.WaitAsync(cancellationToken);
        return new Place(lane);
    }

    public readonly struct Place(SemaphoreSlim lane) : IDisposable
    {
        public void Dispose() => lane.Release();
    }
}
