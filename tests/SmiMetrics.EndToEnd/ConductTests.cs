using System.Net;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>How the server behaves as one of the cluster's API servers, seen through kube-apiserver.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class ConductTests(World world) : WorldTest(world)
{
    private const string Web = $"{Api}/namespaces/shop/deployments/web";

    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await World.RouteAsync(Token);
    }

    [Theory]
    [InlineData(Web, HttpStatusCode.OK)]
    [InlineData($"{Api}/namespaces/shop/deployments/nosuch", HttpStatusCode.NotFound)]
    public async Task An_answer_bears_the_Audit_Id_of_kube_apiservers_log(string path, HttpStatusCode code)
    {
        HttpAnswer answer = await World.ControlPlane.Api.SendAsync(HttpMethod.Get, path, null, [("Audit-Id", "2b9f0e4c-1")], Token);
        Assert.Equal(code, answer.Code);
        Assert.All(answer.AuditIds, id => Assert.Equal("2b9f0e4c-1", id));
        Assert.NotEmpty(answer.AuditIds);
    }

    [Theory]
    [InlineData("timeoutSeconds=abc")]
    [InlineData("timeout=abc")]
    public async Task A_deadline_that_is_none_is_refused(string query) =>
        Statuses.Assert(await World.ControlPlane.Api.SendAsync(HttpMethod.Get, $"{Api}/namespaces/shop/deployments?{query}", null, [], Token), HttpStatusCode.BadRequest, "BadRequest");

    [Fact]
    public async Task Its_metrics_have_the_names_that_the_clusters_dashboards_know()
    {
        await World.ControlPlane.Api.GetTextAsync(Web, Token);
        string metrics = await _server.Admin.GetStringAsync("/metrics", Token);
        foreach (string series in (string[])
        [
            "apiserver_request_total{", "apiserver_request_duration_seconds_bucket{", "apiserver_response_sizes_bucket{",
            "apiserver_current_inflight_requests{request_kind=\"readOnly\"}", "apiserver_tls_handshake_errors_total ",
            $"rest_client_requests_total{{code=\"200\",host=\"127.0.0.1:{World.ControlPlane.Port}\",method=\"GET\"}}",
            "rest_client_request_duration_seconds_bucket{", "process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_start_time_seconds ",
        ])
        {
            Assert.Contains($"\n{series}", metrics, StringComparison.Ordinal);
        }
    }
}
