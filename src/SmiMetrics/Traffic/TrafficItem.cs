using SmiMetrics.Kubernetes;

namespace SmiMetrics.Traffic;

/// <summary>Whose proxy measured: the receiver's or the sender's.</summary>
internal enum Side
{
    Server,
    Client,
}

/// <summary>Which way traffic flows on an edge, seen from the resource: to its peer, or from it.</summary>
internal enum Direction
{
    To,
    From,
}

/// <summary>How much a number can be trusted.</summary>
internal enum TrafficState
{
    /// <summary>There was traffic and this is it.</summary>
    Ok,

    /// <summary>The object exists and had no traffic in the window.</summary>
    Idle,

    /// <summary>The source fails; this is an older answer.</summary>
    Stale,

    /// <summary>Something is missing from the number, or it contains another object's traffic; the reason says what.</summary>
    Partial,
}

/// <summary>The other end of an edge.</summary>
internal sealed record TrafficEdge(Direction Direction, ObjectRef Peer);

/// <summary>The golden metrics of one object or edge over one window.</summary>
/// <param name="Resource">Whose traffic it is.</param>
/// <param name="Edge">Null for the object's own traffic: all it received.</param>
/// <param name="Side">Where it was measured.</param>
/// <param name="P99">Milliseconds; null when there was no request to measure, or the mesh has no latencies. Likewise the next two.</param>
/// <param name="Success">Requests that succeeded in the window: an extrapolated increase, so rarely whole.</param>
/// <param name="Failure">Requests that failed.</param>
/// <param name="Reason">Why the state is not ok; null when it is.</param>
/// <param name="Mesh">The descriptor that the numbers come from; null when several were asked and none had any.</param>
/// <param name="Timestamp">The instant at which the window ends; whole seconds.</param>
internal sealed record TrafficItem(
    ObjectRef Resource,
    TrafficEdge? Edge,
    Side Side,
    double? P99,
    double? P90,
    double? P50,
    double Success,
    double Failure,
    TrafficState State,
    string? Reason,
    string? Mesh,
    DateTimeOffset Timestamp,
    TimeSpan Window)
{
    /// <summary>Of a traffic split: the backend whose share this is. Null for all else.</summary>
    public SplitBackend? Backend { get; init; }

    public double Requests => Success + Failure;
}
