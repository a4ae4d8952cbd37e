using System.Diagnostics.Metrics;

namespace SmiMetrics.Prometheus;

/// <summary>Where an answer came from.</summary>
internal enum AnswerOrigin
{
    /// <summary>Prometheus was asked for it.</summary>
    Upstream,

    /// <summary>The same query was already under way for somebody else.</summary>
    Shared,

    /// <summary>It had been asked at this instant before.</summary>
    Remembered,

    /// <summary>Prometheus failed; this is from an earlier instant.</summary>
    Stale,
}

/// <summary>What the server tells about its own use of Prometheus.</summary>
internal sealed class PrometheusMetrics : IDisposable
{
    public const string MeterName = "SmiMetrics.Prometheus";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _queries;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _answers;
    private readonly Counter<long> _droppedRows;

    public PrometheusMetrics()
    {
        _queries = _meter.CreateCounter<long>(
            "smi_metrics_prometheus_queries_total", description: "Requests to Prometheus, attempts counted singly, by outcome.");
        _duration = _meter.CreateHistogram<double>(
            "smi_metrics_prometheus_query_duration_seconds", "s", "Time until the last byte of Prometheus' answer, or until the failure.");
        _answers = _meter.CreateCounter<long>(
            "smi_metrics_prometheus_answers_total", description: "Answers given to requests, by where they came from.");
        _droppedRows = _meter.CreateCounter<long>(
            "smi_metrics_prometheus_dropped_rows_total", description: "Rows of answers without a finite value that is not negative.");
    }

    /// <param name="failure">Null when Prometheus answered.</param>
    public void QueryEnded(UpstreamFailure? failure, TimeSpan duration)
    {
        _queries.Add(1, new KeyValuePair<string, object?>("outcome", Outcome(failure)));
        _duration.Record(duration.TotalSeconds);
    }

    public void QueryCancelled() => _queries.Add(1, new KeyValuePair<string, object?>("outcome", "cancelled"));

    public void AnswerGiven(AnswerOrigin origin) => _answers.Add(1, new KeyValuePair<string, object?>("from", origin switch
    {
        AnswerOrigin.Upstream => "upstream",
        AnswerOrigin.Shared => "shared",
        AnswerOrigin.Remembered => "remembered",
        AnswerOrigin.Stale => "stale",
        _ => throw new ArgumentOutOfRangeException(nameof(origin)),
    }));

    public void RowsDropped(int count)
    {
        if (count > 0)
        {
            _droppedRows.Add(count);
        }
    }

    public void Dispose() => _meter.Dispose();

    private static string Outcome(UpstreamFailure? failure) => failure switch
    {
        null => "ok",
        UpstreamFailure.Unreachable => "unreachable",
        UpstreamFailure.Broken => "broken",
        UpstreamFailure.Overloaded => "overloaded",
        UpstreamFailure.TimedOut => "timeout",
        UpstreamFailure.Resting => "circuit_open",
        UpstreamFailure.Unreadable => "unreadable",
        UpstreamFailure.QueryRefused => "query_refused",
        UpstreamFailure.AccessDenied => "access_denied",
        _ => throw new ArgumentOutOfRangeException(nameof(failure)),
    };
}
