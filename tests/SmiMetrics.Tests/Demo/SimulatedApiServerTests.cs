using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.Demo;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Kubernetes;

namespace SmiMetrics.Tests.Demo;

/// <summary>The simulated API server as the real informers see it.</summary>
public sealed class SimulatedApiServerTests : IAsyncDisposable
{
    private static readonly TimeSpan PublishInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);

    // The publisher pauses in a time of its own, so that waiting for it does not age the world.
    private readonly CountedTime _worldTime = new();
    private readonly CountedTime _time = new();
    private readonly TestLog<ClusterInformer> _log = new();
    private readonly TestMeters _meters = new();
    private readonly Cluster _cluster = Cluster.Watched();
    private readonly SimulatedCluster _simulated;
    private readonly SimulatedApiServer _server;
    private readonly ClusterInformer _informer;

    public SimulatedApiServerTests()
    {
        _simulated = new SimulatedCluster(Shop.World, _worldTime);
        _server = new SimulatedApiServer(_simulated, SimulatedMesh.All[0], _worldTime);
        _informer = new ClusterInformer(KubernetesApi.Over(_server), _cluster, TimeSpan.FromMinutes(10), _time, _log, new KubernetesMetrics(_meters));
    }

    public async ValueTask DisposeAsync()
    {
        await _informer.StopAsync(CancellationToken.None).WaitAsync(Patience.Limit);
        _informer.Dispose();
        _meters.Dispose();
    }

    [Fact]
    public async Task The_snapshot_has_everything_that_is_declared()
    {
        await StartAsync();
        ClusterSnapshot snapshot = _cluster.Snapshot;
        World world = Shop.World;
        Assert.Equal(world.Workloads.Select(workload => workload.Namespace).Distinct().Order(), Names(ResourceKind.Namespace));
        Assert.Equal(world.Nodes, Names(ResourceKind.Node));
        Assert.Equal(world.Workloads.Select(workload => workload.Service).OfType<string>().Distinct().Order(), Names(ResourceKind.Service).Order());
        foreach (Workload workload in world.Workloads)
        {
            ObjectRef reference = new(workload.Kind, workload.Namespace, workload.Name);
            Assert.Equal(workload.App, snapshot.Find(reference)?.Labels["app"]);
            IReadOnlyList<Pod> own = snapshot.PodsOf(reference);
            Assert.True(workload.ReplacedEvery is null ? own.Count == workload.Pods : own.Count >= workload.Pods, $"{reference}: {own.Count} pods");
            Assert.All(own, pod =>
            {
                Assert.Equal("Running", pod.Phase);
                Assert.Contains(pod.NodeName, world.Nodes);
                Assert.True(IPAddress.TryParse(pod.Ip, out _), pod.Ip);
                Assert.Equal(workload.Name, pod.Labels[$"linkerd.io/proxy-{workload.Kind.Kind.ToLowerInvariant()}"]);
                Assert.Equal(new ContainerPort("linkerd-admin", 4191), pod.Containers.List.Single(container => container.Name == "linkerd-proxy").Ports[1]);
            });
        }

        Assert.Equal(3, snapshot.PodsOf(new ObjectRef(ResourceKind.Service, "shop", "catalog")).Count);
        Assert.Equal(world.Nodes, snapshot.PodsOf(new ObjectRef(ResourceKind.DaemonSet, "shop", "image-cache")).Select(pod => pod.NodeName).Order());
        IReadOnlyList<ClusterObject> pods = snapshot.List(ResourceKind.Pod, null);
        Assert.Equal(pods.Count, pods.Select(pod => ((Pod)pod).Ip).Distinct().Count());
        Assert.Empty(_informer.Troubles);
        Assert.Empty(_log.Lines);

        IEnumerable<string> Names(ResourceKind kind) => snapshot.List(kind, null).Select(item => item.Key.Name);
    }

    [Fact]
    public async Task Pods_and_their_ReplicaSet_come_and_go_through_watches()
    {
        await StartAsync();
        // The world is fifteen minutes old: a rollout has just switched, and what it replaced goes now.
        await AgeTo(TimeSpan.FromSeconds(903), () => SearchPods().Length == 2 && SearchSets().Length == 1);
        string[] pods = SearchPods();
        string[] sets = SearchSets();

        await AgeTo(TimeSpan.FromSeconds(927), () => SearchPods().Length == 4 && SearchSets().Length == 2);
        Assert.Equal(pods, BehindSearch());

        await AgeTo(TimeSpan.FromSeconds(930), () => !BehindSearch().Intersect(pods).Any() && BehindSearch().Length == 2);
        Assert.Equal(4, SearchPods().Length);

        await AgeTo(TimeSpan.FromSeconds(933), () => SearchPods().Length == 2 && SearchSets().Length == 1);
        Assert.Empty(SearchPods().Intersect(pods));
        Assert.Empty(SearchSets().Intersect(sets));
        Assert.Equal(BehindSearch(), SearchPods());
        Assert.Empty(_log.Lines);

        string[] SearchPods() => [.. _cluster.Snapshot.List(ResourceKind.Pod, "shop").Where(pod => pod.Labels["app"] == "search").Select(pod => pod.Key.Name)];
        string[] SearchSets() => [.. _cluster.Snapshot.List(ResourceKind.ReplicaSet, "shop").Where(set => set.Owner?.Name == "search").Select(set => set.Key.Name)];

        // Pods that were deleted moments ago belong to it still.
        string[] BehindSearch() =>
            [.. _cluster.Snapshot.PodsOf(new ObjectRef(ResourceKind.Service, "shop", "search")).Select(pod => pod.Key.Name).Intersect(SearchPods()).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task Every_minute_the_CronJob_has_another_Job()
    {
        await StartAsync();
        string[] first = Jobs();
        await AgeTo(TimeSpan.FromSeconds(963), () => Jobs().Length == 1 && !first.Contains(Jobs()[0]));
        long minute = _worldTime.GetUtcNow().ToUnixTimeSeconds() / 60;
        Assert.Equal($"reorder-{minute}", Jobs()[0]);
        Assert.NotEmpty(_cluster.Snapshot.PodsOf(new ObjectRef(ResourceKind.CronJob, "warehouse", "reorder")));

        string[] Jobs() => [.. _cluster.Snapshot.List(ResourceKind.Job, "warehouse").Where(job => job.Owner is not null).Select(job => job.Key.Name)];
    }

    [Fact]
    public async Task Whoever_asks_for_metadata_gets_nothing_else()
    {
        JsonNode list = await ListAsync("/api/v1/pods", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json");
        Assert.Equal("PartialObjectMetadataList", (string?)list["kind"]);
        Assert.All(list["items"]!.AsArray(), item => Assert.Equal(["kind", "apiVersion", "metadata"], item!.AsObject().Select(field => field.Key)));

        JsonNode whole = await ListAsync("/api/v1/pods", "application/json");
        Assert.Equal("PodList", (string?)whole["kind"]);
        Assert.All(whole["items"]!.AsArray(), item => Assert.NotNull(item!["spec"]!["nodeName"]));
        Assert.Equal("900000", (string?)whole["metadata"]!["resourceVersion"]);
    }

    [Fact]
    public async Task A_watch_sends_bookmarks_and_ends_at_its_time()
    {
        using HttpMessageInvoker client = new(_server, disposeHandler: false);
        using HttpRequestMessage request = new(HttpMethod.Get, "http://kubernetes/api/v1/nodes?watch=true&resourceVersion=903500&timeoutSeconds=20");
        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Task<string> body = response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        _worldTime.Advance(TimeSpan.FromSeconds(20));
        JsonNode only = JsonNode.Parse(Assert.Single((await body.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries)))!;
        Assert.Equal("BOOKMARK", (string?)only["type"]);
        Assert.Equal("920000", (string?)only["object"]!["metadata"]!["resourceVersion"]);
    }

    [Fact]
    public async Task A_watch_is_left_at_any_time()
    {
        using HttpMessageInvoker client = new(_server, disposeHandler: false);
        using HttpRequestMessage request = new(HttpMethod.Get, "http://kubernetes/api/v1/nodes?watch=true&resourceVersion=903500&timeoutSeconds=300");
        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        using CancellationTokenSource left = new();
        Task<string> body = new StreamReader(await response.Content.ReadAsStreamAsync(left.Token)).ReadToEndAsync(left.Token);
        await left.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => body.WaitAsync(Patience.Limit, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_is_not_simulated_is_not_found()
    {
        using HttpMessageInvoker client = new(_server, disposeHandler: false);
        using HttpRequestMessage request = new(HttpMethod.Get, "http://kubernetes/api/v1/secrets");
        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Contains("\"kind\":\"Status\"", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    private async Task<JsonNode> ListAsync(string path, string accept)
    {
        using HttpMessageInvoker client = new(_server, disposeHandler: false);
        using HttpRequestMessage request = new(HttpMethod.Get, $"http://kubernetes{path}?limit=500");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken))!;
    }

    private async Task StartAsync()
    {
        await _informer.StartAsync(TestContext.Current.CancellationToken);
        await UntilAsync(() => _cluster.Synced && _worldTime.Waiting == ClusterDocuments.Served.Count);
    }

    /// <summary>
    /// In steps, each when all watches have sent what there was: one that was just about to set its timer when the clock is turned would set it
    /// too late, by the size of the step.
    /// </summary>
    private async Task AgeTo(TimeSpan age, Func<bool> reached)
    {
        while (_simulated.Age < age)
        {
            _worldTime.Advance(Step);
            await UntilAsync(() => _worldTime.Waiting == ClusterDocuments.Served.Count);
        }

        await UntilAsync(reached);
    }

    /// <summary>Ends the publisher's pauses meanwhile, so that it publishes what else has come. The world stands still.</summary>
    private async Task UntilAsync(Func<bool> reached)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience.Limit);
        while (!reached())
        {
            if (_time.WaitingFor(PublishInterval, isDeadline: false) > 0)
            {
                _time.Advance(PublishInterval);
            }

            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, patience.Token);
        }
    }
}
