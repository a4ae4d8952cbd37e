using Microsoft.AspNetCore.Http.Features;
using SmiMetrics.Api;
using SmiMetrics.Auth;
using SmiMetrics.Diagnostics;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Hosting;

/// <summary>
/// Refuses requests for traffic beyond <see cref="HostingOptions.MaxRequestsInFlight"/> with 429, before anything is spent on them. A loaded
/// server shall not look like a broken one: administrators and kube-apiserver itself (<c>system:masters</c>, as its probes say they are) are never
/// refused, nor is who asks what there is or how the server does, which is answered from memory.
/// </summary>
/// <remarks>As apiserver <c>pkg/server/filters/maxinflight.go</c>. Stands behind authentication, because it asks who the caller is.</remarks>
internal sealed class InFlightLimit(RequestDelegate next, HostingOptions options, RequestMetrics metrics)
{
    /// <summary>Promises that a retry is worth it; kubectl and client-go then make it by themselves.</summary>
    private const int RetryAfterSeconds = 1;

    // Zero is no limit.
    private readonly SemaphoreSlim? _slots = options.MaxRequestsInFlight == 0 ? null : new(options.MaxRequestsInFlight);

    public async Task InvokeAsync(HttpContext context)
    {
        bool slot = _slots is not null && !IsExempt(context.Features);
        if (slot && !await _slots!.WaitAsync(TimeSpan.Zero, CancellationToken.None))
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
            if (slot)
            {
                _slots!.Release();
            }
        }
    }

    private static bool IsExempt(IFeatureCollection features) =>
        features.Get<RequestInfo>() is { IsResourceRequest: false } || features.Get<RequestUser>()?.Groups.Contains(RequestUser.MastersGroup) == true;
}
