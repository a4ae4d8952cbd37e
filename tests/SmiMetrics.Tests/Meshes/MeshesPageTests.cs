using System.Globalization;
using System.Text;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

/// <summary>docs/meshes.md is written from the descriptors: <c>UPDATE_GOLDEN=1</c> writes it anew.</summary>
public sealed class MeshesPageTests
{
    [Fact]
    public void The_page_says_of_every_mesh_what_its_descriptor_says() => Golden.VerifyFile("docs/meshes.md", Page());

    private static string Page()
    {
        StringBuilder page = new("""
            # The meshes

            What each built-in descriptor knows. This page is written from them (`src/SmiMetrics/Meshes/Catalogue`), where every fact has its source; `smi-metrics
            meshes` lists them, and `smi-metrics meshes NAME` prints one. With `--mesh auto`, the default, all are looked for, in this order of preference: of two
            that see the same workload the first answers, and what both saw is never added.

            **What counts as a failure** is the mesh's own convention, or that of its users' tools, in the terms of its labels. To judge otherwise give the server a
            descriptor that replaces that alone, with `--mesh-config`; it is read again when it changes:

            ```yaml
            extends: istio
            outcome:
              failure: ['response_code=~"[45]..|0"']
            ```

            | mesh | a request has failed if | seen at | scraped by the server itself | traffic splits |
            |---|---|---|---|---|

            """);
        IReadOnlyList<MeshDescriptor> meshes = MeshCatalogue.Load().All;
        foreach (MeshDescriptor mesh in meshes)
        {
            string sides = string.Join(" and ", new[] { mesh.Server is null ? null : "server", mesh.Client is null ? null : "client" }.OfType<string>());
            string splits = mesh.Splits.Count == 0 ? "no" : mesh.Splits.Any(split => split.NamesApex) ? "exactly" : "with requests to the backend itself";
            page.Append(CultureInfo.InvariantCulture, $"| [{mesh.Name}](#{mesh.Name}) | {Failure(mesh)} | {sides} | {(mesh.Scrape is null ? "no" : "yes")} | {splits} |\n");
        }

        page.Append("\nKinds that have their own traffic and edges where nothing else is said: ").Append(string.Join(", ", KindNames.All)).Append(".\n");
        foreach (MeshDescriptor mesh in meshes)
        {
            page.Append(CultureInfo.InvariantCulture, $"\n## {mesh.Name}\n\n{mesh.Title}.");
            foreach ((string side, MeshSide? series) in new[] { ("Server", mesh.Server), ("Client", mesh.Client) })
            {
                if (series is not null)
                {
                    string names = string.Join(" or ", series.OtherNames.Prepend(series.Requests).Select(name => $"`{name}`"));
                    string failures = series.Failures is null ? "" : $", failures `{series.Failures}`";
                    string latency = series.Latency is { } histogram ? $" and `{histogram.Series}` ({(histogram.MillisecondsPerUnit == 1 ? "ms" : "s")})" : ", no latency";
                    page.Append(CultureInfo.InvariantCulture, $" {side}: {names}{failures}{latency}.");
                }
            }

            page.Append('\n');
            if (mesh.Within is not null)
            {
                page.Append(CultureInfo.InvariantCulture, $"\nEvery request that it counts is counted by `{mesh.Within}` too.\n");
            }

            foreach (IGrouping<string, KeyValuePair<string, string>> reason in mesh.Cannot.OrderBy(entry => Rank(entry.Key)).GroupBy(entry => entry.Value))
            {
                page.Append(CultureInfo.InvariantCulture, $"\n* Cannot tell {string.Join(", ", reason.Select(entry => $"`{entry.Key}`"))}: {reason.Key}.");
            }

            page.Append(mesh.Cannot.Count > 0 ? "\n" : "");
            if (mesh.Advice.Series is not null)
            {
                page.Append(CultureInfo.InvariantCulture, $"\n**No series?** {mesh.Advice.Series}\n");
            }

            if (mesh.Advice.Labels is not null)
            {
                page.Append(CultureInfo.InvariantCulture, $"\n**Labels missing?** {mesh.Advice.Labels}\n");
            }
        }

        return page.ToString().ReplaceLineEndings("\n");
    }

    // In the order in which kinds are always listed.
    private static string Rank(string key)
    {
        int kind = KindNames.All.ToList().IndexOf(key.Split('/')[0]);
        return $"{(key.Contains('/') ? 1 : 0)}{(kind < 0 ? 99 : kind):00}";
    }

    private static string Failure(MeshDescriptor mesh)
    {
        string Alternatives(IReadOnlyList<IReadOnlyList<Matcher>> alternatives) =>
            string.Join(" or ", alternatives.Select(alternative => string.Join(" and ", alternative.Select(matcher => $"`{matcher.ToString().Replace("|", "\\|", StringComparison.Ordinal)}`"))));
        return mesh.Outcome switch
        {
            { Failure: { } failure } => Alternatives(failure),
            { Success: { } success } => $"not {Alternatives(success)}",
            _ => $"it is in `{mesh.Sides.First().Failures}`",
        };
    }
}
