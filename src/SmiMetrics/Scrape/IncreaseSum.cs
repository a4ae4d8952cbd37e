using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Scrape;

/// <summary>
/// One <see cref="IncreaseQuery"/> over the samples of many targets. For each target: pick the series that match, undo its frames from the
/// newest to the start of the window, and add what each series increased by to its group.
/// </summary>
internal sealed class IncreaseSum
{
    private const string BoundLabel = "le";
    private const int Bound = -1;
    private const int NotPicked = -1;

    private readonly IncreaseQuery _query;
    private readonly NamedSeries _series;
    private readonly long _from;
    private readonly long _to;

    // Where the values of the query's labels are in SeriesLabels.Values.
    private readonly (Matcher Matcher, int Index)[] _matchers;
    private readonly int[] _by;

    private readonly Dictionary<string[], int> _groupOf;
    private readonly Dictionary<string[], int>.AlternateLookup<ReadOnlySpan<string>> _groupLookup;
    private readonly List<IncreaseRow> _groups = [];
    private readonly string[] _key;

    /// <param name="series">The query's series as it is kept.</param>
    /// <param name="to">The window's end, in milliseconds since 1970.</param>
    /// <exception cref="InvalidOperationException">The query uses a label that no descriptor names, so that it was not kept.</exception>
    public IncreaseSum(IncreaseQuery query, NamedSeries series, long to)
    {
        _query = query;
        _series = series;
        _to = to;
        _from = to - (long)query.Window.TotalMilliseconds;
        _matchers = [.. query.Matchers.Select(matcher => (matcher, IndexOf(matcher.Label)))];
        _by = [.. query.By.Select(IndexOf)];
        _key = new string[_by.Length];
        _groupOf = new Dictionary<string[], int>(new SameTexts());
        _groupLookup = _groupOf.GetAlternateLookup<ReadOnlySpan<string>>();
    }

    /// <summary>The groups of the series that had two samples or more.</summary>
    public IReadOnlyList<IncreaseRow> Rows => _groups;

    /// <summary>Adds a target's series.</summary>
    /// <returns>Whether any that matches had a sample in the window.</returns>
    public bool Add(TargetState target)
    {
        int[] picked = ArrayPool<int>.Shared.Rent(target.Series.Length);
        int count = Pick(target, picked);
        SampleRun[] runs = ArrayPool<SampleRun>.Shared.Rent(count);
        try
        {
            if (count == 0)
            {
                return false;
            }

            for (int slot = 0; slot < target.Series.Length; slot++)
            {
                if (picked[slot] != NotPicked)
                {
                    runs[picked[slot]] = new SampleRun { Value = target.Values[slot] };
                }
            }

            for (Frame? frame = target.Newest; frame is not null && frame.Time > _from; frame = frame.Before)
            {
                Undo(frame, picked, runs);
            }

            bool any = false;
            for (int slot = 0; slot < target.Series.Length; slot++)
            {
                if (picked[slot] != NotPicked)
                {
                    ref SampleRun run = ref runs[picked[slot]];
                    any |= run.Count > 0;
                    if (run.Increase(_from, _to) is { } increase)
                    {
                        AddToGroup(target.Series[slot], increase);
                    }
                }
            }

            return any;
        }
        finally
        {
            ArrayPool<int>.Shared.Return(picked);
            ArrayPool<SampleRun>.Shared.Return(runs);
        }
    }

    /// <summary>Numbers the slots whose series match, from zero.</summary>
    private int Pick(TargetState target, int[] picked)
    {
        int count = 0;
        SeriesLabels? last = null;
        bool lastMatches = false;
        for (int slot = 0; slot < target.Series.Length; slot++)
        {
            StoredSeries series = target.Series[slot];
            if (!ReferenceEquals(series.Labels, last))
            {
                last = series.Labels;
                lastMatches = last.Series == _series && Array.TrueForAll(_matchers, matcher => matcher.Index == Bound || matcher.Matcher.Matches(series.Labels.Values[matcher.Index]));
            }

            bool matches = lastMatches && Array.TrueForAll(_matchers, matcher => matcher.Index != Bound || matcher.Matcher.Matches(series.Bound));
            picked[slot] = matches ? count++ : NotPicked;
        }

        return count;
    }

    /// <summary>Takes the frame's samples in where they are within the window, and goes back to the values before it.</summary>
    private void Undo(Frame frame, int[] picked, SampleRun[] runs)
    {
        bool within = frame.Time <= _to;
        long time = frame.Time;
        byte[] changes = frame.Changes;
        int slot = 0;
        for (int at = 0; at < changes.Length;)
        {
            byte change = changes[at++];
            switch (change)
            {
                case <= Frame.MostInAByte:
                    GrownBy(change);
                    break;
                case Frame.GrownBy16Bits:
                    GrownBy(BinaryPrimitives.ReadUInt16LittleEndian(changes.AsSpan(at)));
                    at += sizeof(ushort);
                    break;
                case Frame.GrownBy32Bits:
                    GrownBy(BinaryPrimitives.ReadUInt32LittleEndian(changes.AsSpan(at)));
                    at += sizeof(uint);
                    break;
                case Frame.ChangedFrom:
                    ChangedFrom(BinaryPrimitives.ReadDoubleLittleEndian(changes.AsSpan(at)));
                    at += sizeof(double);
                    break;
                case Frame.First:
                    ChangedFrom(double.NaN);
                    break;
                case Frame.RunOfUnchanged:
                    for (int left = changes[at++]; left > 0; left--)
                    {
                        GrownBy(0);
                    }

                    break;
                case Frame.Absent:
                    slot++;
                    break;
                case Frame.RunOfAbsent:
                    slot += changes[at++];
                    break;
            }
        }

        void GrownBy(double growth)
        {
            if (picked[slot++] is var run && run != NotPicked)
            {
                TakeIn(ref runs[run]).Value -= growth;
            }
        }

        void ChangedFrom(double before)
        {
            if (picked[slot++] is var run && run != NotPicked)
            {
                TakeIn(ref runs[run]).Value = before;
            }
        }

        ref SampleRun TakeIn(ref SampleRun run)
        {
            if (within)
            {
                run.Add(time);
            }

            return ref run;
        }
    }

    private void AddToGroup(StoredSeries series, double increase)
    {
        for (int label = 0; label < _by.Length; label++)
        {
            _key[label] = _by[label] == Bound ? series.Bound : series.Labels.Values[_by[label]];
        }

        if (_groupLookup.TryGetValue(_key, out int group))
        {
            _groups[group] = _groups[group] with { Value = _groups[group].Value + increase };
        }
        else
        {
            string[] labels = [.. _key];
            _groupOf.Add(labels, _groups.Count);
            _groups.Add(new IncreaseRow(labels, increase));
        }
    }

    private int IndexOf(string label)
    {
        if (label == BoundLabel)
        {
            return Bound;
        }

        for (int index = 0; index < _series.Labels.Count; index++)
        {
            if (_series.Labels[index] == label)
            {
                return index;
            }
        }

        throw new InvalidOperationException($"the label {label} of {_query.Series} was not kept: no descriptor names it");
    }

    private sealed class SameTexts : IEqualityComparer<string[]>, IAlternateEqualityComparer<ReadOnlySpan<string>, string[]>
    {
        public string[] Create(ReadOnlySpan<string> alternate) => alternate.ToArray();

        public bool Equals(ReadOnlySpan<string> alternate, string[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<string> alternate)
        {
            HashCode hash = new();
            foreach (string text in alternate)
            {
                hash.Add(text);
            }

            return hash.ToHashCode();
        }

        public bool Equals(string[]? x, string[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] string[] obj) => GetHashCode(obj.AsSpan());
    }
}
