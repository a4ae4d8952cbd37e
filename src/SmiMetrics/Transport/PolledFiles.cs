namespace SmiMetrics.Transport;

/// <summary>
/// Something that is read from files and read again every now and then. Comparing contents, rather than watching for events, also sees the
/// swapped symbolic links of a mounted Secret.
/// </summary>
internal abstract class PolledFiles(TimeProvider time, TimeSpan period) : BackgroundService
{
    /// <summary>
    /// For certificates: they change once in months, but then those who verify them change too, and should not have to wait. Reading a few kB
    /// costs nothing, and does not miss what a watch of the file would (Kubernetes swaps a link two folders up).
    /// </summary>
    protected static readonly TimeSpan EveryFiveSeconds = TimeSpan.FromSeconds(5);

    /// <summary>Looks at the files now. Throws nothing: what does not load leaves what is in use, and is logged.</summary>
    public abstract void Refresh();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using PeriodicTimer timer = new(period, time);
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
