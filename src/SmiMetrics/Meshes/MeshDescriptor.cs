using System.Collections.Frozen;

namespace SmiMetrics.Meshes;

/// <summary>What one mesh exports to Prometheus: facts, no queries. Read from YAML by <c>DescriptorReader</c>.</summary>
/// <param name="Name">The name that <c>--mesh</c> takes.</param>
/// <param name="Title">What people call it.</param>
/// <param name="Outcome">How a request's outcome is told from the labels of the request counter.</param>
/// <param name="Unknown">Label values that say "not known" (Istio's <c>unknown</c>): an identity with one names nobody.</param>
/// <param name="Server">What the receiving proxy reports; null when the mesh has no such view.</param>
/// <param name="Client">What the sending proxy reports; null when the mesh has no such view.</param>
/// <param name="Splits">The ways in which it shows the traffic of traffic splits, the best first; empty when it does not.</param>
/// <param name="Scrape">Where its proxies show these series, for the embedded scraper; null when only a Prometheus can have them.</param>
/// <param name="Cannot">What it cannot tell, and why: kinds, <c>KIND/edges</c>, <c>edges</c> and <c>trafficsplits</c>. For callers' eyes.</param>
/// <param name="Advice">What an operator should do about what is missing.</param>
/// <param name="Within">Another mesh that counts every request which this one counts; null where none does.</param>
internal sealed record MeshDescriptor(
    string Name,
    string Title,
    Outcome Outcome,
    IReadOnlySet<string> Unknown,
    MeshSide? Server,
    MeshSide? Client,
    IReadOnlyList<SplitView> Splits,
    ProxyEndpoint? Scrape,
    IReadOnlyDictionary<string, string> Cannot,
    Advice Advice,
    string? Within)
{
    /// <summary>The sides that it has, the server's first.</summary>
    public IEnumerable<MeshSide> Sides => new[] { Server, Client }.OfType<MeshSide>();
}

/// <summary>What an operator should do, in plain words; null where there is nothing particular to say.</summary>
/// <param name="Series">When there are none.</param>
/// <param name="Labels">When they lack labels.</param>
internal sealed record Advice(string? Series, string? Labels);

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
    Identity? Source)
{
    /// <summary>The ends of the requests that it names or might name, the receiver first.</summary>
    public IEnumerable<Identity> Ends => Source is null ? [Destination] : [Destination, Source];

    /// <summary>What the counter of requests is called in other versions of the mesh.</summary>
    public IReadOnlyList<string> OtherNames { get; init; } = [];

    /// <summary>Whether there are such series, as far as is known. A side without any is asked only for what no other side tells.</summary>
    public bool Seen { get; init; } = true;

    /// <summary>What makes all numbers of these series doubtful, as far as is known; null for nothing.</summary>
    public string? Reservation { get; init; }
}

/// <summary>A way in which a mesh shows how the requests to a Service were shared out among its backends.</summary>
/// <param name="ByClient">Whether the sender's proxy measures; else the receiver's.</param>
/// <param name="Series">The series, which name nobody but the split.</param>
/// <param name="Names">Labels, and the pattern of each, whose placeholders are <see cref="SplitNames"/>.</param>
internal sealed record SplitView(bool ByClient, MeshSide Series, Outcome Outcome, IReadOnlyList<LabelPattern> Names)
{
    /// <summary>Whether it tells the backend's namespace; else it can tell only backends whose names are the only ones of the cluster.</summary>
    public bool NamesNamespace => Names.Any(name => name.Pattern.Kinds.Contains(KindNames.Namespaces));

    /// <summary>Whether it tells what came by the apex from what was sent to the backend itself.</summary>
    public bool NamesApex => Names.Any(name => name.Pattern.Kinds.Contains(SplitNames.Apex));
}

/// <summary>A label, and what its values look like.</summary>
internal sealed record LabelPattern(string Label, NamePattern Pattern);

/// <summary>A classic histogram.</summary>
/// <param name="Series">Its name without <c>_bucket</c>.</param>
/// <param name="MillisecondsPerUnit">1 for a histogram in milliseconds, 1000 for one in seconds.</param>
/// <param name="Where">Its matchers; those of the side unless the descriptor gives it others.</param>
internal sealed record LatencyHistogram(string Series, double MillisecondsPerUnit, IReadOnlyList<Matcher> Where)
{
    /// <summary>How the histogram names the receiver, where it is not as the counter does; null where it is.</summary>
    public Identity? Destination { get; init; }

    /// <inheritdoc cref="Destination"/>
    public Identity? Source { get; init; }
}

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
    /// <summary>Every label that tells of this end, each once.</summary>
    public IEnumerable<string> Labels =>
        Means.Values.SelectMany(means => means.NameLabels.Append(means.HomeLabel)).Append(NamespaceLabel).OfType<string>().Distinct();

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

    /// <summary>The labels that hold the object's name, and its kind where one does; none for what goes through pods.</summary>
    public IReadOnlyList<string> NameLabels => this switch
    {
        Label label => [label.Name],
        KindAndName both => [both.KindLabel, both.NameLabel],
        NameOnly name => [name.NameLabel],
        Packed packed => [packed.LabelName],
        UniqueName unique => [unique.LabelName],
        _ => [],
    };

    /// <summary>The label that holds the object's namespace; null where there is none of its own.</summary>
    public string? HomeLabel => this switch
    {
        Label label => label.NamespaceLabel,
        KindAndName both => both.NamespaceLabel,
        NameOnly name => name.NamespaceLabel,
        _ => null,
    };

    /// <summary>A label holds the name; empty or absent when the object is of another kind.</summary>
    /// <param name="NamespaceLabel">The label with this object's namespace; null for cluster-scoped kinds.</param>
    public sealed record Label(string Name, string? NamespaceLabel) : IdentityMeans;

    /// <summary>One label holds the Kubernetes kind (<c>Deployment</c>), another the name (OSM, Hubble).</summary>
    public sealed record KindAndName(string KindLabel, string NameLabel, string NamespaceLabel) : IdentityMeans;

    /// <summary>A label holds the name of a workload of some kind, which only the cluster knows (Istio).</summary>
    /// <param name="ElseThroughPods">Whether the pod tells where that label is empty (Hubble, of ends on other nodes).</param>
    public sealed record NameOnly(string NameLabel, string NamespaceLabel, bool ElseThroughPods = false) : IdentityMeans;

    /// <summary>
    /// A label holds several names packed into one (Kuma, Traefik). The namespace is the pattern's <c>{namespaces}</c>, or
    /// <see cref="Identity.NamespaceLabel"/> where the patterns have none.
    /// </summary>
    /// <param name="Patterns">One or more, all with the same placeholders: any may fit.</param>
    public sealed record Packed(string LabelName, IReadOnlyList<NamePattern> Patterns) : IdentityMeans
    {
        public IReadOnlyList<string> Kinds => Patterns[0].Kinds;

        public bool Equals(Packed? other) => ReferenceEquals(this, other);

        public override int GetHashCode() => HashCode.Combine(LabelName, Patterns.Count);
    }

    /// <summary>
    /// A label holds a name without its namespace (a Consul service). It names an object only where no other namespace of the cluster has
    /// one of this kind and name.
    /// </summary>
    public sealed record UniqueName(string LabelName) : IdentityMeans;

    /// <summary>Through the pod that the series name, and the cluster's knowledge of whose pod it is.</summary>
    public sealed record ThroughPods : IdentityMeans;
}
