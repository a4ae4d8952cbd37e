namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>What all meshes have in common whose proxies are Envoys.</summary>
internal static class Envoy
{
    /// <summary>The bounds of its histograms, milliseconds as it prints them (envoy <c>source/common/stats/histogram_impl.cc</c>).</summary>
    public static readonly IReadOnlyList<string> Bounds =
    [
        "0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "2500", "5000", "10000", "30000", "60000", "300000", "600000", "1.8e+06", "3.6e+06",
    ];

    /// <summary>Adds requests to a page: the counters of each class of answers, and the histogram.</summary>
    /// <param name="family">What their names begin with, such as <c>envoy_cluster_upstream_rq</c>.</param>
    /// <param name="share">Of the requests.</param>
    public static void Add(ProxyPage page, string family, string labels, PodFlow flow, double share = 1)
    {
        foreach (IGrouping<char, Reply> codes in flow.Flow.Replies.GroupBy(reply => reply.Code[0]))
        {
            page.Count($"{family}_xx", $"envoy_response_code_class=\"{codes.Key}\",{labels}", flow.PerSecond * share * codes.Sum(reply => reply.Share));
        }

        page.Observe($"{family}_time", labels, flow.PerSecond * share, flow.Flow.Durations, Bounds);
    }
}
