using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>
/// The one question that is ever put to a source: <c>sum by (By) (increase(Series{Matchers}[Window]))</c>. Quantiles are never
/// asked for; buckets are, because they add across pods. Equal queries are equal values, so that they can be shared.
/// </summary>
/// <param name="Series">The metric name, with <c>_bucket</c> for a histogram's buckets.</param>
/// <param name="Matchers">All must hold. Values are exact texts, not yet escaped for any query language.</param>
/// <param name="By">The labels that rows are grouped by, without duplicates.</param>
/// <param name="Window">How far back <c>increase</c> looks; whole milliseconds, positive.</param>
internal sealed record IncreaseQuery(string Series, IReadOnlyList<Matcher> Matchers, IReadOnlyList<string> By, TimeSpan Window)
{
    public bool Equals(IncreaseQuery? other) =>
        other is not null && Series == other.Series && Window == other.Window && By.SequenceEqual(other.By) && Matchers.SequenceEqual(other.Matchers);

    public override int GetHashCode()
    {
        HashCode hash = new();
        hash.Add(Series);
        hash.Add(Window);
        foreach (Matcher matcher in Matchers)
        {
            hash.Add(matcher);
        }

        foreach (string label in By)
        {
            hash.Add(label);
        }

        return hash.ToHashCode();
    }
}

/// <summary>One group of an answer.</summary>
/// <param name="Labels">The values of the query's <c>By</c> labels, in that order; empty text for an absent label.</param>
/// <param name="Value">The increase: finite and not negative.</param>
internal readonly record struct IncreaseRow(string[] Labels, double Value);

/// <summary>What a source answered.</summary>
/// <param name="Rows">In no particular order. Groups without a finite value are left out.</param>
/// <param name="Instant">The moment that the answer is of; whole seconds.</param>
/// <param name="Warnings">What the source said about the answer's completeness; empty when it is whole.</param>
/// <param name="StaleBecause">Null for a fresh answer; else why an older one was given instead.</param>
internal sealed record IncreaseAnswer(IReadOnlyList<IncreaseRow> Rows, DateTimeOffset Instant, IReadOnlyList<string> Warnings, string? StaleBecause);

/// <summary>What a source knows about a series.</summary>
/// <param name="Exists">Whether any such series has a sample now.</param>
/// <param name="ScrapeInterval">The time between its samples, as measured; null when it cannot be told (yet).</param>
/// <param name="Newest">When it had its newest sample; null when that is not known.</param>
internal sealed record SeriesProbe(bool Exists, TimeSpan? ScrapeInterval, DateTimeOffset? Newest = null)
{
    public static readonly SeriesProbe None = new(Exists: false, ScrapeInterval: null);
}

/// <summary>Where counters come from: Prometheus, or our own scraper.</summary>
internal interface ITrafficSource
{
    /// <summary>
    /// The newest instant to ask about, in whole seconds. Constant for <c>--cache-ttl</c>, so that all queries of a request, and
    /// all requests of that time, see the same moment and can share answers.
    /// </summary>
    DateTimeOffset Instant { get; }

    /// <exception cref="SourceUnavailableException">The source does not answer, and no answer young enough is remembered.</exception>
    /// <exception cref="OperationCanceledException">The caller gave up; others who share the query are not disturbed.</exception>
    Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken);

    /// <summary>Looks at one of the series that match, to tell whether the mesh is there and how often it is scraped.</summary>
    /// <exception cref="SourceUnavailableException">The source does not answer.</exception>
    Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken);

    /// <summary>Tells which of these labels any of the series that match has now.</summary>
    /// <exception cref="SourceUnavailableException">The source does not answer.</exception>
    Task<IReadOnlySet<string>> FindLabelsAsync(
        string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken);
}

/// <summary>
/// The source cannot answer. The message is fit for any caller: it names neither an address nor a query. <see cref="Exception.InnerException"/>
/// has the rest, for the log.
/// </summary>
internal sealed class SourceUnavailableException : Exception
{
    public SourceUnavailableException(string message, Exception? innerException, bool timedOut = false) : base(message, innerException) => TimedOut = timedOut;

    /// <summary>True when the source was too slow rather than absent or broken (504 rather than 503).</summary>
    public bool TimedOut { get; }
}
