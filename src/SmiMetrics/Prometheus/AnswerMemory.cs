using SmiMetrics.Traffic;

namespace SmiMetrics.Prometheus;

/// <summary>
/// The newest answer to each query, for as long as it may still serve, and no more of them than fit. Not safe for threads: its
/// owner holds a lock.
/// </summary>
internal sealed class AnswerMemory(int maxRows, TimeSpan lifetime)
{
    /// <summary>What an answer weighs beside its rows, so that many empty ones do not pile up either.</summary>
    private const int FixedRows = 8;

    private readonly Dictionary<IncreaseQuery, IncreaseAnswer> _newest = [];

    // In order of arrival. Names an answer rather than holding it: one that has been replaced is gone at once.
    private readonly Queue<(IncreaseQuery Query, DateTimeOffset Instant)> _arrivals = [];
    private int _rows;

    /// <summary>What is held, in rows, each answer counting some more.</summary>
    public int Weight => _rows;

    public IncreaseAnswer? Find(IncreaseQuery query) => _newest.GetValueOrDefault(query);

    public void Remember(IncreaseQuery query, IncreaseAnswer answer)
    {
        IncreaseAnswer? known = Find(query);
        if (lifetime == TimeSpan.Zero || WeightOf(answer) > maxRows || known?.Instant > answer.Instant)
        {
            return;
        }

        if (known?.Instant != answer.Instant)
        {
            _arrivals.Enqueue((query, answer.Instant));
        }

        _rows += WeightOf(answer) - (known is null ? 0 : WeightOf(known));
        _newest[query] = answer;
        while (_rows > maxRows)
        {
            DropOldest();
        }
    }

    public void Sweep(DateTimeOffset now)
    {
        while (_arrivals.TryPeek(out (IncreaseQuery Query, DateTimeOffset Instant) oldest) && now - oldest.Instant > lifetime)
        {
            DropOldest();
        }
    }

    private static int WeightOf(IncreaseAnswer answer) => answer.Rows.Count + FixedRows;

    private void DropOldest()
    {
        (IncreaseQuery query, DateTimeOffset instant) = _arrivals.Dequeue();
        if (Find(query) is { } answer && answer.Instant == instant)
        {
            _rows -= WeightOf(answer);
            _newest.Remove(query);
        }
    }
}
