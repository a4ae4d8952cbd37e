using System.Diagnostics.CodeAnalysis;
using System.Text;
using SmiMetrics.Meshes;

namespace SmiMetrics.Scrape;

/// <summary>Which series of a page are kept, found by the bytes of their name.</summary>
internal sealed class SeriesSelection
{
    private readonly Dictionary<byte[], NamedSeries>.AlternateLookup<ReadOnlySpan<byte>> _byName;

    public SeriesSelection(IReadOnlyList<MeshDescriptor> meshes)
    {
        Series = NamedSeries.Of(meshes);
        _byName = Series
            .ToDictionary(series => Encoding.UTF8.GetBytes(series.Name), ByteComparer.Instance)
            .GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public IReadOnlyList<NamedSeries> Series { get; }

    /// <summary>Whether the same series are kept with the same labels.</summary>
    public bool IsSameAs(SeriesSelection other) => Series.SequenceEqual(other.Series, Kept.Instance);

    /// <returns>Null for a series that no descriptor names.</returns>
    public NamedSeries? Find(ReadOnlySpan<byte> name) => _byName.TryGetValue(name, out NamedSeries? series) ? series : null;

    private sealed class Kept : IEqualityComparer<NamedSeries>
    {
        public static readonly Kept Instance = new();

        public bool Equals(NamedSeries? x, NamedSeries? y) =>
            x!.Name == y!.Name
            && x.Labels.SequenceEqual(y.Labels)
            && x.Meshes.SetEquals(y.Meshes)
            && x.Where.Count == y.Where.Count
            && x.Where.Zip(y.Where).All(pair => pair.First.SequenceEqual(pair.Second));

        public int GetHashCode([DisallowNull] NamedSeries obj) => obj.Name.GetHashCode();
    }

    private sealed class ByteComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static readonly ByteComparer Instance = new();

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            HashCode hash = new();
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());
    }
}
