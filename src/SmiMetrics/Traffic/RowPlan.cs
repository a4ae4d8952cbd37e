using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>Whose sums they are: an object's own, those of an edge, or those of a split's share.</summary>
internal readonly record struct Subject(ObjectRef Resource, TrafficEdge? Edge = null, SplitBackend? Backend = null);

/// <summary>A row's part in a subject.</summary>
/// <param name="Reservation">Null when the row is the subject's alone; else what is mixed into it.</param>
/// <param name="Unit">Of what contains workloads: whose traffic within it the row is; null where that is not told, or not asked.</param>
internal readonly record struct Part(Subject Subject, string? Reservation, ObjectRef? Unit = null);

/// <summary>What a query must match and group by to be about certain subjects, and which of them each row is about.</summary>
internal abstract class RowPlan
{
    /// <summary>What a query must match. Its rows may still be about others.</summary>
    public abstract IReadOnlyList<Matcher> Matchers { get; }

    /// <summary>What a query must group by, first in its <c>By</c>, without duplicates: rows are read by these positions.</summary>
    public abstract IReadOnlyList<string> Labels { get; }

    /// <summary>True when the cluster already says that no series can be about the subjects: there is nothing to ask.</summary>
    public virtual bool Empty => false;

    /// <summary>Whether parts have units.</summary>
    public virtual bool HasUnits => false;

    /// <summary>Why the traffic of this subject is not told, though that of others of its kind is; null where it is.</summary>
    public virtual string? NotTold(Subject subject) => null;

    /// <summary>Adds to <paramref name="found"/> what the row is about.</summary>
    /// <returns>Whether the row names a resource that was asked for, even if it is about no subject (the peer of an edge may have no name).</returns>
    public abstract bool Read(string[] row, List<Part> found);
}

/// <summary>About nobody.</summary>
internal sealed class NoRows : RowPlan
{
    public static readonly NoRows Instance = new();

    public override IReadOnlyList<Matcher> Matchers => [];

    public override IReadOnlyList<string> Labels => [];

    public override bool Empty => true;

    public override bool Read(string[] row, List<Part> found) => false;
}

/// <summary>Two plans that read one row: the labels of the first come first, and the second finds its own among all.</summary>
internal sealed class JoinedPlans
{
    private readonly IdentityPlan _second;
    private readonly int[] _columns;
    private readonly string[] _row;

    public JoinedPlans(IdentityPlan first, IdentityPlan second)
    {
        _second = second;
        List<string> labels = [.. first.Labels.Concat(second.Labels).Distinct()];
        Labels = labels;
        _columns = [.. second.Labels.Select(label => labels.IndexOf(label))];
        _row = new string[_columns.Length];
    }

    public IReadOnlyList<string> Labels { get; }

    /// <summary>Whose a row is by the second plan.</summary>
    public void RecognizeSecond(string[] row, List<Attribution> found)
    {
        for (int i = 0; i < _columns.Length; i++)
        {
            _row[i] = row[_columns[i]];
        }

        _second.Recognize(_row, found);
    }
}

/// <summary>What objects received.</summary>
/// <param name="units">Tells the workloads within the objects; null where nobody asks.</param>
internal sealed class ResourceRows(IdentityPlan plan, IdentityPlan? units = null) : RowPlan
{
    private readonly JoinedPlans? _joined = units is null ? null : new JoinedPlans(plan, units);
    private readonly List<Attribution> _resources = [];
    private readonly List<Attribution> _units = [];

    public override IReadOnlyList<Matcher> Matchers => plan.Matchers;

    public override IReadOnlyList<string> Labels => _joined?.Labels ?? plan.Labels;

    public override bool Empty => plan.Empty;

    public override bool HasUnits => _joined is not null;

    public override string? NotTold(Subject subject) => plan.NotTold(subject.Resource);

    public override bool Read(string[] row, List<Part> found)
    {
        plan.Recognize(row, _resources);
        _joined?.RecognizeSecond(row, _units);
        foreach (Attribution resource in _resources)
        {
            found.Add(new(new(resource.Object), resource.Reservation, _units.Count > 0 ? _units[0].Object : null));
        }

        return _resources.Count > 0;
    }
}

/// <summary>What passes between objects and their peers, in one direction.</summary>
internal sealed class EdgeRows(IdentityPlan plan, IdentityPlan peers, Direction direction) : RowPlan
{
    private readonly JoinedPlans _joined = new(plan, peers);
    private readonly List<Attribution> _resources = [];
    private readonly List<Attribution> _peers = [];

    public override IReadOnlyList<Matcher> Matchers { get; } = [.. plan.Matchers, .. peers.Matchers];

    public override IReadOnlyList<string> Labels => _joined.Labels;

    public override bool Empty => plan.Empty;

    public override bool Read(string[] row, List<Part> found)
    {
        plan.Recognize(row, _resources);
        if (_resources.Count == 0)
        {
            return false;
        }

        _joined.RecognizeSecond(row, _peers);
        foreach (Attribution resource in _resources)
        {
            foreach (Attribution peer in _peers)
            {
                found.Add(new(new(resource.Object, new TrafficEdge(direction, peer.Object)), resource.Reservation ?? peer.Reservation));
            }
        }

        return true;
    }
}

/// <summary>
/// What was sent to the backends of traffic splits. Each row is read for the names in it, in every way in which they can be, and is the share
/// of the backend that has these names. No split is shown the traffic of another namespace: where the readings of a row lie in several
/// namespaces, of splits that exist or did moments ago, it is nobody's; and backends elsewhere than their split are not told.
/// </summary>
internal sealed class SplitRows : RowPlan
{
    /// <summary>Beyond this many the names of backends no longer go into the query; all are asked for, and others dropped here.</summary>
    private const int MostInMatcher = 100;

    private const string AlsoDirect = "the mesh does not show by which name a backend was called: requests made to the backend itself are in these numbers too";

    private const string Elsewhere = "the backend is in another namespace than the split, and the mesh does not show which requests to it came through the split";

    private const string WrittenAlike = "the mesh writes it as it writes a split of another namespace";

    private readonly SplitView _way;
    private readonly string[] _names;
    private readonly ILookup<string, Subject> _shares;
    private readonly HashSet<Subject> _asked = [];
    private readonly Dictionary<Subject, string> _notTold = [];

    /// <param name="splits">What is asked about.</param>
    public SplitRows(SplitView way, IReadOnlyList<TrafficSplit> splits, ClusterSnapshot snapshot)
    {
        _way = way;
        _names = [.. way.Names.SelectMany(name => name.Pattern.Kinds).Distinct()];
        _shares = (from kind in ResourceKind.Splits
                   from split in snapshot.List(kind, @namespace: null).Concat(snapshot.Gone(kind)).Cast<TrafficSplit>()
                   from backend in split.Backends
                   where backend.Namespace == split.Key.Namespace
                   select (split, backend))
            .ToLookup(share => Key(NamesOf(share.split, share.backend)), share => SubjectOf(share.split, share.backend));
        List<Matcher[]> matchers = [];
        foreach ((TrafficSplit split, SplitBackend backend) in splits.SelectMany(split => split.Backends, (split, backend) => (split, backend)))
        {
            Subject subject = SubjectOf(split, backend);
            string? reason = backend.Namespace != split.Key.Namespace ? Elsewhere
                : !way.NamesApex && !way.NamesNamespace && !IsOnly(backend, snapshot) ? IdentityPlan.NotTheOnlyName
                : null;
            if (reason is null)
            {
                _asked.Add(subject);
                matchers.Add([.. way.Names.Select(name => name.Pattern.ToMatcher(name.Label, KnownTo(name.Pattern, NamesOf(split, backend))))]);
            }
            else
            {
                _notTold[subject] = reason;
            }
        }

        Empty = _asked.Count == 0;
        Labels = [.. way.Names.Select(name => name.Label)];
        Matchers = [.. Enumerable.Range(0, way.Names.Count).Select(column => Joined(Labels[column], [.. matchers.Select(each => each[column]).Distinct()]))];
    }

    public override IReadOnlyList<Matcher> Matchers { get; }

    public override IReadOnlyList<string> Labels { get; }

    public override bool Empty { get; }

    public static Subject SubjectOf(TrafficSplit split, SplitBackend backend) => new(split.Reference, Backend: backend);

    public override string? NotTold(Subject subject) => _notTold.GetValueOrDefault(subject);

    public override bool Read(string[] row, List<Part> found)
    {
        Subject[] shares = [.. Readings(row, column: 0, []).SelectMany(names => _shares[Key(names)]).Distinct()];
        bool alike = shares.Select(share => share.Resource.Namespace).Distinct().Count() > 1;
        foreach (Subject share in shares.Where(_asked.Contains))
        {
            if (alike)
            {
                _notTold[share] = WrittenAlike;
            }
            else
            {
                found.Add(new(share, _way.NamesApex ? null : AlsoDirect));
            }
        }

        return found.Count > 0;
    }

    /// <summary>The ways in which the labels, from this column on, can be read together with the names read already.</summary>
    private IEnumerable<Dictionary<string, string>> Readings(string[] row, int column, Dictionary<string, string> names)
    {
        if (column == _way.Names.Count)
        {
            return [names];
        }

        return _way.Names[column].Pattern.Match(row[column])
            .Where(reading => reading.All(name => names.GetValueOrDefault(name.Key, name.Value) == name.Value))
            .SelectMany(reading => Readings(row, column + 1, names.Concat(reading.Where(name => !names.ContainsKey(name.Key))).ToDictionary()));
    }

    /// <summary>Whether no other namespace has a Service of that name.</summary>
    private static bool IsOnly(SplitBackend backend, ClusterSnapshot snapshot) =>
        snapshot.Named(ResourceKind.Service, backend.Name).ToArray() is [var only] && only.Namespace == backend.Namespace;

    private string Key(Dictionary<string, string> names) => string.Join('/', _names.Select(name => names.GetValueOrDefault(name)));

    private static Dictionary<string, string> NamesOf(TrafficSplit split, SplitBackend backend) => new()
    {
        [KindNames.Namespaces] = split.Key.Namespace,
        [SplitNames.Apex] = split.Apex,
        [SplitNames.Backend] = backend.Name,
        [SplitNames.Split] = split.Key.Name,
    };

    private static Dictionary<string, string> KnownTo(NamePattern pattern, Dictionary<string, string> names) =>
        names.Where(name => pattern.Kinds.Contains(name.Key)).ToDictionary();

    private static Matcher Joined(string label, Matcher[] matchers) => matchers switch
    {
        [var only] => only,
        { Length: 0 or > MostInMatcher } => new Matcher(label, MatchOperator.NotEqual, ""),
        _ => new Matcher(
            label,
            MatchOperator.Matches,
            string.Join('|', matchers.Select(matcher => matcher.Operator == MatchOperator.Equal ? AnchoredRegex.Escape(matcher.Value) : matcher.Value).Order(StringComparer.Ordinal))),
    };
}
