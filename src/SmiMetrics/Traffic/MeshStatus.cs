using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>Whether a mesh is there.</summary>
internal enum MeshPresence
{
    /// <summary>The source did not say, and never has.</summary>
    Unknown,

    Missing,

    Found,
}

/// <summary>What was last seen of a mesh, and what is wrong with it.</summary>
/// <param name="Mesh">As configured, with its series by the names that they go by here.</param>
/// <param name="Sides">The server's first.</param>
/// <param name="ScrapeInterval">The longest of its sides; null while it cannot be told.</param>
/// <param name="NewestSample">When its series last had one; null when that is not known.</param>
/// <param name="Proxies">How many running pods have its proxy; null where neither cluster nor descriptor tell.</param>
/// <param name="Problems">What makes answers wrong or impossible.</param>
/// <param name="Notes">What may be as it should.</param>
internal sealed record MeshStatus(
    MeshDescriptor Mesh,
    MeshPresence Presence,
    IReadOnlyList<SideStatus> Sides,
    TimeSpan? ScrapeInterval,
    DateTimeOffset? NewestSample,
    int? Proxies,
    IReadOnlyList<MeshProblem> Problems,
    IReadOnlyList<string> Notes)
{
    /// <summary>The shortest window that can be answered: <c>increase</c> needs two samples.</summary>
    public TimeSpan? ShortestWindow => ScrapeInterval * 2;
}

/// <summary>What was seen of one side's series.</summary>
/// <param name="Requests">The counter's name.</param>
/// <param name="Latency">The name of the histogram's buckets; null when the mesh has none.</param>
/// <param name="Found">Whether there is any such series.</param>
/// <param name="LatencyFound">Whether there are buckets.</param>
/// <param name="Labels">The labels of the descriptor that the counter has.</param>
/// <param name="MissingLabels">Those that none of its series has; where nothing of that kind is in the mesh, that is as it should be.</param>
internal sealed record SideStatus(
    Side Side, string Requests, string? Latency, bool Found, bool LatencyFound, IReadOnlyList<string> Labels, IReadOnlyList<string> MissingLabels);

/// <param name="Problem">A sentence without its full stop.</param>
/// <param name="Remedy">What to do, in whole sentences.</param>
internal sealed record MeshProblem(string Problem, string Remedy);
