using SmiMetrics.Exposition;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Demo;

/// <summary>
/// Linkerd 2's proxies, series for series: inbound without a word of the caller but its identity, outbound with the receiving pod and
/// its owner, latency by status code and not by outcome (linkerd2-proxy <c>linkerd/http/metrics/src/requests/report.rs</c>,
/// <c>linkerd/app/core/src/metrics.rs</c>; linkerd2 <c>pkg/k8s/labels.go</c>).
/// </summary>
internal sealed class LinkerdMesh : SimulatedMesh
{
    private const int AppPort = 8080;
    private const int AdminPort = 4191;
    private const string Mutual = "true";
    private const string LatencyHelp = "Elapsed times between a request's headers being received and its response stream completing";

    /// <summary>
    /// The proxy keeps the series of a peer that it does not call any more for ten minutes (LINKERD2_PROXY_METRICS_RETAIN_IDLE). With a
    /// rollout every half minute that would be most of the page.
    /// </summary>
    private static readonly TimeSpan RetainIdle = TimeSpan.FromMinutes(1);

    private static readonly string[] ControlPlane =
    [
        "linkerd-dst-headless.linkerd.svc.cluster.local:8086", "linkerd-policy.linkerd.svc.cluster.local:8090",
        "linkerd-identity-headless.linkerd.svc.cluster.local:8080",
    ];

    private static readonly (string, string)[] Plain = [("tls", "no_identity"), ("no_tls_reason", "no_tls_from_remote")];

    /// <summary>Stands for requests that are no flow of the world's: one kind of answer, at once.</summary>
    private static readonly Flow Housekeeping = new(
        null, new Workload(ResourceKind.Pod, "", "", 1), 1, [new Reply(1, "200", null, Failure: false)], new Latency(1, 1, 1));

    public override string Name => "linkerd";

    public override string Title => "Linkerd";

    public override string Container => "linkerd-proxy";

    public override IReadOnlyList<SidecarPort> Ports { get; } = [new("linkerd-proxy", 4143), new("linkerd-admin", AdminPort)];

    public override (int Port, string Path) Page => (AdminPort, "/metrics");

    // linkerd2-proxy linkerd/metrics/src/latency.rs
    public override IReadOnlyList<double> Bounds { get; } =
        [1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 5000, 10000, 20000, 30000, 40000, 50000];

    public override IEnumerable<(string Name, string Value)> PodLabels(Workload workload) =>
    [
        ("linkerd.io/control-plane-ns", "linkerd"),
        ($"linkerd.io/proxy-{workload.Kind.Kind.ToLowerInvariant()}", workload.Name),
        ("linkerd.io/workload-ns", workload.Namespace),
    ];

    public override void WritePage(ExpositionWriter page, SimulatedPod pod, TimeSpan age, SimulatedCluster cluster, RequestCounter requests)
    {
        List<Exchange> exchanges = [.. Inbound(pod, age, cluster, requests), .. Outbound(pod, age, cluster, requests)];
        long uptime = (long)(age - pod.Created).TotalSeconds;
        WriteTraffic(page, exchanges);
        WriteControlPlane(page, uptime);
        WriteTransport(page, exchanges);
        WriteProcess(page, uptime);
    }

    private IEnumerable<Exchange> Inbound(SimulatedPod pod, TimeSpan age, SimulatedCluster cluster, RequestCounter requests)
    {
        foreach (Flow flow in cluster.World.Flows.Where(flow => flow.To == pod.Workload))
        {
            (string, string)[] client = flow.From is { } from ? [("tls", Mutual), ("client_id", Identity(from))] : [.. Plain];
            yield return new Exchange(
                [("direction", "inbound"), .. Target(pod.Ip, AppPort), .. client, .. Policy("default", AppPort)],
                flow,
                requests.Received(flow, pod, age));
        }

        // The kubelet's probe each second, and our own scrapes. A mesh's numbers must not contain them.
        Tally eachSecond = Uneventful((long)(age - pod.Created).TotalSeconds);
        yield return new Exchange(
            [("direction", "inbound"), .. Target(pod.Ip, AppPort), .. Plain, .. Policy("probe", AppPort)], Housekeeping, eachSecond);
        yield return new Exchange(
            [("direction", "inbound"), .. Target("0.0.0.0", AdminPort), .. Plain, .. Policy("default", AdminPort)], Housekeeping, eachSecond);
    }

    private static IEnumerable<Exchange> Outbound(SimulatedPod pod, TimeSpan age, SimulatedCluster cluster, RequestCounter requests) =>
        from flow in cluster.World.Flows
        where flow.From == pod.Workload
        from peer in cluster.PodsOf(flow.To, age, RetainIdle)
        let authority = $"{HostOf(flow.To, peer)}:{AppPort}"
        select new Exchange(
            [
                ("direction", "outbound"), ("authority", authority), .. Target(peer.Ip, AppPort),
                ("tls", Mutual), ("server_id", Identity(flow.To)), .. Receiver(peer),
            ],
            flow,
            requests.Exchanged(flow, pod, peer, age));

    /// <summary>What discovery tells a proxy of the pod that it calls.</summary>
    private static IEnumerable<(string, string)> Receiver(SimulatedPod pod)
    {
        Workload workload = pod.Workload;
        // `job` would be the scrape job in Prometheus.
        string kind = workload.Kind == ResourceKind.Job ? "k8s_job" : workload.Kind.Kind.ToLowerInvariant();
        yield return ("dst_control_plane_ns", "linkerd");
        yield return ($"dst_{kind}", workload.Name);
        yield return ("dst_namespace", workload.Namespace);
        yield return ("dst_pod", pod.Name);
        if (pod.TemplateHash is { } hash)
        {
            yield return ("dst_pod_template_hash", hash);
        }

        if (workload.Service is { } service)
        {
            yield return ("dst_service", service);
        }

        yield return ("dst_serviceaccount", workload.Name);
    }

    private void WriteTraffic(ExpositionWriter page, IReadOnlyList<Exchange> exchanges)
    {
        page.Family("request_total", MetricType.Counter, "Total count of HTTP requests.");
        foreach (Exchange exchange in exchanges)
        {
            page.Sample("request_total");
            WriteLabels(page, exchange.Labels);
            page.Value(exchange.Tally.Total);
        }

        page.Family("response_latency_ms", MetricType.Histogram, LatencyHelp);
        foreach (Exchange exchange in exchanges)
        {
            // Replies that differ in their gRPC status alone share one histogram.
            foreach (IGrouping<string, int> code in exchange.RepliesByStatusCode)
            {
                WriteHistogram(
                    page,
                    "response_latency_ms",
                    [.. exchange.Labels, ("status_code", code.Key)],
                    bucket => code.Sum(reply => exchange.Tally.CountUpTo(reply, bucket)),
                    code.Sum(exchange.Tally.Sum));
            }
        }

        page.Family("response_total", MetricType.Counter, "Total count of HTTP responses.");
        foreach (Exchange exchange in exchanges)
        {
            foreach ((int number, Reply reply) in exchange.Flow.Replies.Index())
            {
                page.Sample("response_total");
                WriteLabels(page, exchange.Labels);
                page.Label("status_code", reply.StatusCode);
                page.Label("classification", reply.Failure ? "failure" : "success");
                page.Label("grpc_status", reply.GrpcStatus ?? "");
                page.Label("error", "");
                page.Value(exchange.Tally.Count(number));
            }
        }
    }

    private void WriteControlPlane(ExpositionWriter page, long uptime)
    {
        page.Family("control_request_total", MetricType.Counter, "Total count of HTTP requests.");
        foreach (string address in ControlPlane)
        {
            page.Sample("control_request_total");
            WriteLabels(page, Controller(address));
            page.Value(uptime / 10);
        }

        page.Family("control_response_latency_ms", MetricType.Histogram, LatencyHelp);
        foreach (string address in ControlPlane)
        {
            (string, string)[] labels = [.. Controller(address), ("status_code", "200")];
            WriteHistogram(page, "control_response_latency_ms", labels, bucket => bucket == 0 ? 0 : uptime / 10, uptime / 5);
        }

        page.Family("control_response_total", MetricType.Counter, "Total count of HTTP responses.");
        foreach (string address in ControlPlane)
        {
            page.Sample("control_response_total");
            WriteLabels(page, [.. Controller(address), ("status_code", "200"), ("classification", "success"), ("grpc_status", "0"), ("error", "")]);
            page.Value(uptime / 10);
        }

        static (string, string)[] Controller(string address) =>
            [("addr", address), ("tls", Mutual), ("server_id", $"{address.Split('.')[0]}.linkerd.serviceaccount.identity.linkerd.cluster.local")];
    }

    private static void WriteTransport(ExpositionWriter page, IReadOnlyList<Exchange> exchanges)
    {
        Write("tcp_open_total", MetricType.Counter, "Total count of opened connections.", total => total / 100);
        Write("tcp_open_connections", MetricType.Gauge, "Number of currently-open connections.", total => total > 0 ? 1 : 0);
        Write("tcp_read_bytes_total", MetricType.Counter, "Total count of bytes read from peers.", total => total * 512);
        Write("tcp_write_bytes_total", MetricType.Counter, "Total count of bytes written to peers.", total => total * 2048);

        void Write(string family, MetricType type, string help, Func<long, long> value)
        {
            page.Family(family, type, help);
            foreach (Exchange exchange in exchanges)
            {
                page.Sample(family);
                page.Label("peer", exchange.Labels[0].Value == "inbound" ? "src" : "dst");
                WriteLabels(page, exchange.Labels);
                page.Value(value(exchange.Tally.Total));
            }
        }
    }

    private static void WriteProcess(ExpositionWriter page, long uptime)
    {
        page.Family("identity_cert_refresh_count", MetricType.Counter, "The total number of times this proxy's mTLS certificate has been refreshed.");
        page.Sample("identity_cert_refresh_count");
        page.Value(1 + (uptime / 86400));
        page.Family("process_cpu_seconds_total", MetricType.Counter, "Total user and system CPU time spent in seconds.");
        page.Sample("process_cpu_seconds_total");
        page.Value(uptime / 100);
        page.Family("process_resident_memory_bytes", MetricType.Gauge, "Resident memory size in bytes.");
        page.Sample("process_resident_memory_bytes");
        page.Value(12_582_912);
    }

    private static (string, string)[] Target(string ip, int port) => [("target_addr", $"{ip}:{port}"), ("target_ip", ip), ("target_port", $"{port}")];

    private static (string, string)[] Policy(string route, int port)
    {
        string authorization = route == "probe" ? route : "all-unauthenticated";
        return
        [
            ("srv_group", ""), ("srv_kind", "default"), ("srv_name", "all-unauthenticated"), ("srv_port", $"{port}"),
            ("route_group", ""), ("route_kind", "default"), ("route_name", route),
            ("authz_group", ""), ("authz_kind", "default"), ("authz_name", authorization),
        ];
    }

    private static string Identity(Workload workload) => $"{workload.Name}.{workload.Namespace}.serviceaccount.identity.linkerd.cluster.local";

    private Tally Uneventful(long count)
    {
        Tally tally = new(replies: 1, Bounds.Count + 1);
        Tally one = new(replies: 1, Bounds.Count + 1);
        one.Add(0, 0, microseconds: 400);
        tally.Add(one, count);
        return tally;
    }

    /// <summary>What one proxy has counted of a flow with one peer, under one set of labels.</summary>
    private sealed record Exchange(IReadOnlyList<(string Name, string Value)> Labels, Flow Flow, Tally Tally)
    {
        public IEnumerable<IGrouping<string, int>> RepliesByStatusCode =>
            Flow.Replies.Index().GroupBy(reply => reply.Item.StatusCode, reply => reply.Index);
    }
}
