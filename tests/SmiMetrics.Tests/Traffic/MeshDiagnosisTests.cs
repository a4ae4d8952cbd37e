using System.Collections.Frozen;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

/// <summary>Each problem in the words that an operator reads.</summary>
public sealed class MeshDiagnosisTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
    private static readonly WindowOptions Windows = new(WindowOptions.DefaultWindow, WindowOptions.MaxWindow);
    private static readonly MeshDescriptor Linkerd = MeshCatalogue.Load().Find("linkerd");
    private static readonly string[] Labels = ["namespace", "pod", "deployment", "classification", "dst_namespace", "dst_pod", "dst_statefulset"];

    [Fact]
    public void A_mesh_that_is_well_has_no_problems_and_says_what_it_is()
    {
        MeshStatus status = Diagnose(Seen(Side.Server), Seen(Side.Client));
        Assert.Equal(MeshPresence.Found, status.Presence);
        Assert.Empty(status.Problems);
        Assert.Empty(status.Notes);
        Assert.Equal((TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(20), Now.AddSeconds(-3)), (status.ScrapeInterval, status.ShortestWindow, status.NewestSample));
        SideStatus server = status.Sides[0];
        Assert.Equal((Side.Server, "response_total", "response_latency_ms_bucket", true), (server.Side, server.Requests, server.Latency, server.LatencyFound));
        Assert.Contains("cronjob", server.MissingLabels);
        Assert.DoesNotContain("namespace", server.MissingLabels);
    }

    [Fact]
    public void Every_label_without_which_nothing_can_be_told_is_a_problem_with_a_remedy()
    {
        MeshStatus status = Diagnose(Seen(Side.Server) with { Labels = FrozenSet<string>.Empty }, Seen(Side.Client));
        Assert.Equal(
            [
                "server: response_total has no label classification, so success cannot be told from failure",
                "server: response_total has no label namespace, so nothing can be told of the receiver",
                "server: response_total has no label pod, so the receiver's pods cannot be told, nor what only they can tell",
                "server: response_total has none of the labels deployment, statefulset, daemonset, replicationcontroller, k8s_job, cronjob, so the receiver's workload cannot be told",
            ],
            status.Problems.Select(problem => problem.Problem));
        Assert.StartsWith("See whether the outcome of the mesh's descriptor", status.Problems[0].Remedy, StringComparison.Ordinal);
        Assert.All(status.Problems.Skip(1), problem => Assert.Equal(Linkerd.Advice.Labels, problem.Remedy));
    }

    [Fact]
    public void Buckets_that_are_dropped_are_a_problem()
    {
        MeshStatus status = Diagnose(Seen(Side.Server) with { Buckets = SeriesProbe.None }, Seen(Side.Client));
        Assert.Equal("server: there are no series response_latency_ms_bucket, so latencies are unknown", Assert.Single(status.Problems).Problem);
        Assert.False(status.Sides[0].LatencyFound);
    }

    [Theory]
    [InlineData(15, null)]
    [InlineData(16, "it is scraped every 16 s, and a window needs two samples: the shortest that can be answered is 32 s, longer than the default of 30 s")]
    [InlineData(60, "it is scraped every 60 s, and a window needs two samples: the shortest that can be answered is 120 s, longer than the default of 30 s")]
    [InlineData(3600, "it is scraped every 3600 s, and a window needs two samples, so not even the longest (--max-window 3600 s) can be answered")]
    public void An_interval_is_a_problem_from_where_the_default_window_does_not_hold_two(double seconds, string? problem)
    {
        SeriesProbe probe = new(Exists: true, TimeSpan.FromSeconds(seconds), Now);
        MeshStatus status = Diagnose(Seen(Side.Server) with { Probe = probe }, Seen(Side.Client));
        Assert.Equal(problem, status.Problems.SingleOrDefault()?.Problem);
    }

    [Theory]
    [InlineData(49, false)]
    [InlineData(51, true)]
    public void Samples_that_stopped_coming_are_a_problem_after_two_intervals_and_some_patience(double age, bool isProblem)
    {
        SeriesProbe probe = new(Exists: true, TimeSpan.FromSeconds(10), Now.AddSeconds(-age));
        MeshStatus status = Diagnose(Seen(Side.Server) with { Probe = probe }, Seen(Side.Client) with { Probe = probe });
        Assert.Equal(isProblem, status.Problems.Count == 1);
        Assert.All(status.Problems, problem => Assert.Equal("its newest sample is of 2026-11-25 11:59:09 UTC, though it is scraped every 10 s", problem.Problem));
    }

    [Fact]
    public void One_reporter_alone_is_worth_a_note_and_the_other_side_is_asked_first()
    {
        MeshStatus status = Diagnose(Missing(Side.Server), Seen(Side.Client));
        Assert.Equal(MeshPresence.Found, status.Presence);
        Assert.Empty(status.Problems);
        Assert.StartsWith("server: there are no series response_total with direction=\"inbound\"", Assert.Single(status.Notes), StringComparison.Ordinal);
        Assert.False(status.Mesh.Server!.Seen);
        Assert.True(status.Mesh.Client!.Seen);
    }

    [Fact]
    public void A_mesh_that_is_not_there_is_a_problem_only_where_pods_have_its_proxy()
    {
        MeshStatus nowhere = Diagnose(Missing(Side.Server), Missing(Side.Client));
        Assert.Equal(MeshPresence.Missing, nowhere.Presence);
        Assert.Empty(nowhere.Problems);
        Assert.Equal(["there are no series response_total"], nowhere.Notes);
        Assert.Equal(0, nowhere.Proxies);

        Pod pod = new(new("shop", "web-1"), LabelSet.Empty, null, "n1", Pod.Running, "10.0.0.1") { Containers = new([new("linkerd-proxy", [])]) };
        MeshStatus unscraped = new MeshDiagnosis(Linkerd, Windows, Now).Describe([Missing(Side.Server), Missing(Side.Client)], null, With(pod, pod with { Key = new("shop", "web-2"), Phase = "Failed" }));
        MeshProblem problem = Assert.Single(unscraped.Problems);
        Assert.Equal(("1 running pod has its proxy, but there are no series response_total", Linkerd.Advice.Series), (problem.Problem, problem.Remedy));
        Assert.Equal(1, unscraped.Proxies);
    }

    [Fact]
    public void Series_that_lack_what_the_side_is_known_by_are_told_from_none()
    {
        MeshStatus status = Diagnose(Missing(Side.Server) with { Elsewhere = true }, Missing(Side.Client));
        Assert.Equal(
            ["there are series response_total, but none with direction=\"inbound\" and target_port!=\"4191\" and route_name!=\"probe\""], status.Notes);
    }

    [Fact]
    public void A_counter_is_asked_for_by_the_name_that_it_has_here()
    {
        MeshDescriptor kuma = MeshCatalogue.Load().Find("kuma-3");
        MeshSide server = kuma.Server!;
        string other = Assert.Single(server.OtherNames);
        SideLook look = new(Side.Server, server, other, new(true, TimeSpan.FromSeconds(10), Now), false, SeriesProbe.None, FrozenSet<string>.Empty);
        MeshStatus status = new MeshDiagnosis(kuma, Windows, Now).Describe(
            [look, new(Side.Client, kuma.Client!, kuma.Client!.Requests, SeriesProbe.None, false, null, FrozenSet<string>.Empty)], null, ClusterSnapshot.None);
        Assert.Equal(other, status.Mesh.Server!.Requests);
        Assert.Equal(kuma.Client.Requests, status.Mesh.Client!.Requests);
    }

    /// <summary>Kuma 3's counter may end in _total, and its splits are in that same counter.</summary>
    [Fact]
    public void Splits_are_in_the_counter_by_the_name_that_it_has_here()
    {
        MeshDescriptor kuma = MeshCatalogue.Load().Find("kuma-3");
        SplitView way = Assert.Single(kuma.Splits);
        MeshSide side = way.ByClient ? kuma.Client! : kuma.Server!;
        string other = Assert.Single(side.OtherNames);
        MeshStatus status = new MeshDiagnosis(kuma, Windows, Now).Describe(
            [.. new[] { (Side.Server, kuma.Server!), (Side.Client, kuma.Client!) }.Select(each =>
                new SideLook(each.Item1, each.Item2, each.Item2.OtherNames[0], new(true, TimeSpan.FromSeconds(10), Now), false, SeriesProbe.None, null))],
            null,
            ClusterSnapshot.None);
        Assert.Equal(other, Assert.Single(status.Mesh.Splits).Series.Requests);
    }

    private static MeshStatus Diagnose(params SideLook[] sides) => new MeshDiagnosis(Linkerd, Windows, Now).Describe(sides, null, With());

    private static ClusterSnapshot With(params Pod[] pods) =>
        new(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Pod] = pods }, []);

    private static SideLook Seen(Side side)
    {
        SeriesProbe probe = new(Exists: true, TimeSpan.FromSeconds(10), Now.AddSeconds(-3));
        return new SideLook(side, Of(side), Of(side).Requests, probe, Elsewhere: false, probe, Labels.ToFrozenSet());
    }

    private static SideLook Missing(Side side) =>
        new(side, Of(side), Of(side).Requests, SeriesProbe.None, Elsewhere: false, Buckets: null, FrozenSet<string>.Empty);

    private static MeshSide Of(Side side) => side == Side.Server ? Linkerd.Server! : Linkerd.Client!;
}
