using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace SmiMetrics.Api;

/// <summary>The two ways to write OpenAPI. They differ in where things lie and in how parameters and answers are typed.</summary>
internal enum OpenApiDialect
{
    /// <summary>Swagger 2.0, which kube-apiserver merges with its own and all older kubectl read.</summary>
    V2,

    /// <summary>OpenAPI 3.0, one document for each version of the API.</summary>
    V3,
}

/// <summary>
/// What a type on the wire means. Which fields it has, of which types, and which are always there is not said here but read from what
/// serialises it, so that only words can be missing; a test finds those.
/// </summary>
/// <param name="Type">The type that is serialised.</param>
/// <param name="Name">What callers know it as.</param>
internal sealed record OpenApiSchema(Type Type, string Name, string Description)
{
    private readonly Dictionary<string, OpenApiField> _fields = [];

    /// <summary>The words on a field, by its name on the wire.</summary>
    public OpenApiField this[string field]
    {
        get => _fields[field];
        init => _fields.Add(field, value);
    }

    /// <summary>The fields that there are words on.</summary>
    public IReadOnlyCollection<string> Fields => _fields.Keys;

    /// <summary>The kinds of discovery whose objects are of this type; none for what is only a part of these.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>
    /// Further kinds, for the older dialect alone. Where it is all that kubectl has, <c>explain deployments --api-version=metrics.smi-spec.io/…</c>
    /// looks for the kind that Kubernetes' own resource of the name has, in the group that it was told.
    /// </summary>
    public IReadOnlyList<string> ExplainedAs { get; init; } = [];

    /// <summary>The definition, for a document of this version of the API.</summary>
    public JsonObject Write(string version, OpenApiDialect dialect)
    {
        JsonObject properties = [];
        JsonArray always = [];
        foreach (JsonPropertyInfo property in ApiJson.Default.GetTypeInfo(Type)!.Properties)
        {
            OpenApiField field = this[property.Name];
            JsonObject schema = field.Format is { } format
                ? OpenApiName.Reference(version, dialect, format)
                : Shape(property.PropertyType, version, dialect);
            schema["description"] = field.Description;
            if (field.Choices is { } choices)
            {
                schema["enum"] = Texts(choices);
            }

            if (field.MayBeNull && dialect == OpenApiDialect.V3)
            {
                schema["nullable"] = true;
            }

            properties.Add(property.Name, schema);
            if (!property.IsGetNullable)
            {
                always.Add((JsonNode)property.Name);
            }
        }

        JsonObject definition = new() { ["description"] = Description, ["type"] = "object" };
        if (always.Count > 0)
        {
            definition["required"] = always;
        }

        definition["properties"] = properties;
        string[] kinds = dialect == OpenApiDialect.V2 ? [.. Kinds, .. ExplainedAs] : [.. Kinds];
        if (kinds.Length > 0)
        {
            definition["x-kubernetes-group-version-kind"] = new JsonArray([.. kinds.Select(kind => OpenApiName.GroupVersionKind(version, kind))]);
        }

        return definition;
    }

    private static JsonObject Shape(Type type, string version, OpenApiDialect dialect)
    {
        JsonTypeInfo info = ApiJson.Default.GetTypeInfo(Nullable.GetUnderlyingType(type) ?? type)!;
        return info.Kind switch
        {
            JsonTypeInfoKind.Enumerable => new() { ["type"] = "array", ["items"] = ItemOf(info.ElementType!, version, dialect) },
            JsonTypeInfoKind.Dictionary => new() { ["type"] = "object", ["additionalProperties"] = ItemOf(info.ElementType!, version, dialect) },
            JsonTypeInfoKind.Object => OpenApiName.Reference(version, dialect, OpenApiSchemas.Of(type).Name),
            _ when type == typeof(string) => new() { ["type"] = "string" },
            _ when info.Type == typeof(bool) => new() { ["type"] = "boolean" },
            _ when info.Type == typeof(int) => new() { ["type"] = "integer", ["format"] = "int32" },
            _ when info.Type == typeof(long) => new() { ["type"] = "integer", ["format"] = "int64" },
            _ => throw new NotSupportedException($"OpenAPI of {type}"),
        };
    }

    /// <summary>Within lists a reference can stand alone: no words of its own go with it.</summary>
    private static JsonObject ItemOf(Type type, string version, OpenApiDialect dialect) =>
        ApiJson.Default.GetTypeInfo(type)!.Kind == JsonTypeInfoKind.Object
            ? OpenApiName.Reference(version, dialect, OpenApiSchemas.Of(type).Name, alone: true)
            : Shape(type, version, dialect);

    private static JsonArray Texts(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);
}

/// <summary>The words on a field.</summary>
internal sealed record OpenApiField(string Description)
{
    /// <summary>For a string in a form of its own: the <see cref="OpenApiFormat"/> that tells it.</summary>
    public string? Format { get; init; }

    /// <summary>All values that there are; null for any.</summary>
    public IReadOnlyList<string>? Choices { get; init; }

    /// <summary>Whether null is written where others would be absent.</summary>
    public bool MayBeNull { get; init; }

    public static implicit operator OpenApiField(string description) => new(description);

    /// <summary>A value of this enumeration, in lower case.</summary>
    public static OpenApiField OneOf<T>(string description) where T : struct, Enum =>
        new(description) { Choices = ValuesOf<T>() };

    /// <summary>The values of an enumeration as they are written.</summary>
    public static IReadOnlyList<string> ValuesOf<T>() where T : struct, Enum => [.. Enum.GetNames<T>().Select(name => name.ToLowerInvariant())];
}

/// <summary>A string in a form that has a name.</summary>
/// <param name="Format">As OpenAPI names it, where it does.</param>
internal sealed record OpenApiFormat(string Name, string? Format, string Description)
{
    public JsonObject Write()
    {
        JsonObject definition = new() { ["description"] = Description, ["type"] = "string" };
        if (Format is not null)
        {
            definition["format"] = Format;
        }

        return definition;
    }
}

/// <summary>Names within a document.</summary>
internal static class OpenApiName
{
    /// <summary>
    /// Of a definition: nobody else's, because kube-apiserver puts those of all its servers into one document. Kubernetes' own
    /// (<c>io.k8s.apimachinery…</c>) are left alone for the same reason: what is emitted here is a part of them.
    /// </summary>
    public static string Of(string version, string name) => $"io.smi-spec.metrics.{version}.{name}";

    /// <param name="alone">Whether nothing will be said beside it. OpenAPI 3.0 lets nothing stand beside a reference.</param>
    public static JsonObject Reference(string version, OpenApiDialect dialect, string name, bool alone = false)
    {
        JsonObject reference = new() { ["$ref"] = $"#/{(dialect == OpenApiDialect.V2 ? "definitions" : "components/schemas")}/{Of(version, name)}" };
        return alone || dialect == OpenApiDialect.V2 ? reference : new JsonObject { ["allOf"] = new JsonArray(reference) };
    }

    public static JsonObject GroupVersionKind(string version, string kind) => new()
    {
        ["group"] = TrafficApi.Group,
        ["kind"] = kind,
        ["version"] = version,
    };
}
