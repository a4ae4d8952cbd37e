using Microsoft.AspNetCore.Http.Features;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>Answers a request that its user may not make.</summary>
/// <param name="reason">What the cluster's authorizer says to it; often empty.</param>
internal delegate Task DeniedDelegate(HttpContext context, RequestUser user, RequestInfo request, string reason);

/// <summary>Lets requests through that their users may make.</summary>
internal static class AuthorizationMiddleware
{
    /// <summary>
    /// Goes on where the request's <see cref="RequestUser"/> may do what its <see cref="RequestInfo"/> says; both stand in the request's
    /// features. Needs <see cref="RequestAuthorizer"/> among the services.
    /// </summary>
    /// <param name="deny">Answers 403.</param>
    /// <param name="fail">Answers 503: nobody could say whether the user may.</param>
    public static IApplicationBuilder UseRequestAuthorization(this IApplicationBuilder app, DeniedDelegate deny, RequestDelegate fail)
    {
        RequestAuthorizer authorizer = app.ApplicationServices.GetRequiredService<RequestAuthorizer>();
        return app.Use(next => async context =>
        {
            RequestUser user = context.Features.GetRequiredFeature<RequestUser>();
            RequestInfo request = context.Features.GetRequiredFeature<RequestInfo>();
            switch (await authorizer.AuthorizeAsync(user, request, context.RequestAborted))
            {
                case AuthorizationResult.Allowed:
                    await next(context);
                    break;
                case AuthorizationResult.Denied { Reason: var reason }:
                    await deny(context, user, request, reason);
                    break;
                default:
                    await fail(context);
                    break;
            }
        });
    }
}
