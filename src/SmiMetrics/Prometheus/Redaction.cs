using System.Buffers;
using System.Net;
using System.Text;

namespace SmiMetrics.Prometheus;

/// <summary>
/// Makes Prometheus' warnings fit for callers. They are worth passing on, but Thanos and Mimir name their stores in them
/// (<c>receive series from Addr: 10.0.0.7:10901 …</c>), and where those are is nobody's business outside.
/// </summary>
internal static class Redaction
{
    private const int MaxLength = 256;

    private static readonly SearchValues<char> Delimiters = SearchValues.Create(" \t\r\n\"'`,;()<>{}=");

    /// <summary>The text with <c>…</c> in place of every URL, IP address, qualified host name and <c>host:port</c>, and not longer than 256 characters.</summary>
    public static string WithoutAddresses(string text)
    {
        StringBuilder kept = new(text.Length);
        ReadOnlySpan<char> rest = text;
        while (!rest.IsEmpty)
        {
            int length = rest.IndexOfAny(Delimiters);
            ReadOnlySpan<char> word = length < 0 ? rest : rest[..length];
            if (IsAddress(word.TrimEnd(".:")))
            {
                kept.Append('…');
            }
            else
            {
                kept.Append(word);
            }

            if (length >= 0)
            {
                kept.Append(char.IsControl(rest[length]) ? ' ' : rest[length]);
            }

            rest = length < 0 ? [] : rest[(length + 1)..];
        }

        return kept.Length <= MaxLength ? kept.ToString() : kept.ToString(0, MaxLength - 1) + "…";
    }

    private static bool IsAddress(ReadOnlySpan<char> word)
    {
        int colon = word.LastIndexOf(':');
        return word.Contains("://", StringComparison.Ordinal)
            || word.Count('.') >= 2 // an IPv4 address or a qualified host name; numbers have one at most
            || (colon > 0 && IPAddress.TryParse(word, out _)) // IPv6
            || (colon > 0 && ushort.TryParse(word[(colon + 1)..], out _) && IsHost(word[..colon]));
    }

    /// <summary>Not merely a number: <c>1:24</c> is a position in the query.</summary>
    private static bool IsHost(ReadOnlySpan<char> word) =>
        word.ContainsAnyInRange('a', 'z') || word.ContainsAnyInRange('A', 'Z') || word.ContainsAny('.', ']');
}
