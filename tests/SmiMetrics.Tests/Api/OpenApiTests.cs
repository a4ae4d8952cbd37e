using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using SmiMetrics.Api;
using SmiMetrics.Kubernetes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Api;

public sealed partial class OpenApiTests
{
    private const string ProtobufV2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

    /// <summary>Lists of resources without edges: kinds of which discovery says nothing.</summary>
    private static readonly string[] OnlyListed = ["HTTPRouteTrafficMetricsList", "MeshList", "TrafficEdgeList", "TrafficMetricsList", "TrafficSplitTrafficMetricsList"];

    public static TheoryData<string> Documented => ["v2", "v3/apis/metrics.smi-spec.io/v1alpha1", "v3/apis/metrics.smi-spec.io/v1alpha2"];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_field_on_the_wire_has_its_words_and_every_word_its_field()
    {
        foreach (OpenApiSchema schema in OpenApiSchemas.All)
        {
            Assert.Equal(
                ApiJson.Default.GetTypeInfo(schema.Type)!.Properties.Select(property => $"{schema.Name}.{property.Name}").Order(),
                schema.Fields.Select(field => $"{schema.Name}.{field}").Order());
        }
    }

    [Fact]
    public void Every_type_on_the_wire_is_documented_and_nothing_else()
    {
        HashSet<Type> reached = [];
        foreach (Type type in new[] { typeof(TrafficMetrics), typeof(TrafficMetricsList), typeof(Mesh), typeof(MeshList), typeof(Status) })
        {
            Reach(type);
        }

        Assert.Equal(reached.Select(type => type.Name).Order(), OpenApiSchemas.All.Select(schema => schema.Type.Name).Order());

        void Reach(Type type)
        {
            JsonTypeInfo info = ApiJson.Default.GetTypeInfo(type)!;
            if (info.ElementType is { } element)
            {
                Reach(element);
            }
            else if (info.Kind == JsonTypeInfoKind.Object && reached.Add(type))
            {
                foreach (JsonPropertyInfo property in info.Properties)
                {
                    Reach(property.PropertyType);
                }
            }
        }
    }

    [Fact]
    public void Every_description_is_a_sentence()
    {
        IEnumerable<string> descriptions = OpenApiSchemas.All
            .SelectMany(schema => schema.Fields.Select(field => schema[field].Description).Prepend(schema.Description))
            .Concat(OpenApiSchemas.Formats.Select(format => format.Description))
            .Concat(OpenApiOperation.Of("v1alpha2").SelectMany(operation => operation.AllParameters).Select(parameter => parameter.Description));
        Assert.All(descriptions, text => Assert.Matches(@"^[\w0-9].*\.$", text.Replace('\n', ' ')));
    }

    [Fact]
    public void The_annotations_are_told_with_all_their_values()
    {
        string words = OpenApiSchemas.Of(typeof(ObjectMeta))["annotations"].Description;
        Assert.All(
            [.. Enum.GetNames<TrafficState>(), .. Enum.GetNames<Side>()],
            value => Assert.Contains(value.ToLowerInvariant(), words));
    }

    [Theory]
    [MemberData(nameof(Documented))]
    public async Task Every_reference_leads_somewhere_and_every_definition_is_referred_to(string path)
    {
        JsonNode document = await ReadAsync(path);
        string[] references = [.. Everything(document).Where(pair => pair.Name == "$ref").Select(pair => (string)pair.Value!).Distinct()];
        Assert.All(references, reference =>
            Assert.NotNull(reference.Split('/').Skip(1).Aggregate((JsonNode?)document, (node, name) => node?[name])));
        Assert.Equal(
            [.. new[] { "definitions", "components/schemas", "components/parameters" }.SelectMany(place =>
                (place.Split('/').Aggregate((JsonNode?)document, (node, name) => node?[name])?.AsObject() ?? []).Select(pair => $"#/{place}/{pair.Key}")).Order()],
            references.Order());
    }

    [Theory]
    [MemberData(nameof(Documented))]
    public async Task Every_path_has_a_parameter_for_each_of_its_braces(string path)
    {
        JsonNode document = await ReadAsync(path);
        foreach ((string template, JsonNode? item) in document["paths"]!.AsObject())
        {
            JsonNode[] parameters = [.. item!["get"]!["parameters"]!.AsArray().Select(parameter =>
                parameter!["$ref"] is { } reference ? document["components"]!["parameters"]![((string)reference!).Split('/')[^1]]! : parameter)];
            Assert.Equal(
                Braces().Matches(template).Select(match => match.Groups[1].Value).Order(),
                parameters.Where(parameter => (string?)parameter["in"] == "path").Select(parameter => (string)parameter["name"]!).Order());
            Assert.All(parameters, parameter => Assert.Equal((string?)parameter["in"] == "path", (bool?)parameter["required"] ?? false));
        }
    }

    [Theory]
    [InlineData("v2", "v1alpha1")]
    [InlineData("v2", "v1alpha2")]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha1", "v1alpha1")]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha2", "v1alpha2")]
    public async Task Every_resource_of_discovery_has_its_paths_and_its_kinds_and_there_are_no_others(string path, string version)
    {
        JsonNode document = await ReadAsync(path);
        string root = $"/apis/metrics.smi-spec.io/{version}";
        List<string> expected = [];
        foreach (ApiResource resource in Discovery.Resources(version).Resources)
        {
            string[] parts = resource.Name.Split('/');
            string scope = root + (resource.Namespaced ? "/namespaces/{namespace}" : "");
            if (parts is [var name, var sub])
            {
                expected.Add($"{scope}/{name}/{{name}}/{sub} get {resource.Kind}");
                continue;
            }

            foreach (string verb in resource.Verbs)
            {
                expected.Add($"{scope}/{resource.Name}{(verb == "get" ? "/{name}" : "")} {verb} {resource.Kind}");
                if (verb == "list" && resource.Namespaced)
                {
                    expected.Add($"{root}/{resource.Name} list {resource.Kind}");
                }
            }
        }

        KeyValuePair<string, JsonNode?>[] operations = [.. document["paths"]!.AsObject().Where(pair => pair.Key.StartsWith(root, StringComparison.Ordinal))];
        Assert.Equal(
            expected.Order(StringComparer.Ordinal),
            operations.Select(pair => $"{pair.Key} {pair.Value!["get"]!["x-kubernetes-action"]} {KindOf(pair.Value)}").Order(StringComparer.Ordinal));

        // kubectl finds a schema by the kind, kube-apiserver refuses a kind that two schemas claim.
        string[] kinds =
        [
            .. (document["definitions"] ?? document["components"]!["schemas"])!.AsObject()
                .SelectMany(definition => definition.Value!["x-kubernetes-group-version-kind"]?.AsArray() ?? [])
                .Where(kind => (string?)kind!["version"] == version)
                .Select(kind => (string)kind!["kind"]!),
        ];
        Assert.Equal(kinds.Length, kinds.Distinct().Count());
        Assert.Superset(operations.Select(pair => KindOf(pair.Value!)).ToHashSet(), kinds.ToHashSet());
        string[] ownResources = path == "v2" ? [.. ResourceKind.Watched.Select(kind => kind.Kind)] : [];
        Assert.Equal(
            [.. Discovery.Resources(version).Resources.Select(resource => resource.Kind).Concat(ownResources).Concat(OnlyListed).Distinct().Order()],
            kinds.Order());

        static string KindOf(JsonNode pathItem) => (string)pathItem["get"]!["x-kubernetes-group-version-kind"]!["kind"]!;
    }

    [Fact]
    public async Task No_two_operations_have_one_name()
    {
        string[] names = [.. Everything(await ReadAsync("v2")).Where(pair => pair.Name == "operationId").Select(pair => (string)pair.Value!)];
        Assert.Equal(names.Length, names.Distinct().Count());
    }

    /// <summary>The golden answers are what is really sent.</summary>
    [Fact]
    public async Task Every_answer_is_as_its_schema_says()
    {
        JsonNode document = await ReadAsync("v3/apis/metrics.smi-spec.io/v1alpha2");
        JsonObject schemas = document["components"]!["schemas"]!.AsObject();
        HashSet<string> seen = [];
        foreach (string file in Directory.GetFiles(Path.Combine(Path.GetDirectoryName(Here())!, "..", "testdata", "api"), "*.golden"))
        {
            JsonNode? answer = JsonNode.Parse(await File.ReadAllTextAsync(file, Token));
            string name = $"io.smi-spec.metrics.v1alpha2.{answer!["kind"]}";
            if (schemas.ContainsKey(name))
            {
                seen.Add((string)answer["kind"]!);
                Check(answer, schemas[name]!, schemas, Path.GetFileName(file));
            }
        }

        Assert.Superset(new HashSet<string> { "TrafficMetrics", "TrafficMetricsList", "Mesh", "MeshList", "Status" }, seen);
    }

    [Theory]
    [InlineData("v2", "openapi-v2")]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha1", "openapi-v3-v1alpha1")]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha2", "openapi-v3-v1alpha2")]
    public async Task A_document_has_this_text(string path, string golden) =>
        Golden.Verify($"api/{golden}", Documents.Pretty((await ReadAsync(path)).ToJsonString()));

    [Theory]
    [InlineData("v2", "", true)]
    [InlineData("v2", "*/*", true)]
    [InlineData("v2", "application/json", true)]
    [InlineData("v2", "application/json, */*", true)]
    [InlineData("v2", ProtobufV2 + ",application/json", true)]
    [InlineData("v2", ProtobufV2, false)]
    [InlineData("v3", "application/json, */*", true)]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha2", "application/json", true)]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha2", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf", false)]
    public async Task Documents_are_JSON(string path, string accept, bool acceptable)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using HttpResponseMessage response = await AskAsync(server, path, accept, null);
        Assert.Equal(acceptable ? HttpStatusCode.OK : HttpStatusCode.NotAcceptable, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.GetValues("Content-Type").Single());
        if (acceptable)
        {
            Assert.Equal(["Accept"], response.Headers.Vary);
            Assert.Matches("^\"[0-9A-F]{128}\"$", response.Headers.GetValues("ETag").Single());
        }
    }

    [Theory]
    [InlineData("v2")]
    [InlineData("v3")]
    [InlineData("v3/apis/metrics.smi-spec.io/v1alpha2")]
    public async Task Who_has_the_document_is_not_sent_it_again(string path)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using HttpResponseMessage first = await AskAsync(server, path, "application/json", null);
        string tag = first.Headers.GetValues("ETag").Single();
        foreach (string own in new[] { tag, $"W/{tag}", $"\"x\", {tag}", "*" })
        {
            using HttpResponseMessage again = await AskAsync(server, path, "application/json", own);
            Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        }

        using HttpResponseMessage other = await AskAsync(server, path, "application/json", "\"x\"");
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task A_document_asked_for_by_its_hash_may_be_kept_for_good()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        JsonNode root = JsonNode.Parse(await server.Client.GetStringAsync("/openapi/v3", Token))!;
        foreach (string version in new[] { "v1alpha1", "v1alpha2" })
        {
            string url = (string)root["paths"]![$"apis/metrics.smi-spec.io/{version}"]!["serverRelativeURL"]!;
            Assert.StartsWith($"/openapi/v3/apis/metrics.smi-spec.io/{version}?hash=", url);
            using HttpResponseMessage right = await server.Client.GetAsync(new Uri(url, UriKind.Relative), Token);
            Assert.Equal(["public, immutable"], right.Headers.GetValues("Cache-Control"));
            Assert.Equal($"\"{url.Split('=')[1]}\"", right.Headers.GetValues("ETag").Single());
            Assert.InRange(right.Content.Headers.Expires!.Value, TimeProvider.System.GetUtcNow().AddDays(364), TimeProvider.System.GetUtcNow().AddDays(367));

            // Not redirected: kube-apiserver would make 502 of that.
            using HttpResponseMessage wrong = await server.Client.GetAsync(new Uri(url[..^1] + "x", UriKind.Relative), Token);
            Assert.Equal(HttpStatusCode.OK, wrong.StatusCode);
            Assert.Equal(["no-cache, private"], wrong.Headers.GetValues("Cache-Control"));
            Assert.Null(wrong.Content.Headers.Expires);
        }
    }

    /// <summary>Whether a value is what a schema says, as far as these schemas say anything.</summary>
    private static void Check(JsonNode? value, JsonNode schema, JsonObject schemas, string where)
    {
        string? reference = (string?)(schema["$ref"] ?? schema["allOf"]?[0]!["$ref"]);
        if (value is null)
        {
            Assert.True((bool?)schema["nullable"] == true, $"{where}: null");
        }
        else if (reference is not null)
        {
            Check(value, schemas[reference.Split('/')[^1]]!, schemas, where);
        }
        else if (value is JsonObject fields && schema["additionalProperties"] is { } each)
        {
            Assert.All(fields, field => Check(field.Value, each, schemas, $"{where}.{field.Key}"));
        }
        else if (value is JsonObject properties)
        {
            Assert.Equal("object", (string?)schema["type"]);
            Assert.All(properties, field => Check(
                field.Value, schema["properties"]![field.Key] ?? throw new KeyNotFoundException($"{where}.{field.Key}"), schemas, $"{where}.{field.Key}"));
            Assert.Superset((schema["required"]?.AsArray() ?? []).Select(name => (string)name!).ToHashSet(), properties.Select(field => field.Key).ToHashSet());
        }
        else if (value is JsonArray items)
        {
            Assert.Equal("array", (string?)schema["type"]);
            Assert.All(items, item => Check(item, schema["items"]!, schemas, where + "[]"));
        }
        else
        {
            string expected = value.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.String => "string",
                System.Text.Json.JsonValueKind.Number => "integer",
                _ => "boolean",
            };
            Assert.True(expected == (string?)schema["type"], $"{where}: {value} is no {schema["type"]}");
            if (schema["enum"] is JsonArray choices)
            {
                Assert.Contains((string)value!, choices.Select(choice => (string)choice!));
            }
        }
    }

    private static IEnumerable<(string Name, JsonNode? Value)> Everything(JsonNode? node) => node switch
    {
        JsonObject fields => fields.SelectMany(field => Everything(field.Value).Prepend((field.Key, field.Value))),
        JsonArray items => items.SelectMany(Everything),
        _ => [],
    };

    private static async Task<JsonNode> ReadAsync(string path)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        return JsonNode.Parse(await server.Client.GetStringAsync("/openapi/" + path, Token))!;
    }

    private static async Task<HttpResponseMessage> AskAsync(ServerUnderTest server, string path, string accept, string? tag)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, "/openapi/" + path);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        request.Headers.TryAddWithoutValidation("If-None-Match", tag);
        return await server.Client.SendAsync(request, Token);
    }

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Braces();
}
