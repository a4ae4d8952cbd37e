using System.Net;
using System.Threading.Channels;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class InformerTests : IAsyncDisposable
{
    private const string Pods = "/api/v1/pods";

    private readonly FakeApiServer _server = new FakeApiServer().Serve(Pods);
    private readonly TestTime _time = new();
    private readonly TestLog<Informer> _log = new();
    private readonly TestMeters _meters = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<string> _changes = Channel.CreateUnbounded<string>();
    private Informer _informer = null!;
    private Task _running = Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(Patience.Limit);
        _meters.Dispose();
    }

    [Fact]
    public async Task It_lists_page_by_page_and_watches_from_the_lists_version()
    {
        for (int i = 0; i < 1203; i++)
        {
            _server.Put(Pods, Pod($"p{i:0000}"));
        }

        Start();

        HashSet<string> names = [.. await ChangesAsync(1203)];
        Assert.Equal(1203, names.Count);
        Assert.Equal("listed", await ChangeAsync());
        Seen first = await _server.NextListAsync(Pods);
        Seen second = await _server.NextListAsync(Pods);
        Seen third = await _server.NextListAsync(Pods);
        Seen watch = await _server.NextWatchAsync(Pods);
        Assert.Equal("500", first.Query["limit"]);
        Assert.False(first.Query.ContainsKey("continue"));
        Assert.Equal("1303+500", second.Query["continue"]);
        Assert.Equal("1303+1000", third.Query["continue"]);
        Assert.Equal("1303", watch.Query["resourceVersion"]);
        Assert.Equal("true", watch.Query["allowWatchBookmarks"]);
        Assert.InRange(int.Parse(watch.Query["timeoutSeconds"]), 300, 600);
        Assert.Equal(1, _meters.Count("lists", "pods"));
    }

    [Fact]
    public async Task It_reports_what_is_added_modified_and_deleted()
    {
        Start();
        Assert.Equal("listed", await ChangeAsync());
        await _server.NextWatchAsync(Pods);

        _server.Put(Pods, Pod("a", node: "n1"));
        _server.Put(Pods, Pod("a", node: "n2"));
        _server.Delete(Pods, "shop/a");

        Assert.Equal(["shop/a n1", "shop/a n2", "-shop/a"], await ChangesAsync(3));
    }

    [Fact]
    public async Task A_watch_that_the_server_closes_is_resumed_without_a_list()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        _server.Put(Pods, Pod("a"));
        Assert.Equal(["listed", "shop/a n1"], await ChangesAsync(2));

        _server.CloseWatches(Pods);
        _server.Put(Pods, Pod("b"));

        Seen again = await _server.NextWatchAsync(Pods);
        Assert.Equal("101", again.Query["resourceVersion"]);
        Assert.Equal("shop/b n1", await ChangeAsync());
        Assert.Single(_server.Requests, request => !request.IsWatch);
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task A_line_that_is_cut_off_is_delivered_by_the_next_watch()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        _server.Put(Pods, Pod("a"));
        Assert.Equal(["listed", "shop/a n1"], await ChangesAsync(2));

        _server.CloseWatches(Pods, lastWords: """{"type":"MODIFIED","object":{"metadata":{"namespace":"shop","name":"a","resourceVersion":"999"}""");

        Assert.Equal("101", (await _server.NextWatchAsync(Pods)).Query["resourceVersion"]);
        Assert.Equal(0, _meters.Count("skipped_events", "pods"));
    }

    [Fact]
    public async Task Bookmarks_advance_the_version_and_change_nothing()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        Assert.Equal("listed", await ChangeAsync());

        _server.SendLine(Pods, """{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"4711","creationTimestamp":null},"spec":{"containers":null},"status":{}}}""");
        _server.CloseWatches(Pods);

        Assert.Equal("4711", (await _server.NextWatchAsync(Pods)).Query["resourceVersion"]);
        Assert.False(_changes.Reader.TryRead(out _));
        Assert.Equal(0, _meters.Count("skipped_events", "pods"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_history_has_expired_it_lists_again_and_drops_what_vanished(bool asStatus)
    {
        _server.Put(Pods, Pod("a"));
        _server.Put(Pods, Pod("b"));
        Start();
        await _server.NextListAsync(Pods);
        await _server.NextWatchAsync(Pods);
        Assert.Equal(["shop/a n1", "shop/b n1", "listed"], await ChangesAsync(3));

        _server.Delete(Pods, "shop/a", silently: true);
        if (asStatus)
        {
            bool refused = false;
            _server.Intercept = request =>
                request.IsWatch && !Interlocked.Exchange(ref refused, true) ? FakeApiServer.Status(HttpStatusCode.Gone, "too old resource version") : null;
            _server.SendLine(Pods, """{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"102"}}}""");
            _server.CloseWatches(Pods);
        }
        else
        {
            _server.SendLine(Pods, FakeApiServer.ErrorEvent(410));
        }

        await PassBackoffAsync();
        await _server.NextListAsync(Pods);
        Assert.Equal(["shop/b n1", "-shop/a", "listed"], await ChangesAsync(3));
        await _server.NextWatchAsync(Pods);
        Assert.Equal(0, _meters.Count("failures", "pods"));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task A_continue_token_that_expires_restarts_the_list_and_a_second_one_makes_it_unpaged()
    {
        for (int i = 0; i < 700; i++)
        {
            _server.Put(Pods, Pod($"p{i:000}"));
        }

        _server.Intercept = request =>
            request.Query.ContainsKey("continue") ? FakeApiServer.Status(HttpStatusCode.Gone, "The provided continue parameter is too old") : null;

        Start();

        string[] changes = await ChangesUntilListedAsync();
        Assert.Equal(700, changes.Distinct().Count());
        Assert.DoesNotContain(changes, change => change.StartsWith('-'));
        Assert.Equal(
            ["limit", "limit,continue", "limit", "limit,continue", ""],
            _server.Requests.Where(request => !request.IsWatch).Select(request => string.Join(',', request.Query.Keys)));
    }

    [Fact]
    public async Task A_line_that_is_no_event_is_skipped_and_counted()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        _server.SendLine(Pods, "<html>502</html>");
        _server.SendLine(Pods, "");
        _server.SendLine(Pods, """{"type":"ADDED","object":{"metadata":{}}}""");
        _server.SendLine(Pods, """{"type":"RENAMED","object":{"metadata":{"name":"x"}}}""");
        _server.SendLine(Pods, """{"type":"ADDED","object":{"metadata":{"name":1}}}""");
        _server.SendLine(Pods, "null");
        _server.Put(Pods, Pod("a"));

        Assert.Equal(["listed", "shop/a n1"], await ChangesAsync(2));
        Assert.Equal(6, _meters.Count("skipped_events", "pods"));
    }

    [Fact]
    public async Task An_event_cut_at_any_byte_is_skipped_and_the_next_is_read()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        Assert.Equal("listed", await ChangeAsync());
        string line = """{"type":"ADDED","object":""" + Pod("cut") + "}";
        for (int length = 0; length < line.Length; length++)
        {
            _server.SendLine(Pods, line[..length]);
        }

        _server.SendLine(Pods, line);

        Assert.Equal("shop/cut n1", await ChangeAsync());
        Assert.Equal(line.Length, _meters.Count("skipped_events", "pods"));
    }

    [Fact]
    public async Task Failures_are_tried_again_after_longer_and_longer_and_said_once()
    {
        _server.Intercept = _ => FakeApiServer.Status(HttpStatusCode.ServiceUnavailable, "etcd is not well");
        Start();

        foreach (double seconds in new[] { 0.8, 1.6, 3.2, 6.4, 12.8, 20, 20 })
        {
            await _server.NextListAsync(Pods);
            TimeSpan pause = await NextPauseAsync();
            Assert.InRange(pause.TotalSeconds, seconds, seconds * 1.5);
            _time.Advance(pause);
        }

        await _server.NextListAsync(Pods);
        TimeSpan last = await NextPauseAsync();
        Assert.Equal(["Warning: Cannot follow pods in Kubernetes: 503 Service Unavailable: etcd is not well. Trying until it works."], _log.Lines);
        Assert.Equal("503 Service Unavailable: etcd is not well", _informer.Trouble);
        Assert.False(_informer.Listed);

        _server.Intercept = _ => null;
        _time.Advance(last);
        await _server.NextWatchAsync(Pods);
        _server.Put(Pods, Pod("a"));
        _server.Put(Pods, Pod("b"));
        Assert.Equal(["listed", "shop/a n1", "shop/b n1"], await ChangesAsync(3));
        Assert.Null(_informer.Trouble);
        Assert.Equal("Information: Following pods in Kubernetes again.", _log.Lines[^1]);

        // An event has set the back-off to its beginning.
        _server.Intercept = _ => throw new HttpRequestException("connection refused");
        _server.CloseWatches(Pods);
        Assert.InRange((await NextPauseAsync()).TotalSeconds, 0.8, 1.2);
        Assert.Equal("Warning: Cannot follow pods in Kubernetes: connection refused. Trying until it works.", _log.Lines[^1]);
        Assert.Equal(9, _meters.Count("failures", "pods"));
    }

    [Fact]
    public async Task After_a_lost_connection_it_watches_from_where_it_was()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        _server.Put(Pods, Pod("a"));
        Assert.Equal(["listed", "shop/a n1"], await ChangesAsync(2));

        bool failed = false;
        _server.Intercept = request => !Interlocked.Exchange(ref failed, true) ? throw new HttpRequestException("connection reset") : null;
        _server.CloseWatches(Pods);
        await PassBackoffAsync();

        await _server.NextWatchAsync(Pods);
        Assert.Equal("101", (await _server.NextWatchAsync(Pods)).Query["resourceVersion"]);
        Assert.Single(_server.Requests, request => !request.IsWatch);
    }

    [Fact]
    public async Task A_watch_that_is_closed_at_once_again_and_again_is_a_failure()
    {
        Start();
        await _server.NextWatchAsync(Pods);
        Assert.Equal("listed", await ChangeAsync());

        foreach (double seconds in new[] { 0.8, 1.6, 3.2 })
        {
            _server.CloseWatches(Pods);
            // The clock stands still, so for the watch no time has passed.
            TimeSpan pause = await NextPauseAsync();
            Assert.InRange(pause.TotalSeconds, seconds, seconds * 1.5);
            _time.Advance(pause);
            await _server.NextWatchAsync(Pods);
        }

        Assert.Single(_log.Lines);
    }

    [Fact]
    public async Task A_watch_that_stands_is_well_again_even_without_events()
    {
        bool failed = false;
        _server.Intercept = request => request.IsWatch && !Interlocked.Exchange(ref failed, true) ? throw new HttpRequestException("connection reset") : null;
        Start();
        await PassBackoffAsync();
        await _time.NextTimerAsync(Informer.SteadyAfter, Informer.SteadyAfter);
        Assert.Equal("connection reset", _informer.Trouble);

        _time.Advance(Informer.SteadyAfter);

        Assert.Null(_informer.Trouble);
    }

    [Fact]
    public async Task A_watch_that_outlives_its_time_is_cut()
    {
        Start();
        Seen dead = await _server.NextWatchAsync(Pods);
        TimeSpan deadline = await _time.NextTimerAsync(TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(11));
        await _time.NextTimerAsync(Informer.SteadyAfter, Informer.SteadyAfter);
        Assert.Equal(TimeSpan.FromSeconds(int.Parse(dead.Query["timeoutSeconds"]) + 30), deadline);

        _time.Advance(deadline);
        await PassBackoffAsync();

        Assert.Equal(dead.Query["resourceVersion"], (await _server.NextWatchAsync(Pods)).Query["resourceVersion"]);
        Assert.Equal(["Warning: Cannot follow pods in Kubernetes: the watch outlived its time without being closed. Trying until it works."], _log.Lines);
    }

    [Fact]
    public async Task A_list_that_is_never_answered_is_given_up()
    {
        bool asked = false;
        _server.Intercept = _ => !Interlocked.Exchange(ref asked, true) ? new HttpResponseMessage { Content = new StreamContent(new System.IO.Pipelines.Pipe().Reader.AsStream()) } : null;
        Start();
        await _server.NextListAsync(Pods);
        await _time.NextTimerAsync(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1));

        _time.Advance(TimeSpan.FromMinutes(1));
        await PassBackoffAsync();

        Assert.Equal("listed", await ChangeAsync());
        Assert.Contains("no answer in time", _log.Lines[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_watching_is_forbidden_it_lists_instead()
    {
        _server.Intercept = request => request.IsWatch ? FakeApiServer.Status(HttpStatusCode.Forbidden, "pods is forbidden: cannot watch") : null;
        Start();
        Assert.Equal("listed", await ChangeAsync());
        _server.Put(Pods, Pod("a"));

        await PassBackoffAsync();

        Assert.Equal(["shop/a n1", "listed"], await ChangesAsync(2));
        Assert.Equal("403 Forbidden: pods is forbidden: cannot watch", _informer.Trouble);
        Assert.Single(_log.Lines);
    }

    [Fact]
    public async Task The_first_version_that_the_cluster_serves_is_used()
    {
        const string beta = "/apis/batch/v1beta1/cronjobs";
        _server.Serve(beta).Put(beta, Pod("tidy"));
        Start(new WatchedResource("cronjobs", "/apis/batch/v1/cronjobs", beta) { MetadataOnly = true });

        Assert.Equal(["shop/tidy n1", "listed"], await ChangesAsync(2));
        Assert.Equal("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json", (await _server.NextListAsync(beta)).Accept);
        Assert.Equal("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json", (await _server.NextWatchAsync(beta)).Accept);
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task A_resource_that_is_not_served_is_empty_and_looked_at_again()
    {
        const string stable = "/apis/batch/v1/cronjobs";
        Start(new WatchedResource("cronjobs", stable, "/apis/batch/v1beta1/cronjobs"));
        Assert.Equal("listed", await ChangeAsync());
        Assert.True(_informer.Listed);
        TimeSpan pause = await _time.NextTimerAsync(TimeSpan.FromMinutes(3), TimeSpan.FromMinutes(5));

        _server.Serve(stable).Put(stable, Pod("tidy"));
        _time.Advance(pause);

        Assert.Equal(["shop/tidy n1", "listed"], await ChangesAsync(2));
        Assert.Empty(_log.Lines);
    }

    /// <summary>A proxy that fails over answers 404 for a moment: that is not the end of all pods.</summary>
    [Fact]
    public async Task A_resource_that_was_served_is_not_emptied_by_a_404()
    {
        _server.Put(Pods, Pod("a"));
        int requests = 0;
        // The first list succeeds; the watch and the list after it do not.
        _server.Intercept = _ => Interlocked.Increment(ref requests) is 2 or 3 ? FakeApiServer.Status(HttpStatusCode.NotFound, "404 page not found") : null;
        Start();
        Assert.Equal(["shop/a n1", "listed"], await ChangesAsync(2));

        await PassBackoffAsync();
        TimeSpan pause = await NextPauseAsync();
        Assert.Equal("404 Not Found: 404 page not found", _informer.Trouble);
        _server.Put(Pods, Pod("b"));
        _time.Advance(pause);

        string[] changes = await ChangesUntilListedAsync();
        Assert.Contains("shop/b n1", changes);
        Assert.DoesNotContain("-shop/a", changes);
    }

    [Fact]
    public async Task It_stops_without_a_word()
    {
        Start();
        await _server.NextWatchAsync(Pods);

        await _stop.CancelAsync();
        await _running.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);

        Assert.Empty(_log.Lines);
        Assert.Equal(0, _meters.Count("failures", "pods"));
    }

    private void Start() => Start(new WatchedResource("pods", Pods));

    private void Start(WatchedResource resource)
    {
        _informer = new Informer(
            KubernetesApi.Over(_server),
            resource,
            (key, item) => _changes.Writer.TryWrite(item is null ? $"-{key.Namespace}/{key.Name}" : $"{key.Namespace}/{key.Name} {item.Spec!.NodeName}"),
            () => _changes.Writer.TryWrite("listed"),
            new Pool(16),
            _time,
            _log,
            new KubernetesMetrics(_meters));
        _running = Task.Run(() => _informer.RunAsync(_stop.Token));
    }

    private async Task PassBackoffAsync() => _time.Advance(await NextPauseAsync());

    private Task<TimeSpan> NextPauseAsync() => _time.NextTimerAsync(Backoff.Shortest, Backoff.Longest);

    private async Task<string> ChangeAsync() => await _changes.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience.Limit, TestContext.Current.CancellationToken);

    private async Task<string[]> ChangesAsync(int count)
    {
        string[] changes = new string[count];
        for (int i = 0; i < count; i++)
        {
            changes[i] = await ChangeAsync();
        }

        return changes;
    }

    private async Task<string[]> ChangesUntilListedAsync()
    {
        List<string> changes = [];
        for (string change = await ChangeAsync(); change != "listed"; change = await ChangeAsync())
        {
            changes.Add(change);
        }

        return [.. changes];
    }

    private static string Pod(string name, string node = "n1") =>
        $$$"""{"metadata":{"namespace":"shop","name":"{{{name}}}","uid":"x","managedFields":[{"f":{}}]},"spec":{"nodeName":"{{{node}}}","containers":[]},"status":{"phase":"Running"}}""";
}
