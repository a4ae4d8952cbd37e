namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>A pod of the simulated cluster.</summary>
internal sealed record SimulatedPod(Workload Workload, string Name, string Ip, string Node);

/// <summary>A workload of the simulated cluster: something that owns pods.</summary>
/// <param name="Kind">As in an object's <c>kind</c>.</param>
/// <param name="Meshed">Whether its pods have a proxy.</param>
internal sealed class Workload(string kind, string @namespace, string name, int podCount, int number, bool meshed)
{
    private const string NameAlphabet = "bcdfghjklmnpqrstvwxz2456789";

    public string Kind { get; } = kind;

    public string Namespace { get; } = @namespace;

    public string Name { get; } = name;

    public bool Meshed { get; } = meshed;

    /// <summary>Its pods crash and come back all the time.</summary>
    public bool Restarting => Name == "crashy";

    /// <summary>A Deployment's ReplicaSet is named after this, and its pods are labelled with it.</summary>
    public string TemplateHash => Letters($"{Namespace}/{Name}", 10);

    public string ReplicaSet => $"{Name}-{TemplateHash}";

    /// <summary>What a CronJob's controller appends to its name: the minute of the run since the epoch.</summary>
    public const string ScheduledRun = "-28401234";

    /// <summary>The Job that a CronJob has made.</summary>
    public string ScheduledJob => Name + ScheduledRun;

    /// <summary>Kind and name of what makes its pods.</summary>
    public (string Kind, string Name) Controller => Kind switch
    {
        "Deployment" => ("ReplicaSet", ReplicaSet),
        "CronJob" => ("Job", ScheduledJob),
        _ => (Kind, Name),
    };

    /// <summary>Selects its pods. The kind too: two workloads of one name must not take each other's.</summary>
    public IReadOnlyDictionary<string, string> Selector => new Dictionary<string, string> { ["app"] = Name, ["kind"] = Kind };

    /// <summary>What its controller labels its pods with.</summary>
    public IReadOnlyDictionary<string, string> PodLabels => Kind == "Deployment"
        ? new Dictionary<string, string>(Selector) { ["pod-template-hash"] = TemplateHash }
        : Selector;

    public IReadOnlyList<SimulatedPod> Pods => field ??= [.. Enumerable.Range(0, podCount).Select(Pod)];

    public override string ToString() => $"{Kind} {Namespace}/{Name}";

    private SimulatedPod Pod(int index)
    {
        string suffix = Letters($"{Namespace}/{Kind}/{Name}/{index}", 5);
        string name = Kind switch
        {
            "Deployment" => $"{ReplicaSet}-{suffix}",
            "StatefulSet" => $"{Name}-{index}",
            "CronJob" => $"{ScheduledJob}-{suffix}",
            _ => $"{Name}-{suffix}",
        };
        return new SimulatedPod(this, name, $"10.{1 + (number / 256)}.{number % 256}.{index + 1}", Topology.Nodes[(number + index) % Topology.Nodes.Count]);
    }

    // Names that look like those Kubernetes makes, but are the same in every run.
    private static string Letters(string seed, int count)
    {
        ulong hash = 14695981039346656037;
        foreach (char letter in seed)
        {
            hash = (hash ^ letter) * 1099511628211;
        }

        return string.Create(count, hash, static (text, value) =>
        {
            for (int index = 0; index < text.Length; index++)
            {
                value = (value * 6364136223846793005) + 1442695040888963407;
                text[index] = NameAlphabet[(int)((value >> 33) % (ulong)NameAlphabet.Length)];
            }
        });
    }
}
