using System.Globalization;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>What a look saw of one side of a mesh.</summary>
/// <param name="Requests">The counter, by the name that it was found under, or by its first.</param>
/// <param name="Probe">Of the counter.</param>
/// <param name="Elsewhere">Whether the counter exists without the side's matchers, where it does not with them.</param>
/// <param name="Buckets">Of the histogram; null when the mesh has none.</param>
/// <param name="Labels">Which of the labels that the descriptor names the counter has; null where the source did not say.</param>
internal sealed record SideLook(Side Side, MeshSide Series, string Requests, SeriesProbe Probe, bool Elsewhere, SeriesProbe? Buckets, IReadOnlySet<string>? Labels);

/// <summary>
/// Says in plain words what is wrong with a mesh's series: the answer to "all checks are green, and there is no data".
/// </summary>
internal sealed class MeshDiagnosis(MeshDescriptor mesh, WindowOptions windows, DateTimeOffset now)
{
    /// <summary>How long after its newest sample a series should have had another, beyond two intervals: a scrape and its writing take a moment.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<MeshProblem> _problems = [];
    private readonly List<string> _notes = [];

    /// <param name="interval">The scrape interval as last measured, should it not be measurable now.</param>
    public MeshStatus Describe(IReadOnlyList<SideLook> sides, TimeSpan? interval, ClusterSnapshot snapshot)
    {
        SideLook[] found = [.. sides.Where(side => side.Probe.Exists)];
        int? proxies = Proxies(snapshot);
        TimeSpan? measured = found.Select(side => side.Probe.ScrapeInterval).Max() ?? interval;
        DateTimeOffset? newest = found.Select(side => side.Probe.Newest).Max();
        if (found.Length == 0)
        {
            DescribeMissing(sides, proxies);
        }
        else
        {
            foreach (SideLook side in found)
            {
                DescribeLabels(side);
                DescribeLatency(side);
            }

            DescribeInterval(measured);
            DescribeAge(newest, measured);
            DescribeSides(sides);
        }

        return new MeshStatus(
            Resolved(sides),
            found.Length > 0 ? MeshPresence.Found : MeshPresence.Missing,
            [.. sides.Select(Status)],
            found.Length > 0 ? measured : null,
            newest,
            proxies,
            _problems,
            _notes);
    }

    /// <summary>The labels that a side's queries may group by or match: its counter should have them, all or some.</summary>
    public static IReadOnlyList<string> LabelsOf(MeshDescriptor mesh, MeshSide side) =>
        [.. side.Ends.SelectMany(end => end.Labels).Concat(side.Failures is null ? mesh.Outcome.Labels : []).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>How many running pods have the mesh's proxy in them.</summary>
    private int? Proxies(ClusterSnapshot snapshot) =>
        !snapshot.HasCluster || mesh.Scrape is not { } proxy
            ? null
            : snapshot.List(ResourceKind.Pod, @namespace: null).Cast<Pod>().Count(pod => pod.Phase == Pod.Running && ProxyPods.Has(pod, proxy));

    private MeshDescriptor Resolved(IReadOnlyList<SideLook> sides)
    {
        MeshSide? Named(Side side, MeshSide? series) => series is not null && sides.Single(look => look.Side == side) is var look
            ? series with { Requests = look.Requests, Seen = look.Probe.Exists, Reservation = Doubt(look) }
            : null;
        MeshSide? server = Named(Side.Server, mesh.Server);
        MeshSide? client = Named(Side.Client, mesh.Client);
        return mesh with
        {
            Server = server,
            Client = client,
            // What shows splits by a side's own counter goes by that counter's name.
            Splits =
            [
                .. from way in mesh.Splits
                   let configured = way.ByClient ? mesh.Client : mesh.Server
                   let named = way.ByClient ? client : server
                   select named is not null && way.Series.Requests == configured!.Requests ? way with { Series = way.Series with { Requests = named.Requests } } : way,
            ],
        };
    }

    private SideStatus Status(SideLook side)
    {
        IReadOnlyList<string> wanted = LabelsOf(mesh, side.Series);
        return new SideStatus(
            side.Side,
            side.Requests,
            side.Series.Latency is { } latency ? latency.Series + "_bucket" : null,
            side.Probe.Exists,
            side.Buckets?.Exists == true,
            side is { Probe.Exists: true, Labels: { } seen } ? [.. wanted.Where(seen.Contains)] : [],
            side is { Probe.Exists: true, Labels: { } known } ? [.. wanted.Except(known)] : []);
    }

    private void DescribeMissing(IReadOnlyList<SideLook> sides, int? proxies)
    {
        SideLook? elsewhere = sides.FirstOrDefault(side => side.Elsewhere);
        string series = string.Join(" nor ", sides.Select(side => side.Requests).Distinct());
        string problem = elsewhere is not null
            ? $"there are series {elsewhere.Requests}, but none with {string.Join(" and ", elsewhere.Series.Where)}"
            : $"there are no series {series}";
        string remedy = elsewhere is not null ? LabelRemedy : mesh.Advice.Series ?? "Have the mesh's proxies scraped.";
        if (proxies > 0)
        {
            _problems.Add(new($"{proxies} running {(proxies == 1 ? "pod has" : "pods have")} its proxy, but {problem}", remedy));
        }
        else
        {
            _notes.Add(problem);
        }
    }

    private void DescribeLabels(SideLook side)
    {
        if (side.Labels is not { } labelled)
        {
            _notes.Add($"{Word(side.Side)}: the source did not say which labels {side.Requests} has");
            return;
        }

        foreach (Need need in Needs(mesh, side.Series).Prepend(OutcomeNeed(side.Series)).OfType<Need>().Where(need => !need.IsMet(labelled)))
        {
            _problems.Add(new($"{Word(side.Side)}: {need.Lacking(side.Requests)}", need.Remedy ?? LabelRemedy));
        }
    }

    /// <summary>Without the labels of the outcome every request would be a success, or a failure, and nobody would wonder.</summary>
    private string? Doubt(SideLook side) =>
        side is { Probe.Exists: true, Labels: { } labelled } && OutcomeNeed(side.Series) is { } need && !need.IsMet(labelled) ? need.Lacking(side.Requests) : null;

    private void DescribeLatency(SideLook side)
    {
        if (side.Buckets is { Exists: false } && side.Series.Latency is { } latency)
        {
            _problems.Add(new(
                $"{Word(side.Side)}: there are no series {latency.Series}_bucket, so latencies are unknown",
                "Keep the histogram's buckets: some scrape configurations drop them (metric_relabel_configs)."));
        }
    }

    private void DescribeInterval(TimeSpan? interval)
    {
        if (interval is not { } measured)
        {
            _notes.Add("the scrape interval is not known yet: no series has two samples");
        }
        else if (measured * 2 > windows.Max)
        {
            _problems.Add(new(
                $"it is scraped every {Seconds(measured)}, and a window needs two samples, so not even the longest (--max-window {Seconds(windows.Max)}) can be answered",
                $"Scrape it every {Seconds(windows.Default / 2)}, or give the server a longer --max-window."));
        }
        else if (measured * 2 > windows.Default)
        {
            _problems.Add(new(
                $"it is scraped every {Seconds(measured)}, and a window needs two samples: the shortest that can be answered is {Seconds(measured * 2)}, longer than the default of {Seconds(windows.Default)}",
                $"Scrape it every {Seconds(windows.Default / 2)} or more often; until then answers are about {Seconds(measured * 2)}, and shorter windows are refused."));
        }
    }

    private void DescribeAge(DateTimeOffset? newest, TimeSpan? interval)
    {
        if (newest is { } time && interval is { } every && now - time > (every * 2) + Patience)
        {
            _problems.Add(new(
                string.Create(CultureInfo.InvariantCulture, $"its newest sample is of {time.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC, though it is scraped every {Seconds(every)}"),
                "See whether the proxies are still scraped, and whether the clocks agree."));
        }
    }

    private void DescribeSides(IReadOnlyList<SideLook> sides)
    {
        foreach (SideLook side in sides.Where(side => !side.Probe.Exists))
        {
            _notes.Add($"{Word(side.Side)}: there are no series {side.Requests} with {(side.Series.Where.Count == 0 ? "any label" : string.Join(" and ", side.Series.Where))}");
        }
    }

    private string LabelRemedy => mesh.Advice.Labels ?? "Let the scrape add these labels, or see whether the mesh or the scrape drops them.";

    /// <summary>Labels of which a series must have one.</summary>
    /// <param name="Otherwise">What cannot be done without.</param>
    /// <param name="Remedy">Null for the mesh's advice about labels.</param>
    private sealed record Need(IReadOnlyList<string> AnyOf, string Otherwise, string? Remedy = null)
    {
        public bool IsMet(IReadOnlySet<string> labels) => AnyOf.Any(labels.Contains);

        public string Lacking(string series)
        {
            string labels = string.Join(AnyOf.Count == 2 ? " or " : ", ", AnyOf);
            return $"{series} has {(AnyOf.Count == 1 ? $"no label {labels}" : $"none of the labels {labels}")}, so {Otherwise}";
        }
    }

    private Need? OutcomeNeed(MeshSide side) => side.Failures is null && mesh.Outcome.Labels is { Count: > 0 } labels
        ? new Need(labels, "success cannot be told from failure", "See whether the outcome of the mesh's descriptor spells the label as the mesh does, and whether the scrape keeps it.")
        : null;

    private static IEnumerable<Need> Needs(MeshDescriptor mesh, MeshSide side)
    {
        foreach (Identity identity in side.Ends)
        {
            string end = ReferenceEquals(identity, side.Destination) ? "receiver" : "sender";
            string[] namespaces = identity.NamespaceLabel is { } label ? [label] : [.. identity.Means.Values.Select(means => means.HomeLabel).OfType<string>().Distinct()];
            if (namespaces.Length > 0)
            {
                yield return new Need(namespaces, $"nothing can be told of the {end}");
            }

            if (identity.Means.GetValueOrDefault(KindNames.Pods) is IdentityMeans.Label pods)
            {
                yield return new Need([pods.Name], $"the {end}'s pods cannot be told, nor what only they can tell");
            }

            string[] workloads = [.. KindNames.Workloads.SelectMany(kind => identity.Means.GetValueOrDefault(kind)?.NameLabels ?? []).Distinct()];
            if (workloads.Length > 0)
            {
                yield return new Need(workloads, $"the {end}'s workload cannot be told");
            }
        }
    }

    internal static string Word(Side side) => side == Side.Server ? "server" : "client";

    internal static string Seconds(TimeSpan duration) => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.###} s");
}
