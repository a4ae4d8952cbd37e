using Microsoft.Extensions.DependencyInjection;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Tests;
using ScrapeTarget = SmiMetrics.EndToEnd.Mesh.ScrapeTarget;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// The whole server with its embedded scraper before simulated proxies, in a time of its own: time passes in steps, and after each it is waited for
/// until every scrape that was due has ended. So what it has seen is the same on every machine.
/// </summary>
internal sealed class VirtualScraping : IAsyncDisposable
{
    public static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    // The scraper's.
    private static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(1);

    // A loop tells when it goes to sleep, but not everything else that is waited for tells of itself.
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(10);

    private static int _scrapers;

    private readonly CountedTime _clock;
    private readonly SemaphoreSlim _slept = new(0);

    private VirtualScraping(DateTimeOffset begin, DateTimeOffset pagesBegun)
    {
        _clock = new CountedTime(begin) { Changed = () => _slept.Release() };
        Mesh = new SimulatedMesh(_clock, pagesBegun);
    }

    /// <summary>The proxies.</summary>
    public SimulatedMesh Mesh { get; }

    /// <summary>What has been seen of their pages.</summary>
    public Recording Recording { get; } = new();

    public TimeProvider Clock => _clock;

    public InProcessServer Server { get; private set; } = null!;

    /// <param name="begin">The time at which all begins.</param>
    /// <param name="pagesBegun">When all pages did.</param>
    /// <param name="proxies">That are there from the start.</param>
    /// <param name="snapshot">The cluster; null for none.</param>
    /// <param name="interval">Between two scrapes of a proxy.</param>
    /// <param name="flags">Of the server, beside those of scraping.</param>
    public static async Task<VirtualScraping> StartAsync(
        DateTimeOffset begin,
        DateTimeOffset pagesBegun,
        IEnumerable<(ScrapeTarget Target, ProxyPage Page)> proxies,
        ClusterSnapshot? snapshot,
        TimeSpan interval,
        string[] flags,
        CancellationToken cancellationToken)
    {
        VirtualScraping scraping = new(begin, pagesBegun);
        foreach ((ScrapeTarget target, ProxyPage page) in proxies)
        {
            scraping.Mesh.Show(target.Url, page);
        }

        scraping.Server = await InProcessServer.StartAsync(
            new Doors(Proxies: scraping.Mesh.Door(Interlocked.Increment(ref _scrapers), scraping.Recording.Add)),
            scraping._clock,
            snapshot,
            ["--source", "scrape", "--scrape-interval", $"{interval.TotalSeconds:0}s", .. flags],
            cancellationToken);
        await scraping.SettleAsync(cancellationToken);
        return scraping;
    }

    /// <summary>Lets time pass.</summary>
    /// <param name="stepped">What happens after each step.</param>
    public async Task PassAsync(TimeSpan time, Action? stepped, CancellationToken cancellationToken)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += Step)
        {
            _clock.Advance(Step);
            await SettleAsync(cancellationToken);
            stepped?.Invoke();
        }
    }

    /// <summary>Changes the cluster, and lets time pass until the scraper follows it. It looks once a second, so a whole number of them must have passed.</summary>
    public async Task PublishAsync(ClusterSnapshot snapshot, Action? stepped, CancellationToken cancellationToken)
    {
        Server.Publish(snapshot);
        await PassAsync(LookPeriod, stepped, cancellationToken);
        HashSet<Uri> targets = [.. TargetDiscovery.Find(snapshot, Server.Services.GetRequiredService<ConfiguredMeshes>().Current, named: []).Select(target => target.Url)];
        await Eventually.TrueAsync("the scraper follows", _ => Task.FromResult(targets.SetEquals(Followed.Select(target => target.Series.Target.Url))), explain: null, cancellationToken);
        await SettleAsync(cancellationToken);
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    private SampleStore Store => Server.Services.GetRequiredService<SampleStore>();

    private IEnumerable<StoredTarget> Followed => Store.Targets.Where(target => target.GoneSince is null);

    /// <summary>Waits until every loop sleeps until its next turn, and so does the one that looks which meshes there are.</summary>
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience.Limit);
        while (!Store.Complete || _clock.Waiting != Followed.Count() + 1)
        {
            await _slept.WaitAsync(Glance, patience.Token);
        }
    }
}
