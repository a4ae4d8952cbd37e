namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Beyla's series of HTTP: each is of the instrumented pod, with all its owners, and does not name the other end. Owners are read off
/// names: a Job called <c>a-b</c> is taken for a run of a CronJob <c>a</c>.
/// </summary>
internal sealed class BeylaMesh(Topology topology) : NodeAgentMesh("otel-beyla", topology, Beyla.Agent, "192.168.54")
{
    private const string Server = "http_server_request_duration_seconds";
    private const string Client = "http_client_request_duration_seconds";

    private static readonly Duration[] Instant = [new(1, 0.001)];

    public override string ScrapeJob => Beyla.ScrapeJob;

    public override IReadOnlyList<string> ToldKinds => Kinds;

    public override IReadOnlyList<string> KindsWithEdges => [];

    public override double MillisecondsPerUnit => 1000;

    public override string ReceivedSide(string kind) => "server";

    public override bool IsReceived(PodFlow flow, string kind) => true;

    public override string EdgeSide(string direction) => throw new NotSupportedException();

    public override string Buckets(End receiver) =>
        $"{Server}_bucket{{k8s_pod_name=~\"{PodPattern(receiver)}\"" + (receiver.Namespace.Length == 0 ? "" : $",k8s_namespace_name=\"{receiver.Namespace}\"") + "}";

    public override string? Buckets(End sender, End receiver, string direction) => throw new NotSupportedException();

    protected override void Print(ProxyPage page, string node)
    {
        foreach (PodFlow flow in PodFlows)
        {
            foreach (Reply reply in flow.Flow.Replies)
            {
                // A request without a response has the status 0.
                string code = reply.Code == "503" && flow.To.Workload.Namespace == Topology.Second ? "0" : reply.Code;
                if (flow.To.Node == node)
                {
                    page.Observe(Server, Labels(flow.To, code, flow.To.Workload.Name), flow.PerSecond * reply.Share, Measured(flow), Beyla.Bounds);
                }

                if (flow.From.Node == node && flow.From.Workload.Meshed)
                {
                    page.Observe(Client, Labels(flow.From, code, flow.To.Workload.Name), flow.PerSecond * reply.Share, Measured(flow, later: 20), Beyla.Bounds);
                }
            }
        }

        foreach (SimulatedPod pod in Topology.MeshedPods.Where(pod => pod.Node == node))
        {
            string own = OfPod(pod);
            page.Count("rpc_server_duration_seconds_count", $"{own},rpc_grpc_status_code=\"0\",rpc_method=\"/shop.Api/Get\",rpc_system=\"grpc\"", 300);
            page.Count("http_server_request_body_size_bytes_count", Labels(pod, "200", pod.Workload.Name), 300);
            if (pod.Workload == Topology.Idle)
            {
                page.Stopped($"{Server}_count", Labels(pod, "200", pod.Workload.Name), 4711);
            }
        }

        // A process of the node that is in no pod.
        string outside = Labels(Kubernetes("kubelet", "", "", "", "", "", "", "", "", "", "", ""), "kubelet", "", "200", "kubelet");
        page.Observe(Server, outside, 300, Instant, Beyla.Bounds);
        page.Observe(Client, outside, 300, Instant, Beyla.Bounds);
    }

    private static string Labels(SimulatedPod pod, string code, string server) => Labels(OfPod(pod), pod.Workload.Name, pod.Workload.Namespace, code, server);

    private static string Labels(string who, string service, string @namespace, string code, string server) =>
        $"http_request_method=\"GET\",http_response_status_code=\"{code}\",http_route=\"\",{who}," +
        $"server_address=\"{server}\",server_port=\"8080\",service_name=\"{service}\",service_namespace=\"{@namespace}\",url_scheme=\"http\"";

    private static string OfPod(SimulatedPod pod)
    {
        Workload workload = pod.Workload;
        string job = workload.Kind switch { "Job" => workload.Name, "CronJob" => workload.ScheduledJob, _ => "" };
        string cronJob = job.Contains('-', StringComparison.Ordinal) ? job[..job.LastIndexOf('-')] : "";
        string Of(string kind) => workload.Kind == kind ? workload.Name : "";
        return Kubernetes(
            $"{workload.Namespace}.{pod.Name}.main",
            workload.Namespace,
            pod.Name,
            pod.Node,
            cronJob,
            Of("DaemonSet"),
            Of("Deployment"),
            job,
            workload.Kind == "Deployment" ? workload.ReplicaSet : "",
            Of("StatefulSet"),
            cronJob.Length > 0 ? "CronJob" : workload.Kind,
            cronJob.Length > 0 ? cronJob : workload.Name);
    }

    private static string Kubernetes(
        string instance,
        string @namespace,
        string pod,
        string node,
        string cronJob,
        string daemonSet,
        string deployment,
        string job,
        string replicaSet,
        string statefulSet,
        string kind,
        string owner) =>
        $"instance=\"{instance}\",job=\"{@namespace}/{owner}\",k8s_cluster_name=\"\",k8s_container_name=\"{(pod.Length > 0 ? "main" : "")}\"," +
        $"k8s_cronjob_name=\"{cronJob}\",k8s_daemonset_name=\"{daemonSet}\",k8s_deployment_name=\"{deployment}\",k8s_job_name=\"{job}\"," +
        $"k8s_kind=\"{kind}\",k8s_namespace_name=\"{@namespace}\",k8s_node_name=\"{node}\",k8s_owner_name=\"{owner}\",k8s_pod_name=\"{pod}\"," +
        $"k8s_replicaset_name=\"{replicaSet}\",k8s_statefulset_name=\"{statefulSet}\"";
}
