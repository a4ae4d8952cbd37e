using System.Text;
using Microsoft.Net.Http.Headers;
using SmiMetrics.Exposition;

namespace SmiMetrics.Diagnostics;

/// <summary><c>/livez</c>, <c>/readyz</c> and <c>/healthz</c> with their single checks, <c>/metrics</c> and <c>/version</c>.</summary>
internal static class DiagnosticsEndpoints
{
    private const string PlainText = "text/plain; charset=utf-8";

    /// <summary>
    /// Answers these paths and passes all others on. Needs <see cref="Health"/>, <see cref="MetricsExporter"/> and <see cref="BuildVersion"/>
    /// among the services. Who may ask is decided before this: nobody is refused here, and there is no traffic data to be had.
    /// </summary>
    public static IApplicationBuilder UseDiagnostics(this IApplicationBuilder app)
    {
        Health health = app.ApplicationServices.GetRequiredService<Health>();
        MetricsExporter metrics = app.ApplicationServices.GetRequiredService<MetricsExporter>();
        byte[] version = app.ApplicationServices.GetRequiredService<BuildVersion>().ToJson();

        return app.Use(next => context =>
        {
            string[] path = (context.Request.Path.Value ?? "").Split('/');
            // Absolute paths have an empty piece before their first slash.
            return path switch
            {
                ["", "livez" or "readyz" or "healthz"] => Get(context, () => HealthAsync(context, Ask(context, health, path[1]))),
                ["", "livez" or "readyz" or "healthz", string check] => Get(context, () => HealthAsync(context, health.Ask(path[1], check))),
                ["", "metrics"] => Get(context, () => MetricsAsync(context, metrics)),
                ["", "version"] => Get(context, () => WriteAsync(context, StatusCodes.Status200OK, "application/json", version)),
                _ => next(context),
            };
        });
    }

    private static Task Get(HttpContext context, Func<Task> answer)
    {
        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        {
            return answer();
        }

        context.Response.Headers.Allow = "GET, HEAD";
        return WriteAsync(context, StatusCodes.Status405MethodNotAllowed, PlainText, "405 method not allowed\n"u8.ToArray());
    }

    private static HealthAnswer? Ask(HttpContext context, Health health, string probe) =>
        health.Ask(probe, context.Request.Query.ContainsKey("verbose"), context.Request.Query["exclude"]);

    private static Task HealthAsync(HttpContext context, HealthAnswer? answer)
    {
        (int code, string text) = answer ?? new HealthAnswer(StatusCodes.Status404NotFound, "404 page not found\n");
        return WriteAsync(context, code, PlainText, Encoding.UTF8.GetBytes(text));
    }

    private static async Task MetricsAsync(HttpContext context, MetricsExporter metrics)
    {
        Prepare(context.Response, StatusCodes.Status200OK, ExpositionWriter.ContentType);
        metrics.WriteTo(context.Response.BodyWriter);
        await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
    }

    private static async Task WriteAsync(HttpContext context, int code, string contentType, byte[] body)
    {
        Prepare(context.Response, code, contentType);
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private static void Prepare(HttpResponse response, int code, string contentType)
    {
        response.StatusCode = code;
        response.ContentType = contentType;
        response.Headers.CacheControl = "no-cache, private";
        response.Headers[HeaderNames.XContentTypeOptions] = "nosniff";
    }
}
