using System.Collections.Frozen;
using Microsoft.AspNetCore.Http.Features;
using SmiMetrics.Api;
using SmiMetrics.Auth;
using SmiMetrics.Diagnostics;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Hosting;

/// <summary>
/// Refuses requests for traffic beyond <see cref="HostingOptions.MaxRequestsInFlight"/> with 429, before anybody is asked whether they may, and before any
/// query. Who they are has been found out by then; what that may cost is bounded elsewhere (<see cref="Auth.ReviewClient{TReview}"/>). A loaded
/// server shall not look like a broken one: administrators and kube-apiserver itself (<c>system:masters</c>, as its probes say they are) are never
/// refused, nor is who asks what there is or how the server does. Those who say not who they are have places of their own.
/// </summary>
/// <remarks>As apiserver <c>pkg/server/filters/maxinflight.go</c>. Stands behind authentication, because it asks who the caller is.</remarks>
internal sealed class InFlightLimit(RequestDelegate next, HostingOptions options, AuthorizationOptions authorization, RequestMetrics metrics)
{
    /// <summary>Answered from memory, and by a verdict that everybody's requests share.</summary>
    private static readonly FrozenSet<string> Descriptions = new[]
    {
        "/healthz", "/livez", "/readyz", "/metrics", "/version", "/apis", $"/apis/{TrafficApi.Group}", "/openapi/v2", "/openapi/v3",
    }
    .Concat(TrafficApi.Versions.SelectMany(version => new[] { $"/apis/{TrafficApi.Group}/{version}", $"/openapi/v3/apis/{TrafficApi.Group}/{version}" }))
    .ToFrozenSet(StringComparer.Ordinal);

    /// <summary>Promises that a retry is worth it; kubectl and client-go then make it by themselves.</summary>
    private const int RetryAfterSeconds = 1;

    /// <summary>One in so many is for those who say not who they are, together: they shall not keep others from being served.</summary>
    private const int AnonymousPart = 10;

    // Zero is no limit.
    private readonly SemaphoreSlim? _slots = options.MaxRequestsInFlight == 0 ? null : new(options.MaxRequestsInFlight);
    private readonly SemaphoreSlim? _anonymousSlots = options.MaxRequestsInFlight == 0 ? null : new(Math.Max(1, options.MaxRequestsInFlight / AnonymousPart));

    public async Task InvokeAsync(HttpContext context)
    {
        SemaphoreSlim? slots = IsExempt(context.Features) ? null
            : context.Features.Get<RequestUser>() is { Name: RequestUser.AnonymousName } ? _anonymousSlots
            : _slots;
        if (slots is not null && !await slots.WaitAsync(TimeSpan.Zero, CancellationToken.None))
        {
            metrics.Terminated(context, StatusCodes.Status429TooManyRequests);
            await StatusErrors.WriteAsync(context, Status.TooManyRequests(RetryAfterSeconds));
            return;
        }

        bool reads = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        metrics.Began(reads);
        try
        {
            await next(context);
        }
        finally
        {
            metrics.Ended(reads);
            slots?.Release();
        }
    }

    /// <summary>Whatever else a caller may think up is first a question to kube-apiserver, whether it may.</summary>
    private bool IsExempt(IFeatureCollection features) => features.Get<RequestUser>() switch
    {
        { Name: RequestUser.AnonymousName } => features.Get<RequestInfo>() is { } info && authorization.IsAlwaysAllowed(info),
        { } user when user.Groups.Contains(RequestUser.MastersGroup) => true,
        _ => features.Get<RequestInfo>() is { IsResourceRequest: false, Path: { } path } && Descriptions.Contains(path.TrimEnd('/')),
    };
}
