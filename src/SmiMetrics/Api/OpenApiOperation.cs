using System.Text.Json.Nodes;

namespace SmiMetrics.Api;

/// <summary>A parameter in a path or in a query.</summary>
/// <param name="Type">As in OpenAPI.</param>
internal sealed record OpenApiParameter(string Name, string Type, string Description)
{
    public static readonly OpenApiParameter Namespace = new("namespace", "string", "The namespace that the objects are in.") { InPath = true };
    public static readonly OpenApiParameter ObjectName = new("name", "string", "The name of the object.") { InPath = true };

    public static readonly OpenApiParameter Pretty = new("pretty", "boolean", "Whether the answer is written with line breaks and indentation.");

    private static readonly OpenApiParameter Window = new(
        "window",
        "string",
        "How long requests are counted, as a Go duration: 30s, 5m, 1h30m. What is shorter than two scrapes of the mesh, or longer than the operator "
        + "allows, is refused, and the answer names the limit. Without it the server chooses, and the answer says what.");

    private static readonly OpenApiParameter T = new("t", "string", "The same as window, by the name that older clients use.");

    /// <summary>What every question about traffic can say.</summary>
    public static readonly IReadOnlyList<OpenApiParameter> OfTraffic = [Window, T];

    public static readonly OpenApiParameter Side = new(
        "side",
        "string",
        "Asks for what the proxies of one side measured. Without it the sender's tell of edges to peers and the receiver's of edges from them, or else "
        + "the others.")
    { Choices = OpenApiField.ValuesOf<Traffic.Side>() };

    public static readonly OpenApiParameter Direction = new(
        "direction", "string", "Asks for the edges to those that the resource sends to, or for those from whom it receives.")
    { Choices = OpenApiField.ValuesOf<Traffic.Direction>() };

    /// <summary>What every list can be asked for.</summary>
    public static readonly IReadOnlyList<OpenApiParameter> OfLists =
    [
        new("labelSelector", "string", "Restricts the list by the labels of the resources themselves, in Kubernetes' form: app=web, tier in (front,back), !canary."),
        new("fieldSelector", "string", "Restricts the list by metadata.name or metadata.namespace, with =, == or !=; several terms are separated by commas."),
        new("limit", "integer", "The most items in an answer. If there are more, metadata.continue asks for the next page."),
        new("continue", "string", "The metadata.continue of the page before. All else must be asked as for that page."),
        new("timeoutSeconds", "integer", "After how many seconds to answer 504 instead, where that is sooner than the server would."),
    ];

    public bool InPath { get; private init; }

    public IReadOnlyList<string>? Choices { get; private init; }

    public JsonObject Write(OpenApiDialect dialect)
    {
        JsonObject type = new() { ["type"] = Type, ["uniqueItems"] = true };
        if (Choices is not null)
        {
            type["enum"] = new JsonArray([.. Choices.Select(choice => (JsonNode)choice)]);
        }

        JsonObject parameter = new() { ["name"] = Name, ["in"] = InPath ? "path" : "query", ["description"] = Description };
        if (InPath)
        {
            parameter["required"] = true;
        }

        if (dialect == OpenApiDialect.V3)
        {
            parameter["schema"] = type;
            return parameter;
        }

        foreach ((string name, JsonNode? value) in type)
        {
            parameter[name] = value!.DeepClone();
        }

        return parameter;
    }
}

/// <summary>What can be asked at one path, always with GET.</summary>
/// <param name="Path">Below the version, with braces: <c>/namespaces/{namespace}/deployments</c>.</param>
/// <param name="Id">Unique among all servers, made as Kubernetes makes it.</param>
/// <param name="Action">As Kubernetes calls it: <c>get</c> or <c>list</c>.</param>
/// <param name="Kind">The kind in discovery.</param>
/// <param name="Answer">The type of a good answer.</param>
/// <param name="Parameters">Of the query.</param>
internal sealed record OpenApiOperation(
    string Path, string Id, string Action, string Kind, string Description, Type Answer, IReadOnlyList<OpenApiParameter> Parameters)
{
    /// <summary>All of a version.</summary>
    public static IEnumerable<OpenApiOperation> Of(string version) => TrafficResource.All.SelectMany(resource => Of(resource, version));

    /// <summary>Those in the path, then those of the query.</summary>
    public IEnumerable<OpenApiParameter> AllParameters => new[] { OpenApiParameter.ObjectName, OpenApiParameter.Namespace }
        .Where(parameter => Path.Contains($"{{{parameter.Name}}}", StringComparison.Ordinal))
        .Concat(Parameters);

    private static IEnumerable<OpenApiOperation> Of(TrafficResource resource, string version)
    {
        string id = $"MetricsSmiSpecIo{char.ToUpperInvariant(version[0])}{version[1..]}";
        string scope = resource.Namespaced ? "Namespaced" : "";
        string path = $"{(resource.Namespaced ? "/namespaces/{namespace}" : "")}/{resource.Name}";
        IReadOnlyList<OpenApiParameter> traffic = resource == TrafficResource.Meshes ? [] : OpenApiParameter.OfTraffic;
        IReadOnlyList<OpenApiParameter> sides = resource == TrafficResource.Graph ? [OpenApiParameter.Side] : [];
        Type list = resource == TrafficResource.Meshes ? typeof(MeshList) : typeof(TrafficMetricsList);
        OpenApiOperation all = new(
            path,
            $"list{id}{scope}{resource.Kind}",
            "list",
            resource.Kind,
            $"list {All(resource)}",
            list,
            [.. traffic, .. sides, .. OpenApiParameter.OfLists, OpenApiParameter.Pretty]);
        yield return all;
        if (resource.Namespaced)
        {
            yield return all with
            {
                Path = "/" + resource.Name,
                Id = $"list{id}{resource.Kind}ForAllNamespaces",
                Description = $"{all.Description}, in all namespaces",
            };
        }

        if (resource.HasNames)
        {
            // Each share of a split is an object, so that one split is a list.
            Type answer = resource == TrafficResource.Meshes ? typeof(Mesh) : resource.IsSplit ? list : typeof(TrafficMetrics);
            IReadOnlyList<OpenApiParameter> ofList = resource.IsSplit ? OpenApiParameter.OfLists : [];
            yield return new(
                path + "/{name}",
                $"read{id}{scope}{resource.Kind}",
                "get",
                resource.Kind,
                $"read {One(resource)}",
                answer,
                [.. traffic, .. ofList, OpenApiParameter.Pretty]);
        }

        if (resource.HasEdges)
        {
            yield return new(
                $"{path}/{{name}}/{Wire.Edges}",
                $"read{id}{scope}{resource.Kind}Edges",
                "get",
                Discovery.ListKind(resource),
                $"read the golden metrics between one {resource.Kinds[0].Kind} and each of its peers",
                typeof(TrafficMetricsList),
                [.. traffic, OpenApiParameter.Direction, OpenApiParameter.Side, .. OpenApiParameter.OfLists, OpenApiParameter.Pretty]);
        }
    }

    private static string All(TrafficResource resource) =>
        resource == TrafficResource.Meshes ? "the meshes that are looked for, and how they were found"
        : resource == TrafficResource.Graph ? "the golden metrics between workloads and their peers: the graph of who calls whom"
        : resource == TrafficResource.Workloads ? "the golden metrics of workloads of every kind"
        : resource.IsSplit ? $"the golden metrics of each backend of objects of kind {resource.Kinds[0].Kind}"
        : $"the golden metrics of objects of kind {resource.Kinds[0].Kind}";

    private static string One(TrafficResource resource) =>
        resource == TrafficResource.Meshes ? "how a mesh was found"
        : resource == TrafficResource.Workloads ? "the golden metrics of one workload, which is called KIND.NAME"
        : resource.IsSplit ? $"the golden metrics of each backend of one {resource.Kinds[0].Kind}"
        : $"the golden metrics of one {resource.Kinds[0].Kind}";
}
