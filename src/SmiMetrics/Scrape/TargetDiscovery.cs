using System.Globalization;
using System.Net;
using System.Net.Sockets;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Scrape;

/// <summary>
/// Finds what is to be scraped: the proxies in the cluster's pods, as the meshes' descriptors say where they are, and what the
/// operator named. It does what a Prometheus' <c>kubernetes_sd_config</c> of role pod and its relabelling would do.
/// </summary>
internal static class TargetDiscovery
{
    /// <summary>
    /// The targets, each URL once. A page that several meshes' endpoints lead to (two descriptors of one proxy) belongs to all of
    /// them and has the labels of all, a label's value from the first that has it. A page that the operator named has the operator's alone.
    /// </summary>
    /// <param name="cluster">Its pods that run.</param>
    /// <param name="meshes">In order of preference; those without <see cref="MeshDescriptor.Scrape"/> have no targets.</param>
    /// <param name="named">What the operator named.</param>
    public static IReadOnlyCollection<ScrapeTarget> Find(
        ClusterSnapshot cluster, IReadOnlyList<MeshDescriptor> meshes, IReadOnlyList<ScrapeTarget> named)
    {
        Dictionary<Uri, ScrapeTarget> targets = [];
        foreach (ScrapeTarget target in named)
        {
            targets.TryAdd(target.Url, target);
        }

        foreach (Pod pod in cluster.List(ResourceKind.Pod, @namespace: null).Cast<Pod>())
        {
            // An address that is none would be the name of any host.
            if (pod.Phase != Pod.Running || !IPAddress.TryParse(pod.Ip, out IPAddress? address))
            {
                continue;
            }

            foreach (MeshDescriptor mesh in meshes)
            {
                if (mesh.Scrape is not { } endpoint || PortOf(pod, endpoint) is not { } port || UrlOf(address, port, endpoint.Path) is not { } url)
                {
                    continue;
                }

                if (!targets.TryGetValue(url, out ScrapeTarget? known))
                {
                    targets.Add(url, new ScrapeTarget(url, pod.Key, new LabelSet([.. LabelsOf(pod, endpoint)])) { Meshes = [mesh.Name] });
                }
                else if (known.Pod == pod.Key)
                {
                    targets[url] = known with
                    {
                        Meshes = [.. known.Meshes, mesh.Name],
                        Labels = Merge(known.Labels, LabelsOf(pod, endpoint)),
                    };
                }

                // Else pods that share their node's network claim one port, and only one of them can have it: counting its page for both
                // would be worse than for either.
            }
        }

        return targets.Values;
    }

    /// <summary>Null when the pod is no target of this endpoint.</summary>
    private static int? PortOf(Pod pod, ProxyEndpoint endpoint)
    {
        if (!ProxyPods.Has(pod, endpoint))
        {
            return null;
        }

        // A number need not be declared: containers may listen on ports that their pod says nothing of.
        if (int.TryParse(endpoint.Port, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            return number;
        }

        foreach (PodContainer container in pod.Containers.List.Where(container => endpoint.Container is null || container.Name == endpoint.Container))
        {
            foreach (ContainerPort port in container.Ports)
            {
                if (port.Name == endpoint.Port)
                {
                    return port.Number;
                }
            }
        }

        return null;
    }

    private static Uri? UrlOf(IPAddress address, int port, string path)
    {
        string host = address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
        return Uri.TryCreate(string.Create(CultureInfo.InvariantCulture, $"http://{host}:{port}{path}"), UriKind.Absolute, out Uri? url) ? url : null;
    }

    private static LabelSet Merge(LabelSet first, IEnumerable<KeyValuePair<string, string>> second)
    {
        Dictionary<string, string> labels = new(first);
        foreach ((string name, string value) in second)
        {
            if (labels.GetValueOrDefault(name, "").Length == 0)
            {
                labels[name] = value;
            }
        }

        return new LabelSet([.. labels]);
    }

    private static IEnumerable<KeyValuePair<string, string>> LabelsOf(Pod pod, ProxyEndpoint endpoint)
    {
        foreach ((string name, TargetLabel label) in endpoint.Labels)
        {
            string value = label switch
            {
                TargetLabel.Namespace => pod.Key.Namespace,
                TargetLabel.PodName => pod.Key.Name,
                TargetLabel.NodeName => pod.NodeName,
                TargetLabel.PodLabel of => pod.Labels.TryGetValue(of.Key, out string? found) ? found : "",
                _ => throw new ArgumentOutOfRangeException(nameof(endpoint), label, "no such label of a target"),
            };
            yield return KeyValuePair.Create(name, value);
        }
    }
}
