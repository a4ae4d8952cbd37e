using SmiMetrics.Kubernetes;

namespace SmiMetrics.Scrape;

/// <summary>A page that is scraped, and the labels that its series get. Equal targets are the same target, whatever changed around them.</summary>
/// <param name="Url">Without a fragment.</param>
/// <param name="Pod">The pod whose proxy shows it; null for one that the operator named (<c>--scrape-target</c>).</param>
/// <param name="Labels">What relabelling would add. One with an empty value is not added, but tells that the target has no such label.</param>
internal sealed record ScrapeTarget(Uri Url, ObjectKey? Pod, LabelSet Labels)
{
    /// <summary>The meshes whose proxy it is; empty for one that the operator named, which may be any's.</summary>
    public IReadOnlyList<string> Meshes { get; init; } = [];

    /// <summary>What it is called in the log: the pod's name, or the URL without its query, which may hold a secret.</summary>
    public string Name => Pod is { } pod ? $"{pod.Namespace}/{pod.Name}" : Url.GetLeftPart(UriPartial.Path);

    /// <summary>What callers of the API may read of it: never an address. Null when there is nothing.</summary>
    public string? PodName =>
        Pod is { } pod ? $"{pod.Namespace}/{pod.Name}"
        : Labels.TryGetValue("pod", out string? name) && Labels.TryGetValue("namespace", out string? @namespace) ? $"{@namespace}/{name}"
        : null;

    public bool Equals(ScrapeTarget? other) => other is not null && Url == other.Url && Pod == other.Pod && Labels.Equals(other.Labels);

    public override int GetHashCode() => HashCode.Combine(Url, Pod);
}
