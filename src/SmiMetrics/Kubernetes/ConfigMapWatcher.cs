namespace SmiMetrics.Kubernetes;

/// <summary>
/// Follows one ConfigMap by watching, and reads it again every minute all the same. Needs <c>list</c> and <c>watch</c> on it; a Role
/// with its resourceName will do, since the list asks for that name alone
/// (<c>kube-system/extension-apiserver-authentication-reader</c> is one).
/// </summary>
/// <param name="changed">
/// Called with the ConfigMap's <c>data</c> when it has first been read and whenever it differs from the last; with null when there is
/// no such ConfigMap. What it throws is logged, and it is called again within the minute.
/// </param>
internal sealed class ConfigMapWatcher(
    KubernetesApi api,
    string @namespace,
    string name,
    Action<IReadOnlyDictionary<string, string>?> changed,
    TimeProvider timeProvider,
    ILogger logger,
    KubernetesMetrics metrics)
{
    private static readonly TimeSpan ReadAgainAfter = TimeSpan.FromMinutes(1);

    private Dictionary<string, string>? _current;
    private Dictionary<string, string>? _delivered;
    private bool _everDelivered;
    private bool _listed;

    /// <summary>Ends when asked to stop. Whatever goes wrong is logged and tried again.</summary>
    public Task RunAsync(CancellationToken cancellationToken)
    {
        WatchedResource resource = new("configmaps", $"/api/v1/namespaces/{@namespace}/configmaps")
        {
            FieldSelector = $"metadata.name={name}",
            RelistEvery = ReadAgainAfter,
        };
        return new Informer(api, resource, Take, Listed, new Pool(slots: 1), timeProvider, logger, metrics).RunAsync(cancellationToken);
    }

    private void Take(ObjectKey key, KubeObject? item)
    {
        _current = item is null ? null : item.Data ?? [];
        if (_listed)
        {
            Deliver();
        }
    }

    // Until then it is not known whether the ConfigMap does not exist or has not come yet.
    private void Listed()
    {
        _listed = true;
        Deliver();
    }

    private void Deliver()
    {
        if (_everDelivered && Same(_current, _delivered))
        {
            return;
        }

        changed(_current);
        _everDelivered = true;
        _delivered = _current;
    }

    private static bool Same(Dictionary<string, string>? left, Dictionary<string, string>? right) =>
        ReferenceEquals(left, right)
        || (left is not null && right is not null && left.Count == right.Count
            && left.All(entry => right.TryGetValue(entry.Key, out string? value) && value == entry.Value));
}
