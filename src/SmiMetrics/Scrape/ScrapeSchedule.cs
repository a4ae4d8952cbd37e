using System.IO.Hashing;
using System.Text;

namespace SmiMetrics.Scrape;

/// <summary>
/// When a target has its turns. They lie on a grid of its own: the interval's multiples since 1970, shifted by a share of the
/// interval that depends on nothing but the URL, so that targets are spread evenly and a restart changes nothing. Only the first
/// turn is not on the grid, for a fresh start is to have numbers early: it comes within a second, or a tenth of the interval
/// if that is longer, shifted by the same share. The second is the first on the grid that leaves at least half an interval between.
/// </summary>
internal readonly struct ScrapeSchedule(Uri url, TimeSpan interval)
{
    private static readonly TimeSpan ShortestSpread = TimeSpan.FromSeconds(1);

    /// <summary>From the beginning of an interval to the turn.</summary>
    private readonly long _shift = (long)(Hash(url) % (ulong)interval.Ticks);

    public DateTimeOffset First(DateTimeOffset start)
    {
        TimeSpan spread = interval / 10 > ShortestSpread ? interval / 10 : ShortestSpread;
        return start + (spread * ((double)_shift / interval.Ticks));
    }

    public DateTimeOffset Second(DateTimeOffset first)
    {
        DateTimeOffset earliest = first + (interval / 2);
        long before = (earliest.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks - _shift) % interval.Ticks;
        return before == 0 ? earliest : earliest.AddTicks(interval.Ticks - before);
    }

    /// <summary>The turn itself, or if it has passed the first one after it that has not.</summary>
    /// <param name="passed">How many have passed.</param>
    public DateTimeOffset NotPassed(DateTimeOffset turn, DateTimeOffset now, out int passed)
    {
        passed = turn >= now ? 0 : (int)Math.Ceiling((now - turn) / interval);
        return turn + (interval * passed);
    }

    // Any hash that is the same in every process; string.GetHashCode is not.
    private static ulong Hash(Uri url) => XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(url.AbsoluteUri));
}
