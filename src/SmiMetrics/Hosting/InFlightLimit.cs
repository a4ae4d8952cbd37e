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
/// refused, nor is who asks what there is or how the server does, which is answered from memory.
/// </summary>
/// <remarks>As apiserver <c>pkg/server/filters/maxinflight.go</c>. Stands behind authentication, because it asks who the caller is.</remarks>
internal sealed class InFlightLimit(RequestDelegate next, HostingOptions options, RequestMetrics metrics)
{
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

    /// <summary>What nobody vouches for may ask for its health alone: whatever else it asks for, it is first asked whether it may.</summary>
    private static bool IsExempt(IFeatureCollection features) => features.Get<RequestUser>() switch
    {
        { Name: RequestUser.AnonymousName } => features.Get<RequestInfo>()?.Path is "/healthz" or "/livez" or "/readyz",
        { } user when user.Groups.Contains(RequestUser.MastersGroup) => true,
        _ => features.Get<RequestInfo>() is { IsResourceRequest: false },
    };
}
