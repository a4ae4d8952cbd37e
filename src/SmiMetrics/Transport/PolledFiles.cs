namespace SmiMetrics.Auth;

/// <summary>
/// Something that is read from files and read again every minute. Comparing contents, rather than watching for events, also sees the
/// swapped symbolic links of a mounted Secret.
/// </summary>
internal abstract class PolledFiles(TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>Looks at the files now. Throws nothing: what does not load leaves what is in use, and is logged.</summary>
    public abstract void Refresh();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(Period, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                Refresh();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
