using Microsoft.AspNetCore.Http.Features;

namespace SmiMetrics.Api;

/// <summary>
/// Refuses paths that two servers may read differently. kube-apiserver authorises the path as it stands and forwards it so, while Kestrel
/// resolves <c>..</c>, decodes <c>%2e</c> and we split at slashes: with <c>namespaces/mine/../victim/deployments</c> it would judge
/// one thing and we would answer another. No name in this API needs any of that.
/// </summary>
internal static class PlainPath
{
    public static IApplicationBuilder UsePlainPaths(this IApplicationBuilder app) => app.Use(next => context =>
    {
        string sent = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?', 2)[0];
        return sent == context.Request.Path.Value && !sent.Contains("//", StringComparison.Ordinal)
            ? next(context)
            : throw new StatusException(Status.BadRequest("the path must be written plainly: without escapes, dot segments and empty segments"));
    });
}
