namespace SmiMetrics.Meshes;

/// <summary>A series that descriptors name, and what a query of it may need: nothing else of it is worth keeping.</summary>
/// <param name="Name">The metric name, with <c>_bucket</c> for a histogram's buckets.</param>
/// <param name="Labels">The labels that queries match or group by, each once; <c>le</c> is not among them.</param>
/// <param name="Where">The matchers of every side that uses it: a series that satisfies none of these lists is never counted.</param>
/// <param name="Meshes">The names of the meshes that have it.</param>
/// <param name="Reporters">For each side that uses it, whose proxy prints it.</param>
internal sealed record NamedSeries(
    string Name,
    IReadOnlyList<string> Labels,
    IReadOnlyList<IReadOnlyList<Matcher>> Where,
    IReadOnlySet<string> Meshes,
    IReadOnlyList<Reporter> Reporters)
{
    /// <summary>Every series that a descriptor names, each once: the request counters, the counters of failures and the buckets.</summary>
    public static IReadOnlyList<NamedSeries> Of(IReadOnlyList<MeshDescriptor> meshes) =>
    [
        .. meshes
            .SelectMany(mesh => new[] { mesh.Server, mesh.Client }.OfType<MeshSide>().SelectMany(side => Uses(mesh, side)))
            .GroupBy(use => use.Series)
            .Select(uses => new NamedSeries(
                uses.Key,
                [.. uses.SelectMany(use => use.Labels).Distinct().Order(StringComparer.Ordinal)],
                [.. uses.Select(use => use.Where)],
                uses.Select(use => use.Mesh).ToHashSet(),
                [.. uses.Select(use => new Reporter(use.Where, use.NamespaceLabel))])),
    ];

    private static IEnumerable<Use> Uses(MeshDescriptor mesh, MeshSide side)
    {
        // The receiver's proxy prints the server's series, the sender's the client's.
        string? reporter = ReferenceEquals(side, mesh.Server) ? side.Destination.NamespaceLabel : side.Source?.NamespaceLabel;
        string[] ends = [.. LabelsOf(side.Destination), .. side.Source is { } source ? LabelsOf(source) : []];
        IEnumerable<string> Labels(IEnumerable<Matcher> where) => [.. ends, .. where.Select(matcher => matcher.Label)];

        yield return new Use(mesh.Name, side.Requests, [.. Labels(side.Where), .. mesh.Outcome.Labels], side.Where, reporter);
        if (side.Failures is { } failures)
        {
            yield return new Use(mesh.Name, failures, Labels(side.Where), side.Where, reporter);
        }

        if (side.Latency is { } latency)
        {
            yield return new Use(mesh.Name, latency.Series + "_bucket", Labels(latency.Where), latency.Where, reporter);
        }
    }

    private static IEnumerable<string> LabelsOf(Identity identity)
    {
        IEnumerable<string?> labels = identity.Means.Values.SelectMany(means => means switch
        {
            IdentityMeans.Label label => new[] { label.Name, label.NamespaceLabel },
            IdentityMeans.KindAndName kindAndName => [kindAndName.KindLabel, kindAndName.NameLabel, kindAndName.NamespaceLabel],
            IdentityMeans.NameOnly nameOnly => [nameOnly.NameLabel, nameOnly.NamespaceLabel],
            IdentityMeans.Packed packed => [packed.LabelName],
            IdentityMeans.ThroughPods => [],
            _ => throw new ArgumentException($"no labels are known of {means}", nameof(identity)),
        });
        return labels.Append(identity.NamespaceLabel).OfType<string>();
    }

    private sealed record Use(string Mesh, string Series, IEnumerable<string> Labels, IReadOnlyList<Matcher> Where, string? NamespaceLabel);
}

/// <summary>Whose proxy prints the series of a side.</summary>
/// <param name="Where">The side's matchers, which its queries carry.</param>
/// <param name="NamespaceLabel">The label with the namespace of the proxy's own pod; null when there is none.</param>
internal sealed record Reporter(IReadOnlyList<Matcher> Where, string? NamespaceLabel);
