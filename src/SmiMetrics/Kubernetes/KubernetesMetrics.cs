using System.Diagnostics.Metrics;
using System.Globalization;

namespace SmiMetrics.Kubernetes;

/// <summary>
/// What the informers count, by resource; and every request to kube-apiserver, under the names that Kubernetes' own clients have
/// (component-base <c>metrics/prometheus/restclient/metrics.go</c>).
/// </summary>
internal sealed class KubernetesMetrics
{
    private readonly Counter<long> _lists;
    private readonly Counter<long> _watches;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _skipped;
    private readonly Counter<long> _requests;
    private readonly Histogram<double> _duration;

    public KubernetesMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create("SmiMetrics.Kubernetes");
        _lists = meter.CreateCounter<long>("smi_metrics_kubernetes_lists_total", description: "Whole lists read from kube-apiserver.");
        _watches = meter.CreateCounter<long>("smi_metrics_kubernetes_watches_total", description: "Watches opened at kube-apiserver.");
        _failures = meter.CreateCounter<long>("smi_metrics_kubernetes_failures_total", description: "Lists and watches that failed and were tried again.");
        _skipped = meter.CreateCounter<long>("smi_metrics_kubernetes_skipped_events_total", description: "Watch events that could not be read.");
        _requests = meter.CreateCounter<long>("rest_client_requests_total", description: "Number of HTTP requests, partitioned by status code, method, and host.");
        _duration = meter.CreateHistogram(
            "rest_client_request_duration_seconds",
            unit: null,
            "Request latency in seconds. Broken down by verb, and host.",
            tags: null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [.005, .025, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60] });
    }

    public void Listed(string resource) => _lists.Add(1, Of(resource));

    public void WatchOpened(string resource) => _watches.Add(1, Of(resource));

    public void Failed(string resource) => _failures.Add(1, Of(resource));

    public void EventSkipped(string resource) => _skipped.Add(1, Of(resource));

    /// <summary>A request was answered, or not.</summary>
    /// <param name="code">The status; null if there was no answer.</param>
    /// <param name="duration">Until the head of the answer: the body of a watch has no end.</param>
    public void Requested(string method, string host, int? code, TimeSpan duration)
    {
        KeyValuePair<string, object?> server = new("host", host);
        _requests.Add(1, new("code", code?.ToString(CultureInfo.InvariantCulture) ?? "<error>"), new("method", method), server);
        _duration.Record(duration.TotalSeconds, new("verb", method), server);
    }

    private static KeyValuePair<string, object?> Of(string resource) => new("resource", resource);
}
