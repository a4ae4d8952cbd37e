using System.Text.Json.Nodes;

namespace SmiMetrics.Api;

/// <summary>
/// Puts the OpenAPI documents together. kube-apiserver takes from them what lies below <c>/apis/</c> and the definitions that this reaches;
/// <c>kubectl explain</c> finds a resource by the group, version and kind of its operations (v3) or of the definitions (v2).
/// </summary>
internal static class OpenApiDocument
{
    /// <summary>Both forms of an object are the same to OpenAPI.</summary>
    private static readonly string[] MediaTypes = [Answer.Json, Answer.Yaml];

    /// <summary>Swagger 2.0, with all versions of the API in it.</summary>
    public static JsonObject V2()
    {
        JsonObject paths = [];
        JsonObject definitions = [];
        foreach (string version in TrafficApi.Versions)
        {
            AddPaths(paths, version, OpenApiDialect.V2);
            AddDefinitions(definitions, version, OpenApiDialect.V2);
        }

        return new JsonObject { ["swagger"] = "2.0", ["info"] = Head(), ["paths"] = paths, ["definitions"] = definitions };
    }

    /// <summary>OpenAPI 3.0 of one version of the API.</summary>
    public static JsonObject V3(string version)
    {
        JsonObject paths = [];
        JsonObject schemas = [];
        AddPaths(paths, version, OpenApiDialect.V3);
        AddDefinitions(schemas, version, OpenApiDialect.V3);
        JsonObject parameters = [];
        foreach (OpenApiParameter parameter in OpenApiOperation.Of(version).SelectMany(operation => operation.AllParameters).Distinct())
        {
            parameters.Add(parameter.Name, parameter.Write(OpenApiDialect.V3));
        }

        return new JsonObject
        {
            ["openapi"] = "3.0.0",
            ["info"] = Head(),
            ["paths"] = paths,
            ["components"] = new JsonObject { ["schemas"] = schemas, ["parameters"] = parameters },
        };
    }

    /// <summary>Where the documents of OpenAPI 3.0 are, each by the hash that it has now.</summary>
    public static JsonObject V3Root(Func<string, string> hash)
    {
        JsonObject paths = [];
        foreach (string version in TrafficApi.Versions)
        {
            string path = $"apis/{TrafficApi.Group}/{version}";
            paths.Add(path, new JsonObject { ["serverRelativeURL"] = $"/openapi/v3/{path}?hash={hash(version)}" });
        }

        return new JsonObject { ["paths"] = paths };
    }

    private static JsonObject Head() => new()
    {
        ["title"] = "SMI Metrics",
        ["description"] = "Golden metrics of any service mesh, as a Kubernetes API.",
        ["version"] = TrafficApi.Versions[0],
    };

    private static void AddDefinitions(JsonObject definitions, string version, OpenApiDialect dialect)
    {
        foreach (OpenApiSchema schema in OpenApiSchemas.All)
        {
            definitions.Add(OpenApiName.Of(version, schema.Name), schema.Write(version, dialect));
        }

        foreach (OpenApiFormat format in OpenApiSchemas.Formats)
        {
            definitions.Add(OpenApiName.Of(version, format.Name), format.Write());
        }
    }

    private static void AddPaths(JsonObject paths, string version, OpenApiDialect dialect)
    {
        foreach (OpenApiOperation operation in OpenApiOperation.Of(version))
        {
            paths.Add($"/apis/{TrafficApi.Group}/{version}{operation.Path}", new JsonObject { ["get"] = Write(operation, version, dialect) });
        }
    }

    private static JsonObject Write(OpenApiOperation operation, string version, OpenApiDialect dialect)
    {
        JsonObject written = new()
        {
            ["description"] = operation.Description,
            ["operationId"] = operation.Id,
            ["tags"] = new JsonArray($"metricsSmiSpecIo_{version}"),
            ["parameters"] = new JsonArray([.. operation.AllParameters.Select(parameter => dialect == OpenApiDialect.V2
                // kube-apiserver does not take a document's common parameters along.
                ? parameter.Write(dialect)
                : new JsonObject { ["$ref"] = $"#/components/parameters/{parameter.Name}" })]),
            ["responses"] = new JsonObject
            {
                ["200"] = Response("OK", operation.Answer, version, dialect),
                ["default"] = Response("Why there is no answer", typeof(Status), version, dialect),
            },
            ["x-kubernetes-action"] = operation.Action,
            ["x-kubernetes-group-version-kind"] = OpenApiName.GroupVersionKind(version, operation.Kind),
        };
        if (dialect == OpenApiDialect.V2)
        {
            written["produces"] = new JsonArray([.. MediaTypes.Select(type => (JsonNode)type)]);
            written["schemes"] = new JsonArray("https");
        }

        return written;
    }

    private static JsonObject Response(string description, Type answer, string version, OpenApiDialect dialect)
    {
        JsonObject Schema() => new() { ["schema"] = OpenApiName.Reference(version, dialect, OpenApiSchemas.Of(answer).Name, alone: true) };
        JsonObject response = dialect == OpenApiDialect.V2
            ? Schema()
            : new JsonObject { ["content"] = new JsonObject(MediaTypes.Select(type => KeyValuePair.Create(type, (JsonNode?)Schema()))) };
        response["description"] = description;
        return response;
    }
}
