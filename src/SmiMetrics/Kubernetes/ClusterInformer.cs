using System.Threading.Channels;

namespace SmiMetrics.Kubernetes;

/// <summary>
/// Follows the cluster and publishes what it sees into <see cref="Cluster"/>: for the first time when every kind has been listed,
/// then a quarter of a second after the first of any changes.
/// </summary>
/// <remarks>
/// Needs a ClusterRole with the verbs <c>list</c> and <c>watch</c> for
/// <list type="table">
/// <item><term>(core)</term><description>namespaces, nodes, pods, services, replicationcontrollers</description></item>
/// <item><term>apps</term><description>deployments, statefulsets, daemonsets, replicasets</description></item>
/// <item><term>batch</term><description>jobs, cronjobs</description></item>
/// <item><term>discovery.k8s.io</term><description>endpointslices</description></item>
/// <item><term>split.smi-spec.io</term><description>trafficsplits</description></item>
/// <item><term>gateway.networking.k8s.io</term><description>httproutes</description></item>
/// </list>
/// </remarks>
internal sealed partial class ClusterInformer : BackgroundService
{
    private const string ServiceNameLabel = "kubernetes.io/service-name";
    private static readonly TimeSpan PublishInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ForgetInterval = TimeSpan.FromMinutes(1);

    private readonly Cluster _cluster;
    private readonly TimeProvider _timeProvider;
    private readonly ILogger _logger;
    private readonly Inventory _inventory;
    private readonly Informer[] _informers;
    private readonly Pool _pool = new(slots: 8192);
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <param name="retention">
    /// How long a deleted pod still belongs to its owners, node and Services: the longest query window. It is in
    /// <see cref="ClusterSnapshot.PodsOf"/> and <see cref="ClusterSnapshot.ForPod"/> for that time, and nowhere else.
    /// </param>
    public ClusterInformer(
        KubernetesApi api, Cluster cluster, TimeSpan retention, TimeProvider timeProvider, ILogger<ClusterInformer> logger, KubernetesMetrics metrics)
    {
        _cluster = cluster;
        _timeProvider = timeProvider;
        _logger = logger;
        _inventory = new Inventory(retention, timeProvider);
        _informers =
        [
            .. ResourceKind.Watched.Select(kind => Follow(Resource(kind), (key, item) => Take(kind, key, item))),
            Follow(
                new WatchedResource("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", "/apis/discovery.k8s.io/v1beta1/endpointslices"),
                TakeSlice),
        ];

        Informer Follow(WatchedResource resource, Action<ObjectKey, KubeObject?> changed) =>
            new(api, resource, changed, Changed, _pool, timeProvider, logger, metrics);
    }

    /// <summary>What stands between us and a whole view of the cluster, one line for each kind; empty when all is well.</summary>
    public IReadOnlyList<string> Troubles =>
        [.. from informer in _informers
            where !informer.Optional && (!informer.Listed || informer.Trouble is not null)
            select $"{informer.Resource}: {informer.Trouble ?? "not listed yet"}"];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
        await Task.WhenAll([PublishAsync(stoppingToken), .. _informers.Select(informer => informer.RunAsync(stoppingToken))]);

    private async Task PublishAsync(CancellationToken stoppingToken)
    {
        await using ITimer forget = _timeProvider.CreateTimer(_ => Forget(), state: null, ForgetInterval, ForgetInterval);
        try
        {
            while (await _changes.Reader.WaitToReadAsync(stoppingToken))
            {
                _changes.Reader.TryRead(out _);
                Publish();
                await Task.Delay(PublishInterval, _timeProvider, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }

        void Forget()
        {
            if (_inventory.Remembers)
            {
                Changed();
            }
        }
    }

    private void Publish()
    {
        try
        {
            if (_informers.All(informer => informer.Listed || (informer.Optional && informer.Trouble is not null)))
            {
                HashSet<ResourceKind> unread =
                    [.. from kind in ResourceKind.Splits from informer in _informers where informer.Resource == kind.Resource && !informer.Listed select kind];
                _cluster.Publish(_inventory.Snapshot(unread));
            }
        }
        catch (Exception e)
        {
            // A mistake of ours. The last snapshot stays, and so does the loop.
            Log.NotPublished(_logger, e);
        }
    }

    private void Changed() => _changes.Writer.TryWrite(true);

    private void Take(ResourceKind kind, ObjectKey key, KubeObject? item)
    {
        bool changed = item is not null && Reduce(kind, key, item) is { } reduced ? _inventory.Put(kind, reduced) : _inventory.Remove(kind, key);
        if (changed)
        {
            Changed();
        }
    }

    private void TakeSlice(ObjectKey key, KubeObject? item)
    {
        // A slice that somebody wrote by hand for no Service at all has no such label.
        string? service = item?.Metadata?.Labels?.GetValueOrDefault(ServiceNameLabel);
        bool changed = item is null || string.IsNullOrEmpty(service)
            ? _inventory.Remove(key)
            : _inventory.Put(new EndpointSlice(key, _pool.Share(service), PodsBehind(item)));
        if (changed)
        {
            Changed();
        }
    }

    private static string[] PodsBehind(KubeObject slice) =>
        [.. (slice.Endpoints ?? []).Where(endpoint => endpoint.TargetRef?.Kind == "Pod").Select(endpoint => endpoint.TargetRef?.Name).OfType<string>()];

    /// <returns>Null for what is nothing to us: a route without a Service as its parent, a split of nothing.</returns>
    private ClusterObject? Reduce(ResourceKind kind, ObjectKey key, KubeObject item)
    {
        LabelSet labels = _pool.Share(item.Metadata?.Labels);
        if (ResourceKind.Splits.Contains(kind))
        {
            return TrafficSplitReader.Read(kind, key, labels, item.Spec);
        }

        ObjectOwner? owner = OwnerOf(item);
        return kind == ResourceKind.Pod
            ? new Pod(key, labels, owner, _pool.Share(item.Spec?.NodeName), _pool.Share(item.Status?.Phase), item.Status?.PodIp ?? "")
            {
                Containers = ContainersOf(item.Spec),
            }
            : new ClusterObject(key, labels, owner);
    }

    // An init container that is restarted whenever it ends is a sidecar: it is there before the others, and as long as they are
    // (Kubernetes 1.28, KEP-753). Other init containers are over before anybody asks for their ports.
    private PodContainers ContainersOf(KubeSpec? spec) => _pool.Share(
    [
        .. (spec?.Containers ?? []).Select(Reduce),
        .. (spec?.InitContainers ?? []).Where(container => container.RestartPolicy == "Always").Select(Reduce),
    ]);

    private PodContainer Reduce(KubeContainer container) =>
        new(_pool.Share(container.Name), [.. (container.Ports ?? []).Select(port => new ContainerPort(_pool.Share(port.Name), port.ContainerPort))]);

    private ObjectOwner? OwnerOf(KubeObject item)
    {
        KubeOwnerReference? controller = item.Metadata?.OwnerReferences?.Find(reference => reference.Controller == true);
        return controller is { Kind: { Length: > 0 } kind, Name: { Length: > 0 } name }
            ? new ObjectOwner(_pool.Share(Qualify(kind, controller.ApiVersion ?? "")), _pool.Share(name))
            : null;
    }

    // Others have a StatefulSet, a DaemonSet or a Service of their own (apps.kruise.io, serving.knative.dev). ReplicaSets that are
    // older than apps/v1 still name their Deployment's group of that time.
    private static string Qualify(string kind, string apiVersion)
    {
        string group = GroupOf(apiVersion);
        return ResourceKind.FromKind(kind) is not { } known || group == GroupOf(known.ApiVersion) || group == "extensions" ? kind : $"{kind}.{group}";
    }

    private static string GroupOf(string apiVersion) => apiVersion.Contains('/') ? apiVersion[..apiVersion.IndexOf('/')] : "";

    private static WatchedResource Resource(ResourceKind kind)
    {
        string root = kind.ApiVersion.Contains('/') ? "/apis" : "/api";
        string path = $"{root}/{kind.ApiVersion}/{kind.Resource}";
        string Of(string version) => $"/apis/{GroupOf(kind.ApiVersion)}/{version}/{kind.Resource}";
        return kind == ResourceKind.TrafficSplit ? new WatchedResource(kind.Resource, [.. TrafficSplitReader.Versions.Select(Of)]) { Optional = true }
            : kind == ResourceKind.HttpRoute ? new WatchedResource(kind.Resource, path, Of("v1beta1")) { Optional = true }
            // CronJobs are stable since 1.21; the versions before are still about.
            : kind == ResourceKind.CronJob ? new WatchedResource(kind.Resource, path, Of("v1beta1")) { MetadataOnly = true }
            : new WatchedResource(kind.Resource, path) { MetadataOnly = kind != ResourceKind.Pod };
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "The snapshot of the cluster could not be built; the last one stays.")]
        public static partial void NotPublished(ILogger logger, Exception exception);
    }
}
