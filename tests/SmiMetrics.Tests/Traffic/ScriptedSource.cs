using System.Globalization;
using System.Text.RegularExpressions;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

/// <summary>
/// A source whose series have the increases that a test gives them, whatever the window. It filters and groups as Prometheus does, with
/// code of its own: nothing of the server's matchers is used.
/// </summary>
internal sealed partial class ScriptedSource : ITrafficSource
{
    private readonly List<(string Name, Dictionary<string, string> Labels, double Increase)> _series = [];

    public DateTimeOffset Instant { get; init; } = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    public TimeSpan? ScrapeInterval { get; init; } = TimeSpan.FromSeconds(10);

    public List<IncreaseQuery> Asked { get; } = [];

    public List<string> Warnings { get; } = [];

    public string? StaleBecause { get; set; }

    /// <summary>Adds a series written as in an exposition: <c>name{label="value",…} increase</c>.</summary>
    public void Load(string line)
    {
        Match match = Series().Match(line);
        Assert.True(match.Success, $"not a series: {line}");
        Dictionary<string, string> labels = Label().Matches(match.Groups["labels"].Value).ToDictionary(label => label.Groups[1].Value, label => label.Groups[2].Value);
        _series.Add((match.Groups["name"].Value, labels, double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture)));
    }

    public Task<IncreaseAnswer> QueryAsync(IncreaseQuery query, DateTimeOffset instant, CancellationToken cancellationToken)
    {
        lock (Asked)
        {
            Asked.Add(query);
        }

        IEnumerable<IncreaseRow> rows = Matching(query.Series, query.Matchers)
            .GroupBy(series => string.Join('\0', query.By.Select(label => series.Labels.GetValueOrDefault(label, ""))))
            .Select(group => new IncreaseRow(group.Key.Split('\0'), group.Sum(series => series.Increase)));
        return Task.FromResult(new IncreaseAnswer([.. rows], instant, Warnings, StaleBecause));
    }

    public Task<SeriesProbe> ProbeAsync(string series, IReadOnlyList<Matcher> matchers, CancellationToken cancellationToken) =>
        Task.FromResult(new SeriesProbe(Matching(series, matchers).Any(), ScrapeInterval));

    public Task<IReadOnlySet<string>> FindLabelsAsync(
        string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlySet<string>>(Matching(series, matchers).SelectMany(found => found.Labels.Keys).Intersect(labels).ToHashSet());

    private IEnumerable<(string Name, Dictionary<string, string> Labels, double Increase)> Matching(string name, IReadOnlyList<Matcher> matchers) =>
        _series.Where(series => series.Name == name && matchers.All(matcher => Holds(matcher, series.Labels.GetValueOrDefault(matcher.Label, ""))));

    private static bool Holds(Matcher matcher, string value)
    {
        bool matches = matcher.Operator is MatchOperator.Equal or MatchOperator.NotEqual
            ? value == matcher.Value
            : Regex.IsMatch(value, $"\\A(?:{matcher.Value})\\z");
        return matches == matcher.Operator is MatchOperator.Equal or MatchOperator.Matches;
    }

    [GeneratedRegex("""^(?<name>\w+)\{(?<labels>.*)\}\s+(?<value>\S+)$""")]
    private static partial Regex Series();

    [GeneratedRegex("""(\w+)="([^"]*)",?""")]
    private static partial Regex Label();
}
