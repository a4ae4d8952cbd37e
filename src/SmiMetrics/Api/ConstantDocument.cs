using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace SmiMetrics.Api;

/// <summary>A JSON document that is the same as long as the process lives, with the tag by which callers know that they have it.</summary>
internal sealed class ConstantDocument
{
    /// <summary>Of letters: a handful of tags of ours.</summary>
    private const int MostTags = 1024;

    private readonly byte[] _text;
    private readonly string _tag;
    private readonly Lazy<byte[]> _packed;

    private ConstantDocument(Action<Utf8JsonWriter> write)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            write(writer);
        }

        stream.WriteByte((byte)'\n');
        _text = stream.ToArray();
        _packed = new Lazy<byte[]>(() => Answer.Pack(_text));
        Hash = Convert.ToHexString(SHA512.HashData(_text));
        _tag = $"\"{Hash}\"";
    }

    /// <summary>The SHA-512 of its text, as Go's servers write it.</summary>
    public string Hash { get; }

    public static ConstantDocument Of<T>(T document, JsonTypeInfo<T> type) => new(writer => JsonSerializer.Serialize(writer, document, type));

    public static ConstantDocument Of(JsonNode document) => new(writer => document.WriteTo(writer));

    /// <summary>Answers with the document, or with 304 to those who have it.</summary>
    /// <param name="contentType">With parameters where they tell the document's form.</param>
    /// <param name="tagsAreExact">
    /// Whether only the tag alone and as it is will do, as in Go's discovery, or every form that HTTP allows, as in its OpenAPI.
    /// </param>
    public async Task AnswerAsync(HttpContext context, string contentType, bool tagsAreExact, string cacheControl)
    {
        HttpResponse response = context.Response;
        response.Headers.ETag = _tag;
        response.Headers.Vary = HeaderNames.Accept;
        response.Headers.CacheControl = cacheControl;
        response.Headers.XContentTypeOptions = "nosniff";
        if (tagsAreExact ? context.Request.Headers.IfNoneMatch == _tag : IsAmong(context.Request.Headers.IfNoneMatch))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentType = contentType;
        await Answer.SendAsync(context, _text, _packed);
    }

    /// <summary>As RFC 9110 §13.1.2 has it, and so Go's <c>http.ServeContent</c>: weak or not, one of several, or any.</summary>
    private bool IsAmong(StringValues header) =>
        header.Sum(line => line?.Length ?? 0) <= MostTags
        && EntityTagHeaderValue.TryParseList([.. header.OfType<string>()], out IList<EntityTagHeaderValue>? tags)
        && tags.Any(tag => tag.Tag == _tag || tag.Tag == "*");
}
