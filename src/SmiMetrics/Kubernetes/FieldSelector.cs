using System.Text;

namespace SmiMetrics.Kubernetes;

/// <summary>A field selector cannot be read, or asks for a field that cannot be selected by. The message is fit for callers.</summary>
internal sealed class FieldSelectorException(string message) : Exception(message);

/// <summary>What a field must be, or must not be.</summary>
internal readonly record struct FieldTerm(string Field, bool Equal, string Value);

/// <summary>
/// Selects objects by their own name and namespace, the two fields that every Kubernetes resource can be selected by: terms
/// <c>field=value</c>, <c>==</c> or <c>!=</c>, separated by commas, all of which must hold (apimachinery <c>pkg/fields/selector.go</c>).
/// </summary>
internal sealed class FieldSelector
{
    public const string NameField = "metadata.name";
    private const string NamespaceField = "metadata.namespace";

    private readonly IReadOnlyList<FieldTerm> _terms;

    private FieldSelector(IReadOnlyList<FieldTerm> terms) => _terms = terms;

    /// <exception cref="FieldSelectorException">It is none, or has another field.</exception>
    public static FieldSelector Parse(string text)
    {
        IReadOnlyList<FieldTerm> terms = ReadTerms(text);
        foreach (FieldTerm term in terms)
        {
            if (term.Field is not (NameField or NamespaceField))
            {
                throw new FieldSelectorException($"\"{term.Field}\" is not a known field selector: only \"{NameField}\", \"{NamespaceField}\"");
            }
        }

        return new FieldSelector(terms);
    }

    /// <summary>The terms of any field selector, whatever its fields, in Kubernetes' order: that of their texts.</summary>
    /// <exception cref="FieldSelectorException">It is none.</exception>
    public static IReadOnlyList<FieldTerm> ReadTerms(string text) =>
        [.. SplitTerms(text).Where(term => term.Length > 0).Order(StringComparer.Ordinal).Select(term => ReadTerm(text, term))];

    /// <param name="namespace">Empty where it has none.</param>
    public bool Matches(string @namespace, string name)
    {
        foreach (FieldTerm term in _terms)
        {
            if ((term.Value == (term.Field == NameField ? name : @namespace)) != term.Equal)
            {
                return false;
            }
        }

        return true;
    }

    private static FieldTerm ReadTerm(string selector, string term)
    {
        // The first operator counts, whatever comes after it is the value.
        for (int i = 0; i < term.Length; i++)
        {
            ReadOnlySpan<char> rest = term.AsSpan(i);
            int length = rest.StartsWith("!=") || rest.StartsWith("==") ? 2 : rest[0] == '=' ? 1 : 0;
            if (length > 0)
            {
                return new FieldTerm(term[..i], rest[0] != '!', Unescape(term[(i + length)..]));
            }
        }

        throw new FieldSelectorException($"invalid selector: '{selector}'; can't understand '{term}'");
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
}
