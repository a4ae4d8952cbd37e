using System.Collections.Frozen;

namespace SmiMetrics.Meshes;

/// <summary>What one mesh exports to Prometheus: facts, no queries. Read from YAML by <c>DescriptorReader</c>.</summary>
/// <param name="Name">The name that <c>--mesh</c> takes.</param>
/// <param name="Title">What people call it.</param>
/// <param name="Outcome">How a request's outcome is told from the labels of the request counter.</param>
/// <param name="Unknown">Label values that say "not known" (Istio's <c>unknown</c>): an identity with one names nobody.</param>
/// <param name="Server">What the receiving proxy reports; null when the mesh has no such view.</param>
/// <param name="Client">What the sending proxy reports; null when the mesh has no such view.</param>
/// <param name="Scrape">Where its proxies show these series, for the embedded scraper; null when only a Prometheus can have them.</param>
internal sealed record MeshDescriptor(
    string Name,
    string Title,
    Outcome Outcome,
    IReadOnlySet<string> Unknown,
    MeshSide? Server,
    MeshSide? Client,
    ProxyEndpoint? Scrape = null);

/// <summary>
/// Where the proxies of a mesh show their series, and the labels that a scrape adds to them: what a Prometheus' scrape job and its
/// relabelling would say (Prometheus <c>docs/configuration/configuration.md</c>, kubernetes_sd_config, role pod).
/// </summary>
/// <param name="Container">The container that a pod must have to be a target, sidecars of either sort included; null for any pod that <paramref name="PodLabels"/> picks.</param>
/// <param name="PodLabels">Labels that a pod must have to be a target. Empty only where <paramref name="Container"/> is given.</param>
/// <param name="Port">The port's name in the container (any container, where none is named), or its number.</param>
/// <param name="Path">Of the page, with a leading slash.</param>
/// <param name="Labels">The labels that every series of the target gets. One that a series has already is kept as <c>exported_…</c>.</param>
internal sealed record ProxyEndpoint(
    string? Container,
    IReadOnlyDictionary<string, string> PodLabels,
    string Port,
    string Path,
    IReadOnlyDictionary<string, TargetLabel> Labels);

/// <summary>What of a target becomes the value of a label. Empty values add no label.</summary>
internal abstract record TargetLabel
{
    private TargetLabel() { }

    public sealed record Namespace : TargetLabel;

    public sealed record PodName : TargetLabel;

    public sealed record NodeName : TargetLabel;

    /// <summary>The pod's own label of this key, such as the owner that Linkerd's injector writes there.</summary>
    public sealed record PodLabel(string Key) : TargetLabel;
}

/// <summary>The series of one side of a request.</summary>
/// <param name="Requests">The counter of requests.</param>
/// <param name="Failures">A separate counter of failed requests (service graphs); then success is requests minus failures.</param>
/// <param name="Where">Matchers that every query of this side carries: which side it is, and what must not count.</param>
/// <param name="Latency">The latency histogram; null when the mesh has none.</param>
/// <param name="Destination">How these series name the receiver; <see cref="Identity.None"/> when they do not.</param>
/// <param name="Source">How they name the sender; null when they do not.</param>
internal sealed record MeshSide(
    string Requests,
    string? Failures,
    IReadOnlyList<Matcher> Where,
    LatencyHistogram? Latency,
    Identity Destination,
    Identity? Source);

/// <summary>A classic histogram.</summary>
/// <param name="Series">Its name without <c>_bucket</c>.</param>
/// <param name="MillisecondsPerUnit">1 for a histogram in milliseconds, 1000 for one in seconds.</param>
/// <param name="Where">Its matchers; those of the side unless the descriptor gives it others.</param>
internal sealed record LatencyHistogram(string Series, double MillisecondsPerUnit, IReadOnlyList<Matcher> Where);

/// <summary>How the labels of a series name one end of a request.</summary>
/// <param name="NamespaceLabel">The label with the namespace, which is also how <c>namespaces</c> are told; null when no label has it.</param>
/// <param name="Means">
/// For each kind (plural name, as in <c>deployments</c>) how objects of it are named; <c>namespaces</c> too, by its label or in a pattern.
/// A kind not here cannot be told.
/// </param>
/// <param name="Encoding">Characters that the mesh replaces in names before they become label values (OSM's <c>-</c> to <c>_</c>).</param>
internal sealed record Identity(
    string? NamespaceLabel,
    IReadOnlyDictionary<string, IdentityMeans> Means,
    IReadOnlyDictionary<char, char> Encoding)
{
    /// <summary>Names nobody: a client's series that do not say whom they called (Beyla).</summary>
    public static readonly Identity None = new(null, FrozenDictionary<string, IdentityMeans>.Empty, FrozenDictionary<char, char>.Empty);

    /// <summary>
    /// The label value that stands for a name, for use in matchers. It cannot be undone by replacing back (<c>a-b</c> and <c>a_b</c>
    /// become the same): encode the names that exist and compare.
    /// </summary>
    public string Encode(string name) =>
        Encoding.Count == 0
            ? name
            : string.Create(name.Length, (name, Encoding), static (encoded, from) =>
            {
                for (int at = 0; at < encoded.Length; at++)
                {
                    encoded[at] = from.Encoding.GetValueOrDefault(from.name[at], from.name[at]);
                }
            });
}

/// <summary>One way in which labels name an object.</summary>
internal abstract record IdentityMeans
{
    private IdentityMeans() { }

    /// <summary>A label holds the name; empty or absent when the object is of another kind.</summary>
    /// <param name="NamespaceLabel">The label with this object's namespace; null for cluster-scoped kinds.</param>
    public sealed record Label(string Name, string? NamespaceLabel) : IdentityMeans;

    /// <summary>One label holds the Kubernetes kind (<c>Deployment</c>), another the name (OSM, Hubble).</summary>
    public sealed record KindAndName(string KindLabel, string NameLabel, string NamespaceLabel) : IdentityMeans;

    /// <summary>A label holds the name of a workload of some kind, which only the cluster knows (Istio).</summary>
    public sealed record NameOnly(string NameLabel, string NamespaceLabel) : IdentityMeans;

    /// <summary>
    /// A label holds several names packed into one (Kuma, Traefik). The namespace is the pattern's <c>{namespaces}</c>, or
    /// <see cref="Identity.NamespaceLabel"/> where the pattern has none.
    /// </summary>
    public sealed record Packed(string LabelName, NamePattern Pattern) : IdentityMeans;

    /// <summary>Through the pod that the series name, and the cluster's knowledge of whose pod it is.</summary>
    public sealed record ThroughPods : IdentityMeans;
}
