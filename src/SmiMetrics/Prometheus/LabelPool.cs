using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace SmiMetrics.Prometheus;

/// <summary>
/// One string per distinct label value, found by its UTF-8 bytes without making a string first: an answer about pods repeats each
/// name once per bucket.
/// </summary>
internal sealed class LabelPool
{
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<byte>> _values =
        new HashSet<string>(new Utf8Comparer()).GetAlternateLookup<ReadOnlySpan<byte>>();

    public string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return "";
        }

        if (_values.TryGetValue(utf8, out string? known))
        {
            return known;
        }

        _values.Add(utf8);
        return _values.TryGetValue(utf8, out known) ? known : Encoding.UTF8.GetString(utf8);
    }

    private sealed class Utf8Comparer : IEqualityComparer<string>, IAlternateEqualityComparer<ReadOnlySpan<byte>, string>
    {
        public string Create(ReadOnlySpan<byte> alternate) => Encoding.UTF8.GetString(alternate);

        // Only ASCII has as many bytes as characters.
        public bool Equals(ReadOnlySpan<byte> alternate, string other) => alternate.Length == other.Length
            ? Ascii.Equals(alternate, other)
            : alternate.Length > other.Length && Encoding.UTF8.GetString(alternate) == other;

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            HashCode hash = new();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public bool Equals(string? x, string? y) => x == y;

        public int GetHashCode([DisallowNull] string obj) => GetHashCode(Encoding.UTF8.GetBytes(obj));
    }
}
