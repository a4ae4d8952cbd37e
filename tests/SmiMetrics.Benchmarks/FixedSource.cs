using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Benchmarks;

/// <summary>Answers at once with rows made before.</summary>
internal sealed class FixedSource(IReadOnlyList<ClusterObject> pods) : ITrafficSource
{
    private readonly IncreaseRow[] _counts =
    [
        .. pods.SelectMany(pod => new[]
        {
            new IncreaseRow([pod.Key.Namespace, pod.Key.Name, "success"], 100),
            new IncreaseRow([pod.Key.Namespace, pod.Key.Name, "failure"], 1),
        }),
    ];

    private readonly IncreaseRow[] _buckets =
        [.. pods.SelectMany(pod => TrafficBenchmarks.Bounds.Select((bound, index) => new IncreaseRow([pod.Key.Namespace, pod.Key.Name, bound], index)))];

    public DateTimeOffset Instant => DateTimeOffset.UnixEpoch;

    public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken) =>
        Task.FromResult(new IncreaseAnswer(query.By.Contains("le") ? _buckets : _counts, instant, [], null));

    public Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken) =>
        Task.FromResult(new SeriesProbe(true, TimeSpan.FromSeconds(10)));

    public Task<IReadOnlySet<string>> FindLabelsAsync(
        string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlySet<string>>(labels.ToHashSet());
}
