using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
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
        Assert.Equal([Linkerd], monitor.Active);
        Assert.True(monitor.IsMissing(Istio));
        Assert.False(monitor.IsMissing(Linkerd));
        Assert.Equal(TimeSpan.FromSeconds(10), monitor.ScrapeInterval);
    }

    [Fact]
    public async Task While_none_exists_all_are_asked()
    {
        using MeshMonitor monitor = await LookAsync(_ => new SeriesProbe(false, null));
        Assert.Equal([Istio, Linkerd], monitor.Active);
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
        Assert.Equal([Linkerd], monitor.Active);
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
        using MeshMonitor monitor = new([Istio, Linkerd], new ProbedSource(series => Count(series == "response_total" && Volatile.Read(ref there) == 1)), clock, log);
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

        // Two probes are a look, and what it found is told before the next begins.
        async Task LookTwiceAsync()
        {
            int before = Volatile.Read(ref looks);
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(20));
            while (Volatile.Read(ref looks) < before + 6)
            {
                clock.Advance(TimeSpan.FromSeconds(30));
                await Task.Yield();
                patience.Token.ThrowIfCancellationRequested();
            }
        }
    }

    private static async Task<MeshMonitor> LookAsync(Func<string, SeriesProbe> probe)
    {
        MeshMonitor monitor = new([Istio, Linkerd], new ProbedSource(probe), TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(TestContext.Current.CancellationToken);
        await monitor.FirstLook.WaitAsync(TestContext.Current.CancellationToken);
        return monitor;
    }

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
    }
}
