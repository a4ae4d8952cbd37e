using System.Net;
using System.Threading.Channels;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class ConfigMapWatcherTests : IAsyncDisposable
{
    private const string Path = "/api/v1/namespaces/kube-system/configmaps";
    private const string Name = "extension-apiserver-authentication";
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly FakeApiServer _server = new FakeApiServer().Serve(Path);
    private readonly TestTime _time = new();
    private readonly TestLog<ConfigMapWatcher> _log = new();
    private readonly TestMeters _meters = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<string> _deliveries = Channel.CreateUnbounded<string>();
    private Task _running = Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(Patience.Limit);
        _meters.Dispose();
    }

    [Fact]
    public async Task It_reads_asks_for_the_name_alone_and_follows_changes()
    {
        _server.Put(Path, ConfigMap(Name, "one"));
        _server.Put(Path, ConfigMap("other", "two"));
        Start();

        Assert.Equal("ca=one", await DeliveryAsync());
        Assert.Equal("metadata.name=" + Name, (await _server.NextListAsync(Path)).Query["fieldSelector"]);
        Seen watch = await _server.NextWatchAsync(Path);
        Assert.Equal("metadata.name=" + Name, watch.Query["fieldSelector"]);
        Assert.Equal("60", watch.Query["timeoutSeconds"]);

        _server.Put(Path, ConfigMap(Name, "three"));
        Assert.Equal("ca=three", await DeliveryAsync());
        _server.Delete(Path, "kube-system/" + Name);
        Assert.Equal("none", await DeliveryAsync());
        _server.Put(Path, """{"metadata":{"namespace":"kube-system","name":"extension-apiserver-authentication"}}""");
        Assert.Equal("", await DeliveryAsync());
    }

    [Fact]
    public async Task One_that_does_not_exist_is_delivered_as_null()
    {
        Start();

        Assert.Equal("none", await DeliveryAsync());
    }

    [Fact]
    public async Task It_is_read_again_every_minute_and_delivered_only_if_it_differs()
    {
        _server.Put(Path, ConfigMap(Name, "one"));
        Start();
        Assert.Equal("ca=one", await DeliveryAsync());
        for (int i = 0; i < 3; i++)
        {
            await _server.NextListAsync(Path);
            await _server.NextWatchAsync(Path);
            await _time.NextTimerAsync(Informer.SteadyAfter, Informer.SteadyAfter);
            _time.Advance(Minute);
            _server.CloseWatches(Path);
        }

        await _server.NextListAsync(Path);
        Assert.False(_deliveries.Reader.TryRead(out _));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task While_it_is_forbidden_it_keeps_trying()
    {
        _server.Put(Path, ConfigMap(Name, "one"));
        _server.Intercept = _ => FakeApiServer.Status(HttpStatusCode.Forbidden, "configmaps is forbidden");
        Start();
        for (int i = 0; i < 3; i++)
        {
            await _server.NextListAsync(Path);
            _time.Advance(await _time.NextTimerAsync(Backoff.Shortest, Backoff.Longest));
        }

        _server.Intercept = _ => null;
        _time.Advance(await _time.NextTimerAsync(Backoff.Shortest, Backoff.Longest));

        Assert.Equal("ca=one", await DeliveryAsync());
        Assert.Equal("Warning: Cannot follow configmaps in Kubernetes: 403 Forbidden: configmaps is forbidden. Trying until it works.", _log.Lines[0]);
    }

    [Fact]
    public async Task What_the_reader_cannot_take_is_offered_again()
    {
        _server.Put(Path, ConfigMap(Name, "one"));
        int calls = 0;
        Start(data =>
        {
            if (Interlocked.Increment(ref calls) == 1)
            {
                throw new FormatException("no certificate");
            }

            Deliver(data);
        });
        await _server.NextListAsync(Path);
        _time.Advance(await _time.NextTimerAsync(Backoff.Shortest, Backoff.Longest));

        Assert.Equal("ca=one", await DeliveryAsync());
    }

    private void Start() => Start(Deliver);

    private void Start(Action<IReadOnlyDictionary<string, string>?> changed)
    {
        ConfigMapWatcher watcher = new(KubernetesApi.Over(_server), "kube-system", Name, changed, _time, _log, new KubernetesMetrics(_meters));
        _running = Task.Run(() => watcher.RunAsync(_stop.Token), TestContext.Current.CancellationToken);
    }

    private void Deliver(IReadOnlyDictionary<string, string>? data) =>
        _deliveries.Writer.TryWrite(data is null ? "none" : string.Join(';', data.Select(entry => $"{entry.Key}={entry.Value}")));

    private async Task<string> DeliveryAsync() =>
        await _deliveries.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);

    private static string ConfigMap(string name, string value) =>
        $$$"""{"metadata":{"namespace":"kube-system","name":"{{{name}}}"},"data":{"ca":"{{{value}}}"}}""";
}
