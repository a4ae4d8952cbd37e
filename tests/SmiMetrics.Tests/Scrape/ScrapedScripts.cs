using System.Globalization;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Scrape;

/// <summary>
/// Puts series with given increases into the store, as proxies would show them: every counter at zero, then at its increase. An increase
/// from zero is not extrapolated beyond its first sample, so that it is exact in any window that holds both.
/// </summary>
internal static class ScrapedScripts
{
    /// <param name="lines">Series as in an exposition, each with its increase in place of its value.</param>
    public static ITrafficSource Source(IReadOnlyList<string> lines, IReadOnlyList<MeshDescriptor> meshes, DateTimeOffset instant)
    {
        // The source answers about a moment ago.
        FixedTime clock = new(instant.AddSeconds(2));
        SampleStore store = new(new SeriesSelection(meshes), TimeSpan.FromHours(1), clock);
        TargetSeries target = store.Open(new ScrapeTarget(new Uri("http://127.0.0.1/"), null, LabelSet.Empty));
        store.AllOpened();
        target.Scrape((instant - ScrapedPages.Start).TotalSeconds - 15, string.Concat(lines.Select(line => line[..line.LastIndexOf(' ')] + " 0\n")));
        target.Scrape((instant - ScrapedPages.Start).TotalSeconds, string.Concat(lines.Select(line => line + "\n")));
        return new ScrapeTrafficSource(store, new ScrapeOptions(), clock);
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
