using System.Buffers;

namespace SmiMetrics.Kubernetes;

/// <summary>
/// The two forms that names of Kubernetes objects have (apimachinery <c>pkg/util/validation/validation.go</c>). Nothing that passes has a
/// character with a meaning in PromQL or RE2, except the dot.
/// </summary>
internal static class KubernetesName
{
    private static readonly SearchValues<char> Allowed = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-");

    /// <summary>DNS-1123 label: namespaces, Services.</summary>
    public static bool IsLabel(string text) => text.Length <= 63 && IsLabel(text.AsSpan());

    /// <summary>DNS-1123 subdomain, labels joined by dots: everything else.</summary>
    public static bool IsSubdomain(string text)
    {
        if (text.Length > 253)
        {
            return false;
        }

        foreach (Range part in text.AsSpan().Split('.'))
        {
            if (!IsLabel(text.AsSpan(part)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsLabel(ReadOnlySpan<char> text) =>
        text is [not '-', ..] && text[^1] != '-' && !text.ContainsAnyExcept(Allowed);
}
