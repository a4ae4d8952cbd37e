namespace SmiMetrics.Auth;

/// <summary>
/// Asks kube-apiserver each question once for all who have it at the same time, and keeps the answers for a while: the most recently used ones,
/// up to a number. A failure to answer is for those who wait, and is not kept.
/// </summary>
/// <param name="capacity">More answers than this are not kept.</param>
/// <param name="lifetime">How long an answer holds; zero or less: it is not kept.</param>
internal sealed class ReviewCache<TAnswer>(int capacity, Func<TAnswer, TimeSpan> lifetime, TimeProvider time) where TAnswer : class
{
    /// <summary>
    /// How long a caller waits for kube-apiserver. Whoever is told so and comes again may find the answer, for the asking goes on; who waits longer keeps a
    /// place from others.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Kept>> _kept = new(StringComparer.Ordinal);

    // The most recently used one first.
    private readonly LinkedList<Kept> _byUse = [];
    private readonly Dictionary<string, TaskCompletionSource<TAnswer>> _asked = new(StringComparer.Ordinal);

    /// <summary>Says what kube-apiserver is having trouble with, for those who have waited in vain; null for nothing that is known.</summary>
    public Func<string?> Trouble { get; init; } = static () => null;

    /// <summary>How many answers are kept.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _kept.Count;
            }
        }
    }

    /// <param name="question">What tells this question from others.</param>
    /// <param name="keep">Whether the answer may be kept at all.</param>
    /// <param name="ask">Finds the answer out, within a time of its own: it goes on for the others when one caller has gone.</param>
    /// <param name="cancellationToken">Ends the caller's waiting, not the asking.</param>
    /// <exception cref="ReviewException">There was no answer, or not within <see cref="Patience"/>.</exception>
    public async Task<TAnswer> AskAsync(string question, bool keep, Func<Task<TAnswer>> ask, CancellationToken cancellationToken)
    {
        TaskCompletionSource<TAnswer>? answer;
        bool first = false;
        lock (_lock)
        {
            if (Find(question) is { } known)
            {
                return known;
            }

            if (!_asked.TryGetValue(question, out answer))
            {
                first = true;
                _asked[question] = answer = new TaskCompletionSource<TAnswer>(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        if (first)
        {
            _ = AnswerAsync(question, keep, ask, answer);
        }

        try
        {
            return await answer.Task.WaitAsync(Patience, time, cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new ReviewException($"no answer within {Patience.TotalSeconds:0} s{(Trouble() is { } trouble ? $"; last: {trouble}" : "")}", isPassing: true, e);
        }
    }

    private async Task AnswerAsync(string question, bool keep, Func<Task<TAnswer>> ask, TaskCompletionSource<TAnswer> waiting)
    {
        try
        {
            TAnswer answer = await ask();
            lock (_lock)
            {
                _asked.Remove(question);
                if (keep && lifetime(answer) > TimeSpan.Zero)
                {
                    Keep(new Kept(question, answer, time.GetTimestamp()));
                }
            }

            waiting.SetResult(answer);
        }
        catch (Exception e)
        {
            lock (_lock)
            {
                _asked.Remove(question);
            }

            waiting.SetException(e);
            // All who waited may have gone, and then nobody else looks at it.
            _ = waiting.Task.Exception;
        }
    }

    private TAnswer? Find(string question)
    {
        if (!_kept.TryGetValue(question, out LinkedListNode<Kept>? node))
        {
            return null;
        }

        _byUse.Remove(node);
        if (time.GetElapsedTime(node.Value.At) >= lifetime(node.Value.Answer))
        {
            _kept.Remove(question);
            return null;
        }

        _byUse.AddFirst(node);
        return node.Value.Answer;
    }

    private void Keep(Kept answer)
    {
        _kept[answer.Question] = _byUse.AddFirst(answer);
        if (_kept.Count > capacity)
        {
            _kept.Remove(_byUse.Last!.Value.Question);
            _byUse.RemoveLast();
        }
    }

    /// <param name="At">A timestamp of the time provider.</param>
    private sealed record Kept(string Question, TAnswer Answer, long At);
}
