using System.Collections.Frozen;
using System.Text.RegularExpressions;
using SmiMetrics.Diagnostics;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Diagnostics;

/// <summary>What <c>smi-metrics check</c> prints.</summary>
public sealed class CheckReportTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private static readonly WindowOptions Windows = new(WindowOptions.DefaultWindow, WindowOptions.MaxWindow);
    private static readonly MeshDescriptor Linkerd = MeshCatalogue.Load().Find("linkerd");

    [Fact]
    public void The_README_shows_what_is_printed()
    {
        MeshStatus status = Look(Linkerd, TimeSpan.FromSeconds(60), "classification");
        string readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", "README.md"));
        string shown = Regex.Match(readme, "```console\n\\$ smi-metrics check [^\n]*\n(.*?)```", RegexOptions.Singleline).Groups[1].Value;
        Assert.Equal(shown, Print(auto: false, status));
    }

    [Fact]
    public void A_mesh_that_is_well_is_all_that_is_said()
    {
        MeshStatus well = Look(Linkerd, TimeSpan.FromSeconds(10), [.. MeshDiagnosis.LabelsOf(Linkerd, Linkerd.Server!)]);
        CheckReport report = Report(null, null, auto: true, well, Missing("istio"));
        Assert.True(report.IsGood);
        string text = Text(report);
        Assert.Contains("\nNot found: istio\n\nNo problems.\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("labels not seen", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_any_mesh_it_says_what_was_looked_for_and_what_to_do()
    {
        CheckReport report = Report(null, null, auto: true, Missing("linkerd"), Missing("istio"));
        Assert.False(report.IsGood);
        Assert.Contains("there are no series of any of the 2 meshes that were looked for, so there is no traffic to tell of.", Text(report), StringComparison.Ordinal);
        Assert.Contains("Have Prometheus scrape the mesh's proxies.", Text(report), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mesh_that_was_asked_for_by_name_is_missed_beside_one_that_is_there()
    {
        MeshStatus well = Look(Linkerd, TimeSpan.FromSeconds(10), [.. MeshDiagnosis.LabelsOf(Linkerd, Linkerd.Server!)]);
        Assert.False(Report(null, null, auto: false, well, Missing("istio")).IsGood);
        Assert.Contains("\n1 problem:\n\n  istio: there are no series istio_requests_total.\n", Text(Report(null, null, auto: false, well, Missing("istio"))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_source_that_does_not_answer_is_the_problem_and_not_the_meshes()
    {
        HttpRequestException cause = new("no", new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.ConnectionRefused));
        CheckReport report = Report(new SourceUnavailableException("Prometheus cannot be reached", cause), "3 pods in 2 namespaces on 1 nodes", auto: true);
        Assert.False(report.IsGood);
        Assert.Equal(
            """
            Cluster: 3 pods in 2 namespaces on 1 nodes

            1 problem:

              the numbers cannot be read: Prometheus cannot be reached (Connection refused).
                See --prometheus-url and the flags for its credentials.

            """,
            Text(report));
    }

    private static string Print(bool auto, params MeshStatus[] statuses) => Text(Report(null, null, auto, statuses));

    private static CheckReport Report(SourceUnavailableException? failure, string? cluster, bool auto, params MeshStatus[] statuses) =>
        new(statuses, [], failure, cluster, auto, scrapes: false, Now);

    private static string Text(CheckReport report)
    {
        StringWriter text = new();
        report.Write(text);
        return text.ToString().ReplaceLineEndings("\n");
    }

    private static MeshStatus Look(MeshDescriptor mesh, TimeSpan interval, params string[] labels)
    {
        SeriesProbe probe = new(Exists: true, interval, Now.AddSeconds(-12));
        return new MeshDiagnosis(mesh, Windows, Now).Describe(
            [
                new SideLook(Side.Server, mesh.Server!, mesh.Server!.Requests, probe, Elsewhere: false, probe, labels.ToFrozenSet()),
                new SideLook(Side.Client, mesh.Client!, mesh.Client!.Requests, SeriesProbe.None, Elsewhere: true, null, FrozenSet<string>.Empty),
            ],
            interval: null,
            ClusterSnapshot.None);
    }

    private static MeshStatus Missing(string name)
    {
        MeshDescriptor mesh = MeshCatalogue.Load().Find(name);
        return new MeshDiagnosis(mesh, Windows, Now).Describe(
            [
                new SideLook(Side.Server, mesh.Server!, mesh.Server!.Requests, SeriesProbe.None, Elsewhere: false, null, FrozenSet<string>.Empty),
                new SideLook(Side.Client, mesh.Client!, mesh.Client!.Requests, SeriesProbe.None, Elsewhere: false, null, FrozenSet<string>.Empty),
            ],
            interval: null,
            ClusterSnapshot.None);
    }
}
