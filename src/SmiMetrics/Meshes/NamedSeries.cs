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
            .SelectMany(mesh => mesh.Sides.SelectMany(side => Uses(mesh, side)).Concat(mesh.Splits.SelectMany(split => Uses(mesh, split))))
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
        return Uses(mesh, side, mesh.Outcome, [.. side.Ends.SelectMany(end => end.Labels)], reporter);
    }

    private static IEnumerable<Use> Uses(MeshDescriptor mesh, SplitView split) =>
        Uses(mesh, split.Series, split.Outcome, [.. split.Names.Select(name => name.Label)], reporter: null);

    private static IEnumerable<Use> Uses(MeshDescriptor mesh, MeshSide side, Outcome outcome, string[] ends, string? reporter)
    {
        IEnumerable<string> Labels(IEnumerable<Matcher> where) => [.. ends, .. where.Select(matcher => matcher.Label)];

        foreach (string requests in side.OtherNames.Prepend(side.Requests))
        {
            yield return new Use(mesh.Name, requests, [.. Labels(side.Where), .. outcome.Labels], side.Where, reporter);
        }

        if (side.Failures is { } failures)
        {
            yield return new Use(mesh.Name, failures, Labels(side.Where), side.Where, reporter);
        }

        if (side.Latency is { } latency)
        {
            string[] own = [.. new[] { latency.Destination, latency.Source }.OfType<Identity>().SelectMany(end => end.Labels)];
            yield return new Use(mesh.Name, latency.Series + "_bucket", [.. Labels(latency.Where), .. own], latency.Where, reporter);
        }
    }

    private sealed record Use(string Mesh, string Series, IEnumerable<string> Labels, IReadOnlyList<Matcher> Where, string? NamespaceLabel);
}

/// <summary>Whose proxy prints the series of a side.</summary>
/// <param name="Where">The side's matchers, which its queries carry.</param>
/// <param name="NamespaceLabel">The label with the namespace of the proxy's own pod; null when there is none.</param>
internal sealed record Reporter(IReadOnlyList<Matcher> Where, string? NamespaceLabel);
