using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Primitives;

namespace SmiMetrics.Api;

/// <summary>Writes documents with the conventions of every Kubernetes API server.</summary>
internal static class Answer
{
    public static async Task WriteAsync<T>(HttpContext context, int code, T document, JsonTypeInfo<T> type)
    {
        HttpResponse response = context.Response;
        response.StatusCode = code;
        response.ContentType = "application/json";
        response.Headers.CacheControl = "no-cache, private";
        response.Headers.XContentTypeOptions = "nosniff";

        // Quotes in messages stay readable: nothing that reads JSON as JSON needs them escaped twice.
        JsonWriterOptions format = new() { Indented = WantsPretty(context.Request), Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        await using (Utf8JsonWriter writer = new(response.BodyWriter, format))
        {
            JsonSerializer.Serialize(writer, document, type);
        }

        response.BodyWriter.Write("\n"u8);
        await response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    /// <summary>As Kubernetes reads a boolean parameter: anything but absent, <c>false</c> and <c>0</c> is true, even nothing.</summary>
    public static bool IsTrue(StringValues parameter) => parameter.Count > 0 && parameter[0] is not ("false" or "0");

    private static bool WantsPretty(HttpRequest request)
    {
        if (request.Query.TryGetValue("pretty", out StringValues pretty))
        {
            return IsTrue(pretty);
        }

        string agent = request.Headers.UserAgent.ToString();
        return agent.StartsWith("curl", StringComparison.Ordinal)
            || agent.StartsWith("Wget", StringComparison.Ordinal)
            || agent.StartsWith("Mozilla/5.0", StringComparison.Ordinal);
    }
}
