namespace SmiMetrics.Kubernetes;

/// <summary>Holds the newest snapshot: the informers publish, everybody else reads, nobody locks.</summary>
internal sealed class Cluster
{
    private volatile ClusterSnapshot _snapshot;
    private volatile bool _synced;

    private Cluster(ClusterSnapshot snapshot, bool synced)
    {
        _snapshot = snapshot;
        _synced = synced;
    }

    /// <summary>A cluster that informers will fill; <see cref="Synced"/> is false until they have listed every kind once.</summary>
    public static Cluster Watched() => new(ClusterSnapshot.None, synced: false);

    /// <summary>No cluster at all (<c>--kubernetes none</c>).</summary>
    public static Cluster Absent() => new(ClusterSnapshot.None, synced: true);

    /// <summary>A cluster that never changes.</summary>
    public static Cluster Fixed(ClusterSnapshot snapshot) => new(snapshot, synced: true);

    public ClusterSnapshot Snapshot => _snapshot;

    /// <summary>Whether <see cref="Snapshot"/> is whole. Readers answer 503 until it is.</summary>
    public bool Synced => _synced;

    /// <summary>Swaps in a newer whole snapshot.</summary>
    public void Publish(ClusterSnapshot snapshot)
    {
        _snapshot = snapshot;
        _synced = true;
    }
}
