using System.Runtime.InteropServices;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Traffic;

/// <summary>Whose sums they are.</summary>
internal readonly record struct EdgeKey(ObjectRef Resource, TrafficEdge? Edge);

/// <summary>What one view showed, by object or edge.</summary>
internal sealed class Observation(View view, DateTimeOffset instant)
{
    private readonly List<Attribution> _resources = [];
    private readonly List<Attribution> _peers = [];
    private readonly SortedSet<string> _warnings = new(StringComparer.Ordinal);
    private string? _staleBecause;

    public View View => view;

    public Dictionary<EdgeKey, Tally> Tallies { get; } = [];

    /// <summary>Why something is idle. Where only the callers' proxies tell (Linkerd's Services), callers that have none are not seen.</summary>
    public string NoRequest => view.Side == Side.Client ? "no request in the window by a caller in the mesh" : "no request in the window";

    /// <summary>The instant of the oldest answer that went in.</summary>
    public DateTimeOffset Instant { get; private set; } = instant;

    /// <summary>Whether any series names the resource, with or without a peer that can be named.</summary>
    public bool SawResource { get; private set; }

    /// <summary>What holds for everything in this view, rows or none; null when it is fresh and whole.</summary>
    public (TrafficState State, string Reason)? Qualification =>
        _staleBecause is not null ? (TrafficState.Stale, _staleBecause)
        : _warnings.Count > 0 ? (TrafficState.Partial, "the source warns: " + string.Join("; ", _warnings))
        : null;

    /// <summary>Says that something is missing from the view.</summary>
    public void Warn(string warning) => _warnings.Add(warning);

    /// <param name="identity">The labels of both plans, as the query grouped by them.</param>
    public void Add(IncreaseAnswer answer, string[] identity, Action<Tally, IncreaseRow> add)
    {
        _warnings.UnionWith(answer.Warnings);
        _staleBecause ??= answer.StaleBecause;
        Instant = answer.Instant < Instant ? answer.Instant : Instant;
        int[] peerColumns = [.. (view.Peers?.Labels ?? []).Select(label => Array.IndexOf([.. identity.Distinct()], label))];
        string[] peerRow = new string[peerColumns.Length];
        foreach (IncreaseRow row in answer.Rows)
        {
            view.Plan.Recognize(row.Labels, _resources);
            if (_resources.Count == 0)
            {
                continue;
            }

            SawResource = true;
            if (view.Peers is null)
            {
                foreach (Attribution resource in _resources)
                {
                    add(TallyOf(new(resource.Object, null), resource.Reservation), row);
                }

                continue;
            }

            for (int i = 0; i < peerColumns.Length; i++)
            {
                peerRow[i] = row.Labels[peerColumns[i]];
            }

            view.Peers.Recognize(peerRow, _peers);
            foreach (Attribution resource in _resources)
            {
                foreach (Attribution peer in _peers)
                {
                    EdgeKey key = new(resource.Object, new(view.Direction!.Value, peer.Object));
                    add(TallyOf(key, resource.Reservation ?? peer.Reservation), row);
                }
            }
        }
    }

    public TrafficItem Item(EdgeKey key, Tally tally, TimeSpan window)
    {
        double unit = view.Series.Latency?.MillisecondsPerUnit ?? 1;
        double? median = tally.Latency.Quantile(0.50);
        (TrafficState state, string? reason) = State(tally, measured: median is not null);
        return new TrafficItem(
            key.Resource,
            key.Edge,
            view.Side,
            tally.Latency.Quantile(0.99) * unit,
            tally.Latency.Quantile(0.90) * unit,
            median * unit,
            tally.Success,
            tally.Failure,
            state,
            reason,
            view.Mesh.Name,
            Instant,
            window);
    }

    private (TrafficState State, string? Reason) State(Tally tally, bool measured)
    {
        if (Qualification is { } qualification)
        {
            return qualification;
        }

        string lacking = view.Series.Latency is null ? "the mesh measures no latency" : "no latency was measured: are the histogram's series kept?";
        return tally.Requests == 0 ? (TrafficState.Idle, NoRequest)
            : tally.Reservation is not null ? (TrafficState.Partial, tally.Reservation)
            : !measured ? (TrafficState.Partial, lacking)
            : (TrafficState.Ok, null);
    }

    private Tally TallyOf(EdgeKey key, string? reservation)
    {
        ref Tally? tally = ref CollectionsMarshal.GetValueRefOrAddDefault(Tallies, key, out _);
        tally ??= new Tally();
        tally.Reservation ??= reservation;
        return tally;
    }
}

/// <summary>The sums of one object or edge.</summary>
internal sealed class Tally
{
    public double Success { get; set; }

    public double Failure { get; set; }

    public double Requests => Success + Failure;

    public Histogram Latency { get; } = new();

    public string? Reservation { get; set; }
}
