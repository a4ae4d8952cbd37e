using System.Net.Http.Headers;

namespace SmiMetrics.Api;

/// <summary>One thing that a caller takes: a media type, and the object form that Kubernetes' own parameters ask for.</summary>
/// <param name="Type">In lower case, <c>*</c> for any.</param>
/// <param name="SubType">In lower case, <c>*</c> for any.</param>
/// <param name="As">The kind to convert to: <c>Table</c>, <c>PartialObjectMetadata</c>, <c>APIGroupDiscoveryList</c>; null for the object as it is.</param>
/// <param name="Group">Of <paramref name="As"/>.</param>
/// <param name="Version">Of <paramref name="As"/>.</param>
internal sealed record AcceptClause(string Type, string SubType, string? As, string? Group, string? Version)
{
    public static readonly AcceptClause Anything = new("*", "*", null, null, null);

    /// <summary>Whether it takes this media type, such as <c>application</c>, <c>json</c>.</summary>
    public bool Takes(string type, string subType) => (Type == "*" || Type == type) && (SubType == "*" || SubType == subType);

    public bool TakesJson => Takes("application", "json");

    /// <summary>Whether it asks for nothing but a media type.</summary>
    public bool IsPlain => As is null && Group is null && Version is null;
}

/// <summary>What a caller takes, in the order in which it would rather have it (apiserver <c>pkg/endpoints/handlers/negotiation/negotiate.go</c>).</summary>
internal static class Negotiation
{
    /// <summary>No client's is a tenth of this. A stranger's may be a megabyte of commas, and each would be work.</summary>
    private const int MostRead = 8 * 1024;

    /// <summary>
    /// The clauses of the Accept header by quality, then by how much they say, then in the caller's order; those of quality zero and those
    /// that are none are left out. Without a header, or with one of absurd length, anything will do. Of the parameters only <c>as</c>, <c>g</c> and <c>v</c> count.
    /// </summary>
    public static IReadOnlyList<AcceptClause> Clauses(HttpRequest request)
    {
        string[] lines = [.. request.Headers.Accept.OfType<string>().Where(line => line.Length > 0)];
        if (lines.Length == 0 || lines.Sum(line => line.Length) > MostRead)
        {
            return [AcceptClause.Anything];
        }

        // No value of such a header needs a quoted comma.
        return
        [
            .. lines.SelectMany(line => line.Split(','))
                .Select(text => MediaTypeWithQualityHeaderValue.TryParse(text.Trim(), out MediaTypeWithQualityHeaderValue? clause) ? clause : null)
                .OfType<MediaTypeWithQualityHeaderValue>()
                .Where(clause => clause.Quality is not 0)
                .OrderByDescending(clause => clause.Quality ?? 1)
                .ThenBy(clause => clause.MediaType is "*/*" ? 2 : clause.MediaType!.EndsWith("/*", StringComparison.Ordinal) ? 1 : 0)
                .Select(Read),
        ];
    }

    private static AcceptClause Read(MediaTypeWithQualityHeaderValue clause)
    {
        string[] type = clause.MediaType!.ToLowerInvariant().Split('/', 2);
        return new AcceptClause(type[0], type[1], Parameter(clause, "as"), Parameter(clause, "g"), Parameter(clause, "v"));
    }

    private static string? Parameter(MediaTypeHeaderValue clause, string name) =>
        clause.Parameters.FirstOrDefault(parameter => parameter.Name.Equals(name, StringComparison.OrdinalIgnoreCase))?.Value?.Trim('"');
}
