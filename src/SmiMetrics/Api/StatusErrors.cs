using SmiMetrics.Traffic;

namespace SmiMetrics.Api;

/// <summary>The one funnel through which every error leaves, as a Status. Nothing of the source's addresses or queries passes.</summary>
internal sealed partial class StatusErrors(RequestDelegate next, ILogger<StatusErrors> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller is gone: nobody reads an answer.
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            await WriteAsync(context, Translate(e, context));
        }
    }

    public static Task WriteAsync(HttpContext context, Status status) =>
        Answer.WriteAsync(context, status.Code, status);

    private Status Translate(Exception exception, HttpContext context)
    {
        switch (exception)
        {
            case StatusException { Status: var status }:
                return status;
            case SourceUnavailableException { TimedOut: true } timeout:
                return Status.Timeout(timeout.Message);
            case SourceUnavailableException unavailable:
                return Status.ServiceUnavailable(unavailable.Message);
            case BadHttpRequestException bad:
                return Status.BadRequest(bad.Message);
            default:
                Log.Unexpected(logger, exception, context.Request.Method, context.Request.Path);
                return Status.InternalError();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "{Method} {Path} failed in a way nobody foresaw")]
        public static partial void Unexpected(ILogger logger, Exception exception, string method, PathString path);
    }
}
