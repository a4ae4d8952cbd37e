using System.Buffers;
using System.IO.Compression;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace SmiMetrics.Api;

/// <summary>Writes documents with the conventions of every Kubernetes API server (apiserver <c>pkg/endpoints/handlers/responsewriters/writers.go</c>).</summary>
internal static class Answer
{
    public const string Json = "application/json";
    public const string Yaml = "application/yaml";

    /// <summary>Smaller bodies are not worth the work.</summary>
    private const int CompressFrom = 128 * 1024;

    /// <summary>No client lists more than a handful of encodings, in this many letters.</summary>
    private const int MostEncodings = 1024;

    /// <summary>kubectl prints each; more would be no help.</summary>
    private const int MostWarnings = 5;

    /// <summary>The media type that a clause gets; null where it takes none of ours.</summary>
    public static string? MediaTypeFor(AcceptClause clause) =>
        clause.TakesJson ? Json : clause.Takes("application", "yaml") ? Yaml : null;

    /// <param name="mediaType">What the caller takes, of the two that there are.</param>
    /// <param name="document">Of a type that <see cref="ApiJson"/> knows.</param>
    public static async Task WriteAsync(HttpContext context, int code, string mediaType, object document)
    {
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
        if (mediaType == Yaml)
        {
            byte[] yaml = YamlText.Of(body.ToArray());
            await SendAsync(context, yaml.Length, stream => stream.WriteAsync(yaml, context.RequestAborted).AsTask());
            return;
        }

        await SendAsync(context, body.Length, stream => body.CopyToAsync(stream, context.RequestAborted));
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

    /// <summary>Compresses a body that is sent more than once.</summary>
    public static byte[] Pack(byte[] body)
    {
        using MemoryStream packed = new();
        using (GZipStream stream = new(packed, CompressionLevel.Optimal))
        {
            stream.Write(body);
        }

        return packed.ToArray();
    }

    /// <summary>Sends a body whose head is ready, compressed if it is large and the caller takes that.</summary>
    /// <param name="packed">The same, compressed.</param>
    public static async Task SendAsync(HttpContext context, byte[] body, Lazy<byte[]> packed)
    {
        byte[] sent = IsWorthPacking(context, body.Length) ? packed.Value : body;
        context.Response.ContentLength = sent.Length;
        await context.Response.Body.WriteAsync(sent, context.RequestAborted);
    }

    private static async Task SendAsync(HttpContext context, long length, Func<Stream, Task> copy)
    {
        // While nothing has been sent, a time that is up is still an answer (504).
        context.RequestAborted.ThrowIfCancellationRequested();
        HttpResponse response = context.Response;
        if (!IsWorthPacking(context, length))
        {
            response.ContentLength = length;
            await copy(response.Body);
            return;
        }

        // The first level, as in Go: the network is near, and the next would cost more time than it saves.
        await using GZipStream compressed = new(response.Body, CompressionLevel.Fastest, leaveOpen: true);
        try
        {
            await copy(compressed);
        }
        catch
        {
            // Or what is left in the stream would be sent when it is disposed of, however long the caller takes to read it.
            context.Abort();
            throw;
        }
    }

    /// <summary>If so, the answer's head says so.</summary>
    private static bool IsWorthPacking(HttpContext context, long length)
    {
        if (length <= CompressFrom || !TakesGzip(context.Request))
        {
            return false;
        }

        context.Response.Headers.ContentEncoding = "gzip";
        context.Response.Headers.Append("Vary", "Accept-Encoding");
        return true;
    }

    private static bool TakesGzip(HttpRequest request) =>
        request.Headers.AcceptEncoding.Sum(line => line?.Length ?? 0) <= MostEncodings
        && request.GetTypedHeaders().AcceptEncoding.Any(encoding => encoding.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase) && encoding.Quality is not 0);

    private static bool WantsPretty(HttpRequest request)
    {
        if (Parameters.First(request.Query, "pretty") is { Length: > 0 } pretty)
        {
            // Go's strconv.ParseBool; what that does not know is no.
            return pretty is "1" or "t" or "T" or "TRUE" or "true" or "True";
        }

        string agent = request.Headers.UserAgent.ToString();
        return agent.StartsWith("curl", StringComparison.Ordinal)
            || agent.StartsWith("Wget", StringComparison.Ordinal)
            || agent.StartsWith("Mozilla/5.0", StringComparison.Ordinal);
    }
}
