namespace SmiMetrics.Scrape;

/// <summary>
/// Scrapes one target for as long as it is one:
/// <list type="number">
/// <item>Wait for the turn (<see cref="ScrapeSchedule"/>).</item>
/// <item>Wait for a place in the lane of the target's health (<see cref="ScrapeLanes"/>). If that took too long the scrape is late.</item>
/// <item>Fetch the page, and make all its samples visible at once or, if anything is wrong with it, none.</item>
/// <item>The next turn is the next on the grid. Turns that passed meanwhile are skipped, and late.</item>
/// </list>
/// </summary>
/// <remarks>Turns are counted on the monotonic clock, so that setting the wall clock shifts the grid but skips or doubles nothing.</remarks>
internal sealed partial class TargetLoop(
    ScrapeTarget target, ScrapeOptions options, PageClient client, ScrapeLanes lanes, ScrapeMetrics metrics, TimeProvider timeProvider, ILogger logger)
{
    private static readonly TimeSpan LeastTolerance = TimeSpan.FromMilliseconds(500);

    private readonly TimeSpan _tolerance = options.Interval / 10 > LeastTolerance ? options.Interval / 10 : LeastTolerance;
    private readonly ScrapeSchedule _schedule = new(target.Url, options.Interval);
    private readonly DateTimeOffset _start = timeProvider.GetUtcNow();
    private readonly long _startedAt = timeProvider.GetTimestamp();
    private volatile TargetHealth _health = TargetHealth.Pending;

    public TargetHealth Health => _health;

    private DateTimeOffset Now => _start + timeProvider.GetElapsedTime(_startedAt);

    /// <summary>Runs until it is cancelled, and ends without an exception then.</summary>
    public async Task RunAsync(TargetSeries series, CancellationToken stoppingToken)
    {
        try
        {
            DateTimeOffset turn = _schedule.First(_start);
            DateTimeOffset next = _schedule.Second(turn);
            while (true)
            {
                TimeSpan left = turn - Now;
                if (left > TimeSpan.Zero)
                {
                    await Task.Delay(left, timeProvider, stoppingToken);
                }

                using (await lanes.EnterAsync(_health, stoppingToken))
                {
                    metrics.Late(Now - turn > _tolerance ? 1 : 0);
                    await ScrapeAsync(series, stoppingToken);
                }

                turn = _schedule.NotPassed(next, Now, out int passed);
                next = turn + options.Interval;
                metrics.Late(passed);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
    }

    private async Task ScrapeAsync(TargetSeries series, CancellationToken stoppingToken)
    {
        using CancellationTokenSource deadline = new(options.Timeout, timeProvider);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, stoppingToken);
        long begun = timeProvider.GetTimestamp();
        PageInProgress page = series.Begin(timeProvider.GetUtcNow());
        try
        {
            await client.FetchAsync(target, page, either.Token);
            PageCounts counts = page.Complete();
            if (_health == TargetHealth.Failing)
            {
                Log.Recovered(logger, target.Name);
            }

            _health = TargetHealth.Up;
            metrics.Scraped(counts, timeProvider.GetElapsedTime(begun));
        }
        catch (Exception) when (stoppingToken.IsCancellationRequested)
        {
            page.Fail("no longer a target");
            throw new OperationCanceledException(stoppingToken);
        }
        catch (Exception e)
        {
            // Whatever it is, this target's next turn comes, and the other targets never learn of it.
            ScrapeFailure failure = ScrapeFailure.Of(e, options.Timeout);
            page.Fail(failure.Reason);
            if (failure.Outcome == ScrapeOutcome.Unexpected)
            {
                Log.Unexpected(logger, e, target.Name);
            }
            else if (_health != TargetHealth.Failing)
            {
                Log.Failed(logger, target.Name, failure.Reason);
            }

            _health = TargetHealth.Failing;
            metrics.Failed(failure.Outcome, timeProvider.GetElapsedTime(begun));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "scraping {Target} fails: {Reason}")]
        public static partial void Failed(ILogger logger, string target, string reason);

        [LoggerMessage(LogLevel.Information, "scraping {Target} works again")]
        public static partial void Recovered(ILogger logger, string target);

        [LoggerMessage(LogLevel.Error, "scraping {Target} failed unexpectedly")]
        public static partial void Unexpected(ILogger logger, Exception exception, string target);
    }
}
