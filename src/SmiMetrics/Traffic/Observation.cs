using System.Globalization;
using System.Runtime.InteropServices;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>What one view showed, by subject.</summary>
internal sealed class Observation(View view, DateTimeOffset instant)
{
    private const string BucketLabel = "le";

    private readonly List<Part> _parts = [];
    private readonly SortedSet<string> _warnings = new(StringComparer.Ordinal);
    private string? _staleBecause;
    private bool? _peersAreServices;

    public View View => view;

    /// <summary>Of edges: whether their other ends are Services, for want of a better name.</summary>
    /// <remarks>Once all answers are in.</remarks>
    public bool PeersAreServices => _peersAreServices ??= Tallies.Keys.Any(subject => subject.Edge?.Peer.Kind == ResourceKind.Service);

    /// <summary>Milliseconds in the unit of the latencies.</summary>
    public double MillisecondsPerUnit => view.Series.Latency?.MillisecondsPerUnit ?? 1;

    public Dictionary<Subject, Tally> Tallies { get; } = [];

    /// <summary>Of what contains workloads, the sums of each; under the default reference what no workload could be told of. Only where the view tells them.</summary>
    public Dictionary<(Subject Subject, ObjectRef Unit), Tally> Units { get; } = [];

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
        : view.Series.Reservation is { } reservation ? (TrafficState.Partial, reservation)
        : null;

    /// <summary>Puts a view's queries, at the same instant and at once, and adds up the answers.</summary>
    /// <exception cref="SourceUnavailableException">The source does not answer.</exception>
    public static async Task<Observation> AskAsync(ITrafficSource source, View view, TimeSpan window, DateTimeOffset instant, CancellationToken cancellationToken)
    {
        Observation observation = new(view, instant);
        if (view.Rows.Empty)
        {
            return observation;
        }

        static string[] By(RowPlan rows, IEnumerable<string> more) => [.. rows.Labels.Concat(more).Distinct()];
        Task<IncreaseAnswer> Ask(RowPlan rows, string series, IEnumerable<Matcher> where, IEnumerable<string> more) =>
            source.QueryAsync(new IncreaseQuery(series, [.. where.Concat(rows.Matchers).Distinct()], By(rows, more), window), instant, cancellationToken);

        MeshSide side = view.Series;
        RowPlan bucketRows = view.BucketRows ?? view.Rows;
        IReadOnlyList<string> outcomeLabels = side.Failures is null ? view.Outcome.Labels : [];
        Task<IncreaseAnswer> requests = Ask(view.Rows, side.Requests, side.Where, outcomeLabels);
        Task<IncreaseAnswer>? failures = side.Failures is { } failed ? Ask(view.Rows, failed, side.Where, []) : null;
        Task<IncreaseAnswer>? buckets = side.Latency is { } latency && !bucketRows.Empty
            ? Ask(bucketRows, latency.Series + "_bucket", latency.Where, [BucketLabel])
            : null;
        await Task.WhenAll(new[] { requests, failures, buckets }.OfType<Task<IncreaseAnswer>>());

        OutcomeClassifier? classifier = side.Failures is null ? view.Outcome.Bind(By(view.Rows, outcomeLabels)) : null;
        observation.Add(view.Rows, await requests, (tally, row) =>
        {
            RequestOutcome outcome = classifier?.Classify(row.Labels) ?? RequestOutcome.Success;
            tally.Success += outcome == RequestOutcome.Success ? row.Value : 0;
            tally.Failure += outcome == RequestOutcome.Failure ? row.Value : 0;
        });

        if (failures is not null)
        {
            // The request counter holds the failed ones too. Both are extrapolated on their own, so the difference may dip below zero.
            observation.Add(view.Rows, await failures, (tally, row) =>
            {
                tally.Failure += row.Value;
                tally.Success = Math.Max(0, tally.Success - row.Value);
            });
        }

        if (buckets is not null)
        {
            int bound = Array.IndexOf(By(bucketRows, [BucketLabel]), BucketLabel);
            observation.Add(bucketRows, await buckets, (tally, row) =>
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

    /// <summary>Whether nothing of the view could be had.</summary>
    public bool Failed { get; private set; }

    /// <summary>Says that all of the view is missing.</summary>
    public void Fail(string reason)
    {
        Failed = true;
        _warnings.Add(reason);
    }

    /// <param name="answer">Of a query that groups by the plan's labels first.</param>
    private void Add(RowPlan rows, IncreaseAnswer answer, Action<Tally, IncreaseRow> add)
    {
        _warnings.UnionWith(answer.Warnings);
        _staleBecause ??= answer.StaleBecause;
        Instant = answer.Instant < Instant ? answer.Instant : Instant;
        foreach (IncreaseRow row in answer.Rows)
        {
            _parts.Clear();
            SawResource |= rows.Read(row.Labels, _parts);
            foreach (Part part in _parts)
            {
                add(TallyOf(part), row);
                if (rows.HasUnits)
                {
                    ref Tally? unit = ref CollectionsMarshal.GetValueRefOrAddDefault(Units, (part.Subject, part.Unit ?? default), out _);
                    unit ??= new Tally { Reservation = part.Reservation };
                    add(unit, row);
                }
            }
        }
    }

    /// <summary>The golden metrics of a subject; idle where no row was about it.</summary>
    public TrafficItem Item(Subject subject, TimeSpan window) => Item(subject, Tallies.GetValueOrDefault(subject) ?? new Tally(), window);

    /// <param name="tally">The subject's, or what has been made of it and others.</param>
    /// <inheritdoc cref="Item(Subject, TimeSpan)"/>
    public TrafficItem Item(Subject subject, Tally tally, TimeSpan window)
    {
        double unit = MillisecondsPerUnit;
        double? median = tally.Latency.Quantile(0.50);
        (TrafficState state, string? reason) = State(tally, measured: median is not null);
        return new TrafficItem(
            subject.Resource,
            subject.Edge,
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
            window)
        {
            Backend = subject.Backend,
        };
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

    private static bool TryParseBound(string text, out double bound)
    {
        if (text is "+Inf" or "Inf")
        {
            bound = double.PositiveInfinity;
            return true;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out bound) && !double.IsNaN(bound);
    }

    private Tally TallyOf(Part part)
    {
        ref Tally? tally = ref CollectionsMarshal.GetValueRefOrAddDefault(Tallies, part.Subject, out _);
        tally ??= new Tally();
        tally.Reservation ??= part.Reservation;
        return tally;
    }
}

/// <summary>The sums of one subject.</summary>
internal sealed class Tally
{
    public double Success { get; set; }

    public double Failure { get; set; }

    public double Requests => Success + Failure;

    public Histogram Latency { get; } = new();

    public string? Reservation { get; set; }

    /// <summary>Adds the sums of requests that are not in these.</summary>
    /// <param name="scale">What a unit of their latencies is in the unit of these.</param>
    public void Add(Tally others, double scale)
    {
        Success += others.Success;
        Failure += others.Failure;
        Latency.Merge(others.Latency, scale);
        Reservation ??= others.Reservation;
    }
}
