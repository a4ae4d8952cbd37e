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

    /// <summary>Of a pod, a TrafficSplit or an HTTPRoute.</summary>
    public KubeSpec? Spec { get; set; }

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

internal sealed class KubeSpec
{
    public string? NodeName { get; set; }

    public List<KubeContainer>? Containers { get; set; }

    public List<KubeContainer>? InitContainers { get; set; }

    /// <summary>Of a TrafficSplit: the apex.</summary>
    public string? Service { get; set; }

    /// <summary>Of a TrafficSplit.</summary>
    public List<KubeBackend>? Backends { get; set; }

    /// <summary>Of an HTTPRoute.</summary>
    public List<KubeReference>? ParentRefs { get; set; }

    /// <summary>Of an HTTPRoute.</summary>
    public List<KubeRouteRule>? Rules { get; set; }
}

/// <summary>A backend of a TrafficSplit (smi-sdk-go <c>pkg/apis/split</c>), or of an HTTPRoute's rule (gateway-api <c>apis/v1/httproute_types.go</c>).</summary>
internal sealed class KubeBackend
{
    /// <summary>Of a TrafficSplit's.</summary>
    public string? Service { get; set; }

    /// <summary>Of a rule's.</summary>
    public string? Name { get; set; }

    public string? Namespace { get; set; }

    public string? Kind { get; set; }

    /// <summary>A number, but in split.smi-spec.io/v1alpha1 a quantity, which may be a text: <c>500m</c>.</summary>
    public JsonElement Weight { get; set; }
}

internal sealed class KubeReference
{
    public string? Kind { get; set; }

    public string? Name { get; set; }

    public string? Namespace { get; set; }
}

internal sealed class KubeRouteRule
{
    public List<KubeBackend>? BackendRefs { get; set; }
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
