using System.Globalization;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Demo;

/// <summary>A pod of the simulated cluster. All times are ages of the world.</summary>
/// <param name="Slot">Its number among the pods of its workload that serve at the same moment.</param>
/// <param name="Controller">Its owner: the workload itself, a Deployment's ReplicaSet or a CronJob's Job.</param>
/// <param name="TemplateHash">Its label <c>pod-template-hash</c>, which the pods of Deployments have.</param>
/// <param name="Serves">When it begins to receive and send requests.</param>
/// <param name="Drained">When it has stopped to.</param>
internal sealed record SimulatedPod(
    Workload Workload, int Slot, string Name, ObjectRef Controller, string? TemplateHash, string Node, string Ip, TimeSpan Serves, TimeSpan Drained)
{
    /// <summary>It is there a little before it serves, so that whoever scrapes it sees its counters begin.</summary>
    public TimeSpan Created => Serves - SimulatedCluster.Readying;

    /// <summary>And a little longer, so that nobody misses where they ended.</summary>
    public TimeSpan Deleted => Drained == TimeSpan.MaxValue ? TimeSpan.MaxValue : Drained + SimulatedCluster.Draining;

    public bool ExistsAt(TimeSpan age) => Created <= age && age < Deleted;

    public bool ServesAt(TimeSpan age) => Serves <= age && age < Drained;
}

/// <summary>
/// Which pods there are at a moment: a function of the world's age and nothing else. So a list and a watch that begins where it ended
/// need no memory in common, and nor do the two ends of a request.
/// </summary>
internal sealed class SimulatedCluster
{
    public static readonly TimeSpan Readying = TimeSpan.FromSeconds(3);
    public static readonly TimeSpan Draining = TimeSpan.FromSeconds(3);

    /// <summary>The shop has been open for a while when the demo starts: counters stand somewhere, as they do in life.</summary>
    private static readonly TimeSpan AgeAtStart = TimeSpan.FromMinutes(15);

    private const string NameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

    private readonly TimeProvider _clock;
    private readonly long _started;
    private readonly Dictionary<Workload, int> _numbers;

    public SimulatedCluster(World world, TimeProvider clock)
    {
        World = world;
        _clock = clock;
        _started = clock.GetTimestamp();
        Began = clock.GetUtcNow() - AgeAtStart;
        _numbers = world.Workloads.Select((workload, number) => (workload, number)).ToDictionary(pair => pair.workload, pair => pair.number + 1);
    }

    public World World { get; }

    /// <summary>When the world was of age zero.</summary>
    public DateTimeOffset Began { get; }

    /// <summary>How old the world is.</summary>
    public TimeSpan Age => AgeAtStart + _clock.GetElapsedTime(_started);

    /// <summary>The pods that exist.</summary>
    public IEnumerable<SimulatedPod> PodsAt(TimeSpan age) => World.Workloads.SelectMany(workload => PodsOf(workload, age));

    /// <summary>The pods of a workload that exist, and those that were deleted no longer than <paramref name="ago"/>.</summary>
    public IEnumerable<SimulatedPod> PodsOf(Workload workload, TimeSpan age, TimeSpan ago = default)
    {
        if (workload.ReplacedEvery is not { } period)
        {
            return Enumerable.Range(0, workload.Pods).Select(slot => Pod(workload, 0, slot));
        }

        long first = Math.Max(0, ((age - Draining - ago).Ticks / period.Ticks) - 1);
        long last = (age + Readying).Ticks / period.Ticks;
        return
            from generation in Enumerable.Range((int)first, (int)(last - first + 1))
            from slot in Enumerable.Range(0, workload.Pods)
            let pod = Pod(workload, generation, slot)
            where pod.Created <= age && age - ago < pod.Deleted
            select pod;
    }

    /// <summary>The first moment after <paramref name="age"/> at which a pod comes, goes, or begins or ends to serve; null when there is none.</summary>
    public TimeSpan? NextChange(TimeSpan age) => World.Workloads
        .Select(workload => workload.ReplacedEvery)
        .OfType<TimeSpan>()
        .SelectMany(period => new[] { Next(age, period, -Readying), Next(age, period, TimeSpan.Zero), Next(age, period, Draining) })
        .Select(next => (TimeSpan?)next)
        .Min();

    /// <summary>The first moment after <paramref name="age"/> that lies <paramref name="offset"/> from a multiple of the period.</summary>
    private static TimeSpan Next(TimeSpan age, TimeSpan period, TimeSpan offset) =>
        (period * (((age - offset).Ticks / period.Ticks) + 1)) + offset;

    private SimulatedPod Pod(Workload workload, int generation, int slot)
    {
        TimeSpan serves = TimeSpan.Zero;
        TimeSpan drained = TimeSpan.MaxValue;
        if (workload.ReplacedEvery is { } period)
        {
            serves = period * generation;
            drained = serves + period;
        }

        string? hash = workload.Kind == ResourceKind.Deployment ? Letters($"{workload.Namespace}/{workload.Name}/{generation}", 10) : null;
        ObjectRef own = new(workload.Kind, workload.Namespace, workload.Name);
        ObjectRef controller =
            hash is not null ? new ObjectRef(ResourceKind.ReplicaSet, workload.Namespace, $"{workload.Name}-{hash}")
            : workload.Kind == ResourceKind.CronJob ? new ObjectRef(ResourceKind.Job, workload.Namespace, $"{workload.Name}-{Minute(serves)}")
            : own;
        string name = workload.Kind == ResourceKind.StatefulSet
            ? $"{workload.Name}-{slot}"
            : $"{controller.Name}-{Letters($"{controller}/{generation}/{slot}", 5)}";
        int number = _numbers[workload];
        // A DaemonSet has a pod on each node; of the others each begins at another node.
        string node = World.Nodes[(slot + (workload.Kind == ResourceKind.DaemonSet ? 0 : number)) % World.Nodes.Count];
        string ip = $"10.1.{number}.{(((generation * workload.Pods) + slot) % 250) + 1}";
        return new SimulatedPod(workload, slot, name, controller, hash, node, ip, serves, drained);
    }

    /// <summary>What a CronJob's controller puts behind the name of a Job: the minute since 1970 for which it was scheduled.</summary>
    private string Minute(TimeSpan age) => ((Began + age).ToUnixTimeSeconds() / 60).ToString(CultureInfo.InvariantCulture);

    /// <summary>Letters that look like those Kubernetes makes up, and are the same in every run (FNV-1a, then a congruential generator).</summary>
    private static string Letters(string seed, int count)
    {
        ulong state = 14695981039346656037;
        foreach (char letter in seed)
        {
            state = (state ^ letter) * 1099511628211;
        }

        return string.Create(count, state, static (text, state) =>
        {
            foreach (ref char letter in text)
            {
                state = (state * 6364136223846793005) + 1442695040888963407;
                letter = NameAlphabet[(int)((state >> 33) % (ulong)NameAlphabet.Length)];
            }
        });
    }
}
