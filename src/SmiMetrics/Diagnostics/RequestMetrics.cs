using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Microsoft.AspNetCore.Http.Features;

namespace SmiMetrics.Diagnostics;

/// <summary>
/// What a request is about, in Kubernetes' words; put it into the request's features. Only known values belong here, as each combination
/// is a series; what is not known is empty.
/// </summary>
/// <param name="Verb">get, list, … in either case.</param>
/// <param name="Scope">cluster, namespace or resource.</param>
internal sealed record RequestAttributes(string Verb, string Group, string Version, string Resource, string Subresource, string Scope);

/// <summary>
/// <c>apiserver_request_total</c> and its like, with the names and labels that dashboards for Kubernetes API servers expect (apiserver
/// <c>pkg/endpoints/metrics/metrics.go</c>).
/// </summary>
internal sealed class RequestMetrics
{
    private static readonly RequestAttributes Unknown = new("", "", "", "", "", "");

    private readonly Counter<long> _requests;
    private readonly Histogram<double> _duration;
    private readonly Histogram<long> _sizes;
    private readonly Counter<long> _terminations;
    private int _reading;
    private int _writing;
    private long _handshakeErrors;

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
        _sizes = meter.CreateHistogram(
            "apiserver_response_sizes",
            unit: null,
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.",
            tags: null,
            new InstrumentAdvice<long> { HistogramBucketBoundaries = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000] });
        _terminations = meter.CreateCounter<long>(
            "apiserver_request_terminations_total", unit: null, "Number of requests which apiserver terminated in self-defense.");
        // Observed, so that it is there before the first error and the first error is an increase.
        meter.CreateObservableCounter(
            "apiserver_tls_handshake_errors_total",
            () => Interlocked.Read(ref _handshakeErrors),
            unit: null,
            "Number of requests dropped with 'TLS handshake error from' error.");
        meter.CreateObservableGauge(
            "apiserver_current_inflight_requests",
            () => new Measurement<int>[] { new(_reading, KindOf("readOnly")), new(_writing, KindOf("mutating")) },
            unit: null,
            "Number of currently used inflight request limit of this apiserver per request kind.");
    }

    /// <param name="method">Stands in for the verb of a request without attributes.</param>
    /// <param name="size">Of the body, in bytes.</param>
    public void Answered(RequestAttributes? attributes, string method, int code, long size, TimeSpan duration)
    {
        TagList tags = Tags(attributes, method);
        if (HttpMethods.IsGet(method))
        {
            _sizes.Record(size, tags);
        }

        // Of Kubernetes' dry runs, of which there are none here.
        tags.Add("dry_run", "");
        _duration.Record(duration.TotalSeconds, tags);
        tags.Add("code", code.ToString(CultureInfo.InvariantCulture));
        _requests.Add(1, tags);
    }

    /// <summary>A request was ended in self-defence: there were too many (429), or it took too long (504).</summary>
    public void Terminated(HttpContext context, int code)
    {
        TagList tags = Tags(context.Features.Get<RequestAttributes>(), context.Request.Method);
        tags.Add("code", code.ToString(CultureInfo.InvariantCulture));
        _terminations.Add(1, tags);
    }

    /// <summary>A request was let in. <see cref="Ended"/> follows.</summary>
    public void Began(bool reads) => Interlocked.Increment(ref reads ? ref _reading : ref _writing);

    public void Ended(bool reads) => Interlocked.Decrement(ref reads ? ref _reading : ref _writing);

    /// <summary>A connection to the secure port ended before it could be spoken over.</summary>
    public void HandshakeFailed() => Interlocked.Increment(ref _handshakeErrors);

    private static TagList Tags(RequestAttributes? attributes, string method)
    {
        RequestAttributes known = attributes ?? Unknown;
        return new TagList
        {
            { "component", "apiserver" },
            { "group", known.Group },
            { "resource", known.Resource },
            { "scope", known.Scope },
            { "subresource", known.Subresource },
            { "verb", known.Verb.Length > 0 ? known.Verb.ToUpperInvariant() : Verb(method) },
            { "version", known.Version },
        };
    }

    private static KeyValuePair<string, object?> KindOf(string kind) => new("request_kind", kind);

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
            MeasuredBody body = new(context.Features.GetRequiredFeature<IHttpResponseBodyFeature>());
            context.Features.Set<IHttpResponseBodyFeature>(body);
            bool thrown = true;
            try
            {
                await next(context);
                thrown = false;
            }
            finally
            {
                int code = thrown && !context.Response.HasStarted ? StatusCodes.Status500InternalServerError : context.Response.StatusCode;
                metrics.Answered(context.Features.Get<RequestAttributes>(), context.Request.Method, code, body.Size, time.GetElapsedTime(start));
            }
        });
    }
}
