using System.Globalization;
using SmiMetrics.Kubernetes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Api;

/// <summary>An item and the object that tells of it.</summary>
/// <param name="Metadata">Made first, because selectors look at it.</param>
internal sealed record TrafficObject(TrafficItem Item, ObjectMeta Metadata);

/// <summary>The traffic under one path in each of its forms: as SMI objects, and as tables for people.</summary>
/// <param name="unit">In which latencies are told to programs. People are told the unit that fits.</param>
/// <param name="snapshot">Where labels come from.</param>
internal sealed class TrafficForms(ResourcePath path, LatencyUnit unit, ClusterSnapshot snapshot)
{
    private const string ListKind = TrafficResource.ObjectKind + "List";
    private const string Group = TrafficApi.Group;

    private static readonly Column<TrafficObject> Name = new("Name", "What the traffic is about.", traffic => traffic.Metadata.Name) { IsName = true };

    private static readonly IReadOnlyList<Column<TrafficObject>> Golden =
    [
        new("Success", "The share of requests that were answered well.", traffic =>
            traffic.Item.Requests > 0 ? Cell.Percent(traffic.Item.Success, traffic.Item.Failure) : Cell.None),
        new("RPS", "Requests per second, in the mean of the window.", traffic =>
            // That nothing was seen does not say that there was nothing, unless it is known to be idle.
            traffic.Item is { Requests: 0, State: TrafficState.Partial } ? Cell.None : Cell.Rate(traffic.Item.Requests / traffic.Item.Window.TotalSeconds)),
        new("P50", "Half of the requests took no longer.", traffic => Cell.Latency(traffic.Item.P50)),
        new("P90", "Nine of ten requests took no longer.", traffic => Cell.Latency(traffic.Item.P90)),
        new("P99", "99 of 100 requests took no longer.", traffic => Cell.Latency(traffic.Item.P99)),
        new("Successes", "How many requests were answered well in the window.", traffic => Cell.Count(traffic.Item.Success)) { Wide = true },
        new("Failures", "How many requests failed in the window.", traffic => Cell.Count(traffic.Item.Failure)) { Wide = true },
        new("Window", "The time that the numbers are of.", traffic => GoDuration.Format(traffic.Item.Window)) { Wide = true },
        new("Mesh", "Which mesh measured.", traffic => traffic.Item.Mesh ?? Cell.None) { Wide = true },
        new("State", "How far the numbers can be trusted: ok, idle, stale or partial. Why is in the object's annotations.", traffic => Wire.Word(traffic.Item.State)) { Wide = true },
    ];

    private static readonly IReadOnlyList<Column<TrafficObject>> OfResources = [Name, .. Golden];

    private static readonly IReadOnlyList<Column<TrafficObject>> OfSplits =
    [
        Name,
        new("Backend", "The Service whose share of the split it is.", traffic => traffic.Item.Backend?.Name ?? Cell.None),
        new("Weight", "The share that the backend shall get, in relation to the others'.", traffic =>
            traffic.Item.Backend?.Weight.ToString(CultureInfo.InvariantCulture) ?? Cell.None),
        .. Golden,
    ];

    // An edge is known by its ends. Its name says the same at greater length, so that it is for those who ask for everything.
    private static readonly IReadOnlyList<Column<TrafficObject>> OfEdges =
    [
        new("From", "Who sent the requests; with the namespace where that is another one.", traffic => End(traffic, sender: true)),
        new("To", "Who received them.", traffic => End(traffic, sender: false)),
        new("Side", "Whose proxy measured: the sender's (client) or the receiver's (server).", traffic => Wire.Word(traffic.Item.Side)),
        .. Golden,
        Name with { Wide = true },
    ];

    /// <param name="resource">What the list is about.</param>
    public Forms<TrafficObject> Forms(ObjectReference resource) => new(
        traffic => traffic.Metadata,
        Whole,
        (meta, items) => new TrafficMetricsList(ListKind, ApiVersion, meta, resource, [.. items.Select(Whole)]),
        path.Edges || path.Resource == TrafficResource.Graph ? OfEdges : path.Resource.IsSplit ? OfSplits : OfResources,
        Warnings);

    public TrafficObject Of(TrafficItem item)
    {
        ObjectRef resource = item.Resource;
        string? @namespace = resource.Kind.Namespaced ? resource.Namespace : null;
        Dictionary<string, string> annotations = new()
        {
            [$"{Group}/state"] = Wire.Word(item.State),
            [$"{Group}/side"] = Wire.Word(item.Side),
        };
        if (item.Mesh is not null)
        {
            annotations[$"{Group}/mesh"] = item.Mesh;
        }

        if (item.Reason is not null)
        {
            annotations[$"{Group}/reason"] = item.Reason;
        }

        // No edge of a graph has a path of its own, but each has a name that no other in the list has.
        bool ofGraph = path.Resource == TrafficResource.Graph;
        ResourcePath own = path with { Namespace = @namespace, Name = ofGraph ? null : path.Resource.NameOf(resource) };
        string name = own.Name ?? $"{TrafficResource.Workloads.NameOf(resource)}.{Wire.Word(item.Edge!.Direction)}.{item.Edge.Peer.Namespace}.{TrafficResource.Workloads.NameOf(item.Edge.Peer)}";
        IReadOnlyDictionary<string, string>? labels = snapshot.Find(resource)?.Labels;
        return new TrafficObject(
            item, new ObjectMeta(name, @namespace, own.SelfLink, Wire.Time(item.Timestamp), labels is { Count: > 0 } ? labels : null, annotations));
    }

    /// <summary>Names what is, or what a list is restricted to.</summary>
    public static ObjectReference Reference(ObjectRef of) =>
        new(of.Kind.Kind, of.Kind.Namespaced ? of.Namespace : null, of.Name, of.Kind.ApiVersion);

    /// <summary>That numbers are old, and what is wrong with all of them alike. What is wrong with one among others is in its annotations.</summary>
    private static IEnumerable<string> Warnings(IReadOnlyList<TrafficObject> items)
    {
        IEnumerable<string> stale = items.Where(traffic => traffic.Item.State == TrafficState.Stale)
            .Select(traffic => $"these numbers are of {traffic.Metadata.CreationTimestamp}: {traffic.Item.Reason}")
            .Distinct();
        string?[] reservations =
            [.. items.Where(traffic => traffic.Item.State != TrafficState.Idle).Select(traffic => traffic.Item.State == TrafficState.Partial ? traffic.Item.Reason : null).Distinct()];
        return reservations is [{ } reservation] ? stale.Append($"these numbers are partial: {reservation}") : stale;
    }

    private string ApiVersion => $"{Group}/{path.Version}";

    /// <summary>Always all five metrics in this order: existing clients index them (nginx-meshctl <c>top</c>).</summary>
    private TrafficMetrics Whole(TrafficObject traffic)
    {
        TrafficItem item = traffic.Item;
        return new TrafficMetrics(
            TrafficResource.ObjectKind,
            ApiVersion,
            traffic.Metadata,
            traffic.Metadata.CreationTimestamp!,
            GoDuration.Format(item.Window),
            Reference(item.Resource),
            item.Edge is { } edge ? new Edge(Wire.Word(edge.Direction), Wire.Word(item.Side), Reference(edge.Peer))
                // As the SMI specification has it: what the apex received, from whomever.
                : item.Backend is not null ? new Edge(Wire.Word(Direction.From), Wire.Word(item.Side), ObjectReference.Anybody)
                : null,
            item.Backend is { } backend ? new Backend(backend.Apex, backend.Name, backend.Weight) : null,
            [
                Latency("p99_response_latency", item.P99),
                Latency("p90_response_latency", item.P90),
                Latency("p50_response_latency", item.P50),
                new Metric("success_count", null, Quantity.Format(item.Success)),
                new Metric("failure_count", null, Quantity.Format(item.Failure)),
            ]);
    }

    private Metric Latency(string name, double? milliseconds) =>
        new(name, unit.Unit, Quantity.Format((milliseconds ?? 0) * unit.PerMillisecond));

    private static string End(TrafficObject traffic, bool sender)
    {
        TrafficEdge edge = traffic.Item.Edge!;
        ObjectRef end = edge.Direction == Direction.To == sender ? traffic.Item.Resource : edge.Peer;
        string name = $"{end.Kind.Kind.ToLowerInvariant()}/{end.Name}";
        return end.Namespace.Length == 0 || end.Namespace == (traffic.Metadata.Namespace ?? "") ? name : $"{end.Namespace}/{name}";
    }
}
