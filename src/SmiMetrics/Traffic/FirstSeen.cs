using System.Runtime.InteropServices;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Traffic;

/// <summary>
/// Makes one answer of what several views saw, without adding two observers of one request. The first that saw traffic of a subject answers
/// for it. What contains workloads may have some in one mesh and some in another: then the first answers for each workload within, and those
/// are added.
/// </summary>
internal static class FirstSeen
{
    /// <summary>Whether objects of a kind hold workloads, of whatever mesh.</summary>
    public static bool Contains(ResourceKind kind) => kind == ResourceKind.Namespace || kind == ResourceKind.Node || kind == ResourceKind.Service;

    /// <param name="observations">In order of preference.</param>
    public static Dictionary<Subject, TrafficItem> Of(IReadOnlyList<Observation> observations, TimeSpan window)
    {
        HashSet<string> asked = [.. observations.Select(observation => observation.View.Mesh.Name)];
        bool IsPartOfAnother(Observation observation) => observation.View.Mesh.Within is { } whole && asked.Contains(whole);

        Dictionary<Subject, Observation> first = [];
        Dictionary<Subject, List<Observation>> later = [];
        Dictionary<(ObjectRef, Direction), Observation> firstOfEdges = [];
        // One whose requests another counts too has nothing to add to it, whatever the order.
        foreach (Observation observation in observations.OrderBy(IsPartOfAnother))
        {
            foreach ((Subject subject, Tally tally) in observation.Tallies)
            {
                if (subject.Edge is { } edge && tally.Requests > 0 && NamesOtherwise(observation, edge, firstOfEdges, subject.Resource))
                {
                    continue;
                }

                ref Observation? kept = ref CollectionsMarshal.GetValueRefOrAddDefault(first, subject, out bool exists);
                if (!exists || (kept!.Tallies[subject].Requests == 0 && tally.Requests > 0))
                {
                    kept = observation;
                }
                else if (tally.Requests > 0
                    && observation.View.Mesh.Name != kept.View.Mesh.Name
                    && !IsPartOfAnother(observation)
                    && subject.Backend is null
                    && Contains(subject.Resource.Kind))
                {
                    (CollectionsMarshal.GetValueRefOrAddDefault(later, subject, out _) ??= []).Add(observation);
                }
            }
        }

        Observation? failed = observations.FirstOrDefault(observation => observation.Failed);
        return first.ToDictionary(entry => entry.Key, entry =>
        {
            TrafficItem item = later.TryGetValue(entry.Key, out List<Observation>? others)
                ? Together(entry.Key, entry.Value, others, window)
                : entry.Value.Item(entry.Key, window);
            // What holds workloads of several meshes, and the peers of anything, may be more than those who answered saw.
            return item.State == TrafficState.Ok && failed?.Qualification is var (state, reason) && (entry.Key.Edge is not null || Contains(entry.Key.Resource.Kind))
                ? item with { State = state, Reason = reason }
                : item;
        });
    }

    /// <summary>
    /// Whether one observer calls peers by their Service and the one before it called them by their workload, or the other way: the same
    /// requests would be two edges.
    /// </summary>
    private static bool NamesOtherwise(Observation observation, TrafficEdge edge, Dictionary<(ObjectRef, Direction), Observation> firstOfEdges, ObjectRef resource)
    {
        ref Observation? before = ref CollectionsMarshal.GetValueRefOrAddDefault(firstOfEdges, (resource, edge.Direction), out bool exists);
        before ??= observation;
        return exists && before != observation && before.PeersAreServices != observation.PeersAreServices;
    }

    private static TrafficItem Together(Subject subject, Observation first, List<Observation> others, TimeSpan window)
    {
        // Without a word of whose they are, the first's requests may be anybody's, and so may those of another.
        bool told = IsTold(first, subject);
        Dictionary<ObjectRef, Observation> claimed = UnitsOf(first, subject).ToDictionary(unit => unit.Unit, _ => first);
        Tally sum = new();
        sum.Add(first.Tallies[subject], scale: 1);
        List<string> added = [first.View.Mesh.Name];
        List<string> omitted = [];
        foreach (Observation other in others)
        {
            string mesh = other.View.Mesh.Name;
            if (!told || !IsTold(other, subject))
            {
                omitted.Add(mesh);
                continue;
            }

            foreach ((ObjectRef unit, Tally tally) in UnitsOf(other, subject))
            {
                if (claimed.TryAdd(unit, other))
                {
                    sum.Add(tally, other.MillisecondsPerUnit / first.MillisecondsPerUnit);
                    sum.Reservation ??= tally.Latency.Quantile(0.5) is null ? $"{mesh} has no latencies of its part" : null;
                    added = added.Contains(mesh) ? added : [.. added, mesh];
                }
            }
        }

        TrafficItem item = added.Count == 1 ? first.Item(subject, window) : first.Item(subject, sum, window) with { Mesh = string.Join(',', added) };
        Observation? uncertain = others.Find(other => other.Qualification is not null);
        return item.State != TrafficState.Ok ? item
            : omitted.Count > 0 ? item with { State = TrafficState.Partial, Reason = $"{string.Join(" and ", omitted)} saw traffic too, which is not in these numbers" }
            : added.Count > 1 && uncertain?.Qualification is var (state, reason) ? item with { State = state, Reason = reason }
            : item;
    }

    /// <summary>Whether each request is known to be some workload's.</summary>
    private static bool IsTold(Observation observation, Subject subject) =>
        observation.View.Rows.HasUnits && observation.Units.GetValueOrDefault((subject, default)) is null or { Requests: 0 };

    private static IEnumerable<(ObjectRef Unit, Tally Tally)> UnitsOf(Observation observation, Subject subject) =>
        from unit in observation.Units
        where unit.Key.Subject == subject && unit.Key.Unit != default && unit.Value.Requests > 0
        select (unit.Key.Unit, unit.Value);
}
