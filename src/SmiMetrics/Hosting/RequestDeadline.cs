using SmiMetrics.Api;
using SmiMetrics.Diagnostics;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Hosting;

/// <summary>
/// Ends what takes longer than <see cref="HostingOptions.RequestTimeout"/>, or than the caller will wait, with a 504 that says so. Whoever
/// works for a request sees its end in <see cref="HttpContext.RequestAborted"/>, as when the caller goes away; which of the two it was is known here.
/// </summary>
/// <remarks>
/// As apiserver <c>pkg/endpoints/filters/request_deadline.go</c> and <c>pkg/server/filters/timeout.go</c>, but for this: Go leaves the handler
/// running and throws away what it writes, whereas here the handler must have ended before another answer can be written.
/// </remarks>
internal sealed class RequestDeadline(RequestDelegate next, HostingOptions options, TimeProvider clock, RequestMetrics metrics)
{
    public async Task InvokeAsync(HttpContext context)
    {
        TimeSpan limit = LimitOf(context.Request.Query, isList: context.Features.Get<RequestInfo>()?.Verb is "list" or "watch");
        CancellationToken caller = context.RequestAborted;
        using CancellationTokenSource deadline = new(limit, clock);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(caller, deadline.Token);
        context.RequestAborted = either.Token;
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !caller.IsCancellationRequested)
        {
            metrics.Terminated(context, StatusCodes.Status504GatewayTimeout);
            throw new StatusException(Status.Timeout($"Timeout: request did not complete within {GoDuration.Format(limit)}"));
        }
        finally
        {
            context.RequestAborted = caller;
        }
    }

    /// <summary>
    /// The shorter of ours and the caller's, which is <c>timeout</c> (a duration; what <c>kubectl --request-timeout</c> sends) or
    /// <c>timeoutSeconds</c> of the options of lists. Zero is none.
    /// </summary>
    private TimeSpan LimitOf(IQueryCollection query, bool isList)
    {
        TimeSpan limit = options.RequestTimeout;
        if (isList && Parameters.First(query, "timeoutSeconds") is { Length: > 0 } seconds && ParseInteger(seconds) is > 0 and var whole && whole < limit.TotalSeconds)
        {
            limit = TimeSpan.FromSeconds(whole);
        }

        if (Parameters.First(query, "timeout") is { Length: > 0 } text)
        {
            TimeSpan timeout = GoDuration.TryParse(text, out TimeSpan parsed)
                ? parsed
                : throw new StatusException(Status.BadRequest("invalid timeout specified in the request URL"));
            limit = timeout > TimeSpan.Zero && timeout < limit ? timeout : limit;
        }

        return limit;
    }

    private static long ParseInteger(string text) => GoInteger.TryParse(text, out long value, out string? problem)
        ? value
        : throw new StatusException(Status.BadRequest($"timeoutSeconds: {problem}"));
}
