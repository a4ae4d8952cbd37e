using System.Buffers;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Diagnostics;

namespace SmiMetrics.Tests.Diagnostics;

public sealed class DiagnosticsEndpointsTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private WebApplication _app = null!;
    private HttpClient _client = null!;
    private string? _fault;

    public async ValueTask InitializeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTestServer();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(_time);
        builder.Services.AddSingleton(new BuildVersion("0.3.1-rc.2", "0123abcd"));
        builder.Services.AddSingleton(new ReadinessCheck("informer-sync", () => _fault));
        builder.Services.AddSingleton<Health>();
        builder.Services.AddSingleton<MetricsExporter>();
        builder.Services.AddSingleton<RequestMetrics>();
        _app = builder.Build();
        _app.UseRequestMetrics();
        _app.UseDiagnostics();
        _app.Run(context =>
        {
            _time.Advance(TimeSpan.FromSeconds(0.3));
            switch (context.Request.Path.Value)
            {
                case "/known":
                    context.Features.Set(new RequestAttributes("list", "metrics.smi-spec.io", "v1alpha1", "deployments", "edges", "namespace"));
                    // By both ways of writing.
                    context.Response.BodyWriter.Write(new byte[500]);
                    return context.Response.Body.WriteAsync(new byte[700]).AsTask();
                case "/throws":
                    throw new InvalidOperationException("on purpose");
                default:
                    context.Response.StatusCode = StatusCodes.Status418ImATeapot;
                    return Task.CompletedTask;
            }
        });
        await _app.StartAsync();
        _client = _app.GetTestClient();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _app.DisposeAsync();
    }

    [Theory]
    [InlineData("GET", "/livez", 200, "ok")]
    [InlineData("GET", "/readyz", 200, "ok")]
    [InlineData("GET", "/healthz", 200, "ok")]
    [InlineData("GET", "/livez?verbose", 200, "[+]ping ok\nlivez check passed\n")]
    [InlineData("GET", "/livez?verbose=true&exclude=ping", 200, "[+]ping excluded: ok\nlivez check passed\n")]
    [InlineData("GET", "/readyz?verbose&exclude=ping&exclude=shutdown", 200, "[+]ping excluded: ok\n[+]informer-sync ok\n[+]shutdown excluded: ok\nreadyz check passed\n")]
    [InlineData("GET", "/readyz/informer-sync", 200, "ok")]
    [InlineData("GET", "/livez/ping", 200, "ok")]
    [InlineData("GET", "/livez/informer-sync", 404, "404 page not found\n")]
    [InlineData("GET", "/readyz/nosuch", 404, "404 page not found\n")]
    [InlineData("GET", "/readyz/", 404, "404 page not found\n")]
    [InlineData("POST", "/readyz", 405, "405 method not allowed\n")]
    [InlineData("DELETE", "/metrics", 405, "405 method not allowed\n")]
    [InlineData("PUT", "/version", 405, "405 method not allowed\n")]
    [InlineData("GET", "/readyz/ping/more", 418, "")]
    [InlineData("GET", "/metrics/more", 418, "")]
    [InlineData("GET", "/", 418, "")]
    [InlineData("POST", "/elsewhere", 418, "")]
    public async Task Every_path_has_its_answer(string method, string path, int code, string text)
    {
        using HttpResponseMessage response = await SendAsync(method, path);

        Assert.Equal(code, (int)response.StatusCode);
        Assert.Equal(text, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        if (code != 418)
        {
            Assert.Equal("text/plain; charset=utf-8", response.Content.Headers.ContentType!.ToString());
            Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
            Assert.Equal("no-cache, private", response.Headers.CacheControl!.ToString());
            Assert.Equal(code == 405 ? ["GET", "HEAD"] : [], response.Content.Headers.Allow);
        }
    }

    [Theory]
    [InlineData("/readyz")]
    [InlineData("/metrics")]
    [InlineData("/version")]
    public async Task Head_is_allowed(string path)
    {
        using HttpResponseMessage response = await SendAsync("HEAD", path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task A_failing_check_is_500_on_its_probe_and_by_itself()
    {
        _fault = "pods are not listed yet";

        using HttpResponseMessage probe = await SendAsync("GET", "/readyz");
        using HttpResponseMessage check = await SendAsync("GET", "/readyz/informer-sync");

        Assert.Equal(HttpStatusCode.InternalServerError, probe.StatusCode);
        Assert.Equal(
            "[+]ping ok\n[-]informer-sync failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n",
            await probe.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.InternalServerError, check.StatusCode);
        Assert.Equal("internal server error: pods are not listed yet\n", await check.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_shutdown_check_fails_from_the_first_moment_of_stopping()
    {
        _app.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();

        using HttpResponseMessage ready = await SendAsync("GET", "/readyz");
        using HttpResponseMessage live = await SendAsync("GET", "/livez");

        Assert.Equal(HttpStatusCode.InternalServerError, ready.StatusCode);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
    }

    [Fact]
    public async Task The_version_has_every_key_of_kubernetes()
    {
        using HttpResponseMessage response = await SendAsync("GET", "/version");

        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        using JsonDocument document = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Dictionary<string, string> version = document.RootElement.EnumerateObject().ToDictionary(property => property.Name, property => property.Value.GetString()!);
        Assert.Equal(
            ["major", "minor", "gitVersion", "gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"],
            document.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal("0", version["major"]);
        Assert.Equal("3", version["minor"]);
        Assert.Equal("v0.3.1-rc.2", version["gitVersion"]);
        Assert.Equal("0123abcd", version["gitCommit"]);
        Assert.StartsWith(".NET 10.", version["goVersion"], StringComparison.Ordinal);
        Assert.Matches("^(linux|darwin|windows)/[a-z0-9]+$", version["platform"]);
    }

    [Theory]
    [InlineData("0.1.0", "0.1.0", "")]
    [InlineData("1.2.3+deadbeef", "1.2.3", "deadbeef")]
    [InlineData("1.2.3-rc.1+deadbeef", "1.2.3-rc.1", "deadbeef")]
    public void An_informational_version_is_version_and_commit(string informational, string version, string commit) =>
        Assert.Equal(new BuildVersion(version, commit), BuildVersion.Parse(informational));

    [Fact]
    public void This_build_knows_its_version() => Assert.Matches(@"^\d+\.\d+\.\d+", BuildVersion.Own.Version);

    [Fact]
    public async Task Metrics_are_text_that_prometheus_reads()
    {
        using HttpResponseMessage response = await SendAsync("GET", "/metrics");

        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        PrometheusText text = PrometheusText.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        Assert.Equal(1, text.Samples["smi_metrics_build_info{version=0.3.1-rc.2}"]);
    }

    [Fact]
    public async Task Requests_are_measured_under_the_names_that_dashboards_know()
    {
        const string Known = "group=metrics.smi-spec.io";
        const string KnownRest = "resource=deployments,scope=namespace,subresource=edges,verb=LIST,version=v1alpha1";
        await SendAsync("GET", "/known");
        await SendAsync("GET", "/known");
        await SendAsync("GET", "/unknown");
        await SendAsync("BREW", "/unknown");
        await Assert.ThrowsAsync<InvalidOperationException>(() => SendAsync("GET", "/throws"));

        using HttpResponseMessage response = await SendAsync("GET", "/metrics");
        PrometheusText text = PrometheusText.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));

        Assert.Equal("counter", text.Types["apiserver_request_total"]);
        Assert.Equal(2, text.Samples[$"apiserver_request_total{{code=200,component=apiserver,dry_run=,{Known},{KnownRest}}}"]);
        Assert.Equal(1, text.Samples["apiserver_request_total{code=418,component=apiserver,dry_run=,group=,resource=,scope=,subresource=,verb=GET,version=}"]);
        Assert.Equal(1, text.Samples["apiserver_request_total{code=418,component=apiserver,dry_run=,group=,resource=,scope=,subresource=,verb=other,version=}"]);
        Assert.Equal(1, text.Samples["apiserver_request_total{code=500,component=apiserver,dry_run=,group=,resource=,scope=,subresource=,verb=GET,version=}"]);
        Assert.Equal("histogram", text.Types["apiserver_request_duration_seconds"]);
        Assert.Equal(0, text.Samples[$"apiserver_request_duration_seconds_bucket{{component=apiserver,dry_run=,{Known},le=0.2,{KnownRest}}}"]);
        Assert.Equal(2, text.Samples[$"apiserver_request_duration_seconds_bucket{{component=apiserver,dry_run=,{Known},le=0.4,{KnownRest}}}"]);
        Assert.Equal(2, text.Samples[$"apiserver_request_duration_seconds_count{{component=apiserver,dry_run=,{Known},{KnownRest}}}"]);
        Assert.Equal(0.6, text.Samples[$"apiserver_request_duration_seconds_sum{{component=apiserver,dry_run=,{Known},{KnownRest}}}"], 9);
        Assert.Equal("histogram", text.Types["apiserver_response_sizes"]);
        Assert.Equal(0, text.Samples[$"apiserver_response_sizes_bucket{{component=apiserver,{Known},le=1000,{KnownRest}}}"]);
        Assert.Equal(2, text.Samples[$"apiserver_response_sizes_bucket{{component=apiserver,{Known},le=10000,{KnownRest}}}"]);
        Assert.Equal(2_400, text.Samples[$"apiserver_response_sizes_sum{{component=apiserver,{Known},{KnownRest}}}"]);
        // Sizes are of what was read, so not of what no method of reading asked for.
        Assert.DoesNotContain(text.Samples.Keys, name => name.StartsWith("apiserver_response_sizes", StringComparison.Ordinal) && name.Contains("verb=other", StringComparison.Ordinal));
        Assert.Equal("gauge", text.Types["apiserver_current_inflight_requests"]);
        Assert.Equal(0, text.Samples["apiserver_current_inflight_requests{request_kind=readOnly}"]);
        Assert.Equal(0, text.Samples["apiserver_current_inflight_requests{request_kind=mutating}"]);
        Assert.Equal("counter", text.Types["apiserver_tls_handshake_errors_total"]);
    }

    private async Task<HttpResponseMessage> SendAsync(string method, string path)
    {
        using HttpRequestMessage request = new(new HttpMethod(method), path);
        return await _client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
