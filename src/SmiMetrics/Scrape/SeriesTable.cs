using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Text;
using SmiMetrics.Exposition;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Scrape;

/// <summary>What became of a sample.</summary>
internal enum Taken
{
    Kept,

    /// <summary>No side of a mesh counts a series with these labels.</summary>
    Dropped,

    /// <summary>Malformed labels, no possible value of a counter, or a series that was on the page already.</summary>
    Bad,
}

/// <summary>
/// Which slot each series of a target has, and what was seen of it. A series is known by a hash of the bytes that the proxy prints, so its
/// labels are taken apart only once, when it is new.
/// </summary>
/// <remarks>128 bits: among a million series two share a hash with a probability of 1e-27.</remarks>
internal sealed class SeriesTable(ScrapeTarget target, SeriesSelection selection, Pool pool)
{
    /// <summary>
    /// What a target may have, those of the last hour that are gone included: 3,500 of Linkerd's histograms. Any pod can call itself a proxy,
    /// and with this and the next two bounds it costs at most some 60 MB.
    /// </summary>
    internal const int MostSeries = 100_000;

    /// <summary>How long the label values of one series may be together, and those of all that differ. Names have at most 253 characters.</summary>
    internal const int MostLabelText = 2048;

    internal const int MostLabelTextOfAll = 4 * 1024 * 1024;

    /// <summary>No counter gets so far. Beyond it sums of many would become infinite, and with them the numbers of others.</summary>
    private const double Absurd = 1e18;

    private const string BoundLabel = "le";
    private const int NotCounted = -1;
    private const int Malformed = -2;

    /// <summary>Takes the place of the time when the series of a slot was last seen: there is none.</summary>
    private const long Free = long.MaxValue;

    /// <summary>The slot of a series by the bytes it is printed as.</summary>
    private readonly Dictionary<UInt128, int> _byText = [];

    /// <summary>The slot by its labels in order: the same series may be printed in another order next time.</summary>
    private readonly Dictionary<UInt128, int> _byLabels = [];

    private readonly Dictionary<SeriesLabels, SeriesLabels> _shared = new(new SameLabels());
    private readonly Stack<int> _free = [];

    // By slot.
    private UInt128[] _texts = [];
    private StoredSeries[] _series = [];
    private double[] _known = [];
    private double[] _seen = [];
    private long[] _lastSeen = [];

    private StoredSeries[]? _published = [];
    private int _count;
    private int _guess;
    private long _time;
    private long _oldest;
    private bool _reclaimed;
    private int _identified;
    private int _labelText;

    /// <summary>Each series' last sample; NaN where there is none.</summary>
    public ReadOnlySpan<double> Known => _known.AsSpan(0, _count);

    /// <summary>Each series' sample on the page that is being read; NaN where there is none.</summary>
    public ReadOnlySpan<double> Seen => _seen.AsSpan(0, _count);

    /// <summary>The series by slot, for readers: the same array until there are others.</summary>
    public StoredSeries[] Series => _published ??= _series.AsSpan(0, _count).ToArray();

    public NamedSeries? Find(ReadOnlySpan<byte> name) => selection.Find(name);

    /// <summary>Prepares for a page.</summary>
    /// <param name="time">Of its samples, in milliseconds since 1970.</param>
    /// <param name="oldest">The oldest time that anybody asks about when the page is known: series not seen since may give up their slots.</param>
    public void Begin(long time, long oldest) => (_time, _oldest) = (time, oldest);

    /// <exception cref="PageException">The target shows more series than it may.</exception>
    public Taken Take(NamedSeries name, ReadOnlySpan<byte> series, double value)
    {
        if (!(value is >= 0 and < Absurd))
        {
            return Taken.Bad;
        }

        UInt128 text = XxHash128.HashToUInt128(series);
        // Pages come in the same order each time, and slots were given in that order.
        int slot = _guess < _count && _texts[_guess] == text ? _guess : Identify(name, series, text);
        if (slot < 0)
        {
            return slot == NotCounted ? Taken.Dropped : Taken.Bad;
        }

        _guess = slot + 1;
        if (!double.IsNaN(_seen[slot]))
        {
            return Taken.Bad;
        }

        _seen[slot] = value;
        return Taken.Kept;
    }

    /// <summary>Makes what was seen on the page known.</summary>
    public void Commit()
    {
        for (int slot = 0; slot < _count; slot++)
        {
            if (!double.IsNaN(_seen[slot]))
            {
                _known[slot] = _seen[slot];
                _lastSeen[slot] = _time;
            }
        }

        Forget();
    }

    /// <summary>Forgets what was seen on the page.</summary>
    public void Forget()
    {
        Array.Fill(_seen, double.NaN, 0, _count);
        _guess = 0;
        _reclaimed = false;
        _identified = 0;
    }

    /// <summary>Forgets the samples of the pages before.</summary>
    public void ForgetValues()
    {
        Array.Fill(_known, double.NaN, 0, _count);
        for (int slot = 0; slot < _count; slot++)
        {
            _lastSeen[slot] = _lastSeen[slot] == Free ? Free : Math.Min(_lastSeen[slot], _time);
        }
    }

    private int Identify(NamedSeries name, ReadOnlySpan<byte> series, UInt128 text)
    {
        if (_byText.TryGetValue(text, out int slot))
        {
            return slot;
        }

        if (ReadLabels(series) is not { } printed)
        {
            return Malformed;
        }

        // Labels are costly to take apart; nobody shall make us do it for millions of series that are new every time.
        if (++_identified > 2 * MostSeries)
        {
            throw TooMany();
        }

        if ((_free.Count == 0 && !_reclaimed) || _byText.Count > 2 * MostSeries)
        {
            Reclaim();
        }

        UInt128 labels = Hash(name, printed);
        if (!_byLabels.TryGetValue(labels, out slot))
        {
            slot = Select(name, printed) is { } stored ? Place(stored, text) : NotCounted;
            if (slot >= 0)
            {
                _byLabels.Add(labels, slot);
            }
        }

        _byText.Add(text, slot);
        return slot;
    }

    /// <summary>The labels as printed, in order of their names; null when they are malformed.</summary>
    private static List<KeyValuePair<string, string>>? ReadLabels(ReadOnlySpan<byte> series)
    {
        List<KeyValuePair<string, string>> labels = [];
        LabelReader reader = new(series);
        while (reader.Read())
        {
            labels.Add(new(Text(reader.Name), Text(reader.Value)));
        }

        labels.Sort((left, right) => string.CompareOrdinal(left.Key, right.Key));
        bool twice = labels.Zip(labels.Skip(1)).Any(pair => pair.First.Key == pair.Second.Key);
        return reader.Malformed || twice ? null : labels;

        static string Text(ReadOnlySpan<byte> escaped)
        {
            if (!escaped.Contains((byte)'\\'))
            {
                return Encoding.UTF8.GetString(escaped);
            }

            return Encoding.UTF8.GetString(LabelReader.Unescape(escaped, new byte[escaped.Length]));
        }
    }

    private static UInt128 Hash(NamedSeries name, List<KeyValuePair<string, string>> labels)
    {
        XxHash128 hash = new();
        Append(name.Name);
        foreach ((string label, string value) in labels)
        {
            Append(label);
            Append(value);
        }

        return hash.GetCurrentHashAsUInt128();

        void Append(string text)
        {
            // Lengths keep "a","bc" and "ab","c" apart.
            Span<byte> length = stackalloc byte[sizeof(int)];
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
            hash.Append(length);
            hash.Append(bytes);
        }
    }

    /// <summary>What is kept of a series; null when no side of a mesh counts it.</summary>
    private StoredSeries? Select(NamedSeries name, List<KeyValuePair<string, string>> printed)
    {
        // As Prometheus without honor_labels: the target's labels stand, and a page cannot claim to be another pod's.
        Dictionary<string, string> labels = new(target.Labels);
        foreach ((string label, string value) in printed)
        {
            bool taken = target.Labels.TryGetValue(label, out string? own) && own.Length > 0;
            labels[taken ? "exported_" + label : label] = value;
        }

        string Value(string label) => labels.GetValueOrDefault(label, "");
        if (!name.Where.Any(where => where.All(matcher => matcher.Matches(Value(matcher.Label)))))
        {
            return null;
        }

        string bound = Value(BoundLabel);
        int text = name.Labels.Sum(label => Value(label).Length);
        if (text + bound.Length > MostLabelText)
        {
            return null;
        }

        SeriesLabels found = new(name, [.. name.Labels.Select(label => pool.Share(Value(label)))]);
        if (!_shared.TryGetValue(found, out SeriesLabels? shared))
        {
            _labelText += text;
            if (_labelText > MostLabelTextOfAll)
            {
                throw new PageException($"shows labels of more than {MostLabelTextOfAll} characters");
            }

            _shared.Add(found, shared = found);
        }

        return new StoredSeries(shared, pool.Share(bound));
    }

    private int Place(StoredSeries stored, UInt128 text)
    {
        if (!_free.TryPop(out int slot))
        {
            slot = _count < MostSeries ? _count++ : throw TooMany();
            if (slot == _series.Length)
            {
                Grow(Math.Max(16, slot * 2));
            }
        }

        _series[slot] = stored;
        _texts[slot] = text;
        _known[slot] = double.NaN;
        _seen[slot] = double.NaN;
        _lastSeen[slot] = _time;
        _published = null;
        return slot;
    }

    private static PageException TooMany() => new($"shows more than {MostSeries} series");

    /// <summary>Frees the slots of series that no window reaches any more, and forgets what was never counted and other ways of printing.</summary>
    private void Reclaim()
    {
        _reclaimed = true;
        HashSet<int> freed = [];
        _shared.Clear();
        _labelText = 0;
        for (int slot = 0; slot < _count; slot++)
        {
            // One that is back after a long time is on this very page.
            if (_lastSeen[slot] < _oldest && double.IsNaN(_seen[slot]))
            {
                freed.Add(slot);
                _free.Push(slot);
                _lastSeen[slot] = Free;
                _texts[slot] = default;
            }
            else if (_lastSeen[slot] != Free && _shared.TryAdd(_series[slot].Labels, _series[slot].Labels))
            {
                _labelText += _series[slot].Labels.Values.Sum(value => value.Length);
            }
        }

        foreach ((UInt128 text, int slot) in _byText)
        {
            if (slot == NotCounted || _texts[slot] != text)
            {
                _byText.Remove(text);
            }
        }

        foreach ((UInt128 labels, int slot) in _byLabels)
        {
            if (freed.Contains(slot))
            {
                _byLabels.Remove(labels);
            }
        }
    }

    private void Grow(int size)
    {
        Array.Resize(ref _texts, size);
        Array.Resize(ref _series, size);
        Array.Resize(ref _known, size);
        Array.Resize(ref _seen, size);
        Array.Resize(ref _lastSeen, size);
    }

    private sealed class SameLabels : IEqualityComparer<SeriesLabels>
    {
        public bool Equals(SeriesLabels? x, SeriesLabels? y) => x!.Series == y!.Series && x.Values.AsSpan().SequenceEqual(y.Values);

        public int GetHashCode([DisallowNull] SeriesLabels obj) => obj.Values.Aggregate(0, HashCode.Combine);
    }
}
