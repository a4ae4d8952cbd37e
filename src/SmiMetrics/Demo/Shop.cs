using SmiMetrics.Kubernetes;

namespace SmiMetrics.Demo;

/// <summary>
/// The world of <c>smi-metrics demo</c>: a web shop on three nodes. Whatever the demo's server says can be checked here: over a window of
/// ten seconds a workload receives ten times the sum of the rates that lead to it, and its percentiles are those of the flow's latency
/// (of several flows, those of the mixture). They are bounds of the meshes' buckets, so a few requests
/// more or less carry one into the next bucket: a p99 of 500 ms is found between 496 and 640 ms.
/// </summary>
internal static class Shop
{
    // Half up to, nine of ten up to, 99 of 100 up to so many milliseconds.
    private static readonly Latency Instant = new(1, 5, 10);
    private static readonly Latency Quick = new(5, 10, 50);
    private static readonly Latency Normal = new(10, 50, 100);
    private static readonly Latency Slow = new(50, 100, 500);
    private static readonly Latency VerySlow = new(100, 500, 1000);

    public static World World { get; } = Build();

    private static World Build()
    {
        // ---- Who there is: kind, namespace, name, pods, Service

        Workload web = new(ResourceKind.Deployment, "shop", "web", 3) { Service = "web" };
        Workload catalog = new(ResourceKind.Deployment, "shop", "catalog", 2) { Service = "catalog", Version = "v1" };
        // A version of the catalog that is being tried on a tenth of the requests, and fails.
        Workload canary = new(ResourceKind.Deployment, "shop", "catalog-canary", 1) { Service = "catalog", App = "catalog", Version = "v2" };
        // Somebody rolls it out again and again.
        Workload search = new(ResourceKind.Deployment, "shop", "search", 2) { Service = "search", ReplacedEvery = TimeSpan.FromSeconds(30) };
        Workload cart = new(ResourceKind.StatefulSet, "shop", "cart", 2) { Service = "cart" };
        Workload recommendations = new(ResourceKind.Deployment, "shop", "recommendations", 1) { Service = "recommendations" };
        Workload images = new(ResourceKind.DaemonSet, "shop", "image-cache", 3) { Service = "image-cache" };
        // Sold before Christmas only.
        Workload giftCards = new(ResourceKind.Deployment, "shop", "gift-cards", 1) { Service = "gift-cards" };

        Workload checkout = new(ResourceKind.Deployment, "payments", "checkout", 2) { Service = "checkout" };
        Workload fraudCheck = new(ResourceKind.Deployment, "payments", "fraud-check", 1) { Service = "fraud-check" };
        // Older than Deployments.
        Workload ledger = new(ResourceKind.ReplicationController, "payments", "ledger", 1) { Service = "ledger" };
        Workload refunds = new(ResourceKind.StatefulSet, "payments", "refunds", 1) { Service = "refunds" };

        Workload stock = new(ResourceKind.Deployment, "warehouse", "stock", 2) { Service = "stock" };
        Workload stockDb = new(ResourceKind.StatefulSet, "warehouse", "stock-db", 2) { Service = "stock-db" };
        // Nobody's but its own: no Deployment.
        Workload labelPrinter = new(ResourceKind.ReplicaSet, "warehouse", "label-printer", 1) { Service = "label-printer" };
        Workload stockImport = new(ResourceKind.Job, "warehouse", "stock-import", 1);
        // Every minute another Job.
        Workload reorder = new(ResourceKind.CronJob, "warehouse", "reorder", 1) { ReplacedEvery = TimeSpan.FromMinutes(1) };

        // ---- Who calls whom: from, to, requests per second, replies, latency

        Flow[] flows =
        [
            new(null, web, 400, Http(failing: 0.005, notFound: 0.02), Normal), // Customers, through an ingress that is not meshed.
            new(web, catalog, 216, Http(failing: 0.002), Quick),
            new(web, canary, 24, Http(failing: 0.25), Slow),
            new(web, search, 120, Http(failing: 0), Normal),
            new(web, cart, 90, Http(failing: 0.01), Quick),
            new(web, recommendations, 200, Http(failing: 0), Quick) { Bursts = new Bursts(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(45)) },
            new(web, images, 300, Http(failing: 0, notFound: 0.1), Instant),
            new(web, checkout, 60, Http(failing: 0.02), VerySlow),
            new(search, catalog, 40, Http(failing: 0), Quick),
            new(cart, stock, 80, Http(failing: 0), Normal),

            new(checkout, fraudCheck, 60, Grpc(failing: 0.05), Slow),
            new(checkout, ledger, 60, Http(failing: 0), Slow),
            new(checkout, stock, 60, Http(failing: 0.01), Normal),
            new(checkout, cart, 60, Http(failing: 0), Quick),

            new(stock, stockDb, 240, Grpc(failing: 0.001), Instant),
            new(stock, labelPrinter, 50, Http(failing: 0.1), VerySlow),
            new(stock, stockImport, 40, Http(failing: 0), Quick), // How far are you?
            new(stockImport, stockDb, 150, Grpc(failing: 0), Quick),
            new(reorder, stock, 40, Http(failing: 0), Normal),
        ];
        Workload[] workloads =
        [
            web, catalog, canary, search, cart, recommendations, images, giftCards,
            checkout, fraudCheck, ledger, refunds,
            stock, stockDb, labelPrinter, stockImport, reorder,
        ];
        return new World(["node-1", "node-2", "node-3"], workloads, flows);
    }

    /// <param name="failing">The share that is answered 503.</param>
    /// <param name="notFound">The share that is answered 404, which no mesh blames on the server.</param>
    private static Reply[] Http(double failing, double notFound = 0) => Present(
        new Reply(1 - failing - notFound, "200", null, Failure: false),
        new Reply(notFound, "404", null, Failure: false),
        new Reply(failing, "503", null, Failure: true));

    /// <param name="failing">The share whose status is UNAVAILABLE, under HTTP's 200 as always with gRPC.</param>
    private static Reply[] Grpc(double failing) => Present(
        new Reply(1 - failing, "200", "0", Failure: false),
        new Reply(failing, "200", "14", Failure: true));

    private static Reply[] Present(params Reply[] replies) => [.. replies.Where(reply => reply.Share > 0)];
}
