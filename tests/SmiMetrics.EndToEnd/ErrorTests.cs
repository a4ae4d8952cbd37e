using System.Net;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>What a caller gets for a question that has no answer: always a Status that says why, through kube-apiserver.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class ErrorTests(World world) : WorldTest(world)
{
    private const string Deployments = $"{Api}/namespaces/shop/deployments";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await World.RouteAsync(Token);
    }

    [Theory]
    [InlineData("/namespaces/shop/deployments/nosuch", "deployments")]
    [InlineData("/namespaces/shop/deployments/we", "deployments")]
    [InlineData("/namespaces/billing/deployments/web-admin", "deployments")]
    [InlineData("/namespaces/nosuch/deployments/web", "deployments")]
    [InlineData("/namespaces/shop/pods/nosuch", "pods")]
    [InlineData("/namespaces/shop/services/nosuch", "services")]
    [InlineData("/namespaces/nosuch", "namespaces")]
    [InlineData("/nodes/nosuch", "nodes")]
    [InlineData("/namespaces/shop/deployments/nosuch/edges", "deployments")]
    public async Task A_name_that_nobody_knows_is_not_found(string path, string resource)
    {
        string name = path.Replace("/edges", "", StringComparison.Ordinal).Split('/')[^1];
        HttpAnswer answer = await GetAsync(Api + path);
        AssertStatus(answer, HttpStatusCode.NotFound, "NotFound");
        if (!path.Contains("/namespaces/nosuch/", StringComparison.Ordinal))
        {
            Assert.Equal($"{resource}.metrics.smi-spec.io \"{name}\" not found", answer.Json["message"]!.GetValue<string>());
        }

        Outcome outcome = await World.Admin.GetRawAsync(Api + path, Token);
        Assert.Equal(1, outcome.Status);
        Assert.Contains("NotFound", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/namespaces/shop/endpoints")]
    [InlineData("/namespaces/shop/nosuch/web")]
    [InlineData("/namespaces/shop/deployments/web/nosuch")]
    public async Task A_resource_that_does_not_exist_is_not_found(string path) =>
        AssertStatus(await GetAsync(Api + path), HttpStatusCode.NotFound, "NotFound");

    [Theory]
    [InlineData("0s")]
    [InlineData("-5m")]
    [InlineData("500ms")]
    [InlineData("87600h")]
    [InlineData("1d")]
    [InlineData("x")]
    [InlineData("")]
    [InlineData("20")]
    public async Task A_window_that_cannot_be_is_refused_and_the_limits_are_named(string window)
    {
        foreach (string path in new[] { $"{Deployments}/web", Deployments, $"{Deployments}/web/edges" })
        {
            HttpAnswer answer = await GetAsync($"{path}?window={window}");
            AssertStatus(answer, HttpStatusCode.BadRequest, "BadRequest");
            string message = answer.Json["message"]!.GetValue<string>();
            Assert.Contains("window", message, StringComparison.Ordinal);
            if (window == "87600h")
            {
                Assert.Matches("1h|3600s", message);
            }
            else if (window == "500ms")
            {
                // Two scrape intervals.
                Assert.Contains("30s", message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [InlineData("direction=sideways")]
    [InlineData("side=middle")]
    public async Task Other_parameters_are_checked_as_well(string query) =>
        AssertStatus(await GetAsync($"{Deployments}/web/edges?{query}"), HttpStatusCode.BadRequest, "BadRequest");

    /// <summary>The reference server read another namespace's numbers through each of these.</summary>
    [Theory]
    [InlineData("shop", "x\"}[30s])) by (deployment,namespace) or sum(increase(response_total{namespace=\"billing\",deployment=\"web")]
    [InlineData("shop", "web|.+")]
    [InlineData("shop", ".+")]
    [InlineData("shop", "web\\")]
    [InlineData("shop\",namespace=~\".+", "web")]
    [InlineData("billing|shop", "web")]
    [InlineData("shop\"} or response_total{namespace=\"billing", "web")]
    public async Task PromQL_in_a_name_is_refused(string @namespace, string name)
    {
        foreach (string suffix in new[] { "", "/edges" })
        {
            HttpAnswer answer = await GetAsync(
                $"{Api}/namespaces/{Uri.EscapeDataString(@namespace)}/deployments/{Uri.EscapeDataString(name)}{suffix}");
            AssertStatus(answer, HttpStatusCode.BadRequest, "BadRequest");
            Assert.DoesNotContain("success_count", answer.Body, StringComparison.Ordinal);
        }

        if (@namespace != "shop")
        {
            AssertStatus(await GetAsync($"{Api}/namespaces/{Uri.EscapeDataString(@namespace)}/deployments"), HttpStatusCode.BadRequest, "BadRequest");
        }
    }

    /// <summary>kube-apiserver takes ".." for a resource of the first namespace, allows that, and forwards the path as it stands.</summary>
    [Theory]
    [InlineData("/namespaces/shop/../billing/deployments")]
    [InlineData("/namespaces/shop/%2e%2e/billing/deployments")]
    [InlineData("/namespaces/shop/../../deployments")]
    public async Task A_path_with_dots_reads_no_other_namespace(string path)
    {
        HttpAnswer answer = await World.ControlPlane.Api.SendAsync(HttpMethod.Get, Api + path, null, [], Token);
        AssertStatus(answer, HttpStatusCode.BadRequest, "BadRequest");
    }

    /// <summary>kube-apiserver itself cannot pass these on.</summary>
    [Theory]
    [InlineData("web%0A")]
    [InlineData("web%0D%0Ax")]
    public async Task Control_characters_in_a_name_are_refused(string name)
    {
        SmiMetricsServer server = await World.RouteAsync(Token);
        AssertStatus(await server.GetAsync($"{Deployments}/{name}", Token), HttpStatusCode.BadRequest, "BadRequest");
    }

    [Fact]
    public async Task Nothing_can_be_written()
    {
        Outcome outcome = await World.Admin.RunAsync(Token, "delete", "--raw", $"{Deployments}/web");
        Assert.Equal(1, outcome.Status);
        Assert.Contains("MethodNotAllowed", outcome.Error, StringComparison.Ordinal);
    }

    private Task<HttpAnswer> GetAsync(string path) => World.ControlPlane.Api.SendAsync(HttpMethod.Get, path, null, [], Token);

    private static void AssertStatus(HttpAnswer answer, HttpStatusCode code, string reason) => Statuses.Assert(answer, code, reason);
}
