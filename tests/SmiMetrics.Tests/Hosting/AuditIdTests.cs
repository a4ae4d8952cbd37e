using Microsoft.AspNetCore.Http;
using SmiMetrics.Api;
using SmiMetrics.Tests.Api;
using SmiMetrics.Tests.Kubernetes;

namespace SmiMetrics.Tests.Hosting;

public sealed class AuditIdTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";

    [Theory]
    [InlineData("/apis", 200)]
    [InlineData(Root + "/namespaces/shop/deployments/web", 200)]
    [InlineData(Root + "/namespaces/shop/deployments/web?window=x", 400)]
    [InlineData(Root + "/nosuch", 404)]
    [InlineData("//apis", 400)]
    public async Task Every_answer_bears_the_callers_own(string path, int code)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        Assert.Equal((code, "2b9f0e4c-1"), await SendAsync(server.Client, path, "2b9f0e4c-1"));
    }

    [Theory]
    [InlineData("/readyz", 200)]
    [InlineData("/metrics", 200)]
    [InlineData("/nosuch", 404)]
    public async Task The_admin_ports_answers_too(string path, int code)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        Assert.Equal((code, "abc"), await SendAsync(server.Admin, path, "abc"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("two words")]
    [InlineData("a\tb")]
    [InlineData("\u00e4")]
    public async Task Who_brings_none_or_one_that_should_not_stand_in_a_log_gets_a_new_one(string? given)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        (_, string? first) = await SendAsync(server.Client, "/apis", given);
        (_, string? second) = await SendAsync(server.Client, "/apis", given);
        Assert.True(Guid.TryParse(first, out _), first);
        Assert.True(Guid.TryParse(second, out _), second);
        Assert.NotEqual(first, second);
    }

    [Theory]
    [InlineData(256, true)]
    [InlineData(257, false)]
    public async Task It_may_be_as_long_as_kube_apiserver_lets_it_be(int length, bool kept)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        string given = new('x', length);
        (_, string? returned) = await SendAsync(server.Client, "/apis", given);
        Assert.Equal(kept, returned == given);
    }

    [Fact]
    public async Task The_log_of_what_nobody_foresaw_names_it()
    {
        TestLog<StatusErrors> log = new();
        DefaultHttpContext context = new() { TraceIdentifier = "2b9f0e4c-1" };
        context.Request.Method = "GET";
        context.Request.Path = "/apis";
        await new StatusErrors(_ => throw new InvalidOperationException("on purpose"), log).InvokeAsync(context);
        Assert.Equal(500, context.Response.StatusCode);
        Assert.Equal(["Error: GET /apis failed in a way nobody foresaw (Audit-Id 2b9f0e4c-1)"], log.Lines);
    }

    private static async Task<(int Code, string? AuditId)> SendAsync(HttpClient client, string path, string? auditId)
    {
        Uri url = new(client.BaseAddress!.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using SocketsHttpHandler handler = new() { RequestHeaderEncodingSelector = (_, _) => System.Text.Encoding.UTF8 };
        using HttpClient own = new(handler);
        using HttpRequestMessage request = new(HttpMethod.Get, url);
        if (auditId is not null)
        {
            request.Headers.TryAddWithoutValidation("Audit-Id", auditId);
        }

        using HttpResponseMessage response = await own.SendAsync(request, TestContext.Current.CancellationToken);
        return ((int)response.StatusCode, response.Headers.TryGetValues("Audit-Id", out IEnumerable<string>? values) ? Assert.Single(values) : null);
    }
}
