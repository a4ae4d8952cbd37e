using System.Diagnostics.Metrics;

namespace SmiMetrics.Kubernetes;

/// <summary>What the informers count, by resource.</summary>
internal sealed class KubernetesMetrics
{
    private readonly Counter<long> _lists;
    private readonly Counter<long> _watches;
    private readonly Counter<long> _failures;
    private readonly Counter<long> _skipped;

    public KubernetesMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create("SmiMetrics.Kubernetes");
        _lists = meter.CreateCounter<long>("smi_metrics_kubernetes_lists_total", description: "Whole lists read from kube-apiserver.");
        _watches = meter.CreateCounter<long>("smi_metrics_kubernetes_watches_total", description: "Watches opened at kube-apiserver.");
        _failures = meter.CreateCounter<long>("smi_metrics_kubernetes_failures_total", description: "Lists and watches that failed and were tried again.");
        _skipped = meter.CreateCounter<long>("smi_metrics_kubernetes_skipped_events_total", description: "Watch events that could not be read.");
    }

    public void Listed(string resource) => _lists.Add(1, Of(resource));

    public void WatchOpened(string resource) => _watches.Add(1, Of(resource));

    public void Failed(string resource) => _failures.Add(1, Of(resource));

    public void EventSkipped(string resource) => _skipped.Add(1, Of(resource));

    private static KeyValuePair<string, object?> Of(string resource) => new("resource", resource);
}
