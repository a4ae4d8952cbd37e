using SmiMetrics.Kubernetes;

namespace SmiMetrics.Scrape;

/// <summary>A page that is scraped, and the labels that its series get. Equal targets are the same target, whatever changed around them.</summary>
/// <param name="Url">Without a fragment.</param>
/// <param name="Pod">The pod whose proxy shows it; null for one that the operator named (<c>--scrape-target</c>).</param>
/// <param name="Mesh">The mesh whose proxy it is, the first of several that describe it; null for one that the operator named.</param>
/// <param name="Labels">What relabelling would add, without empty values.</param>
internal sealed record ScrapeTarget(Uri Url, ObjectKey? Pod, string? Mesh, LabelSet Labels)
{
    /// <summary>What people call it: the pod's name, or the URL.</summary>
    public string Name => Pod is { } pod ? $"{pod.Namespace}/{pod.Name}" : Url.ToString();
}
