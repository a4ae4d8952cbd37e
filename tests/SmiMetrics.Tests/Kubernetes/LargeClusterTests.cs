using System.Diagnostics;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Web;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

[Collection(nameof(HeldMemory))]
public sealed class LargeClusterTests(ITestOutputHelper output)
{
    private const int Pods = 10_000;
    private const int ReplicaSets = 3_000;
    private const int ContainerTemplates = 50;

    private const int Rounds = 3;

    /// <summary>In bytes.</summary>
    private const long MostKept = 10_000_000;

    [Fact]
    public async Task Ten_thousand_pods_and_three_thousand_ReplicaSets_stay_small()
    {
        // Once without measuring: what is made once in a process is made.
        using LargeApiServer server = new();
        await FollowAsync(server);
        List<long> differences = [];
        for (int round = 0; round < Rounds; round++)
        {
            (long held, TimeSpan sync, int shared) = await FollowAsync(server);
            // With and without, one right after the other.
            differences.Add(held - await HeldMemory.SettledAsync());
            output.WriteLine($"synced in {sync.TotalSeconds:0.00} s; {differences[^1] / 1e6:0.0} MB kept; {shared} lists of containers for {ContainerTemplates} templates");
        }

        // What tests before have left behind may go just between the two measurements, or what is measured go late: of three rounds it is one at most.
        long kept = differences.Order().ElementAt(Rounds / 2);
        output.WriteLine($"{kept / Pods} B a pod, {server.Bytes / ((Pods + ReplicaSets) * (Rounds + 1))} B of JSON an object");
        Assert.InRange(kept, 1, MostKept);
    }

    /// <returns>What was held while the cluster was followed, which has ended then.</returns>
    private static async Task<(long Held, TimeSpan Sync, int Shared)> FollowAsync(LargeApiServer server)
    {
        using TestMeters meters = new();
        TestLog<ClusterInformer> log = new();
        Cluster cluster = Cluster.Watched();
        using KubernetesApi api = KubernetesApi.Over(server);
        using ClusterInformer informer = new(api, cluster, TimeSpan.FromHours(1), TimeProvider.System, log, new KubernetesMetrics(meters));
        long started = Stopwatch.GetTimestamp();

        await informer.StartAsync(TestContext.Current.CancellationToken);
        using PeriodicTimer poll = new(TimeSpan.FromMilliseconds(20));
        while (!cluster.Synced)
        {
            await poll.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }

        TimeSpan sync = Stopwatch.GetElapsedTime(started);

        // What changed during the lists is published once more; two snapshots are not what it keeps.
        ClusterSnapshot snapshot = cluster.Snapshot;
        for (int unchanged = 0; unchanged < 50; unchanged++)
        {
            await poll.WaitForNextTickAsync(TestContext.Current.CancellationToken);
            if (!ReferenceEquals(cluster.Snapshot, snapshot))
            {
                snapshot = cluster.Snapshot;
                unchanged = 0;
            }
        }

        long held = await HeldMemory.SettledAsync();
        Assert.Empty(log.Lines);
        Assert.Equal(Pods, snapshot.List(ResourceKind.Pod, null).Count);
        Assert.Equal(ReplicaSets, snapshot.List(ResourceKind.ReplicaSet, null).Count);
        IReadOnlyList<Pod> pods = snapshot.PodsOf(new ObjectRef(ResourceKind.Deployment, "team-007", "service-0007"));
        Assert.Equal(10, pods.Count);
        Assert.All(pods, pod => Assert.Equal(8007, pod.Containers.List[0].Ports[0].Number));

        // Two templates may meet in a slot of the pool, and take turns in it, so the number is not the same each time. Pods come one
        // Deployment after the other, so it is never more than those.
        int shared = snapshot.List(ResourceKind.Pod, null).Select(pod => ((Pod)pod).Containers).Distinct(ReferenceEqualityComparer.Instance).Count();
        Assert.InRange(shared, ContainerTemplates, Pods / 10);
        await informer.StopAsync(TestContext.Current.CancellationToken);
        return (held, sync, shared);
    }

    /// <summary>1,000 Deployments with three ReplicaSets each, the newest with ten pods, in 100 namespaces, on 200 nodes. Their containers are of 50 sorts.</summary>
    private sealed class LargeApiServer : HttpMessageHandler
    {
        private long _bytes;

        public long Bytes => Interlocked.Read(ref _bytes);

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            System.Collections.Specialized.NameValueCollection query = HttpUtility.ParseQueryString(request.RequestUri!.Query);
            HttpContent content;
            if (query["watch"] is not null)
            {
                content = new StreamContent(new Pipe().Reader.AsStream());
            }
            else
            {
                int start = int.Parse(query["continue"] ?? "0", CultureInfo.InvariantCulture);
                byte[] page = Encoding.UTF8.GetBytes(request.RequestUri.AbsolutePath switch
                {
                    "/api/v1/pods" => Page(start, Pods, Pod),
                    "/apis/apps/v1/replicasets" => Page(start, ReplicaSets, ReplicaSet),
                    _ => Page(start, 0, _ => ""),
                });
                Interlocked.Add(ref _bytes, page.Length);
                content = new ByteArrayContent(page);
            }

            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = content });
        }

        private static string Page(int start, int count, Func<int, string> item)
        {
            int end = Math.Min(start + 500, count);
            string token = end < count ? $",\"continue\":\"{end}\"" : "";
            // Not string.Join: it would leave a buffer of the page's size in the array pool, which counts as ours.
            StringBuilder page = new StringBuilder($$$"""{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1"{{{token}}}},"items":[""");
            return page.AppendJoin(',', Enumerable.Range(start, end - start).Select(item)).Append("]}").ToString();
        }

        private static string Pod(int i)
        {
            int service = i / 10;
            string hash = Hash(service, 2);
            string conditions = string.Join(',', new[] { "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled" }.Select(type =>
                $$"""{"type":"{{type}}","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-01-10T10:00:00Z"}"""));
            string environment = string.Join(',', Enumerable.Range(0, 25).Select(n => $$"""{"name":"SETTING_{{n}}","value":"some-value-of-setting-{{n}}"}"""));
            string managed = string.Join(',', Enumerable.Range(0, 40).Select(n => "\"f:field-" + n + "\":{\".\":{},\"f:name\":{},\"f:value\":{}}"));
            return $$$$$"""
                {"metadata":{"name":"service-{{{{{service:0000}}}}}-{{{{{hash}}}}}-{{{{{i:x5}}}}}","generateName":"service-{{{{{service:0000}}}}}-{{{{{hash}}}}}-","namespace":"team-{{{{{service % 100:000}}}}}",
                "uid":"00000000-0000-0000-0000-{{{{{i:000000000000}}}}}","resourceVersion":"{{{{{i}}}}}","creationTimestamp":"2026-01-10T10:00:00Z",
                "labels":{"app":"service-{{{{{service:0000}}}}}","app.kubernetes.io/name":"service-{{{{{service:0000}}}}}","app.kubernetes.io/part-of":"team-{{{{{service % 100:000}}}}}","pod-template-hash":"{{{{{hash}}}}}","version":"v{{{{{service % 7}}}}}","security.istio.io/tlsMode":"istio"},
                "annotations":{"prometheus.io/scrape":"true","prometheus.io/port":"15020","sidecar.istio.io/status":"{{{{{new string('x', 400)}}}}}"},
                "ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"service-{{{{{service:0000}}}}}-{{{{{hash}}}}}","uid":"1","controller":true,"blockOwnerDeletion":true}],
                "managedFields":[{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-01-10T10:00:00Z","fieldsType":"FieldsV1","fieldsV1":{ {{{{{managed}}}}} }}]},
                "spec":{"volumes":[{"name":"token","projected":{"sources":[{"serviceAccountToken":{"expirationSeconds":3607,"path":"token"}}],"defaultMode":420}}],
                "initContainers":[{"name":"istio-init","image":"proxy","resources":{}},{"name":"istio-proxy","image":"proxy","restartPolicy":"Always","ports":[{"name":"http-envoy-prom","containerPort":15090,"protocol":"TCP"}],"env":[{{{{{environment}}}}}]}],
                "containers":[{"name":"app","image":"registry.example.com/service:{{{{{i}}}}}","ports":[{"name":"http","containerPort":{{{{{8000 + (service % ContainerTemplates)}}}}},"protocol":"TCP"},{"containerPort":9090,"protocol":"TCP"}],"env":[{{{{{environment}}}}}],"resources":{"limits":{"cpu":"1","memory":"1Gi"}}}],
                "nodeName":"node-{{{{{i % 200:000}}}}}.zone-a.example.internal","serviceAccountName":"default"},
                "status":{"phase":"Running","conditions":[{{{{{conditions}}}}}],"hostIP":"10.0.0.1","podIP":"10.{{{{{i / 65536}}}}}.{{{{{i / 256 % 256}}}}}.{{{{{i % 256}}}}}","podIPs":[{"ip":"10.1.2.3"}],
                "containerStatuses":[{"name":"app","state":{"running":{"startedAt":"2026-01-10T10:00:00Z"}},"ready":true,"restartCount":0,"imageID":"{{{{{new string('f', 120)}}}}}"}],"qosClass":"Burstable"}}
                """;
        }

        // What a server sends that cannot answer with metadata alone would be larger; the metadata is what we ask for.
        private static string ReplicaSet(int i)
        {
            int service = i / 3;
            string hash = Hash(service, i % 3);
            return $$$$$"""
                {"metadata":{"name":"service-{{{{{service:0000}}}}}-{{{{{hash}}}}}","namespace":"team-{{{{{service % 100:000}}}}}","uid":"{{{{{i}}}}}","resourceVersion":"{{{{{i}}}}}",
                "labels":{"app":"service-{{{{{service:0000}}}}}","app.kubernetes.io/name":"service-{{{{{service:0000}}}}}","app.kubernetes.io/part-of":"team-{{{{{service % 100:000}}}}}","pod-template-hash":"{{{{{hash}}}}}","version":"v{{{{{service % 7}}}}}"},
                "annotations":{"deployment.kubernetes.io/revision":"3"},"ownerReferences":[{"apiVersion":"apps/v1","kind":"Deployment","name":"service-{{{{{service:0000}}}}}","uid":"1","controller":true}],
                "managedFields":[{"manager":"kube-controller-manager","fieldsV1":{"x":"{{{{{new string('m', 6000)}}}}}"}}]}}
                """;
        }

        private static string Hash(int service, int revision) => $"{(service * 3) + revision + 1_000_000:x9}";
    }
}
