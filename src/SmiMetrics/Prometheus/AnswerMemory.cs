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

    // In order of arrival. An entry whose answer has since been replaced stays until its turn comes.
    private readonly Queue<(IncreaseQuery Query, IncreaseAnswer Answer)> _arrivals = [];
    private int _rows;

    /// <summary>What is held, in rows, each answer counting some more.</summary>
    public int Weight => _rows;

    public IncreaseAnswer? Find(IncreaseQuery query) => _newest.GetValueOrDefault(query);

    public void Remember(IncreaseQuery query, IncreaseAnswer answer)
    {
        if (lifetime == TimeSpan.Zero || WeightOf(answer) > maxRows || (Find(query) is { } known && known.Instant > answer.Instant))
        {
            return;
        }

        _newest[query] = answer;
        _arrivals.Enqueue((query, answer));
        _rows += WeightOf(answer);
        while (_rows > maxRows)
        {
            DropOldest();
        }
    }

    public void Sweep(DateTimeOffset now)
    {
        while (_arrivals.TryPeek(out (IncreaseQuery Query, IncreaseAnswer Answer) oldest) && now - oldest.Answer.Instant > lifetime)
        {
            DropOldest();
        }
    }

    private static int WeightOf(IncreaseAnswer answer) => answer.Rows.Count + FixedRows;

    private void DropOldest()
    {
        (IncreaseQuery query, IncreaseAnswer answer) = _arrivals.Dequeue();
        _rows -= WeightOf(answer);
        if (ReferenceEquals(Find(query), answer))
        {
            _newest.Remove(query);
        }
    }
}
