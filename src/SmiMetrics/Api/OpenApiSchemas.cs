using SmiMetrics.Kubernetes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Api;

/// <summary>The words on everything that this API writes: what <c>kubectl explain</c> prints.</summary>
internal static class OpenApiSchemas
{
    private const string Duration = "Duration";
    private const string Quantity = "Quantity";
    private const string Time = "Time";

    private const string ApiVersion =
        "The group and version that the object was read from. The versions of this group differ in name only.";

    /// <summary>Strings that have a form of their own.</summary>
    public static IReadOnlyList<OpenApiFormat> Formats { get; } =
    [
        new(Duration, null, "A duration as Go writes it: 500ms, 30s, 1m0s, 1h30m0s. Its units are h, m, s, ms, us and ns; there are no days."),
        new(Quantity, null,
            "A number in Kubernetes' canonical form, to the thousandth: 294 is 294, 296875m is 296.875, 1500m is 1.5, 1k is 1000 and 2M two million. "
            + "Read it with a library for Kubernetes quantities; it is never negative."),
        new(Time, "date-time", "An instant in UTC, to the second, as RFC 3339 has it: 2026-11-22T12:00:00Z."),
    ];

    /// <summary>Every type, those of whole objects first.</summary>
    public static IReadOnlyList<OpenApiSchema> All { get; } =
    [
        new(typeof(TrafficMetrics), "TrafficMetrics",
            "The golden metrics of one resource, or of one edge between two: latency, successes and failures, as a service mesh measured them over a window "
            + "of time. Without an edge they are of all requests that the resource received. They are computed when they are asked for and nothing is "
            + "stored: there is nothing to watch or to change, and no resourceVersion.")
        {
            Kinds = [.. Traffic.Select(resource => resource.Kind)],
            ExplainedAs = [.. ResourceKind.Watched.Select(kind => kind.Kind)],
            ["kind"] =
                "TrafficMetrics, whichever resource the object was read from. Discovery gives every resource another kind, such as DeploymentTrafficMetrics, "
                + "because kubectl takes resources of one kind for one resource.",
            ["apiVersion"] = ApiVersion,
            ["metadata"] = "The name of what was measured, its labels, and in the annotations how far the numbers can be trusted.",
            ["timestamp"] = new("The instant at which the window ends.") { Format = Time },
            ["window"] = new("How long requests were counted: as long as the parameter window asked for, or else the server's default.") { Format = Duration },
            ["resource"] = "Whose traffic it is.",
            ["edge"] = new(
                "The other end of the traffic, where it is that of an edge. For a resource's own traffic it is null. For a backend of a traffic split it refers to "
                + "nobody: the requests may have come from anybody.")
            { MayBeNull = true },
            ["backend"] = "Whose share of a traffic split it is; absent for all else.",
            ["metrics"] =
                "Always these five, in this order: p99_response_latency, p90_response_latency, p50_response_latency, success_count, failure_count.",
        },
        new(typeof(TrafficMetricsList), "TrafficMetricsList",
            "The golden metrics of several resources, of the edges of one resource, or of the backends of traffic splits, all over the same window.")
        {
            Kinds = [.. Traffic.Select(Discovery.ListKind)],
            ["kind"] = "TrafficMetricsList.",
            ["apiVersion"] = ApiVersion,
            ["metadata"] = "Where the list was read from, and whether there is more of it.",
            ["resource"] = "What the list was asked about. It names a kind alone, a kind in a namespace, or the one object whose edges or backends these are.",
            ["items"] = "One for each resource, edge or backend. Empty, never absent, when there is none.",
        },
        new(typeof(Mesh), "Mesh",
            "A service mesh that the server looks for, and how it was found. When there are no metrics, its status says why not, and what to do about it.")
        {
            Kinds = [TrafficResource.Meshes.Kind],
            ["kind"] = "Mesh.",
            ["apiVersion"] = ApiVersion,
            ["metadata"] = "The name by which the server's flag --mesh knows the mesh.",
            ["title"] = "What people call the mesh.",
            ["status"] = "What the last look at its series found.",
        },
        new(typeof(MeshList), "MeshList", "The meshes that the server looks for, in the order in which it would rather believe them.")
        {
            Kinds = [Discovery.ListKind(TrafficResource.Meshes)],
            ["kind"] = "MeshList.",
            ["apiVersion"] = ApiVersion,
            ["metadata"] = "Where the list was read from, and whether there is more of it.",
            ["mistakes"] =
                "What is wrong with descriptions of meshes that the operator changed (the server's flag --mesh-config), which therefore are not in use; absent while "
                + "nothing is.",
            ["items"] = "The meshes, preferred ones first.",
        },
        new(typeof(ObjectMeta), "ObjectMeta", "The part of Kubernetes' object metadata that means something here.")
        {
            ["name"] =
                "The name of the resource. In trafficmetrics it is KIND.NAME, such as deployment.web; in trafficedges it names both ends and the direction, such as "
                + "deployment.web.to.shop.statefulset.db; edges of one resource have its name.",
            ["namespace"] = "The namespace of the resource; absent for nodes, namespaces and meshes.",
            ["selfLink"] = "The path at which the object can be read again; for an edge that of its list.",
            ["creationTimestamp"] = new(
                "When these numbers came to be: the same instant as the timestamp, so that kubectl's AGE is theirs and not the resource's. Absent for meshes.")
            { Format = Time },
            ["labels"] = "The labels of the resource itself, as the cluster has them; absent where it has none, and where there is no cluster to know them from.",
            ["annotations"] =
                "How far the numbers can be trusted. Absent for meshes.\n\n"
                + "metrics.smi-spec.io/state is ok when this is the traffic; idle when the resource exists and had none; stale when the source of the numbers fails and "
                + "this is an earlier answer; partial when something is missing from the numbers, or another resource's traffic is in them.\n\n"
                + "metrics.smi-spec.io/reason says in a sentence why the state is what it is; absent when it is ok.\n\n"
                + "metrics.smi-spec.io/side is server when the proxy of whoever received the requests measured, client when that of who sent them did.\n\n"
                + "metrics.smi-spec.io/mesh is the name of the mesh that measured, as in meshes; absent when several were asked and none knew anything.",
        },
        new(typeof(ListMeta), "ListMeta", "The part of Kubernetes' list metadata that means something here. There is never a resourceVersion: nothing can be watched.")
        {
            ["selfLink"] = "The path of the list.",
            ["continue"] =
                "Asks for the next page, as the parameter continue of an otherwise equal request; absent on the last page. All pages are of one moment. After some "
                + "minutes the token expires (410) and the list has to be begun anew.",
            ["remainingItemCount"] = "How many items come after this page; absent on the last, and where a selector was given.",
        },
        new(typeof(ObjectReference), "ObjectReference",
            "A Kubernetes object: kind, namespace and name, as of a core/v1 ObjectReference. What is absent is not restricted: without a name it refers to "
            + "all objects of the kind, without anything to anybody.")
        {
            ["kind"] = "The kind of the object: Deployment, Pod, Service and so on. For a list of workloads of every kind the kind that discovery gives their resource.",
            ["namespace"] = "Its namespace; absent for nodes and namespaces.",
            ["name"] = "Its name.",
            ["apiVersion"] = "The group and version of its kind: v1, apps/v1, batch/v1.",
        },
        new(typeof(Edge), "Edge", "The traffic between the resource and one peer, in one direction.")
        {
            ["direction"] = OpenApiField.OneOf<Direction>(
                "Which way the requests went: to when the resource sent them to the peer, from when it received them from the peer."),
            ["side"] = OpenApiField.OneOf<Side>(
                "Whose proxy measured: client for the sender's, server for the receiver's. Their numbers differ by what is lost or still under way between them."),
            ["resource"] = "The peer.",
        },
        new(typeof(Backend), "Backend", "A backend of a traffic split.")
        {
            ["apex"] = "The Service whose requests are split, by its name.",
            ["name"] = "The Service that gets this share of them, by its name.",
            ["weight"] = "Its part in the split, in relation to the weights of the others. What it really got are the metrics.",
        },
        new(typeof(Metric), "Metric", "One measured number.")
        {
            ["name"] = new(
                "p99_response_latency, p90_response_latency and p50_response_latency: of 100 requests 99, 90 or 50 were answered within the value, as "
                + "exactly as the mesh's histograms tell. success_count and failure_count: how many requests succeeded and failed in the window; what a "
                + "failure is the mesh says, for HTTP commonly a status of 500 or above.")
            { Choices = GoldenMetrics },
            ["unit"] = "The unit of latencies: ms, or seconds where the operator chose so. Absent for counts.",
            ["value"] = new(
                "The number. Counts are increases of counters, estimated over the whole window and so rarely whole. 0 as a latency means that there was no request to "
                + "measure, or that the mesh measures none: look at the state among the annotations.")
            { Format = Quantity },
        },
        new(typeof(MeshFindings), "MeshStatus", "How a mesh was found.")
        {
            ["presence"] = new(
                "Found when there are series of the mesh, Missing when there are none, Unknown while the source of the numbers has never said.")
            { Choices = Enum.GetNames<MeshPresence>() },
            ["scrapeInterval"] = new("How often its proxies are scraped, as measured; absent while that cannot be told.") { Format = Duration },
            ["shortestWindow"] = new(
                "The shortest window that can be answered: two scrapes, because an increase needs two samples. A shorter one is refused (400). Absent "
                + "like the scrape interval.")
            { Format = Duration },
            ["newestSample"] = new("When its series last had a sample; absent while that is not known.") { Format = Time },
            ["proxies"] = "How many running pods have its proxy; absent where neither the cluster nor the mesh's description tells.",
            ["series"] = "What was found of the series of each side of a request, the server's first.",
            ["problems"] = "What makes answers wrong or impossible. Empty when all is well.",
            ["notes"] = "What is unusual and may be as it should be.",
        },
        new(typeof(MeshSeries), "MeshSeries", "The series by which a mesh tells one side of requests.")
        {
            ["side"] = OpenApiField.OneOf<Side>("Whose proxies report them: the receivers' (server) or the senders' (client)."),
            ["requests"] = "The name of the counter of requests.",
            ["found"] = "Whether there is any series of that name.",
            ["latency"] = "The name of the histogram's buckets; absent when the mesh has none, so that latencies are 0.",
            ["latencyFound"] = "Whether there are such buckets; absent where they have no name.",
            ["labels"] = "The labels that name both ends of a request and its outcome, as far as the counter has them.",
            ["missingLabels"] = "Those that none of its series has. What these name cannot be told; where there is no such thing in the mesh, that is as it should be.",
        },
        new(typeof(MeshTrouble), "MeshProblem", "What is wrong with a mesh's series.")
        {
            ["problem"] = "What is wrong.",
            ["remedy"] = "What to do about it.",
        },
        new(typeof(Status), "Status", "Why a request failed: as Kubernetes' meta/v1 Status.")
        {
            ["kind"] = "Status.",
            ["apiVersion"] = "v1, the version of Status.",
            ["metadata"] = "Empty.",
            ["status"] = "Failure.",
            ["message"] = "What went wrong, for people.",
            ["reason"] = "What went wrong in a word, for programs: BadRequest, NotFound, ServiceUnavailable, Timeout and so on.",
            ["details"] = "What the failure is about, as far as that is known.",
            ["code"] = "The HTTP status of the answer.",
        },
        new(typeof(Status.EmptyMetadata), "StatusMetadata", "Nothing: there is no metadata of a failure."),
        new(typeof(StatusDetails), "StatusDetails", "What a failure is about.")
        {
            ["name"] = "The name of the object.",
            ["group"] = "The group of its resource.",
            ["kind"] = "The name of its resource, in the plural.",
            ["retryAfterSeconds"] = "After how many seconds the request may succeed; absent where a repetition promises nothing.",
        },
    ];

    /// <summary>The names of the metrics, in their order.</summary>
    private static string[] GoldenMetrics => ["p99_response_latency", "p90_response_latency", "p50_response_latency", "success_count", "failure_count"];

    private static IEnumerable<TrafficResource> Traffic => TrafficResource.All.Where(resource => resource != TrafficResource.Meshes);

    /// <summary>The words on a type.</summary>
    public static OpenApiSchema Of(Type type) => All.Single(schema => schema.Type == type);
}
