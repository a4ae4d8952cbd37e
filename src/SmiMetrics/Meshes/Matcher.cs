namespace SmiMetrics.Meshes;

/// <summary>The four operators of a Prometheus label matcher.</summary>
internal enum MatchOperator
{
    Equal,
    NotEqual,
    Matches,
    NotMatches,
}

/// <summary>
/// One Prometheus label matcher, <c>label="value"</c>. As in Prometheus, an absent label is the empty string and a regular
/// expression must match the whole value.
/// </summary>
internal sealed record Matcher(string Label, MatchOperator Operator, string Value);
