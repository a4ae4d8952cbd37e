using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Writes the workloads of the topologies into a cluster as its controllers would: no controllers run, so ReplicaSets, Pods,
/// EndpointSlices and their owner references are written here, with the UIDs that kube-apiserver gave. No injector runs either: the
/// proxies' containers and labels are written into the pods, and only there. As plain containers: kube-apiserver 1.20 knows no native
/// sidecars, it drops the <c>restartPolicy</c> that makes an init container one.
/// </summary>
internal sealed class ClusterContent(KubeApi api)
{
    private readonly HashSet<string> _namespaces = [];

    public async Task WriteNodesAsync(CancellationToken cancellationToken)
    {
        foreach (string node in Topology.Nodes)
        {
            await api.CreateAsync("/api/v1/nodes", new JsonObject { ["metadata"] = new JsonObject { ["name"] = node } }, cancellationToken);
        }
    }

    /// <summary>Makes the kinds of traffic splits known to the cluster, in versions as real installations serve them.</summary>
    public async Task WriteSplitKindsAsync(CancellationToken cancellationToken)
    {
        (string Group, string Plural, string Kind, string[] Versions)[] kinds =
            [("split.smi-spec.io", "trafficsplits", "TrafficSplit", ["v1alpha2", "v1alpha1"]), ("gateway.networking.k8s.io", "httproutes", "HTTPRoute", ["v1", "v1beta1"])];
        foreach ((string group, string plural, string kind, string[] versions) in kinds)
        {
            JsonObject definition = new()
            {
                ["apiVersion"] = "apiextensions.k8s.io/v1",
                ["kind"] = "CustomResourceDefinition",
                // Groups of Kubernetes' own projects need to say that they were reviewed.
                ["metadata"] = new JsonObject
                {
                    ["name"] = $"{plural}.{group}",
                    ["annotations"] = new JsonObject { ["api-approved.kubernetes.io"] = "unapproved, for tests alone" },
                },
                ["spec"] = new JsonObject
                {
                    ["group"] = group,
                    ["scope"] = "Namespaced",
                    ["names"] = new JsonObject { ["plural"] = plural, ["singular"] = kind.ToLowerInvariant(), ["kind"] = kind, ["listKind"] = $"{kind}List" },
                    ["versions"] = new JsonArray([.. versions.Select((version, at) => new JsonObject
                    {
                        ["name"] = version,
                        ["served"] = true,
                        ["storage"] = at == 0,
                        ["schema"] = new JsonObject { ["openAPIV3Schema"] = new JsonObject { ["type"] = "object", ["x-kubernetes-preserve-unknown-fields"] = true } },
                    })]),
                },
            };
            await api.CreateAsync("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition, cancellationToken);
            await Eventually.TrueAsync(
                $"{kind} is served",
                async token => (await api.SendAsync(HttpMethod.Get, $"/apis/{group}/{versions[0]}/{plural}", null, [], token)).Code == HttpStatusCode.OK,
                explain: null,
                cancellationToken);
        }
    }

    public async Task WriteAsync(IReadOnlyList<IMeshSimulation> meshes, CancellationToken cancellationToken)
    {
        foreach (string @namespace in meshes.SelectMany(mesh => mesh.Topology.Workloads).Select(workload => workload.Namespace).Where(_namespaces.Add))
        {
            await api.CreateAsync("/api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = @namespace } }, cancellationToken);
        }

        await Parallel.ForEachAsync(
            meshes.SelectMany(mesh => mesh.Topology.Workloads, (mesh, workload) => (mesh, workload)),
            cancellationToken,
            async (one, token) => await WriteAsync(one.workload, one.workload.Meshed ? one.mesh.SidecarOf(one.workload) : null, token));
        await Parallel.ForEachAsync(
            meshes.SelectMany(mesh => mesh.Topology.Services),
            cancellationToken,
            async (service, token) => await WriteServiceAsync(service.Namespace, service.Name, service.Workload, token));
    }

    /// <summary>Creates a workload with its pods.</summary>
    /// <param name="sidecar">The proxy in its pods; null when it is not meshed.</param>
    public async Task WriteAsync(Workload workload, Sidecar? sidecar, CancellationToken cancellationToken)
    {
        JsonNode owner = await CreateAsync(workload.Kind, workload.Namespace, workload.Name, Spec(workload), null, cancellationToken);
        if (workload.Kind == "Deployment")
        {
            owner = await CreateAsync("ReplicaSet", workload.Namespace, workload.ReplicaSet, Spec(workload), owner, cancellationToken);
        }
        else if (workload.Kind == "CronJob")
        {
            owner = await CreateAsync("Job", workload.Namespace, workload.ScheduledJob, JobSpec(workload), owner, cancellationToken);
        }

        foreach (SimulatedPod pod in workload.Pods)
        {
            await WritePodAsync(workload.Namespace, pod.Name, pod.Node, pod.Ip, sidecar?.PodLabels ?? workload.PodLabels, sidecar, owner, cancellationToken);
        }
    }

    /// <summary>Creates a pod of a Deployment that exists.</summary>
    public async Task WritePodAsync(SimulatedPod pod, Sidecar? sidecar, CancellationToken cancellationToken)
    {
        Workload workload = pod.Workload;
        JsonNode owner = await api.GetAsync($"{Collection("ReplicaSet", workload.Namespace)}/{workload.ReplicaSet}", cancellationToken);
        await WritePodAsync(workload.Namespace, pod.Name, pod.Node, pod.Ip, sidecar?.PodLabels ?? workload.PodLabels, sidecar, owner, cancellationToken);
    }

    /// <summary>Creates a running pod.</summary>
    public async Task WritePodAsync(
        string @namespace,
        string name,
        string node,
        string ip,
        IReadOnlyDictionary<string, string> labels,
        Sidecar? sidecar,
        JsonNode? owner,
        CancellationToken cancellationToken)
    {
        JsonArray containers = Containers();
        if (sidecar is not null)
        {
            JsonObject container = new() { ["name"] = sidecar.Container, ["image"] = $"example/{sidecar.Container}:1" };
            if (sidecar.PortName is { } port)
            {
                container["ports"] = new JsonArray(new JsonObject { ["name"] = port, ["containerPort"] = sidecar.Port });
            }

            containers.Add(container);
        }

        JsonObject spec = new() { ["nodeName"] = node, ["containers"] = containers };
        await CreateAsync("Pod", @namespace, name, spec, owner, cancellationToken, Json(labels));
        JsonObject status = new()
        {
            ["phase"] = "Running",
            ["podIP"] = ip,
            ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = ip }),
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }),
        };
        await api.MergeAsync($"{Collection("Pod", @namespace)}/{name}/status", new JsonObject { ["status"] = status }, cancellationToken);
    }

    /// <summary>Deletes a pod, at once.</summary>
    public Task DeletePodAsync(SimulatedPod pod, CancellationToken cancellationToken) => DeletePodAsync(pod.Workload.Namespace, pod.Name, cancellationToken);

    /// <inheritdoc cref="DeletePodAsync(SimulatedPod, CancellationToken)"/>
    public Task DeletePodAsync(string @namespace, string name, CancellationToken cancellationToken) =>
        api.DeleteAsync($"{Collection("Pod", @namespace)}/{name}?gracePeriodSeconds=0", cancellationToken);

    private async Task WriteServiceAsync(string @namespace, string name, Workload workload, CancellationToken cancellationToken)
    {
        JsonObject spec = new()
        {
            ["selector"] = Json(workload.Selector),
            ["ports"] = new JsonArray(new JsonObject { ["port"] = 8080 }),
        };
        JsonNode service = await CreateAsync("Service", @namespace, name, spec, null, cancellationToken);
        JsonObject slice = new()
        {
            ["apiVersion"] = "discovery.k8s.io/v1beta1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{name}-x7x7x",
                ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = name },
                ["ownerReferences"] = new JsonArray(OwnerReference(service)),
            },
            ["addressType"] = "IPv4",
            ["ports"] = new JsonArray(new JsonObject { ["port"] = 8080 }),
            ["endpoints"] = new JsonArray([.. workload.Pods.Select(pod => new JsonObject
            {
                ["addresses"] = new JsonArray(pod.Ip),
                ["conditions"] = new JsonObject { ["ready"] = true },
                ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["namespace"] = @namespace, ["name"] = pod.Name },
            })]),
        };
        await api.CreateAsync($"/apis/discovery.k8s.io/v1beta1/namespaces/{@namespace}/endpointslices", slice, cancellationToken);
    }

    private Task<JsonNode> CreateAsync(
        string kind, string @namespace, string name, JsonObject spec, JsonNode? owner, CancellationToken cancellationToken, JsonObject? labels = null)
    {
        JsonObject metadata = new() { ["name"] = name };
        if (labels is not null)
        {
            metadata["labels"] = labels;
        }

        if (owner is not null)
        {
            metadata["ownerReferences"] = new JsonArray(OwnerReference(owner));
        }

        JsonObject body = new() { ["apiVersion"] = ApiVersion(kind), ["kind"] = kind, ["metadata"] = metadata, ["spec"] = spec };
        return api.CreateAsync(Collection(kind, @namespace), body, cancellationToken);
    }

    private static JsonObject OwnerReference(JsonNode owner) => new()
    {
        ["apiVersion"] = owner["apiVersion"]!.GetValue<string>(),
        ["kind"] = owner["kind"]!.GetValue<string>(),
        ["name"] = owner["metadata"]!["name"]!.GetValue<string>(),
        ["uid"] = owner["metadata"]!["uid"]!.GetValue<string>(),
        ["controller"] = true,
    };

    private static JsonObject Spec(Workload workload) => workload.Kind switch
    {
        "Job" => JobSpec(workload),
        "CronJob" => new JsonObject { ["schedule"] = "0 * * * *", ["jobTemplate"] = new JsonObject { ["spec"] = JobSpec(workload) } },
        "ReplicationController" => new JsonObject { ["selector"] = Json(workload.Selector), ["template"] = Template(workload, "Always") },
        "StatefulSet" => new JsonObject
        {
            ["selector"] = new JsonObject { ["matchLabels"] = Json(workload.Selector) },
            ["serviceName"] = workload.Name,
            ["template"] = Template(workload, "Always"),
        },
        _ => new JsonObject { ["selector"] = new JsonObject { ["matchLabels"] = Json(workload.Selector) }, ["template"] = Template(workload, "Always") },
    };

    private static JsonObject JobSpec(Workload workload) => new() { ["template"] = Template(workload, "Never") };

    private static JsonObject Template(Workload workload, string restartPolicy) => new()
    {
        ["metadata"] = new JsonObject { ["labels"] = Json(workload.PodLabels) },
        ["spec"] = new JsonObject { ["restartPolicy"] = restartPolicy, ["containers"] = Containers() },
    };

    private static JsonArray Containers() => new(new JsonObject { ["name"] = "main", ["image"] = "example/main:1" });

    private static JsonObject Json(IReadOnlyDictionary<string, string> labels) =>
        new(labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value)));

    // The versions of kube-apiserver 1.20.
    private static string ApiVersion(string kind) => kind switch
    {
        "Job" => "batch/v1",
        "CronJob" => "batch/v1beta1",
        "Deployment" or "ReplicaSet" or "StatefulSet" or "DaemonSet" => "apps/v1",
        _ => "v1",
    };

    private static string Collection(string kind, string @namespace)
    {
        string version = ApiVersion(kind);
        return $"/{(version == "v1" ? "api" : "apis")}/{version}/namespaces/{@namespace}/{kind.ToLowerInvariant()}s";
    }
}
