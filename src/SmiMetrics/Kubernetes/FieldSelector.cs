using System.Text;

namespace SmiMetrics.Kubernetes;

/// <summary>A field selector cannot be read, or asks for a field that cannot be selected by. The message is fit for callers.</summary>
internal sealed class FieldSelectorException(string message) : Exception(message);

/// <summary>
/// Selects objects by their own name and namespace, the two fields that every Kubernetes resource can be selected by: terms
/// <c>field=value</c>, <c>==</c> or <c>!=</c>, separated by commas, all of which must hold (apimachinery <c>pkg/fields/selector.go</c>).
/// </summary>
internal sealed class FieldSelector
{
    private const string NameField = "metadata.name";
    private const string NamespaceField = "metadata.namespace";

    private readonly IReadOnlyList<Term> _terms;

    private FieldSelector(IReadOnlyList<Term> terms) => _terms = terms;

    /// <exception cref="FieldSelectorException">It is none, or has another field.</exception>
    public static FieldSelector Parse(string text)
    {
        List<Term> terms = [];
        foreach (string term in SplitTerms(text).Where(term => term.Length > 0))
        {
            terms.Add(ParseTerm(term));
        }

        return new FieldSelector(terms);
    }

    /// <param name="namespace">Empty where it has none.</param>
    public bool Matches(string @namespace, string name)
    {
        foreach (Term term in _terms)
        {
            if ((term.Value == (term.Field == NameField ? name : @namespace)) != term.Equal)
            {
                return false;
            }
        }

        return true;
    }

    private static Term ParseTerm(string term)
    {
        // The first operator counts, whatever comes after it is the value.
        for (int i = 0; i < term.Length; i++)
        {
            ReadOnlySpan<char> rest = term.AsSpan(i);
            int length = rest.StartsWith("!=") || rest.StartsWith("==") ? 2 : rest[0] == '=' ? 1 : 0;
            if (length == 0)
            {
                continue;
            }

            string field = term[..i];
            return field is NameField or NamespaceField
                ? new Term(field, rest[0] != '!', Unescape(term[(i + length)..]))
                : throw new FieldSelectorException($"\"{field}\" is not a known field selector: only \"{NameField}\", \"{NamespaceField}\"");
        }

        throw new FieldSelectorException($"invalid selector: '{term}'; can't understand '{term}'");
    }

    private static IEnumerable<string> SplitTerms(string text)
    {
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == ',')
            {
                yield return text[start..i];
                start = i + 1;
            }
        }

        yield return text[start..];
    }

    /// <summary>Backslashes stand before backslashes, commas and equals signs, and nowhere else.</summary>
    private static string Unescape(string value)
    {
        StringBuilder text = new(value.Length);
        for (int i = 0; i < value.Length; i++)
        {
            char next = value[i];
            if (next == '\\')
            {
                i++;
                next = i < value.Length && value[i] is '\\' or ',' or '='
                    ? value[i]
                    : throw new FieldSelectorException($"invalid field selector: invalid escape sequence in '{value}'");
            }
            else if (next is ',' or '=')
            {
                throw new FieldSelectorException($"invalid field selector: unescaped '{next}' in '{value}'");
            }

            text.Append(next);
        }

        return text.ToString();
    }

    private readonly record struct Term(string Field, bool Equal, string Value);
}
