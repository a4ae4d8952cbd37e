using System.Globalization;
using System.Text.Json.Nodes;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Demo;

/// <summary>
/// The objects of the simulated cluster as kube-apiserver would write them, with no more fields than somebody who reads metadata, pods
/// and EndpointSlices needs.
/// </summary>
internal sealed class ClusterDocuments(SimulatedCluster cluster, SimulatedMesh mesh)
{
    private const int AppPort = 8080;

    /// <summary>The resources that are served, by their path: those that the informers follow.</summary>
    public static IReadOnlyDictionary<string, ServedResource> Served { get; } = ResourceKind.All
        .Select(kind => new ServedResource(kind.ApiVersion, kind.Resource, kind.Kind))
        .Append(new ServedResource("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"))
        .ToDictionary(resource => resource.Path);

    /// <summary>All objects of a resource at a moment. They carry no resourceVersion.</summary>
    public IEnumerable<JsonObject> At(TimeSpan age, ServedResource resource) => resource.Kind switch
    {
        "Namespace" => cluster.World.Workloads.Select(workload => workload.Namespace).Distinct()
            .Select(name => Document(resource, null, name, [("kubernetes.io/metadata.name", name)])),
        "Node" => cluster.World.Nodes.Select(name => Document(resource, null, name, [("kubernetes.io/hostname", name)])),
        "Pod" => cluster.PodsAt(age).Select(pod => PodDocument(resource, pod, age)),
        "Service" => Services().Select(service => Document(resource, service.Key.Namespace, service.Key.Name, [("app", service.First().App)])),
        "EndpointSlice" => Services().Select(service => SliceDocument(resource, service.Key, service, age)),
        _ => cluster.World.Workloads.Where(workload => workload.Kind.Kind == resource.Kind)
            .Select(workload => Document(resource, workload.Namespace, workload.Name, Labels(workload)))
            .Concat(Controllers(resource, age)),
    };

    private IEnumerable<IGrouping<ObjectKey, Workload>> Services() =>
        from workload in cluster.World.Workloads
        where workload.Service is not null
        group workload by new ObjectKey(workload.Namespace, workload.Service!);

    /// <summary>The ReplicaSets of Deployments and the Jobs of CronJobs.</summary>
    private IEnumerable<JsonObject> Controllers(ServedResource resource, TimeSpan age) =>
        from pod in cluster.PodsAt(age)
        where pod.Controller.Kind.Kind == resource.Kind && pod.Controller.Kind != pod.Workload.Kind
        group pod by pod.Controller into pods
        let workload = pods.First().Workload
        select Document(
            resource,
            pods.Key.Namespace,
            pods.Key.Name,
            [.. Labels(workload), .. Hash(pods.First())],
            new ObjectRef(workload.Kind, workload.Namespace, workload.Name));

    private JsonObject PodDocument(ServedResource resource, SimulatedPod pod, TimeSpan age)
    {
        JsonObject document = Document(
            resource,
            pod.Workload.Namespace,
            pod.Name,
            [.. Labels(pod.Workload), .. Hash(pod), .. mesh.PodLabels(pod.Workload)],
            pod.Controller,
            cluster.Began + pod.Created);
        document["spec"] = new JsonObject
        {
            ["nodeName"] = pod.Node,
            ["containers"] = new JsonArray(
                Container(pod.Workload.App, [new SidecarPort("http", AppPort)]),
                Container(mesh.Container, mesh.Ports)),
        };
        document["status"] = new JsonObject
        {
            ["phase"] = "Running",
            ["podIP"] = pod.Ip,
            ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = pod.Ip }),
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = pod.ServesAt(age) ? "True" : "False" }),
        };
        return document;
    }

    private static JsonObject Container(string name, IReadOnlyList<SidecarPort> ports) => new()
    {
        ["name"] = name,
        ["image"] = $"example.invalid/{name}:1",
        ["ports"] = new JsonArray([.. ports.Select(port => new JsonObject { ["name"] = port.Name, ["containerPort"] = port.Number, ["protocol"] = "TCP" })]),
    };

    private JsonObject SliceDocument(ServedResource resource, ObjectKey service, IEnumerable<Workload> workloads, TimeSpan age)
    {
        JsonObject document = Document(
            resource,
            service.Namespace,
            $"{service.Name}-slice",
            [("kubernetes.io/service-name", service.Name)],
            new ObjectRef(ResourceKind.Service, service.Namespace, service.Name));
        document["addressType"] = "IPv4";
        document["ports"] = new JsonArray(new JsonObject { ["name"] = "http", ["port"] = AppPort, ["protocol"] = "TCP" });
        document["endpoints"] = new JsonArray(
        [
            .. from workload in workloads
                from pod in cluster.PodsOf(workload, age)
                where pod.ServesAt(age)
                select new JsonObject
                {
                    ["addresses"] = new JsonArray(pod.Ip),
                    ["conditions"] = new JsonObject { ["ready"] = true },
                    ["nodeName"] = pod.Node,
                    ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["namespace"] = workload.Namespace, ["name"] = pod.Name },
                },
        ]);
        return document;
    }

    private JsonObject Document(
        ServedResource resource,
        string? @namespace,
        string name,
        IEnumerable<(string Name, string Value)> labels,
        ObjectRef? owner = null,
        DateTimeOffset? created = null)
    {
        JsonObject metadata = new() { ["name"] = name };
        if (@namespace is not null)
        {
            metadata["namespace"] = @namespace;
        }

        metadata["creationTimestamp"] = (created ?? cluster.Began).UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        metadata["labels"] = new JsonObject(labels.Select(label => KeyValuePair.Create(label.Name, (JsonNode?)label.Value)));
        if (owner is { } of)
        {
            metadata["ownerReferences"] = new JsonArray(new JsonObject
            {
                ["apiVersion"] = of.Kind.ApiVersion,
                ["kind"] = of.Kind.Kind,
                ["name"] = of.Name,
                ["controller"] = true,
            });
        }

        return new JsonObject { ["kind"] = resource.Kind, ["apiVersion"] = resource.ApiVersion, ["metadata"] = metadata };
    }

    private static IEnumerable<(string, string)> Labels(Workload workload) =>
        workload.Version is { } version ? [("app", workload.App), ("version", version)] : [("app", workload.App)];

    private static IEnumerable<(string, string)> Hash(SimulatedPod pod) => pod.TemplateHash is { } hash ? [("pod-template-hash", hash)] : [];
}

/// <summary>A resource of the simulated API server.</summary>
internal sealed record ServedResource(string ApiVersion, string Resource, string Kind)
{
    public string Path => $"/{(ApiVersion.Contains('/') ? "apis" : "api")}/{ApiVersion}/{Resource}";
}
