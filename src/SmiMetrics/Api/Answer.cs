using System.Buffers;
using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Primitives;

namespace SmiMetrics.Api;

/// <summary>Writes documents with the conventions of every Kubernetes API server (apiserver <c>pkg/endpoints/handlers/responsewriters/writers.go</c>).</summary>
internal static class Answer
{
    public const string Json = "application/json";
    public const string Yaml = "application/yaml";

    /// <summary>Smaller bodies are not worth the work.</summary>
    private const int CompressFrom = 128 * 1024;

    /// <summary>kubectl prints each; more would be no help.</summary>
    private const int MostWarnings = 5;

    /// <summary>The media type that a clause gets; null where it takes none of ours.</summary>
    public static string? MediaTypeFor(AcceptClause clause) =>
        clause.TakesJson ? Json : clause.Takes("application", "yaml") ? Yaml : null;

    /// <param name="document">Of a type that <see cref="ApiJson"/> knows.</param>
    public static async Task WriteAsync(HttpContext context, int code, object document)
    {
        string mediaType = Negotiation.Clauses(context.Request).Select(MediaTypeFor).FirstOrDefault(type => type is not null) ?? Json;
        using ChunkedBuffer body = new();

        // Quotes in messages stay readable: nothing that reads JSON as JSON needs them escaped twice.
        JsonWriterOptions format = new() { Indented = WantsPretty(context.Request), Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        await using (Utf8JsonWriter writer = new(body, format))
        {
            JsonSerializer.Serialize(writer, document, ApiJson.Default.GetTypeInfo(document.GetType())!);
        }

        body.Write("\n"u8);
        HttpResponse response = context.Response;
        response.StatusCode = code;
        response.ContentType = mediaType;
        response.Headers.CacheControl = "no-cache, private";
        response.Headers.XContentTypeOptions = "nosniff";
        await (mediaType == Yaml
            ? SendAsync(context, YamlText.Of(body.ToArray()))
            : SendAsync(context, body.Length, stream => body.CopyToAsync(stream, context.RequestAborted)));
    }

    /// <summary>Has kubectl print these beside the answer, as lines <c>Warning: …</c> (apimachinery <c>pkg/util/net/http.go</c>, NewWarningHeader).</summary>
    public static void Warn(HttpResponse response, IEnumerable<string> warnings)
    {
        foreach (string warning in warnings.Take(MostWarnings))
        {
            // A header has no other letters.
            string text = string.Concat(warning.Select(c => c is < ' ' or > '~' ? "?" : c is '"' or '\\' ? $"\\{c}" : $"{c}"));
            response.Headers.Append("Warning", $"299 - \"{text}\"");
        }
    }

    /// <summary>Sends a body whose head is ready, compressed if it is large and the caller takes that.</summary>
    public static Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body) =>
        SendAsync(context, body.Length, stream => stream.WriteAsync(body, context.RequestAborted).AsTask());

    private static async Task SendAsync(HttpContext context, long length, Func<Stream, Task> copy)
    {
        HttpResponse response = context.Response;
        if (length <= CompressFrom || !TakesGzip(context.Request))
        {
            response.ContentLength = length;
            await copy(response.Body);
            return;
        }

        response.Headers.ContentEncoding = "gzip";
        response.Headers.Append("Vary", "Accept-Encoding");
        // The first level, as in Go: the network is near, and the next would cost more time than it saves.
        await using GZipStream compressed = new(response.Body, CompressionLevel.Fastest, leaveOpen: true);
        await copy(compressed);
    }

    private static bool TakesGzip(HttpRequest request) =>
        request.GetTypedHeaders().AcceptEncoding.Any(encoding => encoding.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase) && encoding.Quality is not 0);

    private static bool WantsPretty(HttpRequest request)
    {
        if (request.Query.TryGetValue("pretty", out StringValues pretty))
        {
            return Parameters.IsTrue(pretty);
        }

        string agent = request.Headers.UserAgent.ToString();
        return agent.StartsWith("curl", StringComparison.Ordinal)
            || agent.StartsWith("Wget", StringComparison.Ordinal)
            || agent.StartsWith("Mozilla/5.0", StringComparison.Ordinal);
    }
}
