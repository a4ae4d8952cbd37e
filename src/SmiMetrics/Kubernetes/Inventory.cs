namespace SmiMetrics.Kubernetes;

/// <summary>
/// All objects that we know of, as informers report them from several threads, and those that are gone since less than
/// <paramref name="retention"/>: their last traffic is still within the query window, and must be attributed as before.
/// </summary>
internal sealed class Inventory(TimeSpan retention, TimeProvider timeProvider)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ResourceKind, Dictionary<ObjectKey, ClusterObject>> _objects =
        ResourceKind.Watched.ToDictionary(kind => kind, _ => new Dictionary<ObjectKey, ClusterObject>());
    private readonly Dictionary<ObjectKey, EndpointSlice> _slices = [];

    private readonly Dictionary<ObjectRef, Gone<ClusterObject>> _gone = [];
    private readonly Dictionary<Endpoint, Gone<Endpoint>> _goneEndpoints = [];

    /// <summary>Whether anything waits to be forgotten.</summary>
    public bool Remembers
    {
        get
        {
            lock (_lock)
            {
                return _gone.Count + _goneEndpoints.Count > 0;
            }
        }
    }

    /// <returns>Whether anything differs from what was known. Most events change only what we do not keep, a heartbeat for example.</returns>
    public bool Put(ResourceKind kind, ClusterObject added)
    {
        lock (_lock)
        {
            if (_objects[kind].TryGetValue(added.Key, out ClusterObject? known) && known.Equals(added))
            {
                return false;
            }

            _objects[kind][added.Key] = added;
            _gone.Remove(new ObjectRef(kind, added.Key));
            return true;
        }
    }

    public bool Remove(ResourceKind kind, ObjectKey key)
    {
        lock (_lock)
        {
            if (!_objects[kind].Remove(key, out ClusterObject? removed))
            {
                return false;
            }

            _gone[new ObjectRef(kind, key)] = new(removed, timeProvider.GetTimestamp());
            return true;
        }
    }

    /// <inheritdoc cref="Put(ResourceKind, ClusterObject)"/>
    public bool Put(EndpointSlice added)
    {
        lock (_lock)
        {
            if (_slices.TryGetValue(added.Key, out EndpointSlice? known)
                && known.Service == added.Service && known.Pods.SequenceEqual(added.Pods))
            {
                return false;
            }

            _slices[added.Key] = added;
            RememberEndpoints(known, except: added);
            return true;
        }
    }

    public bool Remove(ObjectKey slice)
    {
        lock (_lock)
        {
            bool removed = _slices.Remove(slice, out EndpointSlice? known);
            RememberEndpoints(known, except: null);
            return removed;
        }
    }

    /// <param name="unread">Kinds that nothing is known of.</param>
    public ClusterSnapshot Snapshot(IReadOnlySet<ResourceKind> unread)
    {
        Dictionary<ResourceKind, IReadOnlyCollection<ClusterObject>> objects;
        EndpointSlice[] slices;
        Departed departed;
        lock (_lock)
        {
            Forget();
            objects = _objects.ToDictionary(entry => entry.Key, entry => (IReadOnlyCollection<ClusterObject>)[.. entry.Value.Values]);
            slices = [.. _slices.Values];
            departed = new Departed(
                _gone.GroupBy(entry => entry.Key.Kind, entry => entry.Value.What)
                    .ToDictionary(group => group.Key, group => (IReadOnlyCollection<ClusterObject>)[.. group]),
                [.. _goneEndpoints.Keys.Select(endpoint =>
                    new EndpointSlice(new ObjectKey(endpoint.Namespace, ""), endpoint.Service, [endpoint.Pod]))]);
        }

        return new ClusterSnapshot(objects, slices, departed) { Unread = unread };
    }

    // A pod that leaves a Service and lives on is none of the Service's business; the snapshot sees to that. One that is deleted
    // leaves its slices shortly before or after.
    private void RememberEndpoints(EndpointSlice? left, EndpointSlice? except)
    {
        foreach (string pod in left?.Pods ?? [])
        {
            if (except is null || except.Service != left!.Service || !except.Pods.Contains(pod))
            {
                Endpoint endpoint = new(left!.Key.Namespace, left.Service, pod);
                _goneEndpoints[endpoint] = new(endpoint, timeProvider.GetTimestamp());
            }
        }
    }

    private void Forget()
    {
        foreach (Endpoint expired in Expired(_goneEndpoints))
        {
            _goneEndpoints.Remove(expired);
        }

        List<ObjectRef> objects = Expired(_gone);
        foreach (ObjectRef pod in objects.Where(expired => expired.Kind == ResourceKind.Pod))
        {
            _gone.Remove(pod);
        }

        if (objects.TrueForAll(expired => expired.Kind == ResourceKind.Pod))
        {
            return;
        }

        // The ReplicaSet of a rolling update, or a Job, may be deleted long before the last of its pods. Without it nobody knows
        // the Deployment, so it is remembered as long as one of them is.
        HashSet<ObjectRef> needed = [];
        foreach (ClusterObject owned in _objects[ResourceKind.Pod].Values.Concat(_gone.Values.Select(gone => gone.What)))
        {
            if (owned.Owner is { } owner && ResourceKind.FromKind(owner.Kind) is { } kind)
            {
                needed.Add(new ObjectRef(kind, owned.Key.Namespace, owner.Name));
            }
        }

        foreach (ObjectRef expired in objects.Where(expired => !needed.Contains(expired)))
        {
            _gone.Remove(expired);
        }
    }

    private List<TKey> Expired<TKey, TWhat>(Dictionary<TKey, Gone<TWhat>> gone) where TKey : notnull =>
        [.. gone.Where(entry => timeProvider.GetElapsedTime(entry.Value.Since) > retention).Select(entry => entry.Key)];

    private readonly record struct Gone<T>(T What, long Since);

    private readonly record struct Endpoint(string Namespace, string Service, string Pod);
}
