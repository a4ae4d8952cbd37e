using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

/// <summary>AccessTests of the end-to-end tests compares the same rows with what a real kube-apiserver says.</summary>
public sealed class RequestInfoTests
{
    private const string Version = "/apis/metrics.smi-spec.io/v1alpha2";

    [Theory]
    [InlineData("GET", "/deployments", "list", "deployments", "", "", "")]
    [InlineData("GET", "/deployments/", "list", "deployments", "", "", "")]
    [InlineData("GET", "/namespaces/ns/deployments", "list", "deployments", "", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments/web", "get", "deployments", "", "ns", "web")]
    [InlineData("GET", "/namespaces/ns/deployments/web/edges", "get", "deployments", "edges", "ns", "web")]
    [InlineData("GET", "/namespaces/ns/deployments/web/edges/more", "get", "deployments", "edges", "ns", "web")]
    [InlineData("GET", "/namespaces", "list", "namespaces", "", "", "")]
    [InlineData("GET", "/namespaces/foo", "get", "namespaces", "", "foo", "foo")]
    [InlineData("GET", "/namespaces/foo/edges", "list", "edges", "", "foo", "")]
    [InlineData("GET", "/namespaces/foo/edges/x", "get", "edges", "", "foo", "x")]
    [InlineData("GET", "/namespaces/foo/status", "get", "namespaces", "status", "foo", "foo")]
    [InlineData("GET", "/namespaces/foo/finalize", "get", "namespaces", "finalize", "foo", "foo")]
    [InlineData("GET", "/namespaces/foo/namespaces", "list", "namespaces", "", "foo", "")]
    [InlineData("GET", "/nodes/n1", "get", "nodes", "", "", "n1")]
    [InlineData("GET", "/nodes/n1/edges", "get", "nodes", "edges", "", "n1")]
    [InlineData("HEAD", "/deployments", "list", "deployments", "", "", "")]
    [InlineData("HEAD", "/namespaces/ns/deployments/web", "get", "deployments", "", "ns", "web")]
    [InlineData("OPTIONS", "/namespaces/ns/deployments/web", "", "deployments", "", "ns", "web")]
    [InlineData("get", "/namespaces/ns/deployments", "", "deployments", "", "ns", "")]
    [InlineData("POST", "/namespaces/ns/deployments", "create", "deployments", "", "ns", "")]
    [InlineData("PUT", "/namespaces/ns/deployments/web", "update", "deployments", "", "ns", "web")]
    [InlineData("PATCH", "/namespaces/ns/deployments/web", "patch", "deployments", "", "ns", "web")]
    [InlineData("DELETE", "/namespaces/ns/deployments/web", "delete", "deployments", "", "ns", "web")]
    [InlineData("DELETE", "/namespaces/ns/deployments", "deletecollection", "deployments", "", "ns", "")]
    [InlineData("GET", "/watch/deployments", "watch", "deployments", "", "", "")]
    [InlineData("GET", "/watch/namespaces/ns/deployments", "watch", "deployments", "", "ns", "")]
    [InlineData("POST", "/watch/namespaces/ns/deployments/web", "watch", "deployments", "", "ns", "web")]
    [InlineData("GET", "/proxy/namespaces/ns/deployments/web/edges", "proxy", "deployments", "", "ns", "web")]
    [InlineData("GET", "/watch", "list", "watch", "", "", "")]
    public void A_resource_request_is_judged_by_verb_resource_namespace_and_name(
        string method, string path, string verb, string resource, string subresource, string @namespace, string name)
    {
        RequestInfo info = RequestInfo.Of(method, Version + path, null);
        Assert.True(info.IsResourceRequest);
        Assert.Equal(("metrics.smi-spec.io", "v1alpha2", Version + path), (info.Group, info.Version, info.Path));
        Assert.Equal((verb, resource, subresource, @namespace, name), (info.Verb, info.Resource, info.Subresource, info.Namespace, info.Name));
    }

    [Theory]
    [InlineData("GET", Version, "get")]
    [InlineData("GET", Version + "/", "get")]
    [InlineData("GET", "/apis/metrics.smi-spec.io", "get")]
    [InlineData("GET", "/apis", "get")]
    [InlineData("GET", "/", "get")]
    [InlineData("GET", "", "get")]
    [InlineData("HEAD", "/openapi/v2", "head")]
    [InlineData("OPTIONS", "/readyz/ping", "options")]
    [InlineData("POST", "/openapi/v3/apis/metrics.smi-spec.io/v1alpha2", "post")]
    [InlineData("GET", "/api/v1", "get")]
    public void Anything_else_is_judged_by_method_and_path(string method, string path, string verb)
    {
        RequestInfo info = RequestInfo.Of(method, path, "?watch=1&fieldSelector=metadata.name=x");
        Assert.False(info.IsResourceRequest);
        Assert.Equal((path, verb, "", ""), (info.Path, info.Verb, info.Resource, info.Name));
    }

    [Fact]
    public void The_core_group_has_no_name()
    {
        RequestInfo info = RequestInfo.Of("GET", "/api/v1/namespaces/ns/pods/web/log", null);
        Assert.Equal(("", "v1", "pods", "log", "ns", "web"), (info.Group, info.Version, info.Resource, info.Subresource, info.Namespace, info.Name));
    }

    [Theory]
    [InlineData("?watch=1", "watch")]
    [InlineData("?watch=true", "watch")]
    [InlineData("?watch=", "watch")]
    [InlineData("?watch", "watch")]
    [InlineData("?watch=no", "watch")]
    [InlineData("?watch=false", "list")]
    [InlineData("?watch=False", "list")]
    [InlineData("?watch=0", "list")]
    [InlineData("?watch=0&watch=1", "list")]
    [InlineData("?Watch=1", "list")]
    [InlineData("?limit=x&watch=1", "watch")]
    [InlineData("", "list")]
    public void A_list_that_is_to_be_watched_is_a_watch(string query, string verb)
    {
        Assert.Equal(verb, RequestInfo.Of("GET", $"{Version}/namespaces/ns/deployments", query).Verb);
        Assert.Equal("get", RequestInfo.Of("GET", $"{Version}/namespaces/ns/deployments/web", query).Verb);
    }

    [Theory]
    [InlineData("?fieldSelector=metadata.name=x", "x")]
    [InlineData("?fieldSelector=metadata.name%3D%3Dx", "x")]
    [InlineData("?fieldSelector=a%3Db%2Cmetadata.name%3Dx%2C", "x")]
    [InlineData("?fieldSelector=metadata.name%3Dx%2Cmetadata.name%3Da", "a")]
    [InlineData("?fieldSelector=metadata.name%3Dx%5C%2Cy", "x,y")]
    [InlineData("?fieldSelector=metadata.name%3Dx&fieldSelector=metadata.name%3Dy", "x")]
    [InlineData("?fieldSelector=metadata.name%3Dx&labelSelector=a+in+%28b%2Cc%29&limit=5", "x")]
    [InlineData("?fieldSelector=metadata.name%21%3Dx", "")]
    [InlineData("?fieldSelector=metadata.name", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx%2Cb", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx%3Dy", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx%5C", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx%5Cy", "")]
    [InlineData("?fieldSelector=metadata.name%3D..", "")]
    [InlineData("?fieldSelector=metadata.name%3Da%2Fb", "")]
    [InlineData("?fieldSelector=metadata.namespace%3Dx", "")]
    [InlineData("?FieldSelector=metadata.name%3Dx", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx&limit=many", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx&timeoutSeconds=1.5", "")]
    [InlineData("?fieldSelector=metadata.name%3Dx&labelSelector=%3D%3D", "")]
    [InlineData("?fieldSelector=", "")]
    public void A_list_for_one_name_is_judged_with_the_name(string query, string name)
    {
        RequestInfo info = RequestInfo.Of("GET", $"{Version}/namespaces/ns/deployments", query);
        Assert.Equal(("list", name), (info.Verb, info.Name));
        Assert.Equal(["deployments"], info.Parts);
    }
}
