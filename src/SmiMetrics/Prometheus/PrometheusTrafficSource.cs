using System.Collections.Frozen;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Prometheus;

/// <summary>
/// Counters from Prometheus. The same query at the same instant is put once however many ask; its answer serves until the instant
/// moves on, and for <see cref="PrometheusOptions.MaxStale"/> beyond that if Prometheus then fails.
/// </summary>
internal sealed partial class PrometheusTrafficSource : ITrafficSource
{
    /// <summary>How far back a probe looks for samples; enough for two of them at any scrape interval in use.</summary>
    private static readonly TimeSpan ProbeWindow = TimeSpan.FromMinutes(10);

    private readonly PrometheusClient _client;
    private readonly PrometheusOptions _options;
    private readonly PrometheusMetrics _metrics;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;

    private readonly Lock _lock = new();
    private readonly Dictionary<(IncreaseQuery, DateTimeOffset), Flight> _inFlight = [];
    private readonly AnswerMemory _memory;

    public PrometheusTrafficSource(
        PrometheusClient client, PrometheusOptions options, PrometheusMetrics metrics, TimeProvider timeProvider, ILogger<PrometheusTrafficSource> logger)
    {
        _client = client;
        _options = options;
        _metrics = metrics;
        _timeProvider = timeProvider;
        _logger = logger;
        // An instant is up to a second and a time to live old before a query at it begins.
        TimeSpan reuse = options.CacheTtl == TimeSpan.Zero ? TimeSpan.Zero : options.CacheTtl + TimeSpan.FromSeconds(1);
        _memory = new AnswerMemory(options.MaxRememberedRows, options.MaxStale > reuse ? options.MaxStale : reuse);
    }

    public DateTimeOffset Instant
    {
        get
        {
            DateTimeOffset now = _timeProvider.GetUtcNow();
            long grid = Math.Max(_options.CacheTtl.Ticks, TimeSpan.TicksPerSecond);
            long sinceEpoch = (now - DateTimeOffset.UnixEpoch).Ticks;
            return WholeSeconds(DateTimeOffset.UnixEpoch.AddTicks(sinceEpoch - (sinceEpoch % grid)));
        }
    }

    public async Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Flight flight;
        AnswerOrigin origin = AnswerOrigin.Shared;
        lock (_lock)
        {
            _memory.Sweep(_timeProvider.GetUtcNow());
            if (_options.CacheTtl > TimeSpan.Zero && _memory.Find(query) is { } remembered && remembered.Instant == instant)
            {
                _metrics.AnswerGiven(AnswerOrigin.Remembered);
                return remembered;
            }

            if (!_inFlight.TryGetValue((query, instant), out flight!))
            {
                flight = new Flight(query, instant);
                flight.Answer = Task.Run(() => AskAsync(flight), CancellationToken.None);
                _inFlight.Add(flight.Key, flight);
                origin = AnswerOrigin.Upstream;
            }

            flight.Waiting++;
        }

        try
        {
            IncreaseAnswer answer = await flight.Answer.WaitAsync(cancellationToken);
            _metrics.AnswerGiven(answer.StaleBecause is null ? origin : AnswerOrigin.Stale);
            return answer;
        }
        finally
        {
            Leave(flight);
        }
    }

    public async Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken)
    {
        DateTimeOffset now = WholeSeconds(_timeProvider.GetUtcNow());
        SampledSeriesList found = await _client.QueryAsync(
            PromQl.AnySeries(series, matchers), now, static () => new SampledSeriesList("vector"), cancellationToken);
        if (found.Series.Count == 0)
        {
            return SeriesProbe.None;
        }

        IReadOnlyDictionary<string, string> labels = found.Series[0].Labels;
        SampledSeriesList samples = await _client.QueryAsync(
            PromQl.Samples(labels, ProbeWindow), now, static () => new SampledSeriesList("matrix"), cancellationToken);
        // A series with these labels and further ones matches as well.
        SampledSeries? same = samples.Series.FirstOrDefault(candidate => candidate.Labels.Count == labels.Count);
        return new SeriesProbe(
            Exists: true,
            same is null ? null : MedianInterval(same.Timestamps),
            same?.Timestamps is [.., var newest and >= 0 and < uint.MaxValue] ? DateTimeOffset.UnixEpoch.AddSeconds(newest) : null);
    }

    public async Task<IReadOnlySet<string>> FindLabelsAsync(
        string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken)
    {
        if (labels.Count == 0)
        {
            return FrozenSet<string>.Empty;
        }

        IncreaseRows found = await _client.QueryAsync(
            PromQl.LabelsOf(series, matchers, labels),
            WholeSeconds(_timeProvider.GetUtcNow()),
            static () => new IncreaseRows([PromQl.FoundLabel]),
            cancellationToken);
        return found.Rows.Select(row => row.Labels[0]).ToHashSet();
    }

    private static DateTimeOffset WholeSeconds(DateTimeOffset time) => DateTimeOffset.FromUnixTimeSeconds(time.ToUnixTimeSeconds());

    private static TimeSpan? MedianInterval(IReadOnlyList<double> timestamps)
    {
        if (timestamps.Count < 2)
        {
            return null;
        }

        double[] differences = [.. timestamps.Zip(timestamps.Skip(1), (earlier, later) => later - earlier).Order()];
        int middle = differences.Length / 2;
        double median = differences.Length % 2 == 1 ? differences[middle] : (differences[middle - 1] + differences[middle]) / 2;
        return double.IsFinite(median) && median is > 0 and < int.MaxValue ? TimeSpan.FromMilliseconds(Math.Round(median * 1000)) : null;
    }

    /// <summary>Runs once per flight, on behalf of all who wait for it.</summary>
    private async Task<IncreaseAnswer> AskAsync(Flight flight)
    {
        try
        {
            IncreaseRows rows = await _client.QueryAsync(
                PromQl.Increase(flight.Query), flight.Instant, () => new IncreaseRows(flight.Query.By), flight.Abandoned.Token);
            _metrics.RowsDropped(rows.Dropped);
            LogMessages(flight.Query.Series, rows);
            IncreaseAnswer answer = new(rows.Rows, flight.Instant, [.. rows.Warnings.Select(Redaction.WithoutAddresses)], StaleBecause: null);
            lock (_lock)
            {
                _memory.Remember(flight.Query, answer);
                End(flight);
            }

            return answer;
        }
        catch (SourceUnavailableException e) when (EarlierAnswer(flight) is { } earlier)
        {
            return earlier with { StaleBecause = e.Message };
        }
        finally
        {
            lock (_lock)
            {
                End(flight);
            }
        }
    }

    private IncreaseAnswer? EarlierAnswer(Flight flight)
    {
        lock (_lock)
        {
            return _memory.Find(flight.Query) is { } remembered
                && remembered.Instant <= flight.Instant
                && _timeProvider.GetUtcNow() - remembered.Instant <= _options.MaxStale
                && _options.MaxStale > TimeSpan.Zero
                ? remembered
                : null;
        }
    }

    private void Leave(Flight flight)
    {
        bool abandoned;
        lock (_lock)
        {
            abandoned = --flight.Waiting == 0 && !flight.Answer.IsCompleted;
            if (abandoned)
            {
                End(flight); // so that nobody joins what is about to be cancelled
            }
        }

        if (abandoned)
        {
            flight.Abandoned.Cancel();
        }
    }

    private void End(Flight flight)
    {
        if (_inFlight.GetValueOrDefault(flight.Key) == flight)
        {
            _inFlight.Remove(flight.Key);
        }
    }

    private void LogMessages(string series, QueryResult result)
    {
        foreach (string warning in result.Warnings)
        {
            Log.Warning(_logger, series, warning);
        }

        foreach (string info in result.Infos)
        {
            Log.Remark(_logger, series, info);
        }
    }

    /// <summary>A query on its way. Its members are used under the lock, but for the answer, which is awaited outside.</summary>
    private sealed class Flight(IncreaseQuery query, DateTimeOffset instant)
    {
        public IncreaseQuery Query { get; } = query;

        public DateTimeOffset Instant { get; } = instant;

        public (IncreaseQuery, DateTimeOffset) Key => (Query, Instant);

        /// <summary>Set before anybody else sees the flight.</summary>
        public Task<IncreaseAnswer> Answer { get; set; } = null!;

        public CancellationTokenSource Abandoned { get; } = new();

        public int Waiting { get; set; }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Debug, "Prometheus warns about its answer on {Series}: {Warning}")]
        public static partial void Warning(ILogger logger, string series, string warning);

        [LoggerMessage(LogLevel.Debug, "Prometheus remarks on the query of {Series}: {Remark}")]
        public static partial void Remark(ILogger logger, string series, string remark);
    }
}
