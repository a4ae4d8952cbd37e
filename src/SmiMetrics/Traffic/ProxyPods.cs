using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;

namespace SmiMetrics.Traffic;

/// <summary>Which pods have a mesh's proxy in them, as its descriptor knows it.</summary>
internal static class ProxyPods
{
    public static bool Has(Pod pod, ProxyEndpoint proxy) =>
        proxy.PodLabels.All(label => pod.Labels.TryGetValue(label.Key, out string? found) && found == label.Value)
        && (proxy.Container is null || pod.Containers.List.Any(container => container.Name == proxy.Container));

    /// <summary>
    /// Whether the mesh's server side is seen by a proxy in the receiver's own pod, so that a pod without one is not seen: its series name
    /// the pod by the label that the scrape gives them.
    /// </summary>
    public static bool AreReceivers(MeshDescriptor mesh) =>
        mesh is { Scrape: { } proxy, Server.Destination.Means: var means }
        && means.GetValueOrDefault(KindNames.Pods) is IdentityMeans.Label pods
        && proxy.Labels.GetValueOrDefault(pods.Name) is TargetLabel.PodName;
}
