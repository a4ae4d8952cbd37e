using System.Globalization;
using System.Text;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Prometheus;

/// <summary>
/// Writes the few PromQL texts we ask. Equal questions give equal texts. Names and values are data throughout: whatever they
/// contain, they stay a name or a string literal (Prometheus <c>promql/parser/lex.go</c>).
/// </summary>
internal static class PromQl
{
    /// <summary>Where <see cref="LabelsOf"/> says which label a row is about.</summary>
    public const string FoundLabel = "label";

    private const string MetricName = "__name__";

    /// <summary><c>sum by (a,b) (increase(series{l="v"}[30s]))</c></summary>
    /// <exception cref="ArgumentOutOfRangeException">The window is not a positive number of whole milliseconds.</exception>
    public static string Increase(IncreaseQuery query)
    {
        StringBuilder text = new("sum", 256);
        if (query.By.Count > 0)
        {
            text.Append(" by (");
            for (int i = 0; i < query.By.Count; i++)
            {
                AppendLabel(text.Append(i == 0 ? "" : ","), query.By[i]);
            }

            text.Append(") ");
        }

        text.Append("(increase(");
        AppendSelector(text, query.Series, query.Matchers);
        return text.Append('[').Append(Duration(query.Window)).Append("]))").ToString();
    }

    /// <summary>
    /// One of the series that match. It is the one with the largest value: of counters that is a long-lived one, whose samples go
    /// back far enough to tell the scrape interval.
    /// </summary>
    public static string AnySeries(string series, IReadOnlyList<Matcher> matchers)
    {
        StringBuilder text = new("topk(1, ");
        AppendSelector(text, series, matchers);
        return text.Append(')').ToString();
    }

    /// <summary>One row for each of the labels that any series has, under the name <see cref="FoundLabel"/>.</summary>
    /// <param name="labels">One or more.</param>
    public static string LabelsOf(string series, IReadOnlyList<Matcher> matchers, IReadOnlyList<string> labels)
    {
        StringBuilder text = new();
        foreach (string label in labels)
        {
            AppendSelector(
                text.Append(text.Length == 0 ? "" : " or ").Append("label_replace(count("), series, [.. matchers, new Matcher(label, MatchOperator.NotEqual, "")]);
            AppendLiteral(text.Append("), \"").Append(FoundLabel).Append("\", "), label);
            text.Append(", \"\", \"\")");
        }

        return text.ToString();
    }

    /// <summary>The raw samples of the series with these labels, <c>__name__</c> among them.</summary>
    public static string Samples(IReadOnlyDictionary<string, string> labels, TimeSpan window)
    {
        StringBuilder text = new();
        AppendSelector(
            text,
            labels.GetValueOrDefault(MetricName, ""),
            [.. labels.Where(label => label.Key != MetricName).OrderBy(label => label.Key, StringComparer.Ordinal)
                .Select(label => new Matcher(label.Key, MatchOperator.Equal, label.Value))]);
        return text.Append('[').Append(Duration(window)).Append(']').ToString();
    }

    /// <summary><c>30s</c>, or <c>1500ms</c> for what is not whole seconds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Not a positive number of whole milliseconds.</exception>
    public static string Duration(TimeSpan duration)
    {
        if (duration <= TimeSpan.Zero || duration.Ticks % TimeSpan.TicksPerMillisecond != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(duration), duration, "not a positive number of whole milliseconds");
        }

        return duration.Ticks % TimeSpan.TicksPerSecond == 0
            ? string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / TimeSpan.TicksPerSecond}s")
            : string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / TimeSpan.TicksPerMillisecond}ms");
    }

    private static void AppendSelector(StringBuilder text, string series, IReadOnlyList<Matcher> matchers)
    {
        bool bare = IsBareName(series, colons: true);
        if (bare)
        {
            text.Append(series);
            if (matchers.Count == 0)
            {
                return;
            }
        }

        text.Append('{');
        if (!bare)
        {
            // Prometheus before 3.0 knows no quoted metric names, but has always known this.
            AppendLiteral(text.Append(MetricName).Append('='), series);
        }

        for (int i = 0; i < matchers.Count; i++)
        {
            AppendLabel(text.Append(i == 0 && bare ? "" : ","), matchers[i].Label);
            text.Append(matchers[i].Operator switch
            {
                MatchOperator.Equal => "=",
                MatchOperator.NotEqual => "!=",
                MatchOperator.Matches => "=~",
                MatchOperator.NotMatches => "!~",
                _ => throw new ArgumentOutOfRangeException(nameof(matchers), matchers[i].Operator, "no such operator"),
            });
            AppendLiteral(text, matchers[i].Value);
        }

        text.Append('}');
    }

    private static void AppendLabel(StringBuilder text, string label)
    {
        if (IsBareName(label, colons: false))
        {
            text.Append(label);
        }
        else
        {
            AppendLiteral(text, label); // Prometheus 3.0 and later; older ones refuse it, as they refuse such labels altogether.
        }
    }

    private static bool IsBareName(string name, bool colons)
    {
        if (name.Length == 0 || char.IsAsciiDigit(name[0]))
        {
            return false;
        }

        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c != '_' && !(colons && c == ':'))
            {
                return false;
            }
        }

        return true;
    }

    private static void AppendLiteral(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (Rune rune in value.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '"':
                    text.Append("\\\"");
                    break;
                case '\\':
                    text.Append("\\\\");
                    break;
                case '\n':
                    text.Append("\\n");
                    break;
                // \u rather than \x, which is a byte and not a character. U+FFFD, which also stands for half a surrogate pair,
                // is escaped because Prometheus' lexer takes a bare one for broken UTF-8.
                case var code when Rune.IsControl(rune) || code == Rune.ReplacementChar.Value:
                    text.Append(CultureInfo.InvariantCulture, $"\\u{code:x4}");
                    break;
                default:
                    text.Append(rune.ToString());
                    break;
            }
        }

        text.Append('"');
    }
}
