using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// Writes the workloads of the topologies into a cluster as its controllers would: no controllers run, so ReplicaSets, Pods,
/// EndpointSlices and their owner references are written here, with the UIDs that kube-apiserver gave.
/// </summary>
internal sealed class ClusterContent(KubeApi api)
{
    public async Task WriteAsync(IReadOnlyList<Topology> topologies, CancellationToken cancellationToken)
    {
        foreach (string node in Topology.Nodes)
        {
            await api.CreateAsync("/api/v1/nodes", new JsonObject { ["metadata"] = new JsonObject { ["name"] = node } }, cancellationToken);
        }

        IEnumerable<Workload> workloads = topologies.SelectMany(topology => topology.Workloads);
        foreach (string @namespace in workloads.Select(workload => workload.Namespace).Distinct())
        {
            await api.CreateAsync("/api/v1/namespaces", new JsonObject { ["metadata"] = new JsonObject { ["name"] = @namespace } }, cancellationToken);
        }

        await Parallel.ForEachAsync(workloads, cancellationToken, async (workload, token) => await WriteAsync(workload, token));
        await Parallel.ForEachAsync(
            topologies.SelectMany(topology => topology.Services),
            cancellationToken,
            async (service, token) => await WriteServiceAsync(service.Namespace, service.Name, service.Workload, token));
    }

    /// <summary>Creates a workload with its pods.</summary>
    public async Task WriteAsync(Workload workload, CancellationToken cancellationToken)
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
            await WritePodAsync(workload.Namespace, pod.Name, pod.Node, pod.Ip, Labels(workload), owner, cancellationToken);
        }
    }

    /// <summary>Creates a running pod.</summary>
    public async Task WritePodAsync(
        string @namespace, string name, string node, string ip, JsonObject labels, JsonNode? owner, CancellationToken cancellationToken)
    {
        JsonObject spec = new() { ["nodeName"] = node, ["containers"] = Containers() };
        await CreateAsync("Pod", @namespace, name, spec, owner, cancellationToken, labels);
        JsonObject status = new()
        {
            ["phase"] = "Running",
            ["podIP"] = ip,
            ["podIPs"] = new JsonArray(new JsonObject { ["ip"] = ip }),
            ["conditions"] = new JsonArray(new JsonObject { ["type"] = "Ready", ["status"] = "True" }),
        };
        await api.MergeAsync($"{Collection("Pod", @namespace)}/{name}/status", new JsonObject { ["status"] = status }, cancellationToken);
    }

    private async Task WriteServiceAsync(string @namespace, string name, Workload workload, CancellationToken cancellationToken)
    {
        JsonObject spec = new()
        {
            ["selector"] = Selector(workload),
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
        "ReplicationController" => new JsonObject { ["selector"] = Selector(workload), ["template"] = Template(workload, "Always") },
        "StatefulSet" => new JsonObject
        {
            ["selector"] = new JsonObject { ["matchLabels"] = Selector(workload) },
            ["serviceName"] = workload.Name,
            ["template"] = Template(workload, "Always"),
        },
        _ => new JsonObject { ["selector"] = new JsonObject { ["matchLabels"] = Selector(workload) }, ["template"] = Template(workload, "Always") },
    };

    private static JsonObject JobSpec(Workload workload) => new() { ["template"] = Template(workload, "Never") };

    private static JsonObject Template(Workload workload, string restartPolicy) => new()
    {
        ["metadata"] = new JsonObject { ["labels"] = Labels(workload) },
        ["spec"] = new JsonObject { ["restartPolicy"] = restartPolicy, ["containers"] = Containers() },
    };

    private static JsonArray Containers() => new(new JsonObject { ["name"] = "main", ["image"] = "example/main:1" });

    // The kind too: two workloads of one name must not take each other's pods.
    private static JsonObject Selector(Workload workload) => new() { ["app"] = workload.Name, ["kind"] = workload.Kind };

    private static JsonObject Labels(Workload workload)
    {
        JsonObject labels = Selector(workload);
        if (workload.Kind == "Deployment")
        {
            labels["pod-template-hash"] = workload.TemplateHash;
        }

        return labels;
    }

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
