using SmiMetrics.Exposition;

namespace SmiMetrics.Scrape;

/// <summary>
/// The samples of one target's series. One thread writes (the target's scrape loop), any number read without a lock: what they see is
/// the state after some whole scrape.
/// </summary>
internal sealed class TargetSeries
{
    /// <summary>Starts to take in a page. The scrape before must have been completed or failed.</summary>
    /// <param name="at">When the scrape began: the time of all its samples.</param>
    public PageInProgress Begin(DateTimeOffset at) => throw new NotImplementedException();

    /// <summary>What the last scrape failed with, in words for people; null when it succeeded, or there was none.</summary>
    public string? LastError => throw new NotImplementedException();
}

/// <summary>A page that is being read. Nothing of it can be seen before <see cref="Complete"/>.</summary>
internal sealed class PageInProgress
{
    /// <param name="lines">Whole lines of the page, each with its line feed.</param>
    /// <exception cref="PageException">The page is not what it should be, or holds more than a target may show.</exception>
    public void Read(ReadOnlySpan<byte> lines, ExpositionFormat format) => throw new NotImplementedException();

    /// <summary>Makes the page's samples visible.</summary>
    /// <exception cref="PageException">The page was cut short, or nothing in it was a sample.</exception>
    public PageCounts Complete() => throw new NotImplementedException();

    /// <summary>Drops what was read. As in Prometheus every series of the target is stale from then on.</summary>
    public void Fail(string reason) => throw new NotImplementedException();
}

/// <summary>What was on a page.</summary>
/// <param name="Kept">Samples of series that a descriptor names.</param>
/// <param name="Dropped">Samples of other series.</param>
/// <param name="Bad">Lines that are none.</param>
internal readonly record struct PageCounts(int Kept, int Dropped, int Bad);

/// <summary>A page cannot be used. The message says why, in a few words that follow a target's name.</summary>
internal sealed class PageException(string message) : Exception(message);
