using System.Text.Json;
using System.Text.Json.Serialization;

namespace SmiMetrics.Kubernetes;

/// <summary>
/// Any object of the Kubernetes API, reduced to the fields that we keep of some kind; the reader skips the rest. It lives no
/// longer than the page or the line that it came in.
/// </summary>
internal sealed class KubeObject
{
    public KubeMetadata? Metadata { get; set; }

    /// <summary>Of a pod.</summary>
    public KubePodSpec? Spec { get; set; }

    /// <summary>Of a pod.</summary>
    [JsonConverter(typeof(KubePodStatusConverter))]
    public KubePodStatus? Status { get; set; }

    /// <summary>Of an EndpointSlice.</summary>
    public List<KubeEndpoint>? Endpoints { get; set; }

    /// <summary>Of a ConfigMap.</summary>
    public Dictionary<string, string>? Data { get; set; }

    /// <summary>Of a metav1.Status, which takes the object's place in an event of type ERROR and in the body of a failure.</summary>
    public int? Code { get; set; }

    /// <inheritdoc cref="Code"/>
    public string? Message { get; set; }
}

internal sealed class KubeMetadata
{
    public string? Namespace { get; set; }

    public string? Name { get; set; }

    public string? ResourceVersion { get; set; }

    /// <summary>Of a list: the token that asks for the next page.</summary>
    public string? Continue { get; set; }

    public Dictionary<string, string>? Labels { get; set; }

    public List<KubeOwnerReference>? OwnerReferences { get; set; }
}

internal sealed class KubeOwnerReference
{
    public string? ApiVersion { get; set; }

    public string? Kind { get; set; }

    public string? Name { get; set; }

    public bool? Controller { get; set; }
}

internal sealed class KubePodSpec
{
    public string? NodeName { get; set; }

    public List<KubeContainer>? Containers { get; set; }

    public List<KubeContainer>? InitContainers { get; set; }
}

internal sealed class KubeContainer
{
    public string? Name { get; set; }

    /// <summary><c>Always</c> makes an init container a native sidecar; others have none.</summary>
    public string? RestartPolicy { get; set; }

    public List<KubeContainerPort>? Ports { get; set; }
}

internal sealed class KubeContainerPort
{
    public string? Name { get; set; }

    public int ContainerPort { get; set; }
}

internal sealed class KubePodStatus
{
    public string? Phase { get; set; }

    [JsonPropertyName("podIP")]
    public string? PodIp { get; set; }
}

internal sealed class KubeEndpoint
{
    public KubeTargetReference? TargetRef { get; set; }
}

internal sealed class KubeTargetReference
{
    public string? Kind { get; set; }

    public string? Name { get; set; }
}

internal sealed class KubeList
{
    public KubeMetadata? Metadata { get; set; }

    public List<KubeObject>? Items { get; set; }
}

internal sealed class KubeEvent
{
    public string? Type { get; set; }

    public KubeObject? Object { get; set; }
}

/// <summary>The field <c>status</c> is an object in a pod, but in a metav1.Status it is the text <c>Failure</c>.</summary>
internal sealed class KubePodStatusConverter : JsonConverter<KubePodStatus>
{
    public override KubePodStatus? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            return JsonSerializer.Deserialize(ref reader, KubeJson.Default.KubePodStatus);
        }

        reader.Skip();
        return null;
    }

    public override void Write(Utf8JsonWriter writer, KubePodStatus value, JsonSerializerOptions options) =>
        throw new NotSupportedException("Objects are only read.");
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(KubeList))]
[JsonSerializable(typeof(KubeEvent))]
[JsonSerializable(typeof(KubePodStatus))]
internal sealed partial class KubeJson : JsonSerializerContext;
