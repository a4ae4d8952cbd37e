using System.Net;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class ClusterInformerTests : IAsyncDisposable
{
    private const string Pods = "/api/v1/pods";
    private const string ReplicaSets = "/apis/apps/v1/replicasets";
    private const string Deployments = "/apis/apps/v1/deployments";
    private const string Slices = "/apis/discovery.k8s.io/v1/endpointslices";
    private static readonly TimeSpan Retention = TimeSpan.FromMinutes(60);
    private static readonly TimeSpan PublishInterval = TimeSpan.FromMilliseconds(250);

    private static readonly string[] AllPaths =
    [
        "/api/v1/namespaces", "/api/v1/nodes", Pods, "/api/v1/services", "/api/v1/replicationcontrollers",
        Deployments, ReplicaSets, "/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets",
        "/apis/batch/v1/jobs", "/apis/batch/v1/cronjobs", Slices,
    ];

    private readonly FakeApiServer _server = new FakeApiServer().Serve(AllPaths);
    private readonly TestTime _time = new();
    private readonly TestLog<ClusterInformer> _log = new();
    private readonly TestMeters _meters = new();
    private readonly Cluster _cluster = Cluster.Watched();
    private readonly ClusterInformer _informer;

    public ClusterInformerTests() =>
        _informer = new ClusterInformer(KubernetesApi.Over(_server), _cluster, Retention, _time, _log, new KubernetesMetrics(_meters));

    public async ValueTask DisposeAsync()
    {
        await _informer.StopAsync(CancellationToken.None).WaitAsync(Patience.Limit);
        _informer.Dispose();
        _meters.Dispose();
    }

    [Fact]
    public async Task Nothing_is_published_before_every_kind_has_been_listed()
    {
        _server.Intercept = request => request.Path.EndsWith("/nodes", StringComparison.Ordinal) ? FakeApiServer.Status(HttpStatusCode.Forbidden, "nodes is forbidden") : null;
        _server.Put(Pods, Pod("web-5d-a"));
        await StartAsync();
        foreach (string path in AllPaths.Where(path => path != "/api/v1/nodes"))
        {
            await _server.NextWatchAsync(path);
        }

        await _time.NextTimerAsync(PublishInterval, PublishInterval); // The publisher has heard of some lists, and pauses.
        Assert.False(_cluster.Synced);
        Assert.Equal(["nodes: 403 Forbidden: nodes is forbidden"], _informer.Troubles);

        _server.Intercept = _ => null;
        _time.Advance(Backoff.Longest);
        await _server.NextWatchAsync("/api/v1/nodes");
        _time.Advance(Informer.SteadyAfter);
        await SyncedAsync(_cluster);
        Assert.Empty(_informer.Troubles);
        Assert.Single(_cluster.Snapshot.List(ResourceKind.Pod, "shop"));
    }

    [Fact]
    public async Task A_snapshot_has_every_kind_and_what_we_keep_of_it()
    {
        foreach ((string path, int i) in AllPaths.Select((path, i) => (path, i)))
        {
            _server.Put(path, path is Pods ? Pod("web-5d-a", owner: ("apps/v1", "ReplicaSet", "web-5d")) : path is Slices ? Slice("web-x", "web", "web-5d-a") : Meta($"object-{i}"));
        }

        _server.Put(ReplicaSets, Meta("web-5d", owner: ("apps/v1", "Deployment", "web")));
        await SyncAsync();

        ClusterSnapshot snapshot = _cluster.Snapshot;
        Assert.All(ResourceKind.All, kind => Assert.NotEmpty(snapshot.List(kind, null)));
        Pod pod = Assert.IsType<Pod>(snapshot.Find(new ObjectRef(ResourceKind.Pod, "shop", "web-5d-a")));
        Assert.Equal(new ObjectKey("shop", "web-5d-a"), pod.Key);
        Assert.Equal("web", pod.Labels["app"]);
        Assert.Equal(new ObjectOwner("ReplicaSet", "web-5d"), pod.Owner);
        Assert.Equal(("n1", "Running", "10.1.2.3"), (pod.NodeName, pod.Phase, pod.Ip));
        Assert.Equal([new ObjectRef(ResourceKind.Deployment, "shop", "web")], snapshot.ForPod(pod.Key, ResourceKind.Deployment));
        Assert.Equal([new ObjectRef(ResourceKind.Service, "shop", "web")], snapshot.ForPod(pod.Key, ResourceKind.Service));
        Assert.Equal([new ObjectRef(ResourceKind.Node, "", "n1")], snapshot.ForPod(pod.Key, ResourceKind.Node));
        Assert.All(
            _server.Requests.Where(request => request.Path is not (Pods or Slices) && !IsOfSplits(request.Path)),
            request => Assert.StartsWith("application/json;as=PartialObjectMetadata", request.Accept, StringComparison.Ordinal));
        Assert.All(_server.Requests.Where(request => request.Path is Pods or Slices || IsOfSplits(request.Path)), request => Assert.Equal("application/json", request.Accept));

        static bool IsOfSplits(string path) => ResourceKind.Splits.Any(kind => path.EndsWith(kind.Resource, StringComparison.Ordinal));
    }

    /// <summary>Of SMI's four versions no cluster serves them all, and a server with the roles of an older release may see none.</summary>
    [Fact]
    public async Task Traffic_splits_are_read_where_they_are_and_hold_nothing_up_where_they_are_not()
    {
        const string splits = "/apis/split.smi-spec.io/v1alpha2/trafficsplits";
        _server.Serve(splits);
        _server.Intercept = request => request.Path.EndsWith("/httproutes", StringComparison.Ordinal) ? FakeApiServer.Status(HttpStatusCode.Forbidden, "httproutes is forbidden") : null;
        _server.Put(splits, """
            {"metadata":{"namespace":"shop","name":"web","resourceVersion":"1","labels":{"app":"web"}},
            "spec":{"service":"web","backends":[{"service":"web-v1","weight":90},{"service":"web-v2","weight":10}]}}
            """);
        await SyncAsync();

        TrafficSplit split = Assert.IsType<TrafficSplit>(Assert.Single(_cluster.Snapshot.List(ResourceKind.TrafficSplit, "shop")));
        Assert.Equal("web", split.Apex);
        Assert.Equal([new SplitBackend("web", "shop", "web-v1", 90), new SplitBackend("web", "shop", "web-v2", 10)], split.Backends);
        Assert.Empty(_cluster.Snapshot.List(ResourceKind.HttpRoute, null));
        Assert.Empty(_informer.Troubles);
    }

    [Fact]
    public async Task Old_clusters_serve_v1beta1_and_are_followed_as_well()
    {
        FakeApiServer old = new FakeApiServer().Serve([.. AllPaths.Select(path => path.Replace("batch/v1/cron", "batch/v1beta1/cron", StringComparison.Ordinal).Replace("discovery.k8s.io/v1/", "discovery.k8s.io/v1beta1/", StringComparison.Ordinal))]);
        old.Put(Pods, Pod("web-5d-a"));
        old.Put("/apis/discovery.k8s.io/v1beta1/endpointslices", Slice("web-x", "web", "web-5d-a"));
        old.Put("/apis/batch/v1beta1/cronjobs", Meta("tidy"));
        Cluster cluster = Cluster.Watched();
        using ClusterInformer informer = new(KubernetesApi.Over(old), cluster, Retention, _time, _log, new KubernetesMetrics(_meters));
        await informer.StartAsync(TestContext.Current.CancellationToken);

        await SyncedAsync(cluster);
        await informer.StopAsync(TestContext.Current.CancellationToken);

        Assert.Single(cluster.Snapshot.List(ResourceKind.CronJob, "shop"));
        Assert.Single(cluster.Snapshot.PodsOf(new ObjectRef(ResourceKind.Service, "shop", "web")));
        Assert.Empty(_log.Lines);
    }

    [Fact]
    public async Task Changes_that_come_together_are_published_together()
    {
        await SyncAsync();
        await _server.NextWatchAsync(Pods);
        ClusterSnapshot first = _cluster.Snapshot;
        for (int i = 0; i < 50; i++)
        {
            _server.Put(Pods, Pod($"p{i}"));
        }

        await HandledAsync(Pods, "pods");
        _time.Advance(PublishInterval - TimeSpan.FromTicks(1));
        Assert.Same(first, _cluster.Snapshot);

        _time.Advance(TimeSpan.FromTicks(1));
        await _time.NextTimerAsync(PublishInterval, PublishInterval);
        Assert.Equal(50, _cluster.Snapshot.List(ResourceKind.Pod, "shop").Count);
        Assert.Empty(first.List(ResourceKind.Pod, "shop"));
    }

    [Fact]
    public async Task A_deleted_pod_belongs_as_before_until_its_time_is_over()
    {
        ObjectKey key = new("shop", "web-5d-a");
        _server.Put(ReplicaSets, Meta("web-5d", owner: ("apps/v1", "Deployment", "web")));
        _server.Put(Pods, Pod("web-5d-a", owner: ("apps/v1", "ReplicaSet", "web-5d")));
        _server.Put(Slices, Slice("web-x", "web", "web-5d-a"));
        await SyncAsync();
        foreach (string path in new[] { Pods, ReplicaSets, Slices })
        {
            await _server.NextWatchAsync(path);
        }

        _server.Delete(ReplicaSets, "shop/web-5d");
        _server.Delete(Pods, "shop/web-5d-a");
        _server.Put(Slices, Slice("web-x", "web"));
        await HandledAsync(ReplicaSets, "replicasets");
        await HandledAsync(Pods, "pods");
        await HandledAsync(Slices, "endpointslices");
        _time.Advance(PublishInterval);
        await _time.NextTimerAsync(PublishInterval, PublishInterval);

        ClusterSnapshot snapshot = _cluster.Snapshot;
        Assert.Empty(snapshot.List(ResourceKind.Pod, null));
        Assert.Empty(snapshot.List(ResourceKind.ReplicaSet, null));
        Assert.Equal([new ObjectRef(ResourceKind.Deployment, "shop", "web")], snapshot.ForPod(key, ResourceKind.Deployment));
        Assert.Equal([new ObjectRef(ResourceKind.Service, "shop", "web")], snapshot.ForPod(key, ResourceKind.Service));

        // Nothing else happens in the cluster, and still it is forgotten in time.
        int minutes = 0;
        while (_cluster.Snapshot.ForPod(key, ResourceKind.Pod).Count > 0)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            await _time.NextTimerAsync(PublishInterval, PublishInterval);
            minutes++;
        }

        Assert.True(minutes >= Retention.TotalMinutes);
    }

    [Theory]
    [InlineData("apps/v1", "StatefulSet", "StatefulSet")]
    [InlineData("apps/v1beta2", "StatefulSet", "StatefulSet")]
    [InlineData("extensions/v1beta1", "ReplicaSet", "ReplicaSet")]
    [InlineData("batch/v1beta1", "CronJob", "CronJob")]
    [InlineData("v1", "ReplicationController", "ReplicationController")]
    [InlineData("apps.kruise.io/v1beta1", "StatefulSet", "StatefulSet.apps.kruise.io")]
    [InlineData("serving.knative.dev/v1", "Service", "Service.serving.knative.dev")]
    [InlineData("argoproj.io/v1alpha1", "Rollout", "Rollout")]
    public async Task An_owner_of_another_group_is_another_kind(string apiVersion, string kind, string kept)
    {
        _server.Put(Pods, Pod("a", owner: (apiVersion, kind, "owner")));
        await SyncAsync();

        Assert.Equal(new ObjectOwner(kept, "owner"), _cluster.Snapshot.List(ResourceKind.Pod, "shop")[0].Owner);
    }

    [Fact]
    public async Task An_owner_that_is_not_the_controller_is_none()
    {
        _server.Put(Pods, """{"metadata":{"namespace":"shop","name":"a","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"r"},{"apiVersion":"apps/v1","kind":"DaemonSet","name":"d","controller":false}]},"spec":{}}""");
        await SyncAsync();

        Assert.Null(_cluster.Snapshot.List(ResourceKind.Pod, "shop")[0].Owner);
    }

    [Fact]
    public async Task Containers_are_kept_with_their_ports_and_of_init_containers_the_native_sidecars()
    {
        // As kube-apiserver prints it, with what it fills in itself.
        _server.Put(Pods, """
            {"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-5d-a","namespace":"shop","uid":"7d0c1c5e-5b8b-4b5f-9d6f-0f7d5a1f8a11","resourceVersion":"1"},
            "spec":{"volumes":[{"name":"kube-api-access-x","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}],"defaultMode":420}}],
            "initContainers":[
            {"name":"linkerd-init","image":"proxy-init:v2","args":["--outbound-port","4140"],"ports":[{"name":"never","containerPort":1,"protocol":"TCP"}],"resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"FallbackToLogsOnError","imagePullPolicy":"IfNotPresent"},
            {"name":"linkerd-proxy","image":"proxy:v2","ports":[{"name":"linkerd-proxy","containerPort":4143,"protocol":"TCP"},{"name":"linkerd-admin","containerPort":4191,"protocol":"TCP"}],"env":[{"name":"_pod_ns","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.namespace"}}}],"resources":{},"livenessProbe":{"httpGet":{"path":"/live","port":4191,"scheme":"HTTP"},"initialDelaySeconds":10,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},"restartPolicy":"Always"},
            {"name":"migrate","image":"migrate:1","resources":{},"restartPolicy":"OnFailure"}],
            "containers":[
            {"name":"app","image":"web:1","ports":[{"name":"http","hostPort":80,"containerPort":8080,"protocol":"TCP"},{"containerPort":5353,"protocol":"UDP"}],"resources":{"limits":{"cpu":"1"}},"volumeMounts":[{"name":"kube-api-access-x","readOnly":true,"mountPath":"/var/run/secrets"}]},
            {"name":"log","image":"log:1","resources":{}}],
            "ephemeralContainers":[{"name":"debugger","image":"busybox","ports":[{"name":"debug","containerPort":2}],"resources":{}}],
            "restartPolicy":"Always","terminationGracePeriodSeconds":30,"nodeName":"n1"},"status":{"phase":"Running","podIP":"10.1.2.3"}}
            """);
        await SyncAsync();

        Assert.Equal(
            new PodContainers(
            [
                new("app", [new("http", 8080), new("", 5353)]),
                new("log", []),
                new("linkerd-proxy", [new("linkerd-proxy", 4143), new("linkerd-admin", 4191)]),
            ]),
            Assert.IsType<Pod>(Assert.Single(_cluster.Snapshot.List(ResourceKind.Pod, "shop"))).Containers);
    }

    [Fact]
    public async Task Pods_of_a_template_share_their_containers()
    {
        const string template = "{\"containers\":[{\"name\":\"app\",\"ports\":[{\"name\":\"http\",\"containerPort\":8080}]}]}";
        _server.Put(Pods, Podlike("a", template));
        _server.Put(Pods, Podlike("b", template));
        _server.Put(Pods, Podlike("c", template.Replace("8080", "8081", StringComparison.Ordinal)));
        _server.Put(Pods, Podlike("d", "{}"));
        _server.Put(Pods, Podlike("e", "{\"containers\":[],\"initContainers\":null}"));
        await SyncAsync();

        PodContainers[] kept = [.. _cluster.Snapshot.List(ResourceKind.Pod, "shop").Select(pod => ((Pod)pod).Containers)];
        Assert.Same(kept[0], kept[1]);
        Assert.NotEqual(kept[0], kept[2]);
        Assert.Same(PodContainers.None, kept[3]);
        Assert.Same(PodContainers.None, kept[4]);

        static string Podlike(string name, string spec) => $$$"""{"metadata":{"namespace":"shop","name":"{{{name}}}"},"spec":{{{spec}}},"status":{"phase":"Running"}}""";
    }

    private Task StartAsync() => _informer.StartAsync(TestContext.Current.CancellationToken);

    /// <summary>On return the publisher has published, and pauses.</summary>
    private async Task SyncAsync()
    {
        await StartAsync();
        await SyncedAsync(_cluster);
    }

    private async Task SyncedAsync(Cluster cluster)
    {
        while (true)
        {
            await _time.NextTimerAsync(PublishInterval, PublishInterval);
            if (cluster.Synced)
            {
                return;
            }

            _time.Advance(PublishInterval);
        }
    }

    /// <summary>Returns when the informer has handled all that was sent before: what comes behind it, a line of nonsense, is counted.</summary>
    private async Task HandledAsync(string path, string resource)
    {
        long before = _meters.Count("skipped_events", resource);
        _server.SendLine(path, "?");
        await _meters.ReachedAsync("skipped_events", resource, before + 1);
    }

    private static string Meta(string name, string @namespace = "shop", (string ApiVersion, string Kind, string Name)? owner = null) =>
        $$$"""{"metadata":{"namespace":"{{{@namespace}}}","name":"{{{name}}}","labels":{"app":"web"}{{{Owner(owner)}}}},"spec":{"replicas":3},"status":{"replicas":3}}""";

    private static string Pod(string name, string phase = "Running", (string ApiVersion, string Kind, string Name)? owner = null) =>
        $$$"""{"metadata":{"namespace":"shop","name":"{{{name}}}","uid":"1","labels":{"app":"web"}{{{Owner(owner)}}}},"spec":{"nodeName":"n1"},"status":{"phase":"{{{phase}}}","podIP":"10.1.2.3"}}""";

    private static string Owner((string ApiVersion, string Kind, string Name)? owner) =>
        owner is var (apiVersion, kind, name) ? $$$""","ownerReferences":[{"apiVersion":"{{{apiVersion}}}","kind":"{{{kind}}}","name":"{{{name}}}","uid":"1","controller":true}]""" : "";

    private static string Slice(string name, string service, params string[] pods)
    {
        string[] endpoints =
        [
            """{"addresses":["10.9.9.9"]}""",
            """{"targetRef":{"kind":"Node","name":"n1"}}""",
            .. pods.Select(pod => $$$"""{"addresses":["10.1.2.3"],"targetRef":{"kind":"Pod","namespace":"shop","name":"{{{pod}}}"}}"""),
        ];
        return $$$"""{"metadata":{"namespace":"shop","name":"{{{name}}}","labels":{"kubernetes.io/service-name":"{{{service}}}"}},"endpoints":[{{{string.Join(',', endpoints)}}}]}""";
    }
}
