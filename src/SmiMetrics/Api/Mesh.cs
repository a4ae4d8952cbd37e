using System.Globalization;
using SmiMetrics.Traffic;

namespace SmiMetrics.Api;

/// <summary>A mesh that is looked for, and how it was found: the answer to "there is no data".</summary>
/// <param name="Title">What people call it.</param>
internal sealed record Mesh(string Kind, string ApiVersion, ObjectMeta Metadata, string Title, MeshFindings Status)
{
    public const string ObjectKind = "Mesh";

    public static Mesh Of(MeshStatus status, string version)
    {
        string name = status.Mesh.Name;
        ResourcePath path = new(version, TrafficResource.Meshes, null, name, Edges: false);
        return new Mesh(
            ObjectKind,
            $"{TrafficApi.Group}/{version}",
            new ObjectMeta(name, null, path.SelfLink, null, null, null),
            status.Mesh.Title,
            new MeshFindings(
                status.Presence.ToString(),
                Duration(status.ScrapeInterval),
                Duration(status.ShortestWindow),
                status.NewestSample is { } newest ? Wire.Time(newest) : null,
                status.Proxies,
                [.. status.Sides.Select(side => new MeshSeries(
                    Wire.Word(side.Side), side.Requests, side.Found, side.Latency, side.Latency is null ? null : side.LatencyFound, side.Labels, side.MissingLabels))],
                [.. status.Problems.Select(problem => new MeshTrouble(problem.Problem, problem.Remedy))],
                status.Notes));
    }

    /// <summary>In each of its forms.</summary>
    /// <param name="mistakes">See <see cref="MeshList"/>.</param>
    public static Forms<Mesh> Forms(string version, IReadOnlyList<string>? mistakes) => new(
        mesh => mesh.Metadata,
        mesh => mesh,
        (meta, meshes) => new MeshList(ObjectKind + "List", $"{TrafficApi.Group}/{version}", meta, mistakes, meshes),
        [
            new("Name", "As --mesh has it.", mesh => mesh.Metadata.Name) { IsName = true },
            new("Found", "Whether its series exist.", mesh => mesh.Status.Presence switch { "Found" => "yes", "Missing" => "no", _ => "unknown" }),
            new("Proxies", "How many running pods have its proxy.", mesh => mesh.Status.Proxies?.ToString(CultureInfo.InvariantCulture) ?? Cell.None),
            new("Interval", "How often its proxies are scraped.", mesh => mesh.Status.ScrapeInterval ?? Cell.None),
            new("Window", "The shortest window that can be answered.", mesh => mesh.Status.ShortestWindow ?? Cell.None),
            new("Problems", "How many things make its answers wrong or impossible. `kubectl describe` tells them.", mesh => mesh.Status.Problems.Count.ToString(CultureInfo.InvariantCulture)),
            new("Title", "What people call it.", mesh => mesh.Title) { Wide = true },
        ],
        _ => mistakes ?? []);

    private static string? Duration(TimeSpan? duration) => duration is { } known ? GoDuration.Format(known) : null;
}

/// <param name="Presence"><c>Found</c>, <c>Missing</c>, or <c>Unknown</c> while the source does not say.</param>
/// <param name="ScrapeInterval">As measured, in Go's form.</param>
/// <param name="ShortestWindow">That can be answered.</param>
/// <param name="Proxies">How many running pods have its proxy.</param>
/// <param name="Problems">What makes answers wrong or impossible.</param>
/// <param name="Notes">What may be as it should.</param>
internal sealed record MeshFindings(
    string Presence,
    string? ScrapeInterval,
    string? ShortestWindow,
    string? NewestSample,
    int? Proxies,
    IReadOnlyList<MeshSeries> Series,
    IReadOnlyList<MeshTrouble> Problems,
    IReadOnlyList<string> Notes);

/// <summary>The series of one side.</summary>
/// <param name="MissingLabels">Labels that the mesh may have, and that none of its series has.</param>
internal sealed record MeshSeries(
    string Side, string Requests, bool Found, string? Latency, bool? LatencyFound, IReadOnlyList<string> Labels, IReadOnlyList<string> MissingLabels);

internal sealed record MeshTrouble(string Problem, string Remedy);

/// <param name="Mistakes">In changed descriptors of <c>--mesh-config</c>, which therefore are not in use.</param>
internal sealed record MeshList(string Kind, string ApiVersion, ListMeta Metadata, IReadOnlyList<string>? Mistakes, IReadOnlyList<Mesh> Items);
