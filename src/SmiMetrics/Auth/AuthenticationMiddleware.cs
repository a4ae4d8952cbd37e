namespace SmiMetrics.Auth;

/// <summary>Finds out who makes each request.</summary>
internal static class AuthenticationMiddleware
{
    /// <summary>
    /// Puts the <see cref="RequestUser"/> into the request's features and goes on; hands a request whose credentials are wrong to
    /// <paramref name="refuse"/>, which answers 401, and one of which nobody could say whose it is to <paramref name="fail"/>, which answers 503.
    /// Needs <see cref="RequestAuthenticator"/>, <see cref="AuthMetrics"/> and <see cref="TimeProvider"/> among the services.
    /// </summary>
    public static IApplicationBuilder UseRequestAuthentication(this IApplicationBuilder app, RequestDelegate refuse, RequestDelegate fail)
    {
        RequestAuthenticator authenticator = app.ApplicationServices.GetRequiredService<RequestAuthenticator>();
        AuthMetrics metrics = app.ApplicationServices.GetRequiredService<AuthMetrics>();
        TimeProvider time = app.ApplicationServices.GetRequiredService<TimeProvider>();
        return app.Use(next => async context =>
        {
            long start = time.GetTimestamp();
            AuthenticationResult result = await authenticator.AuthenticateAsync(context);
            metrics.Authenticated(result, time.GetElapsedTime(start));
            if (result is AuthenticationResult.Success { User: RequestUser user })
            {
                context.Features.Set(user);
                await next(context);
            }
            else
            {
                await (result is AuthenticationResult.Failed ? fail : refuse)(context);
            }
        });
    }
}
