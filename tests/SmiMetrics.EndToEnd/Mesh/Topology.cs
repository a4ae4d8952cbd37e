namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>The workloads of one mesh and who calls whom how often.</summary>
internal sealed class Topology
{
    public static readonly IReadOnlyList<string> Nodes = ["node-1", "node-2.internal"];

    public const string Outside = "outside";

    private static readonly Reply[] Fine = [new(1, "200", false)];
    // Shares so odd that no percentile's rank is where one bucket ends and the next begins, whichever of them are added: there the order in which
    // numbers are summed would decide.
    private static readonly Duration[] Quick = [new(0.603, 3), new(0.281, 7), new(0.116, 45)];
    private static readonly Duration[] Slow = [new(0.523, 40), new(0.363, 180), new(0.093, 850), new(0.021, 4200)];
    private static readonly Duration[] Mixed = [new(0.302, 1), new(0.297, 12), new(0.254, 90), new(0.147, 400)];
    private static readonly Duration[] BeyondEveryBucket = [new(0.883, 20), new(0.117, 5_000_000)];

    private readonly List<Workload> _workloads = [];
    private readonly List<Flow> _flows = [];
    private readonly int _firstNumber;

    private Topology(string first, string second, int firstNumber) => (First, Second, _firstNumber) = (first, second, firstNumber);

    public string First { get; }

    public string Second { get; }

    /// <summary>Has a proxy and once had traffic, but none now.</summary>
    public Workload? Idle { get; private set; }

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

    /// <summary>
    /// Both meshes have the same, in namespaces of their own, so that the same names occur four times. Chosen to contain every trap that a
    /// metrics server can fall into:
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
    /// <param name="first">The namespace with most of the workloads.</param>
    /// <param name="second">The namespace with workloads of the same names.</param>
    /// <param name="firstNumber">Keeps pod addresses of topologies apart.</param>
    public static Topology WithEveryTrap(string first, string second, int firstNumber)
    {
        Topology topology = new(first, second, firstNumber);
        Workload web = topology.Add("Deployment", first, "web", 2);
        Workload webAdmin = topology.Add("Deployment", first, "web-admin", 1);
        Workload webV2 = topology.Add("Deployment", first, "web.v2", 1);
        Workload webxv2 = topology.Add("Deployment", first, "webxv2", 1);
        Workload api = topology.Add("Deployment", first, "api", 2);
        Workload crashy = topology.Add("Deployment", first, "crashy", 1);
        topology.Idle = topology.Add("Deployment", first, "idle", 1);
        Workload ledgerDeployment = topology.Add("Deployment", first, "ledger", 1);
        Workload ledgerStatefulSet = topology.Add("StatefulSet", first, "ledger", 1);
        Workload db = topology.Add("StatefulSet", first, "db", 2);
        Workload agent = topology.Add("DaemonSet", first, "agent", 2);
        Workload legacy = topology.Add("ReplicationController", first, "legacy", 1);
        Workload migrate = topology.Add("Job", first, "migrate", 1);
        Workload report = topology.Add("CronJob", first, "report", 1);
        Workload otherWeb = topology.Add("Deployment", second, "web", 1);
        Workload otherApi = topology.Add("Deployment", second, "api", 1);
        Workload caller = topology.Add("Deployment", Outside, $"caller-of-{first}", 1, meshed: false);

        Reply[] grpc = [new(0.5, "200", false, "0"), new(0.25, "200", false, "5"), new(0.25, "200", true, "14")];
        topology.Add(web, api, "api", 800, [new(0.7, "200", false), new(0.1, "204", false), new(0.2, "503", true)], Mixed);
        topology.Add(api, web, "web", 400, [new(0.75, "200", false), new(0.25, "404", false)], Quick);
        topology.Add(caller, web, "web", 600, [new(0.5, "200", false), new(0.5, "503", true)], Slow);
        topology.Add(web, db, "db", 1200, grpc, Quick);
        topology.Add(api, db, "db", 600, [new(1, "200", false, "0")], Mixed);
        topology.Add(web, webAdmin, "web-admin", 200, Fine, Slow);
        topology.Add(web, webV2, "web-v2", 300, Fine, Quick);
        topology.Add(web, webxv2, "webxv2", 500, Fine, Mixed);
        topology.Add(otherWeb, api, "api", 620, [new(0.5, "200", false), new(0.5, "500", true)], Slow);
        topology.Add(web, otherWeb, "web", 310, Fine, Mixed);
        topology.Add(otherApi, otherWeb, "web", 450, [new(0.9, "200", false), new(0.1, "503", true)], Quick);
        topology.Add(migrate, db, "db", 250, grpc, Slow);
        topology.Add(report, db, "db", 350, Fine, Quick);
        topology.Add(agent, api, "api", 500, Fine, Quick);
        topology.Add(web, agent, null, 220, Fine, Mixed);
        topology.Add(web, crashy, "crashy", 440, [new(0.75, "200", false), new(0.25, "503", true)], Quick);
        topology.Add(web, legacy, "legacy", 260, Fine, BeyondEveryBucket);
        topology.Add(web, migrate, null, 150, Fine, Slow);
        topology.Add(web, ledgerDeployment, "ledger", 230, Fine, Quick);
        topology.Add(api, ledgerStatefulSet, "ledger-db", 710, [new(0.8, "200", false), new(0.2, "503", true)], Mixed);
        return topology;
    }

    /// <summary>
    /// Two namespaces for a mesh of the catalogue. Fewer traps than <see cref="WithEveryTrap"/>, but every kind of workload, a name in both
    /// namespaces with a call across, names that begin other names, two that call each other, and a caller without a proxy. Names have no
    /// dots: meshes that pack them cannot have any.
    /// </summary>
    /// <param name="prefix">Stands before every name, for a mesh whose names must be the only ones in the cluster.</param>
    /// <param name="sameNames">Whether the workload of the second namespace is called like one of the first.</param>
    public static Topology OfCatalogue(string first, string second, int firstNumber, string prefix = "", bool sameNames = true)
    {
        Topology topology = new(first, second, firstNumber);
        string otherName = sameNames ? $"{prefix}api" : $"{prefix}billing-api";
        Workload web = topology.Add("Deployment", first, $"{prefix}web", 2);
        Workload webAdmin = topology.Add("Deployment", first, $"{prefix}web-admin", 1);
        Workload api = topology.Add("Deployment", first, $"{prefix}api", 2);
        Workload db = topology.Add("StatefulSet", first, $"{prefix}db", 2);
        Workload agent = topology.Add("DaemonSet", first, $"{prefix}agent", 1);
        Workload migrate = topology.Add("Job", first, $"{prefix}migrate", 1);
        Workload report = topology.Add("CronJob", first, $"{prefix}report", 1);
        Workload legacy = topology.Add("ReplicationController", first, $"{prefix}legacy", 1);
        topology.Idle = topology.Add("Deployment", first, $"{prefix}idle", 1);
        Workload otherApi = topology.Add("Deployment", second, otherName, 1);
        Workload caller = topology.Add("Deployment", Outside, $"caller-of-{first}", 1, meshed: false);

        topology.Add(web, api, api.Name, 800, [new(0.7, "200", false), new(0.1, "404", false), new(0.2, "503", true)], Mixed);
        topology.Add(api, web, web.Name, 400, Fine, Quick);
        topology.Add(caller, web, web.Name, 600, [new(0.5, "200", false), new(0.5, "500", true)], Slow);
        topology.Add(web, webAdmin, webAdmin.Name, 200, Fine, Slow);
        topology.Add(web, db, db.Name, 1200, [new(0.9, "200", false), new(0.1, "503", true)], Quick);
        topology.Add(migrate, db, db.Name, 250, Fine, Slow);
        topology.Add(report, db, db.Name, 350, Fine, Quick);
        topology.Add(api, agent, agent.Name, 500, [new(0.8, "200", false), new(0.2, "302", false)], Mixed);
        topology.Add(web, legacy, legacy.Name, 260, Fine, Quick);
        topology.Add(web, migrate, migrate.Name, 150, Fine, Slow);
        topology.Add(api, report, report.Name, 170, Fine, Mixed);
        topology.Add(web, otherApi, otherName, 310, [new(0.5, "200", false), new(0.5, "503", true)], Mixed);
        topology.Add(otherApi, api, api.Name, 620, Fine, Slow);
        return topology;
    }

    /// <summary>One namespace, in which <c>visitor</c> calls everybody else.</summary>
    public static Topology OfOneVisitor(string @namespace, int firstNumber)
    {
        Topology topology = new(@namespace, @namespace, firstNumber);
        Workload visitor = topology.Add("Deployment", @namespace, "visitor", 1);
        Reply[] replies = [new(0.7, "200", false), new(0.3, "503", true)];
        topology.Add(visitor, topology.Add("Deployment", @namespace, "steady", 2), "steady", 800, replies, Mixed);
        topology.Add(visitor, topology.Add("StatefulSet", @namespace, "flapping", 2), "flapping", 1200, replies, Slow);
        topology.Add(visitor, topology.Add("Deployment", @namespace, "fading", 1), "fading", 500, replies, Mixed);
        topology.Add(visitor, topology.Add("Deployment", @namespace, "rolling", 2), "rolling", 1000, replies, Slow);
        topology.Add(visitor, topology.Add("Deployment", @namespace, "crashy", 1), "crashy", 400, replies, Mixed);
        return topology;
    }

    private Workload Add(string kind, string @namespace, string name, int pods, bool meshed = true)
    {
        Workload workload = new(kind, @namespace, name, pods, _firstNumber + _workloads.Count, meshed);
        _workloads.Add(workload);
        return workload;
    }

    private void Add(Workload from, Workload to, string? service, double perSecond, Reply[] replies, Duration[] durations) =>
        _flows.Add(new Flow(from, to, service, perSecond, replies, durations));
}
