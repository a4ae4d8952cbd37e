using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace SmiMetrics.Diagnostics;

/// <summary>
/// What a request is about, in Kubernetes' words; put it into the request's features. Only known values belong here, as each combination
/// is a series; what is not known is empty.
/// </summary>
/// <param name="Verb">get, list, … in either case.</param>
/// <param name="Scope">cluster, namespace or resource.</param>
internal sealed record RequestAttributes(string Verb, string Group, string Version, string Resource, string Subresource, string Scope);

/// <summary>
/// <c>apiserver_request_total</c> and <c>apiserver_request_duration_seconds</c>, with the names and labels that dashboards for Kubernetes
/// API servers expect (apiserver <c>pkg/endpoints/metrics/metrics.go</c>).
/// </summary>
internal sealed class RequestMetrics
{
    private static readonly RequestAttributes Unknown = new("", "", "", "", "", "");

    private readonly Counter<long> _requests;
    private readonly Histogram<double> _duration;

    public RequestMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create("SmiMetrics.Http");
        _requests = meter.CreateCounter<long>(
            "apiserver_request_total", unit: null, "Counter of apiserver requests broken out for each verb, resource and code.");
        _duration = meter.CreateHistogram(
            "apiserver_request_duration_seconds",
            unit: null,
            "Response latency distribution in seconds for each verb and resource.",
            tags: null,
            new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries = [.005, .025, .05, .1, .2, .4, .6, .8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60],
            });
    }

    /// <param name="method">Stands in for the verb of a request without attributes.</param>
    public void Answered(RequestAttributes? attributes, string method, int code, TimeSpan duration)
    {
        RequestAttributes known = attributes ?? Unknown;
        TagList tags = new()
        {
            { "component", "apiserver" },
            { "group", known.Group },
            { "resource", known.Resource },
            { "scope", known.Scope },
            { "subresource", known.Subresource },
            { "verb", known.Verb.Length > 0 ? known.Verb.ToUpperInvariant() : Verb(method) },
            { "version", known.Version },
        };
        _duration.Record(duration.TotalSeconds, tags);
        tags.Add("code", code.ToString(CultureInfo.InvariantCulture));
        _requests.Add(1, tags);
    }

    // Methods are whatever a caller likes to send.
    private static string Verb(string method) =>
        method is "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE" or "OPTIONS" or "CONNECT" or "TRACE" ? method : "other";
}

internal static class RequestMetricsMiddleware
{
    /// <summary>Measures every request that comes this far. Needs <see cref="RequestMetrics"/> among the services.</summary>
    public static IApplicationBuilder UseRequestMetrics(this IApplicationBuilder app)
    {
        RequestMetrics metrics = app.ApplicationServices.GetRequiredService<RequestMetrics>();
        TimeProvider time = app.ApplicationServices.GetRequiredService<TimeProvider>();
        return app.Use(next => async context =>
        {
            long start = time.GetTimestamp();
            bool thrown = true;
            try
            {
                await next(context);
                thrown = false;
            }
            finally
            {
                int code = thrown && !context.Response.HasStarted ? StatusCodes.Status500InternalServerError : context.Response.StatusCode;
                metrics.Answered(context.Features.Get<RequestAttributes>(), context.Request.Method, code, time.GetElapsedTime(start));
            }
        });
    }
}
