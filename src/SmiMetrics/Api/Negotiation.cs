using Microsoft.Net.Http.Headers;

namespace SmiMetrics.Api;

/// <summary>Whether a caller takes plain JSON, the one form that this API has so far.</summary>
internal static class Negotiation
{
    /// <summary>
    /// True when some clause accepts plain <c>application/json</c>. A clause with <c>as</c>, <c>g</c> or <c>v</c> asks for another shape (Table,
    /// PartialObjectMetadata, aggregated discovery), which kubectl follows with a plain one and the aggregator's discovery does
    /// not: that one needs the 406 to fall back to the legacy documents.
    /// </summary>
    public static bool AcceptsJson(HttpRequest request)
    {
        string[] accept = [.. request.Headers.Accept.OfType<string>().Where(line => line.Length > 0)];
        return accept.Length == 0
            || (MediaTypeHeaderValue.TryParseList(accept, out IList<MediaTypeHeaderValue>? clauses) && clauses.Any(IsPlainJson));
    }

    private static bool IsPlainJson(MediaTypeHeaderValue clause) =>
        clause.Quality is not 0
        && (clause.MatchesAllTypes
            || (clause.Type.Equals("application", StringComparison.OrdinalIgnoreCase)
                && (clause.MatchesAllSubTypes || clause.SubType.Equals("json", StringComparison.OrdinalIgnoreCase))))
        && !clause.Parameters.Any(parameter => parameter.Name.Value is "as" or "g" or "v");
}
