using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Api;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Api;

/// <summary>AccessTests of the end-to-end tests compares these texts with a real kube-apiserver's.</summary>
public sealed class StatusTests
{
    private const string Version = "/apis/metrics.smi-spec.io/v1alpha1";

    [Theory]
    [InlineData(
        Version + "/namespaces/default/deployments/foo",
        "deployments.metrics.smi-spec.io \"foo\" is forbidden: User \"bob\" cannot get resource \"deployments\" in API group \"metrics.smi-spec.io\" in the namespace \"default\"")]
    [InlineData(
        Version + "/deployments",
        "deployments.metrics.smi-spec.io is forbidden: User \"bob\" cannot list resource \"deployments\" in API group \"metrics.smi-spec.io\" at the cluster scope")]
    [InlineData(
        Version + "/nodes/n/edges",
        "nodes.metrics.smi-spec.io \"n\" is forbidden: User \"bob\" cannot get resource \"nodes/edges\" in API group \"metrics.smi-spec.io\" at the cluster scope")]
    [InlineData(
        "/api/v1/namespaces/default/pods",
        "pods is forbidden: User \"bob\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"")]
    [InlineData(Version, "forbidden: User \"bob\" cannot get path \"/apis/metrics.smi-spec.io/v1alpha1\"")]
    [InlineData("/<b>&\"\\", "forbidden: User \"bob\" cannot get path \"/&lt;b&gt;&amp;\\\"\\\\\"")]
    [InlineData("/\n\r\t\u0001\u007f\u0085é", "forbidden: User \"bob\" cannot get path \"/\\n\\r\\t\\x01\\x7f\\u0085é\"")]
    public void Forbidden_is_said_in_the_words_of_kube_apiserver(string path, string message)
    {
        RequestInfo request = RequestInfo.Of("GET", path, null);
        Status status = Status.Forbidden("bob", request, "");
        Assert.Equal((403, "Forbidden", message), (status.Code, status.Reason, status.Message));
        Assert.Equal(message + ": because <x>", Status.Forbidden("bob", request, "because <x>").Message);
    }

    /// <summary>A document that there was no time to send left its ETag and its Content-Encoding on the error, which then could not be unpacked.</summary>
    [Fact]
    public async Task An_error_has_nothing_of_the_answer_that_it_replaces()
    {
        DefaultHttpContext context = new();
        StatusErrors errors = new(
            inner =>
            {
                inner.Response.Headers.ETag = "\"tag\"";
                inner.Response.Headers.ContentEncoding = "gzip";
                inner.Response.Headers.Vary = "Accept";
                inner.Response.Headers.Warning = "299 - \"stale\"";
                inner.Response.Headers["Audit-Id"] = "id";
                throw new StatusException(Status.Timeout("late"));
            },
            NullLogger<StatusErrors>.Instance);
        await errors.InvokeAsync(context);
        Assert.Equal(504, context.Response.StatusCode);
        Assert.Equal(["Audit-Id", "Cache-Control", "Content-Length", "Content-Type", "X-Content-Type-Options"], context.Response.Headers.Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_details_of_Forbidden_are_those_of_the_resource()
    {
        Assert.Equal(
            new StatusDetails { Name = "foo", Group = "metrics.smi-spec.io", Kind = "deployments" },
            Status.Forbidden("bob", RequestInfo.Of("GET", Version + "/namespaces/default/deployments/foo", null), "").Details);
        Assert.Equal(
            new StatusDetails { Group = "metrics.smi-spec.io", Kind = "deployments" },
            Status.Forbidden("bob", RequestInfo.Of("GET", Version + "/deployments", null), "").Details);
        Assert.Equal(new StatusDetails(), Status.Forbidden("bob", RequestInfo.Of("GET", Version, null), "").Details);
    }
}
