using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Tests.Auth;
using SmiMetrics.Transport;

namespace SmiMetrics.Tests.Scrape;

/// <summary>
/// A scraper in a time of its own, in front of real sockets or of a handler. Time passes in steps, and after each everything that it
/// set going is waited for, except what a <see cref="ProxyServer"/> keeps waiting.
/// </summary>
internal sealed class ScrapeWorld : IAsyncDisposable
{
    public static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);
    public static readonly DateTimeOffset Start = new(2031, 5, 17, 11, 43, 7, 123, TimeSpan.Zero);

    private static readonly MeshDescriptor Linkerd = MeshCatalogue.Load().All.Single(mesh => mesh.Name == "linkerd");

    private readonly PageClient _client;
    private readonly Scraper _scraper;
    private readonly RecordingDoor _door;
    private readonly TimeSpan _timeout;
    private readonly SemaphoreSlim _changed = new(0);
    private readonly List<ProxyServer> _servers = [];
    private readonly CountedTime _time = new(Start);
    private TaskCompletionSource _stepped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="door">What stands in place of the network; null for the network.</param>
    public ScrapeWorld(ScrapeOptions options, Cluster? cluster = null, MeshDescriptor[]? meshes = null, HttpMessageHandler? door = null)
    {
        _timeout = options.Timeout;
        Cluster = cluster ?? Cluster.Absent();
        Counts = new ScrapeCounts(Changed);
        _door = new RecordingDoor(door ?? new TransportHandler(options.Transport, Time), Time, Changed);
        _client = new PageClient(options, _door, "1.2.3", Time);
        Store = new SampleStore(new SeriesSelection([Linkerd]), TimeSpan.FromHours(1), Time);
        _scraper = new Scraper(Cluster, new ConfiguredMeshes(meshes ?? [], auto: false), options, Store, _client, new ScrapeMetrics(Counts), Time, Log);
    }

    public FakeTimeProvider Time => _time;

    /// <summary>Completes when time has passed.</summary>
    public Task Stepped => Volatile.Read(ref _stepped).Task;

    /// <summary>Whether targets may wait for each other: then it cannot be told whether they have gone to wait already.</summary>
    public bool Crowded { get; init; }

    public Cluster Cluster { get; }

    public SampleStore Store { get; }

    public ScrapeCounts Counts { get; }

    public LogRecorder<Scraper> Log { get; } = new();

    /// <summary>When each scrape began, and of what.</summary>
    public IReadOnlyList<(DateTimeOffset At, Uri Url)> Begun => _door.Begun;

    public static MeshDescriptor Mesh(string name, ProxyEndpoint? endpoint) => Linkerd with { Name = name, Scrape = endpoint };

    /// <summary>The last error of the target with this URL (without a fragment).</summary>
    public string? LastError(string url) => Target(url).Series.LastError;

    public StoredTarget Target(string url) => Store.Targets.Last(target => target.Series.Target.Url == new Uri(url));

    /// <summary>Makes it known that this server may keep requests waiting.</summary>
    public void Watch(ProxyServer server)
    {
        server.Changed = Changed;
        _servers.Add(server);
    }

    public async Task StartAsync()
    {
        Task followed = Log.Next(" targets, ");
        await _scraper.StartAsync(TestContext.Current.CancellationToken);
        await followed;
    }

    public async Task PassAsync(TimeSpan time)
    {
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += Step)
        {
            Time.Advance(Step);
            Interlocked.Exchange(ref _stepped, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            await SettleAsync();
        }
    }

    /// <summary>Waits until nothing is under way but what hangs.</summary>
    public async Task SettleAsync()
    {
        using CancellationTokenSource patience = new(Patience.Limit);
        while (!Settled())
        {
            patience.Token.ThrowIfCancellationRequested();
            // Not everything that it depends on tells of itself.
            await _changed.WaitAsync(TimeSpan.FromMilliseconds(10), TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits for the end of a target's loop, which nothing announces.</summary>
    public async Task GoneAsync(string url)
    {
        using CancellationTokenSource patience = new(Patience.Limit);
        while (Target(url).GoneSince is null)
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private bool Settled()
    {
        IReadOnlyList<(DateTimeOffset At, Uri Url)> begun = Begun;
        long ended = Counts["smi_metrics_scrapes_total"] - Counts.Scrapes("credentials"); // which are never begun
        // A server may see later than its client that it was given up, so what is past its deadline does not count as hanging.
        DateTimeOffset overdue = Time.GetUtcNow() - _timeout;
        int hanging = _servers.Sum(server =>
            Math.Min(server.Hanging, begun.Count(scrape => scrape.At > overdue && scrape.Url.Authority == new Uri(server.Url).Authority)));
        // Of a loop whose scrape has ended the next turn's timer tells that it will not miss that turn.
        return begun.Count == ended + hanging && (Crowded || _time.Waiting >= Store.Targets.Count(target => target.GoneSince is null) - hanging);
    }

    /// <summary>The cluster changes, and the scraper sees it.</summary>
    public async Task PublishAsync(ClusterSnapshot snapshot)
    {
        Task followed = Log.Next(" targets, ");
        Cluster.Publish(snapshot);
        for (int i = 0; i < 10; i++)
        {
            Time.Advance(Step);
        }

        await followed;
    }

    public Task StopAsync() => _scraper.StopAsync(TestContext.Current.CancellationToken).WaitAsync(Patience.Limit);

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _scraper.Dispose();
        _client.Dispose();
        Counts.Dispose();
    }

    private void Changed() => _changed.Release();

    private sealed class RecordingDoor(HttpMessageHandler inner, TimeProvider time, Action changed) : DelegatingHandler(inner)
    {
        private readonly ConcurrentQueue<(DateTimeOffset, Uri)> _begun = [];

        public IReadOnlyList<(DateTimeOffset At, Uri Url)> Begun => [.. _begun];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            _begun.Enqueue((time.GetUtcNow(), request.RequestUri!));
            changed();
            return base.SendAsync(request, cancellationToken);
        }
    }
}

/// <summary>Adds up what the scraper counts: by instrument, and by instrument and tag (<c>name{ok}</c>).</summary>
internal sealed class ScrapeCounts : HeardMeters
{
    private readonly ConcurrentDictionary<string, long> _counts = [];

    public ScrapeCounts(Action changed)
    {
        Listener.SetMeasurementEventCallback<long>((instrument, count, tags, _) => Add(instrument, count, tags));
        Listener.SetMeasurementEventCallback<int>((instrument, count, tags, _) => Add(instrument, count, tags));
        Listener.Start();

        void Add(Instrument instrument, long count, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            bool gauge = instrument.IsObservable;
            _counts.AddOrUpdate(instrument.Name, count, (_, before) => gauge ? count : before + count);
            if (tags.Length > 0)
            {
                _counts.AddOrUpdate($"{instrument.Name}{{{tags[0].Value}}}", count, (_, before) => gauge ? count : before + count);
            }

            changed();
        }
    }

    public long this[string key] => _counts.GetValueOrDefault(key);

    public long Late => this["smi_metrics_scrape_late_total"];

    public long Scrapes(string outcome) => this[$"smi_metrics_scrapes_total{{{outcome}}}"];

    public long Targets(string state)
    {
        Listener.RecordObservableInstruments();
        return this[$"smi_metrics_scrape_targets{{{state}}}"];
    }
}
