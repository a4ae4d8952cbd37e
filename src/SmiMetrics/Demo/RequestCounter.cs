namespace SmiMetrics.Demo;

/// <summary>
/// Counts the requests of the flows, one by one and exactly. The k-th request of a flow goes from and to the pods whose turn it is; how
/// it is answered and how long it takes repeats with every thousand requests that a pair of pods exchanges. So each request is counted
/// once at either end, whichever pod had the slot at that time, and any count is a matter of arithmetic.
/// </summary>
/// <param name="bounds">The finite upper bounds of the mesh's latency buckets, in milliseconds.</param>
internal sealed class RequestCounter(World world, IReadOnlyList<double> bounds)
{
    private readonly Dictionary<Flow, Cycle> _cycles = world.Flows.ToDictionary(flow => flow, flow => new Cycle(flow, bounds));

    /// <summary>What a pod has received of a flow since it began to serve.</summary>
    public Tally Received(Flow flow, SimulatedPod to, TimeSpan age)
    {
        Tally tally = NewTally(flow);
        for (int slot = 0; slot < Senders(flow); slot++)
        {
            Count(flow, slot, to.Slot, to.Serves, Earlier(age, to.Drained), tally);
        }

        return tally;
    }

    /// <summary>What a pod has sent of a flow since it began to serve.</summary>
    public Tally Sent(Flow flow, SimulatedPod from, TimeSpan age)
    {
        Tally tally = NewTally(flow);
        for (int slot = 0; slot < flow.To.Pods; slot++)
        {
            Count(flow, from.Slot, slot, from.Serves, Earlier(age, from.Drained), tally);
        }

        return tally;
    }

    /// <summary>What one pod has sent to another.</summary>
    public Tally Exchanged(Flow flow, SimulatedPod from, SimulatedPod to, TimeSpan age)
    {
        Tally tally = NewTally(flow);
        TimeSpan since = from.Serves > to.Serves ? from.Serves : to.Serves;
        Count(flow, from.Slot, to.Slot, since, Earlier(age, Earlier(from.Drained, to.Drained)), tally);
        return tally;
    }

    private Tally NewTally(Flow flow) => new(flow.Replies.Count, bounds.Count + 1);

    private static int Senders(Flow flow) => flow.From?.Pods ?? 1;

    private static TimeSpan Earlier(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private void Count(Flow flow, int fromSlot, int toSlot, TimeSpan since, TimeSpan until, Tally tally)
    {
        if (until <= since)
        {
            return;
        }

        int pairs = Senders(flow) * flow.To.Pods;
        int pair = (fromSlot * flow.To.Pods) + toSlot;
        // Pairs are at different points of the cycle, or all of them would fail at once.
        long offset = pair * Cycle.Length / pairs;
        _cycles[flow].Add(tally, offset + OfPair(since), offset + OfPair(until));

        // Of the requests 0 to K-1 the pair gets those whose number, divided by the number of pairs, leaves its own.
        long OfPair(TimeSpan age) => (flow.RequestsUntil(age) - pair + pairs - 1) / pairs;
    }

    /// <summary>The thousand requests that a flow repeats.</summary>
    private sealed class Cycle
    {
        public const int Length = 1000;

        // Coprime to the length, and near the golden ratio's and the square root of two's part of it: requests with neighbouring ranks lie
        // far apart, so that any stretch of the cycle has about its share of everything.
        private const int ReplyStride = 617;
        private const int LatencyStride = 413;

        private readonly int[] _reply = new int[Length];
        private readonly int[] _bucket = new int[Length];
        private readonly long[] _microseconds = new long[Length];
        private readonly Tally _whole;

        public Cycle(Flow flow, IReadOnlyList<double> bounds)
        {
            int reply = 0;
            double upTo = flow.Replies[0].Share;
            for (int rank = 0; rank < Length; rank++)
            {
                double quantile = (rank + 0.5) / Length;
                while (quantile > upTo && reply < flow.Replies.Count - 1)
                {
                    upTo += flow.Replies[++reply].Share;
                }

                _reply[rank * ReplyStride % Length] = reply;
                double latency = flow.Latency.At(quantile);
                int at = rank * LatencyStride % Length;
                _microseconds[at] = (long)(latency * 1000);
                _bucket[at] = bounds.TakeWhile(bound => bound < latency).Count();
            }

            _whole = new Tally(flow.Replies.Count, bounds.Count + 1);
            AddPart(_whole, 0, Length);
        }

        /// <summary>Adds the requests from number <paramref name="from"/> to before number <paramref name="until"/>.</summary>
        public void Add(Tally tally, long from, long until)
        {
            (long cycles, long rest) = Math.DivRem(until - from, Length);
            tally.Add(_whole, cycles);
            AddPart(tally, from, rest);
        }

        private void AddPart(Tally tally, long from, long count)
        {
            for (long number = from; number < from + count; number++)
            {
                int at = (int)(number % Length);
                tally.Add(_reply[at], _bucket[at], _microseconds[at]);
            }
        }
    }
}

/// <summary>Requests by reply and by latency.</summary>
internal sealed class Tally(int replies, int buckets)
{
    private readonly long[,] _counts = new long[replies, buckets];

    // Whole numbers: however the parts were added up, a counter never goes back by a rounding error.
    private readonly long[] _microseconds = new long[replies];

    /// <summary>Requests with a reply.</summary>
    public long Count(int reply) => CountUpTo(reply, buckets - 1);

    /// <summary>Requests with a reply whose latency is in a bucket or in one below it: what a classic histogram prints.</summary>
    public long CountUpTo(int reply, int bucket)
    {
        long count = 0;
        for (int at = 0; at <= bucket; at++)
        {
            count += _counts[reply, at];
        }

        return count;
    }

    /// <summary>Milliseconds that all requests with a reply took together.</summary>
    public long Sum(int reply) => _microseconds[reply] / 1000;

    public long Total => Enumerable.Range(0, replies).Sum(Count);

    public void Add(int reply, int bucket, long microseconds)
    {
        _counts[reply, bucket]++;
        _microseconds[reply] += microseconds;
    }

    public void Add(Tally other, long times)
    {
        for (int reply = 0; reply < replies; reply++)
        {
            _microseconds[reply] += other._microseconds[reply] * times;
            for (int bucket = 0; bucket < buckets; bucket++)
            {
                _counts[reply, bucket] += other._counts[reply, bucket] * times;
            }
        }
    }
}
