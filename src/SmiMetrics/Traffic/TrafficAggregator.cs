using System.Globalization;
using System.Runtime.InteropServices;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>No configured mesh can tell objects of this kind apart in this way. The message is fit for callers.</summary>
internal sealed class NotTellableException(string message) : Exception(message);

/// <summary>
/// Turns questions about objects into the few queries that answer them, and the answers into golden metrics:
/// <list type="number">
/// <item>For every active mesh choose the side that can tell the kind: the server's, else the client's.</item>
/// <item>Plan how its labels name the objects asked for (<see cref="IdentityPlan"/>); that gives matchers and groups.</item>
/// <item>Ask for the request counter by outcome and for the latency buckets, at the same instant, concurrently.</item>
/// <item>Add each row to the objects it belongs to. Counts and buckets add, so pods become workloads, nodes and Services here.</item>
/// <item>Where several meshes were asked, the first in order that saw traffic of an object answers for it: two observers of one request
/// must not be added.</item>
/// <item>Add the objects that the cluster has and no series named: they are idle, which is an answer too.</item>
/// </list>
/// </summary>
internal sealed class TrafficAggregator(ITrafficSource source, MeshMonitor meshes, Cluster cluster, WindowOptions windows)
{
    private const string BucketLabel = "le";

    /// <summary>Kinds that hold workloads of any mesh.</summary>
    private static readonly ResourceKind[] Containers = [ResourceKind.Namespace, ResourceKind.Node, ResourceKind.Service];

    /// <summary>The traffic that the objects of a scope received.</summary>
    /// <param name="window">Null for the default.</param>
    /// <returns>In order of namespace, kind and name; empty when a single object was asked for that neither cluster nor series know.</returns>
    /// <exception cref="WindowException">The window cannot be answered.</exception>
    /// <exception cref="NotTellableException">No mesh can tell this kind.</exception>
    /// <exception cref="SourceUnavailableException">The source does not answer, or the cluster has not been read yet.</exception>
    public async Task<IReadOnlyList<TrafficItem>> GetResourcesAsync(ObjectScope scope, TimeSpan? window, CancellationToken cancellationToken)
    {
        Moment moment = await BeginAsync(window, cancellationToken);
        List<View> views = [.. meshes.Active.Select(mesh => View.OfResources(mesh, scope, moment.Snapshot)).OfType<View>()];
        if (views.Count == 0)
        {
            throw CannotTell($"the traffic of {string.Join(", ", scope.Kinds.Select(kind => kind.Resource))}", moment);
        }

        Dictionary<ObjectRef, TrafficItem> items = [];
        IReadOnlyList<Observation> observations = await ObserveAsync(views, moment, cancellationToken);
        foreach (Observation observation in observations)
        {
            foreach ((EdgeKey key, Tally tally) in observation.Tallies)
            {
                Keep(items, key.Resource, observation.Item(key, tally, moment.Window));
            }
        }

        TrafficItem silent = Silent(observations, moment);
        foreach (ObjectRef present in Present(scope, moment.Snapshot))
        {
            items.TryAdd(present, NotCounted(present, moment.Snapshot) is { } elsewhere
                ? silent with { Resource = present, State = TrafficState.Partial, Reason = elsewhere }
                : silent with { Resource = present });
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
    /// them, those of a namespace namespaces; peers of everything else are workloads of the kinds that the mesh names. A peer that it cannot
    /// name (outside the mesh, a bare pod) is left out.
    /// </returns>
    /// <inheritdoc cref="GetResourcesAsync" path="/exception"/>
    public async Task<IReadOnlyList<TrafficItem>?> GetEdgesAsync(
        ObjectRef resource, TimeSpan? window, Direction? direction, Side? side, CancellationToken cancellationToken)
    {
        Moment moment = await BeginAsync(window, cancellationToken);
        List<View> views = [];
        foreach (MeshDescriptor mesh in meshes.Active)
        {
            foreach (Direction wanted in direction is { } one ? [one] : new[] { Direction.To, Direction.From })
            {
                if (View.OfEdges(mesh, resource, wanted, side, moment.Snapshot) is { } view)
                {
                    views.Add(view);
                }
            }
        }

        if (views.Count == 0)
        {
            string seen = side is { } asked ? $" as the {asked.ToString().ToLowerInvariant()} sees them" : "";
            throw CannotTell($"the edges of {resource.Kind.Resource}{seen}", moment);
        }

        Dictionary<TrafficEdge, TrafficItem> items = [];
        bool known = moment.Snapshot.Contains(resource);
        IReadOnlyList<Observation> observations = await ObserveAsync(views, moment, cancellationToken);
        foreach (Observation observation in observations)
        {
            known |= observation.SawResource;
            foreach ((EdgeKey key, Tally tally) in observation.Tallies)
            {
                // An edge without a request in the window is not an edge of that window.
                if (key.Edge is { } edge && tally.Requests > 0)
                {
                    Keep(items, edge, observation.Item(key, tally, moment.Window));
                }
            }
        }

        if (items.Count == 0)
        {
            // An empty list has no place for a state: "no edge" must not be said of an answer that is known to be incomplete.
            ThrowIfUncertain(observations);
        }

        return known
            ? [.. items.Values
                .OrderBy(item => item.Edge!.Direction)
                .ThenBy(item => item.Edge!.Peer.Namespace, StringComparer.Ordinal)
                .ThenBy(item => item.Edge!.Peer.Name, StringComparer.Ordinal)
                .ThenBy(item => item.Edge!.Peer.Kind.Resource, StringComparer.Ordinal)]
            : null;
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

    private async Task<IReadOnlyList<Observation>> ObserveAsync(List<View> views, Moment moment, CancellationToken cancellationToken)
    {
        Task<Observation>[] asked = [.. views.Select(view => ObserveAsync(view, moment, cancellationToken))];
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
                    missing.Warn($"{view.Mesh.Name}: {e.Message}");
                    observations.Add(missing);
                }
            }

            return observations;
        }
    }

    private async Task<Observation> ObserveAsync(View view, Moment moment, CancellationToken cancellationToken)
    {
        Observation observation = new(view, moment.Instant);
        if (view.Plan.Empty)
        {
            return observation;
        }

        string[] identity = [.. view.Plan.Labels, .. view.Peers?.Labels ?? []];
        Matcher[] matchers = [.. view.Plan.Matchers, .. view.Peers?.Matchers ?? []];
        Task<IncreaseAnswer> Ask(string series, IEnumerable<Matcher> where, IEnumerable<string> more) =>
            source.QueryAsync(
                new IncreaseQuery(series, [.. where.Concat(matchers).Distinct()], [.. identity.Concat(more).Distinct()], moment.Window),
                moment.Instant,
                cancellationToken);

        MeshSide series = view.Series;
        IReadOnlyList<string> outcomeLabels = series.Failures is null ? view.Mesh.Outcome.Labels : [];
        Task<IncreaseAnswer> requests = Ask(series.Requests, series.Where, outcomeLabels);
        Task<IncreaseAnswer>? failures = series.Failures is { } failed ? Ask(failed, series.Where, []) : null;
        Task<IncreaseAnswer>? buckets = series.Latency is { } latency ? Ask(latency.Series + "_bucket", latency.Where, [BucketLabel]) : null;
        await Task.WhenAll(new[] { requests, failures, buckets }.OfType<Task<IncreaseAnswer>>());

        string[] countedBy = [.. identity.Concat(outcomeLabels).Distinct()];
        OutcomeClassifier? classifier = series.Failures is null ? view.Mesh.Outcome.Bind(countedBy) : null;
        observation.Add(await requests, identity, (tally, row) =>
        {
            RequestOutcome outcome = classifier?.Classify(row.Labels) ?? RequestOutcome.Success;
            tally.Success += outcome == RequestOutcome.Success ? row.Value : 0;
            tally.Failure += outcome == RequestOutcome.Failure ? row.Value : 0;
        });

        if (failures is not null)
        {
            // The request counter holds the failed ones too. Both are extrapolated on their own, so the difference may dip below zero.
            observation.Add(await failures, identity, (tally, row) =>
            {
                tally.Failure += row.Value;
                tally.Success = Math.Max(0, tally.Success - row.Value);
            });
        }

        if (buckets is not null)
        {
            int bound = Array.IndexOf([.. identity.Append(BucketLabel).Distinct()], BucketLabel);
            observation.Add(await buckets, identity, (tally, row) =>
            {
                // Compared as numbers: Prometheus 3 writes le="1.0" for what was le="1".
                if (TryParseBound(row.Labels[bound], out double upperBound))
                {
                    tally.Latency.Add(upperBound, row.Value);
                }
            });
        }

        return observation;
    }

    private static bool TryParseBound(string text, out double bound)
    {
        if (text is "+Inf" or "Inf")
        {
            bound = double.PositiveInfinity;
            return true;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out bound) && !double.IsNaN(bound);
    }

    /// <summary>
    /// Views come in order of preference: a later one answers only where the earlier saw no request. What contains many workloads may
    /// have traffic of two meshes; one request may also have two observers, so nothing is added, but the omission is said.
    /// </summary>
    private static void Keep<TKey>(Dictionary<TKey, TrafficItem> items, TKey key, TrafficItem item) where TKey : notnull
    {
        ref TrafficItem? kept = ref CollectionsMarshal.GetValueRefOrAddDefault(items, key, out bool exists);
        if (!exists || (kept!.Requests == 0 && item.Requests > 0))
        {
            kept = item;
        }
        else if (item.Requests > 0 && item.Mesh != kept.Mesh && kept.State == TrafficState.Ok && Containers.Contains(item.Resource.Kind))
        {
            kept = kept with { State = TrafficState.Partial, Reason = $"{item.Mesh} saw traffic too, which is not in these numbers" };
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
               where scope.Kinds.Count == 1 || !scope.Kinds.Any(owner => owner.Kind == item.Owner?.Kind)
               select new ObjectRef(kind, item.Key);
    }

    /// <summary>What is said of an object that no row named.</summary>
    private TrafficItem Silent(IReadOnlyList<Observation> observations, Moment moment)
    {
        Observation? uncertain = observations.FirstOrDefault(observation => observation.Qualification is not null);
        (TrafficState state, string reason) = uncertain?.Qualification ?? (TrafficState.Idle, IdleReason(observations));
        Observation told = uncertain ?? observations[0];
        string? mesh = observations.Count == 1 ? told.View.Mesh.Name : null;
        return new TrafficItem(default, null, told.View.Side, null, null, null, 0, 0, state, reason, mesh, told.Instant, moment.Window);
    }

    private string IdleReason(IReadOnlyList<Observation> observations)
    {
        string[] missing = [.. observations.Select(observation => observation.View.Mesh).Distinct().Where(meshes.IsMissing).Select(mesh => mesh.Name)];
        string reason = observations[0].NoRequest;
        return missing.Length == 0 ? reason : $"{reason}: there are no series of {string.Join(" or ", missing)} at all";
    }

    /// <summary>Meshes count the Jobs of a CronJob as the CronJob's: such a Job is not idle, it is just not told apart.</summary>
    private static string? NotCounted(ObjectRef reference, ClusterSnapshot snapshot) =>
        reference.Kind == ResourceKind.Job && snapshot.Find(reference)?.Owner is { } owner && owner.Kind == ResourceKind.CronJob.Kind
            ? $"the mesh counts its traffic under CronJob {owner.Name}"
            : null;

    /// <exception cref="SourceUnavailableException">Something that was not found may be among what is missing from the answers.</exception>
    private static void ThrowIfUncertain(IReadOnlyList<Observation> observations)
    {
        if (observations.Select(observation => observation.Qualification).FirstOrDefault(qualification => qualification is not null) is { } uncertain)
        {
            throw new SourceUnavailableException($"nothing was found, but the answer is not whole: {uncertain.Reason}", null);
        }
    }

    private NotTellableException CannotTell(string what, Moment moment)
    {
        string names = string.Join(" or ", meshes.Active.Select(mesh => mesh.Name));
        string hint = moment.Snapshot.HasCluster ? "" : " without a cluster to look names up in";
        return new NotTellableException($"{names} cannot tell {what}{hint}");
    }

    /// <summary>What stays the same throughout one request.</summary>
    private sealed record Moment(ClusterSnapshot Snapshot, TimeSpan Window, DateTimeOffset Instant);
}
