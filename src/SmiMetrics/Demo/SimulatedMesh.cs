using System.Globalization;
using SmiMetrics.Exposition;

namespace SmiMetrics.Demo;

/// <summary>A declared port of the sidecar.</summary>
internal sealed record SidecarPort(string Name, int Number);

/// <summary>
/// A mesh as the simulation knows it: what its injector writes into pods, and the page that its proxies show. A further mesh is one more
/// class and a line in <see cref="All"/>.
/// </summary>
internal abstract class SimulatedMesh
{
    /// <summary>Those that <c>--mesh</c> takes; the first is the default.</summary>
    public static IReadOnlyList<SimulatedMesh> All { get; } = [new LinkerdMesh(), new IstioMesh()];

    /// <summary>As the descriptor of the mesh is named.</summary>
    public abstract string Name { get; }

    /// <summary>What people call it.</summary>
    public abstract string Title { get; }

    /// <summary>The name of the sidecar's container.</summary>
    public abstract string Container { get; }

    public abstract IReadOnlyList<SidecarPort> Ports { get; }

    /// <summary>The port on which the proxy shows its page, and where.</summary>
    public abstract (int Port, string Path) Page { get; }

    /// <summary>The finite upper bounds of its latency buckets, in milliseconds.</summary>
    public abstract IReadOnlyList<double> Bounds { get; }

    /// <summary>The labels that the injector adds to a pod.</summary>
    public abstract IEnumerable<(string Name, string Value)> PodLabels(Workload workload);

    /// <summary>Writes the page of a pod's proxy: the series that are wanted, and others that every real page is full of.</summary>
    /// <param name="requests">Made for <see cref="Bounds"/>.</param>
    public abstract void WritePage(ExpositionWriter page, SimulatedPod pod, TimeSpan age, SimulatedCluster cluster, RequestCounter requests);

    /// <summary>The address under which a workload's pods are called: its Service's if it has one.</summary>
    protected static string HostOf(Workload workload, SimulatedPod pod) =>
        workload.Service is { } service ? $"{service}.{workload.Namespace}.svc.cluster.local" : pod.Ip;

    protected static void WriteLabels(ExpositionWriter page, IEnumerable<(string Name, string Value)> labels)
    {
        foreach ((string name, string value) in labels)
        {
            page.Label(name, value);
        }
    }

    /// <summary>Writes the samples of one series of a classic histogram.</summary>
    /// <param name="countUpTo">How many observations are in a bucket, by number, or in one below it.</param>
    protected void WriteHistogram(
        ExpositionWriter page, string family, IReadOnlyList<(string Name, string Value)> labels, Func<int, long> countUpTo, long sum)
    {
        for (int bucket = 0; bucket <= Bounds.Count; bucket++)
        {
            page.Sample(family, "_bucket");
            WriteLabels(page, labels);
            page.Label("le", bucket < Bounds.Count ? Bounds[bucket].ToString(CultureInfo.InvariantCulture) : "+Inf");
            page.Value(countUpTo(bucket));
        }

        page.Sample(family, "_sum");
        WriteLabels(page, labels);
        page.Value(sum);
        page.Sample(family, "_count");
        WriteLabels(page, labels);
        page.Value(countUpTo(Bounds.Count));
    }
}
