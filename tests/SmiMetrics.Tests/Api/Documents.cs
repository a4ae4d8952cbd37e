using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace SmiMetrics.Tests.Api;

/// <summary>Large JSON documents, for people to read in golden files.</summary>
internal static class Documents
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Pretty(string json) => JsonNode.Parse(json)!.ToJsonString(Indented) + "\n";
}
