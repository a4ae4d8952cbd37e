using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Tests.Kubernetes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

public sealed class MeshMonitorTests
{
    private static readonly MeshDescriptor Istio = MeshCatalogue.Load().Find("istio");
    private static readonly MeshDescriptor Linkerd = MeshCatalogue.Load().Find("linkerd");

    [Fact]
    public async Task The_meshes_whose_series_exist_are_asked()
    {
        using MeshMonitor monitor = await LookAsync(series => new SeriesProbe(series == "response_total", TimeSpan.FromSeconds(10)));
        Assert.Equal(["linkerd"], monitor.Active.Select(mesh => mesh.Name));
        Assert.True(monitor.IsMissing(Istio));
        Assert.False(monitor.IsMissing(Linkerd));
        Assert.Equal(TimeSpan.FromSeconds(10), monitor.ScrapeInterval);
    }

    [Fact]
    public async Task While_none_exists_none_is_asked()
    {
        using MeshMonitor monitor = await LookAsync(_ => SeriesProbe.None);
        Assert.Empty(monitor.Active);
        Assert.Equal([Istio, Linkerd], monitor.Configured);
        Assert.Null(monitor.ScrapeInterval);
    }

    /// <summary>Also what nobody foresaw: a probe's exception once ended the loop, and the server with it.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_mesh_that_cannot_be_looked_at_does_not_hide_the_others(bool foreseen)
    {
        Exception failure = foreseen ? new SourceUnavailableException("refused", null) : new FormatException("unforeseen");
        using MeshMonitor monitor = await LookAsync(series => series == "istio_requests_total" ? throw failure : new SeriesProbe(true, TimeSpan.FromSeconds(60)));
        Assert.Equal(["linkerd"], monitor.Active.Select(mesh => mesh.Name));
        Assert.Equal(TimeSpan.FromMinutes(1), monitor.ScrapeInterval);
    }

    [Theory]
    [InlineData(15.002, 15)]
    [InlineData(14.996, 15)]
    [InlineData(5.001, 5)]
    [InlineData(1.02, 1)]
    [InlineData(0.5, 0.5)]
    [InlineData(1.5, 1.5)]
    [InlineData(2.4, 2.4)]
    public async Task An_interval_is_the_one_that_somebody_configured(double measured, double expected)
    {
        using MeshMonitor monitor = await LookAsync(_ => new SeriesProbe(true, TimeSpan.FromSeconds(measured)));
        Assert.Equal(TimeSpan.FromSeconds(expected), monitor.ScrapeInterval);
    }

    [Fact]
    public async Task What_is_found_and_lost_is_told_once_and_that_there_is_nothing_too()
    {
        FakeTimeProvider clock = new();
        TestLog<MeshMonitor> log = new();
        int there = 0;
        int looks = 0;
        using MeshMonitor monitor = Monitor(series => Count(series.EndsWith("_bucket", StringComparison.Ordinal) || (series == "response_total" && Volatile.Read(ref there) == 1)), clock, log);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        await LookTwiceAsync();
        Volatile.Write(ref there, 1);
        await LookTwiceAsync();
        Volatile.Write(ref there, 0);
        await LookTwiceAsync();
        Assert.Equal(
            [
                "Warning: no mesh has series, so there is no traffic; looked for istio, linkerd",
                "Information: mesh linkerd has series (response_total)",
                "Warning: mesh linkerd has no series any more (response_total)",
                "Warning: no mesh has series, so there is no traffic; looked for istio, linkerd",
            ],
            log.Lines);

        SeriesProbe Count(bool exists)
        {
            Interlocked.Increment(ref looks);
            return new SeriesProbe(exists, exists ? TimeSpan.FromSeconds(10) : null);
        }

        // A look has eight probes at most, and what it found is told before the next begins.
        async Task LookTwiceAsync()
        {
            int before = Volatile.Read(ref looks);
            using CancellationTokenSource patience = new(Patience.Limit);
            while (Volatile.Read(ref looks) < before + 24)
            {
                clock.Advance(TimeSpan.FromSeconds(30));
                await Task.Yield();
                patience.Token.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Proxies of one mesh are often ones that another's descriptor knows too: its missing series were reported as a problem of a healthy cluster.</summary>
    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 1)]
    public async Task A_missing_mesh_is_a_problem_beside_another_only_where_somebody_named_it(bool auto, int problems)
    {
        Pod pod = new(new("shop", "web"), LabelSet.Empty, null, "n1", Pod.Running, "10.0.0.1") { Containers = new([new("istio-proxy", [])]) };
        Cluster cluster = Cluster.Fixed(new ClusterSnapshot(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Pod] = [pod] }, []));
        using MeshMonitor monitor = Monitor(
            series => new SeriesProbe(series.StartsWith("response_", StringComparison.Ordinal), TimeSpan.FromSeconds(10)), TimeProvider.System, NullLogger<MeshMonitor>.Instance, auto, cluster);
        await monitor.LookNowAsync(TestContext.Current.CancellationToken);
        MeshStatus istio = monitor.Statuses.Single(status => status.Mesh.Name == "istio");
        Assert.Equal((MeshPresence.Missing, problems), (istio.Presence, istio.Problems.Count));
        Assert.Contains("1 running pod has its proxy, but there are no series istio_requests_total", auto ? istio.Notes : istio.Problems.Select(problem => problem.Problem));
    }

    /// <summary>Its first look comes before the cluster has been read, and its next came a minute later: until then nobody knew of any proxy.</summary>
    [Fact]
    public async Task Proxies_are_counted_soon_after_the_cluster_has_been_read()
    {
        TestTime clock = new();
        Cluster cluster = Cluster.Watched();
        using MeshMonitor monitor = Monitor(_ => new SeriesProbe(true, TimeSpan.FromSeconds(10)), clock, NullLogger<MeshMonitor>.Instance, cluster: cluster);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        await monitor.FirstLook.WaitAsync(TestContext.Current.CancellationToken);
        Assert.All(monitor.Statuses, status => Assert.Null(status.Proxies));

        Pod pod = new(new("shop", "web"), LabelSet.Empty, null, "n1", Pod.Running, "10.0.0.1") { Containers = new([new("linkerd-proxy", [])]) };
        cluster.Publish(new ClusterSnapshot(new Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> { [ResourceKind.Pod] = [pod] }, []));
        clock.Advance(await clock.NextTimerAsync(TimeSpan.Zero, TimeSpan.FromSeconds(5)));
        // The next wait begins when the second look is over.
        await clock.NextTimerAsync(TimeSpan.Zero, TimeSpan.MaxValue);
        Assert.Contains(monitor.Statuses, status => status.Proxies == 1);
    }

    /// <summary>What is known to be there must not be taken away by a question about its labels that failed.</summary>
    [Fact]
    public async Task A_mesh_whose_buckets_cannot_be_asked_for_is_there_all_the_same()
    {
        using MeshMonitor monitor = await LookAsync(series => series.EndsWith("_bucket", StringComparison.Ordinal)
            ? throw new SourceUnavailableException("too slow", null)
            : new SeriesProbe(series == "response_total", TimeSpan.FromSeconds(10)));
        Assert.Equal(["linkerd"], monitor.Active.Select(mesh => mesh.Name));
    }

    [Fact]
    public async Task A_problem_is_logged_when_it_begins_and_not_at_every_look()
    {
        TestLog<MeshMonitor> log = new();
        using MeshMonitor monitor = Monitor(series => new SeriesProbe(series == "response_total", TimeSpan.FromSeconds(10)), TimeProvider.System, log);
        await monitor.LookNowAsync(TestContext.Current.CancellationToken);
        await monitor.LookNowAsync(TestContext.Current.CancellationToken);
        Assert.Single(log.Lines, line => line.StartsWith("Warning: mesh linkerd: server: there are no series response_latency_ms_bucket, so latencies are unknown.", StringComparison.Ordinal));
    }

    /// <summary>Two looks at once wrote into what both remember, and one of them ended with an exception.</summary>
    [Fact]
    public async Task A_look_that_is_asked_for_during_another_begins_when_that_has_ended()
    {
        AsyncLocal<int> look = new();
        ConcurrentQueue<int> asked = [];
        TaskCompletionSource<Task> second = new();
        int begun = 0;
        MeshMonitor monitor = null!;
        monitor = Monitor(
            _ =>
            {
                asked.Enqueue(look.Value);
                if (Interlocked.Exchange(ref begun, 1) == 0)
                {
                    look.Value = 2;
                    second.SetResult(monitor.LookNowAsync(TestContext.Current.CancellationToken));
                    look.Value = 1;
                }

                return SeriesProbe.None;
            },
            TimeProvider.System,
            NullLogger<MeshMonitor>.Instance);
        look.Value = 1;
        await monitor.LookNowAsync(TestContext.Current.CancellationToken);
        await await second.Task;
        Assert.Contains(2, asked);
        Assert.Equal(asked.Order(), asked);
        monitor.Dispose();
    }

    private static async Task<MeshMonitor> LookAsync(Func<string, SeriesProbe> probe)
    {
        MeshMonitor monitor = Monitor(probe, TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        await monitor.FirstLook.WaitAsync(TestContext.Current.CancellationToken);
        return monitor;
    }

    private static MeshMonitor Monitor(Func<string, SeriesProbe> probe, TimeProvider clock, ILogger<MeshMonitor> log, bool auto = false, Cluster? cluster = null) => new(
        new ConfiguredMeshes([Istio, Linkerd], auto),
        new ProbedSource(probe),
        cluster ?? Cluster.Absent(),
        new WindowOptions(WindowOptions.DefaultWindow, WindowOptions.MaxWindow),
        clock,
        log);

    private sealed class ProbedSource(Func<string, SeriesProbe> probe) : ITrafficSource
    {
        public DateTimeOffset Instant => DateTimeOffset.UnixEpoch;

        public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("nobody asks");

        public async Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken)
        {
            await Task.Yield();
            return probe(series);
        }

        public Task<IReadOnlySet<string>> FindLabelsAsync(
            string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlySet<string>>(labels.ToHashSet());
    }
}
