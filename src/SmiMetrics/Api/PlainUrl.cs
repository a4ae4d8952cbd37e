using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace SmiMetrics.Api;

/// <summary>
/// Refuses URLs that two servers may read differently. kube-apiserver authorises the path as it stands and forwards it so, while Kestrel
/// resolves <c>..</c>, decodes <c>%2e</c> and we split at slashes: with <c>namespaces/mine/../victim/deployments</c> it would judge
/// one thing and we would answer another. No name in this API needs any of that. Nor is it guessed what bytes beyond ASCII mean in a query, where
/// HTTP has none (RFC 3986) and Go lets them pass.
/// </summary>
internal static class PlainUrl
{
    public static IApplicationBuilder UsePlainUrls(this IApplicationBuilder app) => app.Use(next => context =>
    {
        string[] sent = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?', 2);
        if (sent[0] != context.Request.Path.Value || sent[0].Contains("//", StringComparison.Ordinal))
        {
            throw new StatusException(Status.BadRequest("the path must be written plainly: without escapes, dot segments and empty segments"));
        }

        return sent is [_, var query] && !Ascii.IsValid(query)
            ? throw new StatusException(Status.BadRequest("the query must be ASCII: write other characters as escapes (%C3%BC)"))
            : next(context);
    });
}
