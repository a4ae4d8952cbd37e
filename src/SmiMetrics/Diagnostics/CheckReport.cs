using SmiMetrics.Traffic;

namespace SmiMetrics.Diagnostics;

/// <summary>What a check found, for the terminal.</summary>
/// <param name="statuses">Of every mesh that was looked for.</param>
/// <param name="others">Problems beside those of meshes.</param>
/// <param name="failure">Why the source did not answer; null when it did.</param>
/// <param name="cluster">The cluster in a few words; null when there is none.</param>
/// <param name="auto">Whether all known meshes were looked for, so that a missing one is nothing to wonder at.</param>
/// <param name="scrapes">Whether the proxies themselves were asked.</param>
internal sealed class CheckReport(
    IReadOnlyList<MeshStatus> statuses,
    IReadOnlyList<MeshProblem> others,
    SourceUnavailableException? failure,
    string? cluster,
    bool auto,
    bool scrapes,
    DateTimeOffset now)
{
    private readonly IReadOnlyList<(string? Mesh, MeshProblem Problem)> _problems =
    [
        .. others.Select(problem => ((string?)null, problem)),
        .. OfTheWhole(statuses, failure, auto, scrapes).Select(problem => ((string?)null, problem)),
        .. statuses.SelectMany(status => status.Problems.Select(problem => ((string?)status.Mesh.Name, problem))),
    ];

    /// <summary>Whether a mesh was found and nothing is wrong.</summary>
    public bool IsGood => _problems.Count == 0 && statuses.Any(status => status.Presence == MeshPresence.Found);

    public void Write(TextWriter output)
    {
        if (cluster is not null)
        {
            output.WriteLine($"Cluster: {cluster}");
        }

        foreach (MeshStatus status in statuses.Where(status => status.Presence == MeshPresence.Found))
        {
            WriteFound(output, status);
        }

        string[] missing = [.. statuses.Where(status => status.Presence == MeshPresence.Missing).Select(status => status.Mesh.Name)];
        if (missing.Length > 0)
        {
            output.WriteLine();
            output.WriteLine($"Not found: {string.Join(", ", missing)}");
        }

        output.WriteLine();
        output.WriteLine(_problems.Count switch
        {
            0 => "No problems.",
            1 => "1 problem:",
            var count => $"{count} problems:",
        });
        foreach ((string? mesh, MeshProblem problem) in _problems)
        {
            output.WriteLine();
            output.WriteLine($"  {(mesh is null ? "" : mesh + ": ")}{problem.Problem}.");
            foreach (string line in Wrapped(problem.Remedy, width: 112))
            {
                output.WriteLine($"    {line}");
            }
        }
    }

    private static IEnumerable<MeshProblem> OfTheWhole(IReadOnlyList<MeshStatus> statuses, SourceUnavailableException? failure, bool auto, bool scrapes)
    {
        if (failure is not null)
        {
            yield return new MeshProblem($"the numbers cannot be read: {failure.Message}{Cause(failure)}", scrapes
                ? "See whether the server may reach the proxies' ports, and whether their policies let it."
                : "See --prometheus-url and the flags for its credentials.");
        }
        else if (statuses.All(status => status.Presence != MeshPresence.Found))
        {
            string looked = statuses.Count == 1 ? statuses[0].Mesh.Name : $"any of the {statuses.Count} meshes that were looked for";
            // A pod with a proxy is a problem of its mesh, which says what to do.
            if (statuses.All(status => status.Problems.Count == 0))
            {
                yield return new MeshProblem($"there are no series of {looked}, so there is no traffic to tell of", scrapes
                    ? "See whether the workloads are meshed, or --scrape-target names pages of proxies. smi-metrics meshes lists the meshes that can be scraped; others need --prometheus-url."
                    : !auto && statuses is [{ Mesh.Advice.Series: { } advice }]
                        ? advice
                        : "Have Prometheus scrape the mesh's proxies. smi-metrics meshes lists the meshes that are known, and check --mesh NAME says what each needs.");
            }
        }

        if (!auto)
        {
            foreach (MeshStatus status in statuses.Where(status => status is { Presence: MeshPresence.Missing, Problems.Count: 0 }).Where(_ => statuses.Count > 1))
            {
                yield return new MeshProblem($"{status.Mesh.Name}: {string.Join("; ", status.Notes)}", status.Mesh.Advice.Series ?? "Have the mesh's proxies scraped.");
            }
        }
    }

    /// <summary>Who runs a check may learn what callers of the API may not: where Prometheus is, and what it said.</summary>
    private static string Cause(SourceUnavailableException failure) =>
        failure is { TimedOut: false, InnerException: { } cause } ? $" ({cause.GetBaseException().Message})" : "";

    private void WriteFound(TextWriter output, MeshStatus status)
    {
        List<string> facts = [];
        if (status.ScrapeInterval is { } interval)
        {
            facts.Add($"scraped every {MeshDiagnosis.Seconds(interval)}");
        }

        if (status.NewestSample is { } newest)
        {
            facts.Add($"newest sample {MeshDiagnosis.Seconds(TimeSpan.FromSeconds(Math.Max(0, Math.Round((now - newest).TotalSeconds))))} ago");
        }

        if (status.ShortestWindow is { } window)
        {
            facts.Add($"windows from {MeshDiagnosis.Seconds(window)}");
        }

        if (status.Proxies is { } proxies)
        {
            facts.Add($"{proxies} {(proxies == 1 ? "pod" : "pods")} with its proxy");
        }

        output.WriteLine();
        output.WriteLine($"{status.Mesh.Name}: found; {string.Join(", ", facts)}");
        foreach (SideStatus side in status.Sides.Where(side => side.Found))
        {
            output.WriteLine($"  {MeshDiagnosis.Word(side.Side)}: {side.Requests}{(side.LatencyFound ? ", " + side.Latency : "")}");
            if (side.MissingLabels.Count > 0)
            {
                output.WriteLine($"    labels not seen: {string.Join(", ", side.MissingLabels)}");
            }
        }

        foreach (string note in status.Notes)
        {
            output.WriteLine($"  note: {note}");
        }
    }

    private static IEnumerable<string> Wrapped(string text, int width)
    {
        string line = "";
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }

            line += line.Length == 0 ? word : " " + word;
        }

        if (line.Length > 0)
        {
            yield return line;
        }
    }
}
