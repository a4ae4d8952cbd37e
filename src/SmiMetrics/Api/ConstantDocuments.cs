using System.Globalization;

namespace SmiMetrics.Api;

/// <summary>
/// What the API says of itself: discovery at <c>/apis</c>, OpenAPI at <c>/openapi</c>. Each document is made when it is first asked for.
/// </summary>
internal static class ConstantDocuments
{
    private const string Unkept = "no-cache, private";

    private static readonly Dictionary<string, Lazy<ConstantDocument>> Aggregated = GroupDiscoveryList.Versions.ToDictionary(
        version => version,
        version => new Lazy<ConstantDocument>(() => ConstantDocument.Of(GroupDiscoveryList.Own(version), ApiJson.Default.GroupDiscoveryList)));

    private static readonly Lazy<ConstantDocument> OpenApi2 = new(() => ConstantDocument.Of(OpenApiDocument.V2()));

    private static readonly Dictionary<string, Lazy<ConstantDocument>> OpenApi3 = TrafficApi.Versions.ToDictionary(
        version => version,
        version => new Lazy<ConstantDocument>(() => ConstantDocument.Of(OpenApiDocument.V3(version))));

    private static readonly Lazy<ConstantDocument> OpenApi3Root = new(() => ConstantDocument.Of(OpenApiDocument.V3Root(version => OpenApi3[version].Value.Hash)));

    /// <summary>
    /// Answers <c>/apis</c> in the form that the caller would rather have: aggregated, or the list of groups. kube-apiserver 1.26 and later
    /// takes 406 for "only the list of groups", so that it is right for who asks for a form that there is not.
    /// </summary>
    public static Task AnswerGroupsAsync(HttpContext context)
    {
        TrafficApi.CheckMethod(context.Request);
        foreach (AcceptClause clause in Negotiation.Clauses(context.Request))
        {
            if (clause.IsPlain && Answer.MediaTypeFor(clause) is { } mediaType)
            {
                context.Response.Headers.Vary = "Accept";
                return Answer.WriteAsync(context, StatusCodes.Status200OK, mediaType, Discovery.Groups);
            }

            if (clause is { TakesJson: true, As: GroupDiscoveryList.Name, Group: GroupDiscoveryList.Group, Version: { } version }
                && Aggregated.TryGetValue(version, out Lazy<ConstantDocument>? document))
            {
                // By these parameters callers know that it is not the list of groups.
                string contentType = $"{Answer.Json};g={GroupDiscoveryList.Group};v={version};as={GroupDiscoveryList.Name}";
                return document.Value.AnswerAsync(context, contentType, tagsAreExact: true, "public");
            }
        }

        throw new StatusException(Status.NotAcceptable());
    }

    /// <summary>Answers what is below <c>/openapi</c>.</summary>
    /// <param name="path">The segments after it.</param>
    public static Task AnswerOpenApiAsync(HttpContext context, ReadOnlySpan<string> path)
    {
        (ConstantDocument document, bool byHash) = path switch
        {
            ["v2"] => (OpenApi2.Value, false),
            ["v3"] => (OpenApi3Root.Value, false),
            ["v3", "apis", TrafficApi.Group, var version] when OpenApi3.TryGetValue(version, out Lazy<ConstantDocument>? found) => (found.Value, true),
            _ => throw new StatusException(Status.NoSuchResource()),
        };
        TrafficApi.CheckMethod(context.Request);
        // Protobuf, the other form of Go's servers, is asked for with this one as its alternative or not at all.
        if (!Negotiation.Clauses(context.Request).Any(clause => clause.TakesJson))
        {
            throw new StatusException(Status.NotAcceptable());
        }

        return document.AnswerAsync(context, Answer.Json, tagsAreExact: false, byHash ? MayBeKept(context, document) : Unkept);
    }

    /// <summary>
    /// What is asked for by its hash can be kept for good. Go's servers redirect another hash to the right one; not so here, because
    /// kube-apiserver passes no redirect of an aggregated server on but makes it 502 (since 1.26). The document as it is now, without leave
    /// to keep it under that hash, does as well.
    /// </summary>
    private static string MayBeKept(HttpContext context, ConstantDocument document)
    {
        if (context.Request.Query["hash"] != document.Hash)
        {
            return Unkept;
        }

        DateTimeOffset now = context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow();
        context.Response.Headers.Expires = now.AddYears(1).ToString("R", CultureInfo.InvariantCulture);
        return "public, immutable";
    }
}
