using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>Linkerd's series as they are in Prometheus after the scrape's relabelling, and of them only what answers are made of.</summary>
internal static class LinkerdHistory
{
    private static readonly double[] Bounds = [1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 5000];

    /// <summary>All traffic of a topology.</summary>
    public static History Of(Topology topology, TimeSpan interval)
    {
        History history = new(interval);
        foreach (Flow flow in topology.Flows)
        {
            foreach (SimulatedPod to in flow.To.Pods)
            {
                foreach (SimulatedPod from in flow.From.Pods)
                {
                    Add(history, flow.From.Meshed ? from : null, to, flow.Service, flow.RatesBetweenPods, flow.Durations);
                }
            }
        }

        return history;
    }

    /// <summary>Requests from one pod to another, as both ends count them.</summary>
    /// <param name="from">Null for a caller without a proxy.</param>
    public static void Add(History history, SimulatedPod? from, SimulatedPod to, string? service, Rates perSecond, IReadOnlyList<Duration> durations)
    {
        Add(history, $"direction=\"inbound\",target_port=\"8080\",{Labels(to, "")}", perSecond, durations);
        if (from is not null)
        {
            string named = service is null ? "" : $",dst_service=\"{service}\"";
            Add(history, $"direction=\"outbound\",target_port=\"8080\",{Labels(from, "")},{Labels(to, "dst_")}{named}", perSecond, durations);
        }
    }

    private static void Add(History history, string labels, Rates perSecond, IReadOnlyList<Duration> durations)
    {
        history.Count("response_total", $"{labels},classification=\"success\"", perSecond.Success);
        history.Count("response_total", $"{labels},classification=\"failure\"", perSecond.Failure);
        history.Observe("response_latency_ms", labels, perSecond.Success + perSecond.Failure, durations, Bounds, 1);
    }

    private static string Labels(SimulatedPod pod, string prefix) =>
        $"{prefix}namespace=\"{pod.Workload.Namespace}\",{prefix}pod=\"{pod.Name}\",{prefix}{LinkerdSimulation.OwnerLabel(pod.Workload)}=\"{pod.Workload.Name}\"";
}
