namespace SmiMetrics.Meshes;

/// <summary>Whether a request, described by the labels of its counter, succeeded.</summary>
internal enum RequestOutcome
{
    Success,
    Failure,

    /// <summary>Neither: the descriptor defines both, and this is another thing.</summary>
    Uncounted,
}

/// <summary>
/// Success and failure as lists of alternatives, each a list of matchers that must all hold. Where only one list is given the
/// other outcome is everything else; where both match, failure wins. Where neither is given, which is possible only for a mesh
/// that counts failures in a series of their own, every request is a success until those are subtracted.
/// </summary>
internal sealed record Outcome(IReadOnlyList<IReadOnlyList<Matcher>>? Success, IReadOnlyList<IReadOnlyList<Matcher>>? Failure)
{
    /// <summary>The labels that tell the outcome, each once: a query of the request counter must group by them.</summary>
    public IReadOnlyList<string> Labels =>
        [.. (Success ?? []).Concat(Failure ?? []).SelectMany(alternative => alternative).Select(matcher => matcher.Label).Distinct()];

    /// <summary>Prepares to classify the rows of a query that groups by these labels.</summary>
    /// <exception cref="ArgumentException">One of <see cref="Labels"/> is missing: every row would look as if it were absent.</exception>
    public OutcomeClassifier Bind(IReadOnlyList<string> by) => new(this, by);
}

/// <summary>Tells the outcome of the rows of one query. Safe for concurrent use; remembers nothing about rows.</summary>
internal sealed class OutcomeClassifier
{
    private readonly BoundMatcher[][]? _success;
    private readonly BoundMatcher[][]? _failure;

    internal OutcomeClassifier(Outcome outcome, IReadOnlyList<string> by)
    {
        _success = Bind(outcome.Success, by);
        _failure = Bind(outcome.Failure, by);
    }

    /// <param name="labels">The row's values of the labels that were bound, in their order; empty text for an absent label.</param>
    public RequestOutcome Classify(string[] labels)
    {
        if (_failure is not null && AnyHolds(_failure, labels))
        {
            return RequestOutcome.Failure;
        }

        if (_success is null || AnyHolds(_success, labels))
        {
            return RequestOutcome.Success;
        }

        return _failure is null ? RequestOutcome.Failure : RequestOutcome.Uncounted;
    }

    private static bool AnyHolds(BoundMatcher[][] alternatives, string[] labels)
    {
        foreach (BoundMatcher[] alternative in alternatives)
        {
            if (Array.TrueForAll(alternative, matcher => matcher.Matcher.Matches(labels[matcher.Index])))
            {
                return true;
            }
        }

        return false;
    }

    private static BoundMatcher[][]? Bind(IReadOnlyList<IReadOnlyList<Matcher>>? alternatives, IReadOnlyList<string> by)
    {
        if (alternatives is null)
        {
            return null;
        }

        List<string> labels = [.. by];
        return [.. alternatives.Select(alternative => alternative.Select(matcher => Bind(matcher, labels)).ToArray())];
    }

    private static BoundMatcher Bind(Matcher matcher, List<string> by)
    {
        int index = by.IndexOf(matcher.Label);
        return index >= 0
            ? new BoundMatcher(matcher, index)
            : throw new ArgumentException($"the query does not group by {matcher.Label}, which tells the outcome", nameof(by));
    }

    private readonly record struct BoundMatcher(Matcher Matcher, int Index);
}
