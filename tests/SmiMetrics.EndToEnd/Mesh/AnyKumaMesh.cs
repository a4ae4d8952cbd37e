namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// What Kuma's sidecars print in every version: what arrives at the listeners of the pod's own ports, without a sender, and what they send to
/// each Service; beside these, and under the same names, each request a second time and what they do for themselves.
/// </summary>
internal abstract class AnyKumaMesh(string name, Topology topology) : CatalogueMesh(name, topology)
{
    /// <summary>Of the Mesh, and of the zone.</summary>
    protected const string Default = "default";

    /// <summary>Kuma's own job: what its service discovery says of a Dataplane is copied.</summary>
    protected const string OwnJob = """
        relabel_configs:
        - {source_labels: [__meta_kuma_mesh], target_label: mesh}
        - {source_labels: [__meta_kuma_dataplane], target_label: dataplane}
        - {action: labelmap, regex: __meta_kuma_label_(.+)}
        """;

    private const double OwnRequests = 300;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    // A client names a Service, which is in a namespace but on no node.
    public override IReadOnlyList<string> KindsWithEdges { get; } = [.. Kinds.Except(["nodes"])];

    /// <summary>The scrape's labels for the namespace and the name of the pod.</summary>
    protected abstract (string Namespace, string Pod) Labels { get; }

    /// <summary>The clusters of the proxy's own.</summary>
    protected abstract IReadOnlyList<string> OwnClusters { get; }

    /// <summary>The prefixes of the proxy's own listeners.</summary>
    protected abstract IReadOnlyList<string> OwnPrefixes { get; }

    /// <summary>A regular expression of all prefixes of the listeners where requests arrive.</summary>
    protected abstract string InboundPattern { get; }

    public override Sidecar SidecarOf(Workload workload) => new("kuma-sidecar", null, 5670, "/metrics", workload.PodLabels);

    public override IEnumerable<(ScrapeTarget Target, ProxyPage Page)> Proxies()
    {
        foreach (SimulatedPod pod in Topology.MeshedPods)
        {
            ProxyPage page = new(restarts: false);
            string mark = MarkOf(pod);
            string inbound = InboundOf(pod.Workload);
            foreach (PodFlow flow in PodFlows.Where(flow => flow.To == pod))
            {
                Envoy.Add(page, "envoy_http_downstream_rq", $"envoy_http_conn_manager_prefix=\"{inbound}\"{mark}", flow);
                Envoy.Add(page, "envoy_cluster_upstream_rq", $"envoy_cluster_name=\"{inbound}\"{mark}", flow);
            }

            foreach (PodFlow flow in PodFlows.Where(flow => flow.From == pod))
            {
                string cluster = ClusterOf(flow);
                foreach ((string part, double share) in PartsOf(flow, cluster))
                {
                    Envoy.Add(page, "envoy_cluster_upstream_rq", $"envoy_cluster_name=\"{part}\"{mark}", flow, share);
                    string external = $"envoy_response_code_class=\"2\",envoy_cluster_name=\"{part}\"{mark}";
                    page.Count("envoy_cluster_external_upstream_rq_xx", external, flow.PerSecond * share);
                }

                Envoy.Add(page, "envoy_http_downstream_rq", $"envoy_http_conn_manager_prefix=\"{cluster}\"{mark}", flow);
            }

            // By the kubelet, through the proxy but not by the listener of the mesh.
            page.Count("envoy_cluster_upstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_cluster_name=\"{inbound}\"{mark}", OwnRequests);
            foreach (string cluster in OwnClusters)
            {
                page.Count("envoy_cluster_upstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_cluster_name=\"{cluster}\"", OwnRequests);
            }

            foreach (string prefix in OwnPrefixes)
            {
                page.Count("envoy_http_downstream_rq_xx", $"envoy_response_code_class=\"2\",envoy_http_conn_manager_prefix=\"{prefix}\"", OwnRequests);
            }

            Sidecar sidecar = SidecarOf(pod.Workload);
            string dataplane = $"{pod.Name}.{pod.Workload.Namespace}";
            yield return (
                new ScrapeTarget(Job, sidecar.UrlAt(pod.Ip), pod.Workload.Namespace, pod.Name, pod.Node, sidecar.PodLabels)
                {
                    OtherLabels = new Dictionary<string, string>(DataplaneLabels(pod))
                    {
                        ["__meta_kuma_mesh"] = Default,
                        ["__meta_kuma_dataplane"] = dataplane,
                        ["instance"] = dataplane,
                    },
                },
                page);
        }
    }

    public override string ReceivedSide(string kind) => "server";

    // Callers without a proxy come in by the listener too, where mTLS is off or permissive; the listener knows nobody.
    public override bool IsReceived(PodFlow flow, string kind) => flow.To.Workload.Meshed;

    public override string Buckets(End receiver) =>
        $"envoy_http_downstream_rq_time_bucket{{envoy_http_conn_manager_prefix=~\"{InboundPattern}\",{PodMatchers(receiver, Labels.Namespace, Labels.Pod)}}}";

    public override string EdgeSide(string direction) => "client";

    public override bool HasEdges(string kind, string direction) =>
        KindsWithEdges.Contains(kind) && (kind == "namespaces" || (kind == "services") == (direction == "from"));

    public override string PeerKind(string kind, string direction) => kind == "namespaces" ? kind : direction == "to" ? "services" : "workloads";

    public override string Buckets(End sender, End receiver, string direction)
    {
        string clusters = receiver.Kind == "Namespace" ? ClusterPattern("[^_]+", receiver.Name) : ClusterPattern(receiver.Name, receiver.Namespace);
        return $"envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name=~\"{clusters}\",{PodMatchers(sender, Labels.Namespace, Labels.Pod)}}}";
    }

    /// <summary>The prefix of the listener where a workload's requests arrive; the cluster behind it is called the same.</summary>
    protected abstract string InboundOf(Workload workload);

    /// <summary>The cluster that stands for the Service called.</summary>
    protected abstract string ClusterOf(PodFlow flow);

    /// <summary>A regular expression of all clusters that stand for a Service.</summary>
    protected abstract string ClusterPattern(string service, string @namespace);

    /// <summary>The clusters that a flow's requests go to in truth, each with its share.</summary>
    protected virtual IEnumerable<(string Cluster, double Share)> PartsOf(PodFlow flow, string cluster) => [(cluster, 1)];

    /// <summary>What kuma-dp puts on the series of the mesh's traffic, with a comma before it.</summary>
    protected virtual string MarkOf(SimulatedPod pod) => "";

    /// <summary>The labels of the Dataplane, as service discovery gives them. With MeshMetric there are none.</summary>
    protected virtual IReadOnlyDictionary<string, string> DataplaneLabels(SimulatedPod pod) => new Dictionary<string, string>();
}
