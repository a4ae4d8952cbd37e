using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

/// <summary>
/// When a target has its turns hangs on its URL (<see cref="ScrapeSchedule"/>), thus on its server's port, which is another one in each
/// run. A test for which it matters when they come chooses the rest of the URL by it.
/// </summary>
internal static class ChosenTurns
{
    /// <param name="server">Answers under the URL.</param>
    /// <param name="options">Those of the <see cref="ScrapeWorld"/>.</param>
    /// <param name="fits">Is given the time from the step in which the first scrape is given up, if it hangs, to the second turn.</param>
    /// <returns>A URL with the path <c>/metrics</c>.</returns>
    public static string Url(ProxyServer server, ScrapeOptions options, Func<TimeSpan, bool> fits) =>
        Enumerable.Range(0, 1_000_000).Select(number => $"{server.Url}/metrics?{number}").First(url =>
        {
            ScrapeSchedule schedule = new(new Uri(url), options.Interval);
            DateTimeOffset first = schedule.First(ScrapeWorld.Start);
            // Task.Delay waits whole milliseconds, and the world's time passes in steps.
            double wait = Math.Floor((first - ScrapeWorld.Start).TotalMilliseconds);
            DateTimeOffset begun = ScrapeWorld.Start + (ScrapeWorld.Step * Math.Ceiling(wait / ScrapeWorld.Step.TotalMilliseconds));
            return fits(schedule.Second(first) - (begun + options.Timeout));
        });
}
