using System.Globalization;
using Microsoft.Net.Http.Headers;
using SmiMetrics.Traffic;

namespace SmiMetrics.Api;

/// <summary>The one funnel through which every error leaves, as a Status. Nothing of the source's addresses or queries passes.</summary>
internal sealed partial class StatusErrors(RequestDelegate next, ILogger<StatusErrors> logger)
{
    private static readonly string[] OfAnswers =
        [HeaderNames.ContentEncoding, HeaderNames.ContentLength, HeaderNames.ETag, HeaderNames.Expires, HeaderNames.Vary, HeaderNames.Warning];

    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller is gone: nobody reads an answer, but it should not be counted as a good one.
            if (!context.Response.HasStarted)
            {
                context.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            }
        }
        catch (Exception e)
        {
            Status status = Translate(e, context);
            if (context.Response.HasStarted || context.Response.BodyWriter.UnflushedBytes > 0)
            {
                // Half of one answer followed by another would be a lie; a connection that breaks is none.
                context.Abort();
            }
            else
            {
                await WriteAsync(context, status);
            }
        }
    }

    public static Task WriteAsync(HttpContext context, Status status)
    {
        // What was said of the answer that there would have been is not true of this one.
        foreach (string name in OfAnswers)
        {
            context.Response.Headers.Remove(name);
        }

        if (status.Details?.RetryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        // An error is a plain Status, in whatever shape the answer was wanted.
        string mediaType = Negotiation.Clauses(context.Request).Select(Answer.MediaTypeFor).FirstOrDefault(type => type is not null) ?? Answer.Json;
        return Answer.WriteAsync(context, status.Code, mediaType, status);
    }

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
                Log.Unexpected(logger, exception, context.Request.Method, context.Request.Path, context.TraceIdentifier);
                return Status.InternalError();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Error, "{Method} {Path} failed in a way nobody foresaw (Audit-Id {AuditId})")]
        public static partial void Unexpected(ILogger logger, Exception exception, string method, PathString path, string auditId);
    }
}
