namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Istio's ambient mode, whichever of its proxies counts: no pod has a proxy of its own, so that the scrape's labels name neither end, and
/// the series name workloads without their kind, and Services.
/// </summary>
internal abstract class AmbientMesh(string name, Topology topology) : CatalogueMesh(name, topology)
{
    private static readonly string[] Workloads = ["deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs", "cronjobs"];

    public override string ScrapeJob => IstioSeries.ScrapeJob;

    public override IReadOnlyList<string> ToldKinds { get; } = ["namespaces", "services", .. Workloads];

    public override IReadOnlyList<string> KindsWithEdges => ToldKinds;

    // istiod names the topmost owner (istio pkg/kube/util.go).
    public override bool TellsRunsOfCronJobs => false;

    public override Sidecar? SidecarOf(Workload workload) => null;

    public override string ReceivedSide(string kind) => "server";

    // Who calls without being in the mesh is `unknown`, but calls.
    public override bool IsReceived(PodFlow flow, string kind) => flow.To.Workload.Meshed;

    public override string Buckets(End receiver) => Buckets("server", Matchers("destination", receiver));

    public override string Buckets(End sender, End receiver, string direction) =>
        Buckets(EdgeSide(direction), $"{Matchers("source", sender)},{Matchers("destination", receiver)}");

    /// <summary>The matchers of the series that a side has.</summary>
    protected abstract string Reporter(string side);

    private string Buckets(string side, string matchers) => $"istio_request_duration_milliseconds_bucket{{{Reporter(side)},{matchers}}}";

    private static string Matchers(string end, End named) => named.Kind switch
    {
        "Namespace" => $"{end}_workload_namespace=\"{named.Name}\"",
        "Service" => $"destination_service_name=\"{named.Name}\",destination_service_namespace=\"{named.Namespace}\"",
        _ => $"{end}_workload=\"{named.Name}\",{end}_workload_namespace=\"{named.Namespace}\"",
    };
}
