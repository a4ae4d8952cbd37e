using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>Which objects a plan is about: all of some kinds, those of one namespace, or a single one.</summary>
/// <param name="Kinds">In order of preference: a row that could name several is given to the first.</param>
/// <param name="Namespace">Null for all namespaces, and for cluster-scoped kinds.</param>
/// <param name="Name">Null for all names.</param>
internal sealed record ObjectScope(IReadOnlyList<ResourceKind> Kinds, string? Namespace, string? Name)
{
    public static ObjectScope Of(ObjectRef reference) =>
        new([reference.Kind], reference.Kind.Namespaced ? reference.Namespace : null, reference.Name);

    public static ObjectScope Any(params IReadOnlyList<ResourceKind> kinds) => new(kinds, null, null);

    /// <summary>Whether an object counts under its owner, which is of one of these kinds: the Jobs of a CronJob.</summary>
    public bool Owns(ClusterObject item) => Kinds.Any(owner => owner.Kind == item.Owner?.Kind);
}

/// <summary>An object that a row counts for.</summary>
/// <param name="Reservation">Null when the row is this object's alone; else what is mixed into it.</param>
internal readonly record struct Attribution(ObjectRef Object, string? Reservation);

/// <summary>
/// How one end of the requests is asked for and recognised: which matchers narrow a query to the scope, which labels it groups by,
/// and whose each row of the answer is. One plan serves the counter and the histogram alike.
/// </summary>
internal sealed class IdentityPlan
{
    /// <summary>
    /// Beyond this many pods their names no longer go into the query (a matcher of 25 kB was refused by a proxy in the field,
    /// prometheus-adapter#668): all pods are asked for, of the namespace or for a node of the mesh, and the others dropped here.
    /// </summary>
    private const int MostPodsInMatcher = 100;

    /// <summary>Why nothing is told of an object whose name alone a mesh gives.</summary>
    public const string NotTheOnlyName = "the mesh names it without its namespace, and that name is not the only one of its kind in the cluster";

    private readonly List<Matcher> _matchers = [];
    private readonly List<string> _labels = [];
    private readonly List<Recognizer> _recognizers = [];
    private readonly IReadOnlySet<string> _unknown;
    private readonly ObjectScope _scope;
    private readonly ClusterSnapshot _snapshot;
    private Func<ObjectRef, string?>? _notTold;

    private IdentityPlan(ObjectScope scope, ClusterSnapshot snapshot, IReadOnlySet<string> unknown)
    {
        _scope = scope;
        _snapshot = snapshot;
        _unknown = unknown;
    }

    /// <summary>What a query must match for its rows to be in the scope. They may still hold others: <see cref="Recognize"/> decides.</summary>
    public IReadOnlyList<Matcher> Matchers => _matchers;

    /// <summary>What a query must group by, first in its <c>By</c>: <see cref="Recognize"/> reads a row's labels by these positions.</summary>
    public IReadOnlyList<string> Labels => _labels;

    /// <summary>True when the cluster already says that no series can be in the scope: there is nothing to ask.</summary>
    public bool Empty { get; private set; }

    /// <summary>Why the traffic of this object is not told, though that of others of its kind is; null where it is.</summary>
    public string? NotTold(ObjectRef reference) => _notTold?.Invoke(reference);

    /// <returns>Null when these labels cannot tell any of the kinds.</returns>
    public static IdentityPlan? Create(Identity identity, ObjectScope scope, ClusterSnapshot snapshot, IReadOnlySet<string> unknown)
    {
        IdentityPlan plan = new(scope, snapshot, unknown);
        // Kinds that share their means share a recognizer. Labels differ from kind to kind, but rank as one: a row names one of them.
        foreach (IGrouping<object, (ResourceKind Kind, IdentityMeans Means)> group in Tellable(identity, scope, snapshot)
            .GroupBy(pair => pair.Means is IdentityMeans.Label ? typeof(IdentityMeans.Label) : (object)pair.Means))
        {
            plan.Add(group.ToList(), identity, snapshot);
        }

        if (plan._recognizers.Count == 0)
        {
            return null;
        }

        // A row has only to satisfy one means, so a query may demand just what all of them demand.
        plan._matchers.AddRange(plan._recognizers[0].Matchers.Where(matcher => plan._recognizers.All(other => other.Matchers.Contains(matcher))));
        return plan;
    }

    /// <summary>Whose row this is: nobody's (another kind, another scope, "unknown"), one object's, or several (the Services of a pod).</summary>
    /// <param name="row">The row's labels, those of <see cref="Labels"/> in their order.</param>
    public void Recognize(string[] row, List<Attribution> found)
    {
        found.Clear();
        foreach (Recognizer recognizer in _recognizers)
        {
            recognizer.Recognize(row, found);
            if (found.Count > 0)
            {
                GiveToOwners(found);
                found.RemoveAll(attribution => !InScope(attribution.Object));
                return;
            }
        }
    }

    /// <summary>Among several kinds what one of them owns counts under its owner: a mesh may name the Job of a CronJob (OSM).</summary>
    private void GiveToOwners(List<Attribution> found)
    {
        for (int i = 0; _scope.Kinds.Count > 1 && i < found.Count; i++)
        {
            ObjectRef named = found[i].Object;
            if (_snapshot.Find(named) is { Owner: { } owner } item && _scope.Owns(item))
            {
                found[i] = found[i] with { Object = new ObjectRef(ResourceKind.FromKind(owner.Kind)!, named.Namespace, owner.Name) };
            }
        }
    }

    private static IEnumerable<(ResourceKind Kind, IdentityMeans Means)> Tellable(Identity identity, ObjectScope scope, ClusterSnapshot snapshot)
    {
        foreach (ResourceKind kind in scope.Kinds)
        {
            IdentityMeans? means = identity.Means.GetValueOrDefault(kind.Resource);
            bool needsCluster = means is IdentityMeans.ThroughPods or IdentityMeans.NameOnly or IdentityMeans.UniqueName;
            if (means is not null && (snapshot.HasCluster || !needsCluster) && IsWorthwhile(kind, means, scope, snapshot))
            {
                yield return (kind, means);
            }
        }
    }

    /// <summary>
    /// Among other workloads only a ReplicaSet that none of them owns counts as itself (a bare one, or an Argo Rollout's). Where there is
    /// none, nobody shall have to group by pods for it.
    /// </summary>
    private static bool IsWorthwhile(ResourceKind kind, IdentityMeans means, ObjectScope scope, ClusterSnapshot snapshot) =>
        kind != ResourceKind.ReplicaSet
        || scope.Kinds.Count == 1
        || means is not IdentityMeans.ThroughPods
        || snapshot.List(kind, scope.Namespace).Any(item => !scope.Owns(item));

    private void Add(List<(ResourceKind Kind, IdentityMeans Means)> group, Identity identity, ClusterSnapshot snapshot)
    {
        ResourceKind[] kinds = [.. group.Select(pair => pair.Kind)];
        switch (group[0].Means)
        {
            case IdentityMeans.Label:
                foreach ((ResourceKind kind, IdentityMeans means) in group)
                {
                    AddLabel(kind, (IdentityMeans.Label)means, identity, snapshot, alone: group.Count == 1);
                }

                break;

            case IdentityMeans.KindAndName means:
                AddKindAndName(kinds, means, identity, snapshot);
                break;

            case IdentityMeans.NameOnly means:
                AddNameOnly(kinds, means, identity, snapshot);
                break;

            case IdentityMeans.Packed means:
                AddPacked(kinds, means, identity, snapshot);
                break;

            case IdentityMeans.UniqueName means:
                AddUniqueName(kinds, means, snapshot);
                break;

            case IdentityMeans.ThroughPods:
                AddThroughPods(kinds, identity, snapshot);
                break;
        }
    }

    private void AddLabel(ResourceKind kind, IdentityMeans.Label means, Identity identity, ClusterSnapshot snapshot, bool alone)
    {
        int name = Group(means.Name);
        int @namespace = means.NamespaceLabel is null ? -1 : Group(means.NamespaceLabel);
        List<Matcher> matchers = NamespaceMatchers(means.NamespaceLabel, identity);
        if (_scope.Name is not null || alone)
        {
            matchers.Add(NameMatcher(means.Name, identity));
        }

        Decoder decode = Decode(kind, identity, snapshot);
        _recognizers.Add(new Recognizer(matchers, (row, found) =>
        {
            string named = row[name];
            string within = @namespace < 0 ? "" : row[@namespace];
            if (Known(named) && (@namespace < 0 || Known(within)))
            {
                decode(within, named, found);
            }
        }));
    }

    private void AddKindAndName(ResourceKind[] kinds, IdentityMeans.KindAndName means, Identity identity, ClusterSnapshot snapshot)
    {
        int @namespace = Group(means.NamespaceLabel);
        int kind = Group(means.KindLabel);
        int name = Group(means.NameLabel);
        List<Matcher> matchers = NamespaceMatchers(means.NamespaceLabel, identity);
        matchers.Add(OneOf(means.KindLabel, kinds.Select(candidate => candidate.Kind)));
        if (_scope.Name is not null)
        {
            matchers.Add(NameMatcher(means.NameLabel, identity));
        }

        Dictionary<string, Decoder> decoders = kinds.ToDictionary(candidate => candidate.Kind, candidate => Decode(candidate, identity, snapshot));
        _recognizers.Add(new Recognizer(matchers, (row, found) =>
        {
            string named = row[name];
            string within = row[@namespace];
            if (decoders.TryGetValue(row[kind], out Decoder? decode) && Known(named) && Known(within))
            {
                decode(within, named, found);
            }
        }));
    }

    /// <summary>
    /// The cluster says of which kind the named workload is. Where two kinds share the name, the reporting proxy's pod settles it if
    /// the series carry one; else both get the row, with a reservation.
    /// </summary>
    private void AddNameOnly(ResourceKind[] kinds, IdentityMeans.NameOnly means, Identity identity, ClusterSnapshot snapshot)
    {
        Decoder[] namedSo =
            [.. ResourceKind.All.Where(kind => identity.Means.GetValueOrDefault(kind.Resource) is IdentityMeans.NameOnly).Select(kind => Decode(kind, identity, snapshot))];
        ObjectRef[] Named(string @namespace, string name)
        {
            List<Attribution> decoded = [];
            foreach (Decoder decode in namedSo)
            {
                decode(@namespace, name, decoded);
            }

            return [.. decoded.Select(attribution => attribution.Object).Where(named => snapshot.Find(named) is { } found && !IsRunOfCronJob(found))];
        }

        int @namespace = Group(means.NamespaceLabel);
        int name = Group(means.NameLabel);
        List<Matcher> matchers = NamespaceMatchers(means.NamespaceLabel, identity);
        if (!means.ElseThroughPods)
        {
            matchers.Add(NameMatcher(means.NameLabel, identity));
        }
        else if (_scope.Name is { } sought)
        {
            matchers.Add(OneOf(means.NameLabel, [identity.Encode(sought), ""]));
        }

        int podNamespace = -1;
        int pod = -1;
        if (identity.Means.GetValueOrDefault(ResourceKind.Pod.Resource) is IdentityMeans.Label { NamespaceLabel: { } podNamespaceLabel } byPod
            && (means.ElseThroughPods || SharesNames(kinds, snapshot, identity, Named)))
        {
            podNamespace = Group(podNamespaceLabel);
            pod = Group(byPod.Name);
        }

        if (!means.ElseThroughPods
            && _scope is { Name: { } wanted, Namespace: { } home }
            && !Array.Exists(Named(identity.Encode(home), identity.Encode(wanted)), InScope))
        {
            Empty = true;
        }

        _recognizers.Add(new Recognizer(matchers, (row, found) =>
        {
            string named = row[name];
            string within = row[@namespace];
            if (named.Length == 0 && means.ElseThroughPods)
            {
                ObjectKey itself = new(row[podNamespace], row[pod]);
                found.AddRange(kinds.SelectMany(kind => snapshot.ForPod(itself, kind)).Take(1).Select(owner => new Attribution(owner, null)));
                return;
            }

            if (!Known(named) || !Known(within))
            {
                return;
            }

            ObjectRef[] candidates = Named(within, named);
            if (candidates.Length > 1 && pod >= 0)
            {
                ObjectKey reporter = new(row[podNamespace], row[pod]);
                ObjectRef[] owning = Array.FindAll(candidates, candidate => snapshot.ForPod(reporter, candidate.Kind).Contains(candidate));
                candidates = owning.Length > 0 ? owning : candidates;
            }

            string? reservation = candidates.Length > 1
                ? $"the mesh does not tell {string.Join(" from ", candidates.Select(candidate => $"{candidate.Kind} {candidate.Name}"))}: these are the numbers of both"
                : null;
            found.AddRange(candidates.Where(candidate => kinds.Contains(candidate.Kind)).Select(candidate => new Attribution(candidate, reservation)));
        }));
    }

    private bool SharesNames(ResourceKind[] kinds, ClusterSnapshot snapshot, Identity identity, Func<string, string, ObjectRef[]> named)
    {
        if (_scope is { Name: { } name, Namespace: { } @namespace })
        {
            return named(identity.Encode(@namespace), identity.Encode(name)).Length > 1;
        }

        return kinds.Any(kind => snapshot.List(kind, _scope.Namespace)
            .Any(item => named(identity.Encode(item.Key.Namespace), identity.Encode(item.Key.Name)).Length > 1));
    }

    /// <summary>A Job made by a CronJob goes by the CronJob's name (Istio <c>pkg/kube/util.go</c>), so it is not what a name means.</summary>
    private static bool IsRunOfCronJob(ClusterObject found) => found.Owner?.Kind == ResourceKind.CronJob.Kind;

    /// <summary>
    /// A packed name can often be split in several ways, because separators occur in names too; the reading whose objects exist, all that are
    /// in it, is meant. Where several exist the row is theirs together, with a reservation, unless they lie in different namespaces: then it
    /// is nobody's, since no namespace may be shown another's traffic. A reading of what the cluster does not have counts only if the name
    /// allows no other.
    /// </summary>
    private void AddPacked(ResourceKind[] kinds, IdentityMeans.Packed means, Identity identity, ClusterSnapshot snapshot)
    {
        int label = Group(means.LabelName);
        bool packsNamespace = means.Kinds.Contains(ResourceKind.Namespace.Resource);
        string? namespaceLabel = packsNamespace ? null : identity.NamespaceLabel;
        int @namespace = namespaceLabel is null ? -1 : Group(namespaceLabel);
        ResourceKind[] packed = [.. means.Kinds.Select(kind => ResourceKind.FromResource(kind)!)];
        Dictionary<string, string> known = [];
        if (packsNamespace && _scope.Namespace is { } within)
        {
            known[ResourceKind.Namespace.Resource] = within;
        }

        if (_scope.Name is { } name && kinds.Length == 1)
        {
            known[kinds[0].Resource] = name;
        }

        List<Matcher> matchers = NamespaceMatchers(namespaceLabel, identity);
        matchers.Add(new(means.LabelName, MatchOperator.Matches, string.Join('|', means.Patterns.Select(pattern => pattern.ToRegex(known)))));
        HashSet<ObjectRef> refused = [];
        _notTold = reference => refused.Contains(reference) ? "the mesh writes its name as it writes another's of another namespace" : null;
        _recognizers.Add(new Recognizer(matchers, (row, found) =>
        {
            HashSet<Reading> readings = [];
            foreach (IReadOnlyDictionary<string, string> names in means.Patterns.SelectMany(pattern => pattern.Match(row[label])))
            {
                string home = @namespace >= 0 ? row[@namespace] : names.GetValueOrDefault(ResourceKind.Namespace.Resource, "");
                if (!names.Values.All(Known) || (home.Length == 0 && Array.Exists(packed, kind => kind.Namespaced)))
                {
                    continue;
                }

                ObjectRef Of(ResourceKind kind) => new(kind, kind.Namespaced ? home : "", names[kind.Resource]);
                bool exists = Array.TrueForAll(packed, kind => snapshot.Knew(Of(kind)));
                foreach (ResourceKind kind in kinds.Where(kind => names.ContainsKey(kind.Resource)))
                {
                    readings.Add(new Reading(Of(kind), home, exists));
                }
            }

            Reading[] existing = [.. readings.Where(reading => reading.Exists)];
            Reading[] meant = existing.Length > 0 ? existing : readings.Count == 1 ? [.. readings] : [];
            if (meant.Select(reading => reading.Home).Distinct().Count() > 1)
            {
                refused.UnionWith(meant.Select(reading => reading.Object));
                return;
            }

            ObjectRef[] objects = [.. meant.Select(reading => reading.Object).Distinct()];
            string? reservation = objects.Length > 1 ? $"the mesh writes {string.Join(" and ", objects)} alike: these are the numbers of all" : null;
            found.AddRange(objects.Select(read => new Attribution(read, reservation)));
        }));
    }

    /// <summary>
    /// A name that says no namespace is its object's only while no other namespace has one of that name: else one tenant could read
    /// another's traffic by calling something of its own the same.
    /// </summary>
    private void AddUniqueName(ResourceKind[] kinds, IdentityMeans.UniqueName means, ClusterSnapshot snapshot)
    {
        ObjectRef? Only(string name)
        {
            ObjectRef[] named = [.. kinds.SelectMany(kind => snapshot.Named(kind, name).Select(key => new ObjectRef(kind, key)))];
            return named is [var only] ? only : null;
        }

        int label = Group(means.LabelName);
        _notTold = reference => kinds.Contains(reference.Kind) && Only(reference.Name) != reference
            ? NotTheOnlyName
            : null;
        Empty |= _scope is { Name: { } wanted } && (Only(wanted) is not { } single || !InScope(single));
        _recognizers.Add(new Recognizer([NameMatcher(means.LabelName, Identity.None)], (row, found) =>
        {
            if (Known(row[label]) && Only(row[label]) is { } only)
            {
                found.Add(new(only, null));
            }
        }));
    }

    private void AddThroughPods(ResourceKind[] kinds, Identity identity, ClusterSnapshot snapshot)
    {
        if (identity.Means.GetValueOrDefault(ResourceKind.Pod.Resource) is not IdentityMeans.Label { NamespaceLabel: { } namespaceLabel } means)
        {
            return;
        }

        int @namespace = Group(namespaceLabel);
        int pod = Group(means.Name);
        List<Matcher> matchers = NamespaceMatchers(namespaceLabel, identity);
        if (_scope.Name is { } name && kinds.Length == 1)
        {
            IReadOnlyList<Pod> pods = snapshot.PodsOf(new(kinds[0], _scope.Namespace ?? "", name));
            Empty = pods.Count == 0;
            matchers.Add(pods.Count <= MostPodsInMatcher
                ? OneOf(means.Name, pods.Select(member => identity.Encode(member.Key.Name)).Distinct())
                : new(means.Name, MatchOperator.NotEqual, ""));
        }
        else
        {
            matchers.Add(new(means.Name, MatchOperator.NotEqual, ""));
        }

        Decoder decode = Decode(ResourceKind.Pod, identity, snapshot);
        List<Attribution> reporters = [];
        _recognizers.Add(new Recognizer(matchers, (row, found) =>
        {
            reporters.Clear();
            decode(row[@namespace], row[pod], reporters);
            foreach (ResourceKind kind in kinds)
            {
                found.AddRange(reporters.SelectMany(
                    reporter => snapshot.ForPod(reporter.Object.Key, kind).Select(holder => new Attribution(holder, reporter.Reservation))));
                if (found.Count > 0)
                {
                    return;
                }
            }
        }));
    }

    /// <summary>
    /// Undoes the mesh's encoding of names through the cluster: several objects may be written alike, and only the cluster knows which
    /// exist. A name that none of its objects has stands as it is.
    /// </summary>
    private static Decoder Decode(ResourceKind kind, Identity identity, ClusterSnapshot snapshot)
    {
        if (identity.Encoding.Count == 0)
        {
            return (@namespace, name, found) => found.Add(new(new(kind, @namespace, name), null));
        }

        ILookup<ObjectKey, ObjectKey> written = snapshot.List(kind, null)
            .ToLookup(item => new ObjectKey(identity.Encode(item.Key.Namespace), identity.Encode(item.Key.Name)), item => item.Key);
        return (@namespace, name, found) =>
        {
            ObjectKey[] originals = [.. written[new(@namespace, name)]];
            string? reservation = originals.Length > 1
                ? $"the mesh writes {string.Join(" and ", originals.Select(original => original.Name))} alike: these are the numbers of all"
                : null;
            foreach (ObjectKey original in originals.DefaultIfEmpty(new(@namespace, name)))
            {
                found.Add(new(new(kind, original), reservation));
            }
        };
    }

    private List<Matcher> NamespaceMatchers(string? label, Identity identity) =>
        _scope.Namespace is { } @namespace && label is not null ? [new(label, MatchOperator.Equal, identity.Encode(@namespace))] : [];

    private Matcher NameMatcher(string label, Identity identity) =>
        _scope.Name is { } name ? new(label, MatchOperator.Equal, identity.Encode(name)) : new(label, MatchOperator.NotEqual, "");

    private static Matcher OneOf(string label, IEnumerable<string> values)
    {
        string[] all = [.. values];
        return all.Length == 1
            ? new(label, MatchOperator.Equal, all[0])
            : new(label, MatchOperator.Matches, string.Join('|', all.Order(StringComparer.Ordinal).Select(AnchoredRegex.Escape)));
    }

    private bool Known(string value) => value.Length > 0 && !_unknown.Contains(value);

    private bool InScope(ObjectRef reference) =>
        (_scope.Namespace is null || !reference.Kind.Namespaced || reference.Namespace == _scope.Namespace)
        && (_scope.Name is null || reference.Name == _scope.Name);

    private int Group(string label)
    {
        int at = _labels.IndexOf(label);
        if (at < 0)
        {
            at = _labels.Count;
            _labels.Add(label);
        }

        return at;
    }

    /// <summary>An object that a packed name may mean.</summary>
    /// <param name="Home">The namespace that the reading is about.</param>
    /// <param name="Exists">Whether the cluster has all objects of the reading, of which this is one, or had them moments ago.</param>
    private readonly record struct Reading(ObjectRef Object, string Home, bool Exists);

    private delegate void Decoder(string @namespace, string name, List<Attribution> found);

    private sealed record Recognizer(IReadOnlyList<Matcher> Matchers, Action<string[], List<Attribution>> Recognize);
}
