namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// The workloads of one mesh and who calls whom how often. Both meshes have the same, in namespaces of their own, so that the same
/// names occur four times. Chosen to contain every trap that a metrics server can fall into:
/// <list type="bullet">
/// <item>one Deployment name in two namespaces (<c>web</c>, <c>api</c>), with a call across;</item>
/// <item>names that begin other names (<c>web</c>, <c>web-admin</c>, <c>web.v2</c>), and a dot that as a regular expression would
/// match another workload (<c>web.v2</c>, <c>webxv2</c>);</item>
/// <item>two workloads that call each other at different rates (<c>web</c>, <c>api</c>);</item>
/// <item>a caller without a proxy (<c>outside/caller</c>); an idle workload; a Job; a CronJob's Job;</item>
/// <item>a Deployment and a StatefulSet of one name (<c>ledger</c>);</item>
/// <item>a pod that restarts several times in every window (<c>crashy</c>);</item>
/// <item>answers 204, 404, 500, 503, and gRPC failures that travel under HTTP status 200.</item>
/// </list>
/// </summary>
internal sealed class Topology
{
    public static readonly IReadOnlyList<string> Nodes = ["node-1", "node-2.internal"];

    public const string Outside = "outside";

    private static readonly Reply[] Fine = [new(1, "200", false)];
    private static readonly Duration[] Quick = [new(0.6, 3), new(0.3, 7), new(0.1, 45)];
    private static readonly Duration[] Slow = [new(0.5, 40), new(0.4, 180), new(0.08, 850), new(0.02, 4200)];
    private static readonly Duration[] Mixed = [new(0.3, 1), new(0.3, 12), new(0.25, 90), new(0.15, 400)];
    private static readonly Duration[] BeyondEveryBucket = [new(0.9, 20), new(0.1, 5_000_000)];

    private readonly List<Workload> _workloads = [];
    private readonly List<Flow> _flows = [];
    private readonly int _firstNumber;

    /// <param name="first">The namespace with most of the workloads.</param>
    /// <param name="second">The namespace with workloads of the same names.</param>
    /// <param name="firstNumber">Keeps pod addresses of the two meshes apart.</param>
    public Topology(string first, string second, int firstNumber)
    {
        (First, Second, _firstNumber) = (first, second, firstNumber);
        Workload web = Add("Deployment", first, "web", 2);
        Workload webAdmin = Add("Deployment", first, "web-admin", 1);
        Workload webV2 = Add("Deployment", first, "web.v2", 1);
        Workload webxv2 = Add("Deployment", first, "webxv2", 1);
        Workload api = Add("Deployment", first, "api", 2);
        Workload crashy = Add("Deployment", first, "crashy", 1);
        Idle = Add("Deployment", first, "idle", 1);
        LedgerDeployment = Add("Deployment", first, "ledger", 1);
        LedgerStatefulSet = Add("StatefulSet", first, "ledger", 1);
        Workload db = Add("StatefulSet", first, "db", 2);
        Workload agent = Add("DaemonSet", first, "agent", 2);
        Workload legacy = Add("ReplicationController", first, "legacy", 1);
        Workload migrate = Add("Job", first, "migrate", 1);
        Workload report = Add("CronJob", first, "report", 1);
        Workload otherWeb = Add("Deployment", second, "web", 1);
        Workload otherApi = Add("Deployment", second, "api", 1);
        Workload caller = Add("Deployment", Outside, $"caller-of-{first}", 1, meshed: false);

        Reply[] grpc = [new(0.5, "200", false, "0"), new(0.25, "200", false, "5"), new(0.25, "200", true, "14")];
        Add(web, api, "api", 800, [new(0.7, "200", false), new(0.1, "204", false), new(0.2, "503", true)], Mixed);
        Add(api, web, "web", 400, [new(0.75, "200", false), new(0.25, "404", false)], Quick);
        Add(caller, web, "web", 600, [new(0.5, "200", false), new(0.5, "503", true)], Slow);
        Add(web, db, "db", 1200, grpc, Quick);
        Add(api, db, "db", 600, [new(1, "200", false, "0")], Mixed);
        Add(web, webAdmin, "web-admin", 200, Fine, Slow);
        Add(web, webV2, "web-v2", 300, Fine, Quick);
        Add(web, webxv2, "webxv2", 500, Fine, Mixed);
        Add(otherWeb, api, "api", 620, [new(0.5, "200", false), new(0.5, "500", true)], Slow);
        Add(web, otherWeb, "web", 310, Fine, Mixed);
        Add(otherApi, otherWeb, "web", 450, [new(0.9, "200", false), new(0.1, "503", true)], Quick);
        Add(migrate, db, "db", 250, grpc, Slow);
        Add(report, db, "db", 350, Fine, Quick);
        Add(agent, api, "api", 500, Fine, Quick);
        Add(web, agent, null, 220, Fine, Mixed);
        Add(web, crashy, "crashy", 440, [new(0.75, "200", false), new(0.25, "503", true)], Quick);
        Add(web, legacy, "legacy", 260, Fine, BeyondEveryBucket);
        Add(web, migrate, null, 150, Fine, Slow);
        Add(web, LedgerDeployment, "ledger", 230, Fine, Quick);
        Add(api, LedgerStatefulSet, "ledger-db", 710, [new(0.8, "200", false), new(0.2, "503", true)], Mixed);
    }

    public string First { get; }

    public string Second { get; }

    /// <summary>Has a proxy and once had traffic, but none now.</summary>
    public Workload Idle { get; }

    public Workload LedgerDeployment { get; }

    public Workload LedgerStatefulSet { get; }

    public IReadOnlyList<Workload> Workloads => _workloads;

    public IEnumerable<Workload> Meshed => _workloads.Where(workload => workload.Meshed);

    public IEnumerable<SimulatedPod> MeshedPods => Meshed.SelectMany(workload => workload.Pods);

    public IReadOnlyList<Flow> Flows => _flows;

    /// <summary>Names of Services, with the workload behind each.</summary>
    public IEnumerable<(string Namespace, string Name, Workload Workload)> Services =>
        _flows.Where(flow => flow.Service is not null).Select(flow => (flow.To.Namespace, flow.Service!, flow.To)).Distinct();

    public Workload Find(string kind, string @namespace, string name) =>
        _workloads.Single(workload => (workload.Kind, workload.Namespace, workload.Name) == (kind, @namespace, name));

    /// <summary>What arrives at the pods that satisfy <paramref name="isOurs"/>.</summary>
    public Rates Received(Func<SimulatedPod, bool> isOurs) =>
        _flows.Aggregate(default(Rates), (sum, flow) => sum + (flow.Rates * ((double)flow.To.Pods.Count(isOurs) / flow.To.Pods.Count)));

    private Workload Add(string kind, string @namespace, string name, int pods, bool meshed = true)
    {
        Workload workload = new(kind, @namespace, name, pods, _firstNumber + _workloads.Count, meshed);
        _workloads.Add(workload);
        return workload;
    }

    private void Add(Workload from, Workload to, string? service, double perSecond, Reply[] replies, Duration[] durations) =>
        _flows.Add(new Flow(from, to, service, perSecond, replies, durations));
}
