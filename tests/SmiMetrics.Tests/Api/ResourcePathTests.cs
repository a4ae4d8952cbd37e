using SmiMetrics.Api;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Api;

public sealed class ResourcePathTests
{
    private const string Prefix = "/apis/metrics.smi-spec.io/v1alpha2/";

    [Theory]
    [InlineData("deployments", "deployments", null, null, false)]
    [InlineData("namespaces/shop/deployments", "deployments", "shop", null, false)]
    [InlineData("namespaces/shop/deployments/web", "deployments", "shop", "web", false)]
    [InlineData("namespaces/shop/deployments/web/edges", "deployments", "shop", "web", true)]
    [InlineData("namespaces/shop/pods/edges", "pods", "shop", "edges", false)]
    [InlineData("namespaces/shop/pods/edges/edges", "pods", "shop", "edges", true)]
    [InlineData("namespaces", "namespaces", null, null, false)]
    [InlineData("namespaces/shop", "namespaces", null, "shop", false)]
    [InlineData("namespaces/shop/edges", "namespaces", null, "shop", true)]
    [InlineData("trafficmetrics", "trafficmetrics", null, null, false)]
    [InlineData("namespaces/shop/trafficmetrics/deployment.web", "trafficmetrics", "shop", "deployment.web", false)]
    [InlineData("nodes", "nodes", null, null, false)]
    [InlineData("nodes/n1", "nodes", null, "n1", false)]
    [InlineData("nodes/n1/edges", "nodes", null, "n1", true)]
    [InlineData("namespaces/shop/cronjobs/report/edges", "cronjobs", "shop", "report", true)]
    [InlineData("namespaces/shop/trafficsplits/web", "trafficsplits", "shop", "web", false)]
    [InlineData("httproutes", "httproutes", null, null, false)]
    [InlineData("trafficedges", "trafficedges", null, null, false)]
    [InlineData("namespaces/shop/trafficedges", "trafficedges", "shop", null, false)]
    [InlineData("meshes", "meshes", null, null, false)]
    [InlineData("meshes/linkerd", "meshes", null, "linkerd", false)]
    public void A_path_is_taken_apart_as_the_API_server_does(string path, string resource, string? @namespace, string? name, bool edges)
    {
        ResourcePath parsed = Of(path)!;
        Assert.Equal((resource, @namespace, name, edges), (parsed.Resource.Name, parsed.Namespace, parsed.Name, parsed.Edges));
        Assert.Equal("/apis/metrics.smi-spec.io/v1alpha2/" + path, parsed.SelfLink);
    }

    [Theory]
    [InlineData("endpoints")]
    [InlineData("events")]
    [InlineData("httproutes/edges")]
    [InlineData("namespaces/shop/trafficsplits/web/edges")]
    [InlineData("namespaces/shop/trafficedges/web")]
    [InlineData("meshes/linkerd/edges")]
    [InlineData("namespaces/shop/meshes")]
    [InlineData("deployments/web")]
    [InlineData("deployments/web/edges")]
    [InlineData("namespaces/shop/nodes")]
    [InlineData("namespaces/shop/namespaces")]
    [InlineData("namespaces/shop/namespaces/other")]
    [InlineData("namespaces/shop/edges/x")]
    [InlineData("edges")]
    [InlineData("watch/deployments")]
    [InlineData("watch/namespaces/shop/deployments/web")]
    [InlineData("proxy/namespaces/shop/deployments/web")]
    [InlineData("namespaces/shop/status")]
    [InlineData("namespaces/shop/deployments/web/status")]
    [InlineData("namespaces/shop/deployments/web/edges/x")]
    [InlineData("nodes/n1/x")]
    [InlineData("namespaces/shop/trafficmetrics/deployment.web/edges")]
    public void What_is_no_resource_here_is_none(string path) => Assert.Null(Of(path));

    /// <summary>Judged as a list, so answered as one, however the list is narrowed.</summary>
    [Fact]
    public void A_list_of_one_name_is_a_list()
    {
        RequestInfo info = RequestInfo.Of("GET", $"{Prefix}namespaces/shop/deployments", "?fieldSelector=metadata.name%3Dweb");
        Assert.Equal(("list", "web"), (info.Verb, info.Name));
        Assert.Equal(new ResourcePath("v1alpha2", TrafficResource.Find("deployments")!, "shop", null, Edges: false), ResourcePath.Of(info));
    }

    /// <summary>The SMI SDK's generated client has this plural; RBAC judges it as it stands.</summary>
    [Fact]
    public void The_plural_of_the_SDK_is_trafficmetrics()
    {
        RequestInfo info = RequestInfo.Of("GET", $"{Prefix}namespaces/shop/trafficmetricses/deployment.web", null);
        Assert.Equal("trafficmetricses", info.Resource);
        Assert.Equal(Of("namespaces/shop/trafficmetrics/deployment.web"), ResourcePath.Of(info));
        Assert.DoesNotContain(TrafficResource.All, resource => resource.Name == "trafficmetricses");
    }

    private static ResourcePath? Of(string path) => ResourcePath.Of(RequestInfo.Of("GET", Prefix + path, null));
}
