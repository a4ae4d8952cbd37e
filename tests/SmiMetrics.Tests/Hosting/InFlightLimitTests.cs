using System.Net;
using Microsoft.AspNetCore.Http;
using SmiMetrics.Auth;
using SmiMetrics.Diagnostics;
using SmiMetrics.Hosting;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Api;
using SmiMetrics.Tests.Diagnostics;

namespace SmiMetrics.Tests.Hosting;

public sealed class InFlightLimitTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Beyond_the_limit_it_is_429_and_worth_coming_again_soon()
    {
        FakePrometheus prometheus = new() { AnswerOnlyWhenInFlight = int.MaxValue };
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(prometheus, null, "--max-requests-in-flight=2");
        Task<HttpResponseMessage>[] within = [server.Client.GetAsync($"{Root}/namespaces/a/deployments/x", Token), server.Client.GetAsync($"{Root}/namespaces/b/deployments/x", Token)];
        await AskedAsync(prometheus, "a", "b");

        using HttpResponseMessage beyond = await server.Client.GetAsync($"{Root}/namespaces/c/deployments/x", Token);
        Assert.Equal(HttpStatusCode.TooManyRequests, beyond.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), beyond.Headers.RetryAfter!.Delta);
        Assert.Equal("application/json", beyond.Content.Headers.ContentType!.ToString());
        Assert.Equal(
            """{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Too many requests, please try again later.","reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429}""",
            (await beyond.Content.ReadAsStringAsync(Token)).TrimEnd());

        // Discovery comes from memory, and every client and controller of the cluster needs it.
        foreach (string path in new[] { "/apis", Root, "/openapi/v2" })
        {
            using HttpResponseMessage description = await server.Client.GetAsync(path, Token);
            Assert.Equal(HttpStatusCode.OK, description.StatusCode);
        }

        // Whoever looks after the server is served all the same.
        foreach (string path in new[] { "/livez", "/readyz", "/version" })
        {
            using HttpResponseMessage health = await server.Admin.GetAsync(path, Token);
            Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        }

        PrometheusText metrics = PrometheusText.Parse(await server.Admin.GetStringAsync("/metrics", Token));
        Assert.Equal(1, metrics.Samples[
            "apiserver_request_terminations_total{code=429,component=apiserver,group=metrics.smi-spec.io,resource=deployments,scope=resource,subresource=,verb=GET,version=v1alpha2}"]);

        prometheus.AnswerAtOnce();
        foreach (HttpResponseMessage answer in await Task.WhenAll(within))
        {
            Assert.NotEqual(HttpStatusCode.TooManyRequests, answer.StatusCode);
            answer.Dispose();
        }

        using HttpResponseMessage again = await server.Client.GetAsync($"{Root}/namespaces/c/deployments/x", Token);
        Assert.Null(again.Headers.RetryAfter);
        Assert.NotEqual(HttpStatusCode.TooManyRequests, again.StatusCode);
    }

    [Fact]
    public async Task Whoever_goes_away_makes_room()
    {
        FakePrometheus prometheus = new() { AnswerOnlyWhenInFlight = int.MaxValue };
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(prometheus, null, "--max-requests-in-flight=1");
        using CancellationTokenSource leaves = new();
        Task<HttpResponseMessage> first = server.Client.GetAsync($"{Root}/namespaces/a/deployments/x", leaves.Token);
        await AskedAsync(prometheus, "a");
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Patience.UntilAsync(async () =>
        {
            using HttpResponseMessage next = await server.Client.GetAsync($"{Root}/meshes", Token);
            return next.StatusCode == HttpStatusCode.OK;
        });
    }

    [Theory]
    [InlineData(Root + "/pods", null, 429)]
    [InlineData(Root + "/pods", "system:authenticated", 429)]
    [InlineData(Root + "/pods", "system:masters", 200)]
    [InlineData(Root, "system:authenticated", 200)]
    [InlineData("/openapi/v2", "system:authenticated", 200)]
    [InlineData("/readyz", null, 200)]
    // Nothing is there, but whether that may be known kube-apiserver is asked.
    [InlineData("/thought-up", "system:authenticated", 429)]
    public async Task Administrators_and_kube_apiserver_itself_are_never_refused_nor_is_who_asks_for_no_traffic(string path, string? group, int code)
    {
        TaskCompletionSource held = new();
        using RequestMeters meters = new();
        InFlightLimit limit = Limit(1, meters, context => context.Request.Path == Root + "/nodes" ? held.Task : Task.CompletedTask);
        Task first = limit.InvokeAsync(Request(Root + "/nodes", null));
        Assert.Equal(1, meters["apiserver_current_inflight_requests{request_kind=readOnly}"]);

        HttpContext second = Request(path, group);
        await limit.InvokeAsync(second);
        Assert.Equal(code, second.Response.StatusCode);

        held.SetResult();
        await first;
        Assert.Equal(0, meters["apiserver_current_inflight_requests{request_kind=readOnly}"]);
        HttpContext third = Request(Root + "/pods", null);
        await limit.InvokeAsync(third);
        Assert.Equal(200, third.Response.StatusCode);
    }

    /// <summary>Each of a stranger's requests is a question to kube-apiserver. A thousand of them kept everybody else from being served.</summary>
    [Theory]
    [InlineData(Root + "/pods", 429)]
    [InlineData("/something-else", 429)]
    [InlineData("/readyz", 200)]
    public async Task Strangers_keep_nobody_else_from_being_served(string path, int code)
    {
        TaskCompletionSource held = new();
        using RequestMeters meters = new();
        InFlightLimit limit = Limit(20, meters, context => context.Request.Path == Root + "/nodes" ? held.Task : Task.CompletedTask);
        HttpContext Strangers(string path)
        {
            HttpContext context = Request(path, null);
            context.Features.Set(RequestUser.Anonymous);
            return context;
        }

        Task[] first = [limit.InvokeAsync(Strangers(Root + "/nodes")), limit.InvokeAsync(Strangers(Root + "/nodes"))];
        HttpContext third = Strangers(path);
        await limit.InvokeAsync(third);
        Assert.Equal(code, third.Response.StatusCode);

        HttpContext known = Request(Root + "/pods", "system:authenticated");
        await limit.InvokeAsync(known);
        Assert.Equal(200, known.Response.StatusCode);
        held.SetResult();
        await Task.WhenAll(first);
    }

    [Fact]
    public async Task A_request_that_fails_gives_its_place_back()
    {
        using RequestMeters meters = new();
        InFlightLimit limit = Limit(1, meters, context => context.Request.Path == Root + "/pods" ? throw new InvalidOperationException("on purpose") : Task.CompletedTask);
        for (int i = 0; i < 3; i++)
        {
            await Assert.ThrowsAsync<InvalidOperationException>(() => limit.InvokeAsync(Request(Root + "/pods", null)));
        }

        HttpContext next = Request("/", null);
        await limit.InvokeAsync(next);
        Assert.Equal(200, next.Response.StatusCode);
    }

    [Fact]
    public async Task Zero_is_no_limit()
    {
        TaskCompletionSource held = new();
        using RequestMeters meters = new();
        InFlightLimit limit = Limit(0, meters, _ => held.Task);
        Task[] all = [.. Enumerable.Range(0, 1_000).Select(_ => limit.InvokeAsync(Request("/", null)))];
        Assert.Equal(1_000, meters["apiserver_current_inflight_requests{request_kind=readOnly}"]);
        held.SetResult();
        await Task.WhenAll(all);
    }

    private static InFlightLimit Limit(int max, RequestMeters meters, RequestDelegate next) => new(
        next,
        new HostingOptions { MaxRequestsInFlight = max, RequestTimeout = HostingOptions.DefaultRequestTimeout, ShutdownDelay = TimeSpan.Zero, GoAwayChance = 0 },
        new AuthorizationOptions(),
        new RequestMetrics(meters));

    private static DefaultHttpContext Request(string path, string? group)
    {
        DefaultHttpContext context = new();
        context.Request.Method = "GET";
        context.Request.Path = path;
        context.Features.Set(RequestInfo.Of("GET", path, null));
        if (group is not null)
        {
            context.Features.Set(new RequestUser("somebody", null, [group], new Dictionary<string, IReadOnlyList<string>>()));
        }

        return context;
    }

    private static Task AskedAsync(FakePrometheus prometheus, params string[] namespaces) => Patience.UntilAsync(() =>
        namespaces.All(@namespace => prometheus.AskedSoFar.Any(query => query.Contains($"=\"{@namespace}\"", StringComparison.Ordinal))));
}
