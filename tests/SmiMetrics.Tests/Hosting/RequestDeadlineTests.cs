using System.Net;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Api;
using SmiMetrics.Diagnostics;
using SmiMetrics.Hosting;
using SmiMetrics.Tests.Api;
using SmiMetrics.Tests.Diagnostics;

namespace SmiMetrics.Tests.Hosting;

public sealed class RequestDeadlineTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";
    private const string Web = $"{Root}/namespaces/shop/deployments/web";
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("", "300ms", "300ms")]
    [InlineData("?timeoutSeconds=1", "300ms", "300ms")]
    [InlineData("?timeout=200ms", "55s", "200ms")]
    [InlineData("?timeout=200ms&timeoutSeconds=30", "55s", "200ms")]
    [InlineData("?timeoutSeconds=3600", "300ms", "300ms")]
    [InlineData("?timeout=1h", "300ms", "300ms")]
    [InlineData("?timeoutSeconds=0&timeout=0s", "300ms", "300ms")]
    [InlineData("?timeoutSeconds=-1", "300ms", "300ms")]
    public async Task What_takes_too_long_is_504_and_says_how_long(string query, string ours, string limit)
    {
        FakePrometheus prometheus = new() { AnswerOnlyWhenInFlight = int.MaxValue };
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(prometheus, null, $"--request-timeout={ours}", "--prometheus-timeout=10m");

        using HttpResponseMessage response = await server.Client.GetAsync(Web + query, Token);

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal(
            $$$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Timeout: request did not complete within {{{limit}}}","reason":"Timeout","details":{},"code":504}""",
            (await response.Content.ReadAsStringAsync(Token)).TrimEnd());
        Assert.Null(response.Headers.RetryAfter);
        PrometheusText metrics = PrometheusText.Parse(await server.Admin.GetStringAsync("/metrics", Token));
        Assert.Equal(1, metrics.Samples[
            "apiserver_request_terminations_total{code=504,component=apiserver,group=metrics.smi-spec.io,resource=deployments,scope=resource,subresource=,verb=GET,version=v1alpha2}"]);
    }

    [Fact]
    public async Task Who_lists_may_say_in_seconds_how_long_to_wait()
    {
        FakePrometheus prometheus = new() { AnswerOnlyWhenInFlight = int.MaxValue };
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(prometheus, null, "--request-timeout=55s", "--prometheus-timeout=10m");
        using HttpResponseMessage response = await server.Client.GetAsync($"{Web[..Web.LastIndexOf('/')]}?timeoutSeconds=1", Token);
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Contains("within 1s", await response.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("timeoutSeconds=abc", "timeoutSeconds: strconv.ParseInt: parsing \"abc\": invalid syntax")]
    [InlineData("timeoutSeconds=1.5", "timeoutSeconds: strconv.ParseInt: parsing \"1.5\": invalid syntax")]
    [InlineData("timeoutSeconds=99999999999999999999", "timeoutSeconds: strconv.ParseInt: parsing \"99999999999999999999\": value out of range")]
    [InlineData("timeout=abc", "invalid timeout specified in the request URL")]
    public async Task A_time_that_is_none_is_refused(string query, string message)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using HttpResponseMessage response = await server.Client.GetAsync($"{Web[..Web.LastIndexOf('/')]}?{query}", Token);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        JsonNode status = JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!;
        Assert.Equal(("BadRequest", message), ((string?)status["reason"], (string?)status["message"]));
        Assert.Null(status["details"]);
    }

    /// <summary>kube-apiserver gives these paths five seconds, and all of a cluster's clients wait for them.</summary>
    [Fact]
    public async Task Discovery_waits_for_nothing()
    {
        FakePrometheus prometheus = new() { AnswerOnlyWhenInFlight = int.MaxValue };
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(prometheus, null, "--request-timeout=1h", "--prometheus-timeout=10m");
        using CancellationTokenSource leaves = CancellationTokenSource.CreateLinkedTokenSource(Token);
        Task<HttpResponseMessage> waiting = server.Client.GetAsync(Web, leaves.Token);
        foreach (string path in new[] { "/apis", "/apis/metrics.smi-spec.io", Root, "/apis/metrics.smi-spec.io/v1alpha1" })
        {
            using HttpResponseMessage response = await server.Client.GetAsync(path, Token);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.False(waiting.IsCompleted);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task The_end_of_the_time_and_the_callers_going_are_told_apart()
    {
        FakeTimeProvider clock = new();
        using RequestMeters meters = new();
        RequestDeadline deadline = new(
            context => Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted), Options, clock, new RequestMetrics(meters));
        using CancellationTokenSource caller = new();

        DefaultHttpContext late = new() { RequestAborted = caller.Token };
        Task overdue = deadline.InvokeAsync(late);
        clock.Advance(TimeSpan.FromSeconds(54.9));
        Assert.False(overdue.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.2));
        StatusException end = await Assert.ThrowsAsync<StatusException>(() => overdue);
        Assert.Equal((504, "Timeout: request did not complete within 55s"), (end.Status.Code, end.Status.Message));
        Assert.Equal(caller.Token, late.RequestAborted);

        DefaultHttpContext gone = new() { RequestAborted = caller.Token };
        Task abandoned = deadline.InvokeAsync(gone);
        await caller.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => abandoned);
        Assert.Equal(1, meters["apiserver_request_terminations_total{code=504,component=apiserver,group=,resource=,scope=,subresource=,verb=other,version=}"]);
    }

    /// <summary>Neither half an answer with another behind it, nor a good status over half an answer.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_has_begun_is_broken_off(bool flushed)
    {
        await using WebApplication app = await ServeAsync(async context =>
        {
            context.Response.StatusCode = 200;
            await context.Response.BodyWriter.WriteAsync("{\"half\":"u8.ToArray(), CancellationToken.None);
            if (!flushed)
            {
                context.Response.BodyWriter.GetSpan(1)[0] = (byte)'1';
                context.Response.BodyWriter.Advance(1);
            }

            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        });
        using HttpClient client = new();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetStringAsync(Address(app), Token));
    }

    [Fact]
    public async Task What_was_written_but_not_sent_is_not_followed_by_another_answer()
    {
        await using WebApplication app = await ServeAsync(context =>
        {
            context.Response.BodyWriter.GetSpan(1)[0] = (byte)'{';
            context.Response.BodyWriter.Advance(1);
            throw new InvalidOperationException("on purpose");
        });
        using HttpClient client = new();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.GetAsync(Address(app), Token));
    }

    private static HostingOptions Options { get; } =
        new() { MaxRequestsInFlight = 0, RequestTimeout = HostingOptions.DefaultRequestTimeout, ShutdownDelay = TimeSpan.Zero, GoAwayChance = 0 };

    private static async Task<WebApplication> ServeAsync(RequestDelegate handler)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(Options with { RequestTimeout = TimeSpan.FromMilliseconds(200) });
        builder.Services.AddSingleton<RequestMetrics>();
        WebApplication app = builder.Build();
        app.UseRequestMetrics();
        app.UseMiddleware<StatusErrors>();
        app.UseMiddleware<RequestDeadline>();
        app.Run(handler);
        await app.StartAsync(Token);
        return app;
    }

    private static string Address(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
}
