using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>No configured mesh can tell objects of this kind apart in this way. The message is fit for callers.</summary>
internal sealed class NotTellableException(string message) : Exception(message);

/// <summary>
/// Turns questions about objects into the few queries that answer them, and the answers into golden metrics:
/// <list type="number">
/// <item>For every active mesh choose the side that can tell the kind: the server's, else the client's.</item>
/// <item>Plan how its labels name what is asked for (<see cref="RowPlan"/>); that gives matchers and groups.</item>
/// <item>Ask for the request counter by outcome and for the latency buckets, at the same instant, concurrently.</item>
/// <item>Add each row to the subjects it is about. Counts and buckets add, so pods become workloads, nodes and Services here.</item>
/// <item>Where several meshes were asked, the first in order that saw traffic of a subject answers for it: two observers of one request
/// must not be added.</item>
/// <item>Add the objects that the cluster has and no series named: they are idle, which is an answer too, or not seen, which is another.</item>
/// </list>
/// </summary>
internal sealed class TrafficAggregator(ITrafficSource source, MeshMonitor meshes, Cluster cluster, WindowOptions windows)
{
    private const int MostNamed = 3;

    /// <summary>The traffic that the objects of a scope received.</summary>
    /// <param name="window">Null for the default.</param>
    /// <returns>In order of namespace, kind and name; empty when a single object was asked for that neither cluster nor series know.</returns>
    /// <exception cref="WindowException">The window cannot be answered.</exception>
    /// <exception cref="NotTellableException">No mesh can tell this kind.</exception>
    /// <exception cref="SourceUnavailableException">The source does not answer, or the cluster has not been read yet.</exception>
    public async Task<IReadOnlyList<TrafficItem>> GetResourcesAsync(ObjectScope scope, TimeSpan? window, CancellationToken cancellationToken)
    {
        Moment moment = await BeginAsync(window, cancellationToken);
        // Two meshes may both have traffic of what contains workloads; then it has to be told whose.
        bool units = meshes.Active.Count > 1 && scope.Kinds.Any(FirstSeen.Contains);
        IReadOnlyList<Observation> observations = await ObserveAsync(
            mesh => View.OfResources(mesh, scope, moment.Snapshot, units) is { } view ? [view] : [],
            () => CannotTell($"the traffic of {string.Join(", ", scope.Kinds.Select(kind => kind.Resource))}", [.. scope.Kinds.Select(kind => kind.Resource)], moment),
            moment,
            cancellationToken);
        Dictionary<Subject, TrafficItem> items = FirstSeen.Of(observations, moment.Window);
        foreach (ObjectRef present in Present(scope, moment.Snapshot))
        {
            items.TryAdd(new(present), Silent(new(present), observations, moment));
        }

        if (scope.Name is not null && items.Count == 0)
        {
            ThrowIfUncertain(observations);
        }

        return [.. items.Values
            .OrderBy(item => item.Resource.Namespace, StringComparer.Ordinal)
            .ThenBy(item => item.Resource.Kind.Resource, StringComparer.Ordinal)
            .ThenBy(item => item.Resource.Name, StringComparer.Ordinal)];
    }

    /// <summary>The traffic between an object and each of its peers.</summary>
    /// <param name="direction">Null for both.</param>
    /// <param name="side">Null to take the client's view of what the object sends and the server's of what it receives, where there is one.</param>
    /// <returns>
    /// Ordered by direction, then peer; null when neither cluster nor series know the object. Peers of a pod are pods where the mesh names
    /// them, those of a namespace namespaces; peers of everything else are workloads of the kinds that the mesh names, or else Services. A
    /// peer that it cannot name (outside the mesh, a bare pod) is left out.
    /// </returns>
    /// <inheritdoc cref="GetResourcesAsync" path="/exception"/>
    public async Task<IReadOnlyList<TrafficItem>?> GetEdgesAsync(
        ObjectRef resource, TimeSpan? window, Direction? direction, Side? side, CancellationToken cancellationToken)
    {
        Moment moment = await BeginAsync(window, cancellationToken);
        Direction[] directions = direction is { } one ? [one] : [Direction.To, Direction.From];
        IReadOnlyList<Observation> observations = await ObserveAsync(
            mesh => directions.Select(wanted => View.OfEdges(mesh, resource, wanted, side, moment.Snapshot)).OfType<View>(),
            () => CannotTell($"the edges of {resource.Kind.Resource}{SeenBy(side)}", [resource.Kind.Resource + "/edges", "edges", resource.Kind.Resource], moment),
            moment,
            cancellationToken);
        // An edge without a request in the window is not an edge of that window.
        TrafficItem[] items = [.. FirstSeen.Of(observations, moment.Window).Values.Where(item => item.Edge is not null && item.Requests > 0)];
        if (items.Length == 0)
        {
            // An empty list has no place for a state: "no edge" must not be said of an answer that is known to be incomplete.
            ThrowIfUncertain(observations);
        }

        return moment.Snapshot.Contains(resource) || observations.Any(observation => observation.SawResource)
            ? [.. items
                .OrderBy(item => item.Edge!.Direction)
                .ThenBy(item => item.Edge!.Peer.Namespace, StringComparer.Ordinal)
                .ThenBy(item => item.Edge!.Peer.Name, StringComparer.Ordinal)
                .ThenBy(item => item.Edge!.Peer.Kind.Resource, StringComparer.Ordinal)]
            : null;
    }

    /// <summary>The traffic between all workloads of a namespace and their peers, or between all of the cluster, with at most four queries a mesh.</summary>
    /// <param name="namespace">Null for the whole cluster.</param>
    /// <param name="side">Null to take the client's view where there is one.</param>
    /// <returns>
    /// Each edge once, ordered by sender, then receiver. Its resource is the sender, and the direction <c>to</c>; but what comes into the
    /// namespace from another has its receiver as resource, and the direction <c>from</c>.
    /// </returns>
    /// <inheritdoc cref="GetResourcesAsync" path="/exception"/>
    public async Task<IReadOnlyList<TrafficItem>> GetGraphAsync(string? @namespace, TimeSpan? window, Side? side, CancellationToken cancellationToken)
    {
        Moment moment = await BeginAsync(window, cancellationToken);
        IReadOnlyList<Observation> observations = await ObserveAsync(
            mesh => ViewsOfGraph(mesh, @namespace, side, moment.Snapshot),
            () => CannotTell($"the edges of workloads{SeenBy(side)}", ["edges"], moment),
            moment,
            cancellationToken);
        Dictionary<(ObjectRef Sender, ObjectRef Receiver), TrafficItem> items = [];
        foreach (TrafficItem item in FirstSeen.Of(observations, moment.Window).Values
            .Where(item => item.Edge is not null && item.Requests > 0)
            // What both ends saw counts as sent.
            .OrderBy(item => item.Edge!.Direction))
        {
            items.TryAdd(Ends(item), item);
        }

        if (items.Count == 0)
        {
            ThrowIfUncertain(observations);
        }

        return [.. items
            .OrderBy(item => item.Key.Sender.Namespace, StringComparer.Ordinal)
            .ThenBy(item => item.Key.Sender.Name, StringComparer.Ordinal)
            .ThenBy(item => item.Key.Sender.Kind.Resource, StringComparer.Ordinal)
            .ThenBy(item => item.Key.Receiver.Namespace, StringComparer.Ordinal)
            .ThenBy(item => item.Key.Receiver.Name, StringComparer.Ordinal)
            .ThenBy(item => item.Key.Receiver.Kind.Resource, StringComparer.Ordinal)
            .Select(item => item.Value)];
    }

    /// <summary>What each backend of the traffic splits of a scope got of the requests to their apex.</summary>
    /// <param name="scope">Of one kind of split.</param>
    /// <returns>
    /// An item for each backend, ordered by namespace and name of the split; null when a single split was asked for that the cluster does not
    /// have. The first mesh, and its best way to see splits, that saw traffic of a split answers for all its backends.
    /// </returns>
    /// <inheritdoc cref="GetResourcesAsync" path="/exception"/>
    public async Task<IReadOnlyList<TrafficItem>?> GetSplitsAsync(ObjectScope scope, TimeSpan? window, CancellationToken cancellationToken)
    {
        Moment moment = await BeginAsync(window, cancellationToken);
        if (!moment.Snapshot.HasCluster)
        {
            throw new NotTellableException($"{scope.Kinds[0].Resource} are read from the cluster, and this server runs without one");
        }

        if (moment.Snapshot.Unread.Contains(scope.Kinds[0]))
        {
            throw new SourceUnavailableException($"the server cannot read {scope.Kinds[0].Resource} from the cluster; its log says why", null);
        }

        TrafficSplit[] splits = [.. moment.Snapshot.List(scope.Kinds[0], scope.Namespace).Cast<TrafficSplit>().Where(split => scope.Name is null || split.Key.Name == scope.Name)];
        if (splits.Length == 0)
        {
            return scope.Name is null ? [] : null;
        }

        IReadOnlyList<Observation> observations = await ObserveAsync(
            mesh => View.OfSplits(mesh, splits, moment.Snapshot),
            () => CannotTell("the traffic of a split's backends", [SplitNames.Split], moment),
            moment,
            cancellationToken);
        List<TrafficItem> items = [];
        foreach (TrafficSplit split in splits)
        {
            Subject[] shares = [.. split.Backends.Select(backend => SplitRows.SubjectOf(split, backend))];
            Observation? seen = observations.FirstOrDefault(observation => shares.Any(share => observation.Tallies.TryGetValue(share, out Tally? tally) && tally.Requests > 0));
            foreach (Subject share in shares)
            {
                items.Add(seen is null ? Silent(share, observations, moment)
                    : seen.View.Rows.NotTold(share) is { } reason ? seen.Item(share, moment.Window) with { State = TrafficState.Partial, Reason = reason }
                    : seen.Item(share, moment.Window));
            }
        }

        return items;
    }

    private static string SeenBy(Side? side) => side is { } asked ? $" as the {asked.ToString().ToLowerInvariant()} sees them" : "";

    private static (ObjectRef Sender, ObjectRef Receiver) Ends(TrafficItem item) =>
        item.Edge!.Direction == Direction.To ? (item.Resource, item.Edge.Peer) : (item.Edge.Peer, item.Resource);

    private static IEnumerable<View> ViewsOfGraph(MeshDescriptor mesh, string? @namespace, Side? side, ClusterSnapshot snapshot)
    {
        View? sent = View.OfGraph(mesh, @namespace, Direction.To, side, snapshot);
        if (sent is not null)
        {
            yield return sent;
        }

        if (View.OfGraph(mesh, @namespace, Direction.From, side, snapshot) is { } received)
        {
            yield return received;
        }
    }

    private async Task<Moment> BeginAsync(TimeSpan? window, CancellationToken cancellationToken)
    {
        if (!cluster.Synced)
        {
            throw new SourceUnavailableException("the server is starting: it has not read the cluster yet", null);
        }

        await meshes.FirstLook.WaitAsync(cancellationToken);
        return new Moment(cluster.Snapshot, QueryWindow.Choose(window, meshes.ScrapeInterval, windows), source.Instant);
    }

    /// <param name="viewsOf">A mesh's views that can tell; none when it cannot.</param>
    /// <returns>An observation for each view, in order of preference; without rows where no mesh is there to be asked.</returns>
    private async Task<IReadOnlyList<Observation>> ObserveAsync(
        Func<MeshDescriptor, IEnumerable<View>> viewsOf, Func<NotTellableException> cannotTell, Moment moment, CancellationToken cancellationToken)
    {
        IReadOnlyList<MeshDescriptor> active = meshes.Active;
        if (active.Count == 0 && meshes.Failure is { } failure)
        {
            // Nothing is known of any mesh: neither that it is there, nor that it is not.
            throw new SourceUnavailableException(failure.Message, failure, failure.TimedOut);
        }

        bool none = active.Count == 0;
        View[] views = [.. (none ? meshes.Configured : active).SelectMany(viewsOf)];
        return views.Length == 0 ? throw cannotTell()
            : none ? [.. views.Select(view => new Observation(view, moment.Instant))]
            : await ObserveAsync(views, moment, cancellationToken);
    }

    private async Task<IReadOnlyList<Observation>> ObserveAsync(View[] views, Moment moment, CancellationToken cancellationToken)
    {
        Task<Observation>[] asked = [.. views.Select(view => Observation.AskAsync(source, view, moment.Window, moment.Instant, cancellationToken))];
        try
        {
            return await Task.WhenAll(asked);
        }
        catch (SourceUnavailableException) when (Array.Exists(asked, task => task.IsCompletedSuccessfully))
        {
            // What one mesh's proxies cannot tell does not take away what another's can.
            List<Observation> observations = [];
            foreach ((View view, Task<Observation> task) in views.Zip(asked))
            {
                try
                {
                    observations.Add(await task);
                }
                catch (SourceUnavailableException e)
                {
                    Observation missing = new(view, moment.Instant);
                    missing.Fail($"{view.Mesh.Name}: {e.Message}");
                    observations.Add(missing);
                }
            }

            return observations;
        }
    }

    private static IEnumerable<ObjectRef> Present(ObjectScope scope, ClusterSnapshot snapshot)
    {
        if (scope.Name is { } name)
        {
            ObjectRef reference = new(scope.Kinds[0], scope.Namespace ?? "", name);
            return snapshot.Contains(reference) ? [reference] : [];
        }

        // In a list of several kinds what one of them owns is already there under its owner: the Jobs of a CronJob.
        return from kind in scope.Kinds
               from item in snapshot.List(kind, scope.Namespace)
               where scope.Kinds.Count == 1 || !scope.Owns(item)
               select new ObjectRef(kind, item.Key);
    }

    /// <summary>What is said of a subject that no row named.</summary>
    private TrafficItem Silent(Subject subject, IReadOnlyList<Observation> observations, Moment moment)
    {
        Observation? uncertain = observations.FirstOrDefault(observation => observation.Qualification is not null);
        string? notSeen = NotCounted(subject.Resource, moment.Snapshot)
            ?? observations.Select(observation => observation.View.Rows.NotTold(subject)).FirstOrDefault(reason => reason is not null)
            ?? NotMeshed(subject.Resource, observations, moment.Snapshot);
        (TrafficState state, string reason) = notSeen is not null ? (TrafficState.Partial, notSeen) : uncertain?.Qualification ?? (TrafficState.Idle, IdleReason(observations));
        if (state == TrafficState.Idle && meshes.Statuses.FirstOrDefault(status => status.Presence == MeshPresence.Unknown) is { } unknown)
        {
            (state, reason) = (TrafficState.Partial, $"{unknown.Mesh.Name} could not be looked for yet; {reason}");
        }

        Observation told = uncertain ?? observations[0];
        string? mesh = observations.Select(observation => observation.View.Mesh.Name).Distinct().Count() == 1 ? told.View.Mesh.Name : null;
        return new TrafficItem(subject.Resource, null, told.View.Side, null, null, null, 0, 0, state, reason, mesh, told.Instant, moment.Window)
        {
            Backend = subject.Backend,
        };
    }

    private string IdleReason(IReadOnlyList<Observation> observations)
    {
        string reason = observations[0].NoRequest;
        string[] asked = [.. observations.Select(observation => observation.View.Mesh.Name).Distinct()];
        string[] missing = [.. observations.Select(observation => observation.View.Mesh).Where(meshes.IsMissing).Select(mesh => mesh.Name).Distinct()];
        return missing.Length == 0 ? reason
            : missing.Length <= MostNamed ? $"{reason}: there are no series of {string.Join(" or ", missing)} at all"
            : $"{reason}: there are no series of any of the {asked.Length} meshes that could tell";
    }

    /// <summary>Meshes count the Jobs of a CronJob as the CronJob's: such a Job is not idle, it is just not told apart.</summary>
    private static string? NotCounted(ObjectRef reference, ClusterSnapshot snapshot) =>
        reference.Kind == ResourceKind.Job && snapshot.Find(reference)?.Owner is { } owner && owner.Kind == ResourceKind.CronJob.Kind
            ? $"the mesh counts its traffic under CronJob {owner.Name}"
            : null;

    /// <summary>
    /// What no proxy stands before is not idle: nobody looks. It can be said where every mesh that was asked is seen by the receivers'
    /// own proxies.
    /// </summary>
    private static string? NotMeshed(ObjectRef reference, IReadOnlyList<Observation> observations, ClusterSnapshot snapshot)
    {
        MeshDescriptor[] asked = [.. observations.Select(observation => observation.View.Mesh).Distinct()];
        IReadOnlyList<Pod> pods = snapshot.PodsOf(reference);
        return pods.Count == 0
            || observations.Any(observation => observation.View.Side != Side.Server)
            || !Array.TrueForAll(asked, mesh => ProxyPods.AreReceivers(mesh) && !pods.Any(pod => ProxyPods.Has(pod, mesh.Scrape!)))
            ? null
            : asked.Length <= MostNamed ? $"none of its pods has a proxy of {string.Join(" or ", asked.Select(mesh => mesh.Name))}, so nobody sees its traffic"
            : "none of its pods has a mesh's proxy, so nobody sees its traffic";
    }

    /// <exception cref="SourceUnavailableException">Something that was not found may be among what is missing from the answers.</exception>
    private static void ThrowIfUncertain(IReadOnlyList<Observation> observations)
    {
        if (observations.Select(observation => observation.Qualification).FirstOrDefault(qualification => qualification is not null) is { } uncertain)
        {
            throw new SourceUnavailableException($"nothing was found, but the answer is not whole: {uncertain.Reason}", null);
        }
    }

    /// <param name="keys">Under which a descriptor may say why, the more particular first.</param>
    private NotTellableException CannotTell(string what, IReadOnlyList<string> keys, Moment moment)
    {
        IReadOnlyList<MeshDescriptor> asked = meshes.Active.Count > 0 ? meshes.Active : meshes.Configured;
        string names = asked.Count <= MostNamed ? string.Join(" or ", asked.Select(mesh => mesh.Name)) : $"none of {asked.Count} meshes";
        string[] reasons =
        [
            .. from mesh in asked
               let reason = keys.Select(key => mesh.Cannot.GetValueOrDefault(key)).FirstOrDefault(reason => reason is not null)
               where reason is not null
               select asked.Count == 1 ? reason : $"{mesh.Name}: {reason}",
        ];
        string because = reasons.Length > 0 ? ": " + string.Join("; ", reasons.Take(MostNamed)) : "";
        string hint = moment.Snapshot.HasCluster ? "" : " without a cluster to look names up in";
        return new NotTellableException($"{names} {(asked.Count <= MostNamed ? "cannot" : "can")} tell {what}{hint}{because}");
    }

    /// <summary>What stays the same throughout one request.</summary>
    private sealed record Moment(ClusterSnapshot Snapshot, TimeSpan Window, DateTimeOffset Instant);
}
