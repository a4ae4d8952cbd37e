using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.EndToEnd.Mesh;

namespace SmiMetrics.EndToEnd;

/// <summary>What kubectl and kube-apiserver learn about the API from the API itself.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class DiscoveryTests(World world) : WorldTest(world)
{
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await World.RouteAsync(Token);
    }

    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task Every_resource_is_discovered_with_its_edges(string version)
    {
        JsonNode document = (await World.Admin.GetRawAsync($"/apis/metrics.smi-spec.io/{version}", Token)).Json;
        Assert.Equal("APIResourceList", document["kind"]!.GetValue<string>());
        Assert.Equal($"metrics.smi-spec.io/{version}", document["groupVersion"]!.GetValue<string>());
        Dictionary<string, JsonNode> resources = document["resources"]!.AsArray().ToDictionary(resource => resource!["name"]!.GetValue<string>(), resource => resource!);
        foreach (string name in MeshUnderTest.Resources)
        {
            bool namespaced = MeshUnderTest.NamespacedResources.Contains(name);
            Assert.Equal(["get", "list"], resources[name]["verbs"]!.AsArray().Select(verb => verb!.GetValue<string>()).Order());
            Assert.Equal(namespaced, resources[name]["namespaced"]!.GetValue<bool>());
            // kube-apiserver drops a whole version when these two differ.
            Assert.Equal(namespaced, resources[$"{name}/edges"]["namespaced"]!.GetValue<bool>());
        }

        // With one Kind for several resources kubectl silently asks for the last of them.
        string[] kinds = [.. resources.Values.Where(resource => !resource["name"]!.GetValue<string>().Contains('/')).Select(resource => resource["kind"]!.GetValue<string>())];
        Assert.Equal(kinds.Length, kinds.Distinct().Count());
    }

    [Fact]
    public async Task Kubectl_lists_the_resources_of_the_group()
    {
        string names = (await World.Admin.RunAsync(Token, "api-resources", "--api-group=metrics.smi-spec.io", "-o", "name")).Text;
        Assert.Superset(
            MeshUnderTest.Resources.Select(resource => $"{resource}.metrics.smi-spec.io").ToHashSet(),
            names.Split('\n', StringSplitOptions.RemoveEmptyEntries).ToHashSet());
    }

    [Fact]
    public async Task Kubectl_gets_resources_by_their_names()
    {
        JsonNode list = (await World.Admin.RunAsync(Token, "get", "deployments.metrics.smi-spec.io", "-n", "shop", "-o", "json")).Json;
        Assert.Contains(list["items"]!.AsArray(), item => item!["resource"]!["name"]!.GetValue<string>() == "web.v2");
        Assert.All(list["items"]!.AsArray(), item => Assert.Equal("Deployment", item!["resource"]!["kind"]!.GetValue<string>()));

        JsonNode pod = (await World.Admin.RunAsync(Token, "get", "pods.metrics.smi-spec.io", "db-0", "-n", "shop", "-o", "json")).Json;
        Assert.Equal("Pod", pod["resource"]!["kind"]!.GetValue<string>());

        JsonNode namespaces = (await World.Admin.RunAsync(Token, "get", "namespaces.metrics.smi-spec.io", "-o", "json")).Json;
        Assert.Contains(namespaces["items"]!.AsArray(), item => item!["resource"]!["name"]!.GetValue<string>() == "billing");
    }

    [Fact]
    public async Task A_bare_resource_name_still_means_Kubernetes_own()
    {
        JsonNode list = (await World.Admin.RunAsync(Token, "get", "deployments", "-n", "shop", "-o", "json")).Json;
        Assert.All(list["items"]!.AsArray(), item => Assert.Equal("apps/v1", item!["apiVersion"]!.GetValue<string>()));
    }

    /// <summary>kube-apiserver 1.26 and later asks /apis for aggregated discovery, and knows it by the parameters of its content type alone.</summary>
    [Theory]
    [InlineData("v2", "v2beta1")]
    [InlineData("v2beta1")]
    public async Task A_server_asked_for_aggregated_discovery_gives_it(params string[] versions)
    {
        SmiMetricsServer server = await World.RouteAsync(Token);
        string accept = string.Join(',', versions.Select(ContentTypeOf));
        using KubeApi client = new($"https://127.0.0.1:{server.SecurePort}", World.ControlPlane.FrontProxy, World.Installation.Authority, Installation.ServerName);
        HttpAnswer answer = await client.SendAsync(
            HttpMethod.Get, "/apis", null, [("Accept", accept), ("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters")], Token);
        Assert.Equal(HttpStatusCode.OK, answer.Code);
        Assert.Equal(ContentTypeOf(versions[0]), answer.FullContentType);
        Assert.Equal("APIGroupDiscoveryList", answer.Json["kind"]!.GetValue<string>());
        JsonArray found = answer.Json["items"]!.AsArray().Single()!["versions"]!.AsArray();
        Assert.Equal(["v1alpha2", "v1alpha1"], found.Select(version => version!["version"]!.GetValue<string>()));
        Assert.All(found, version => Assert.Superset(
            MeshUnderTest.Resources.ToHashSet(), version!["resources"]!.AsArray().Select(resource => resource!["resource"]!.GetValue<string>()).ToHashSet()));
    }

    /// <summary>A form that there is not: kube-apiserver takes 406 for "ask again for the old one".</summary>
    [Fact]
    public async Task A_server_asked_for_an_unknown_form_of_discovery_says_406()
    {
        SmiMetricsServer server = await World.RouteAsync(Token);
        using KubeApi client = new($"https://127.0.0.1:{server.SecurePort}", World.ControlPlane.FrontProxy, World.Installation.Authority, Installation.ServerName);
        HttpAnswer answer = await client.SendAsync(
            HttpMethod.Get, "/apis", null, [("Accept", ContentTypeOf("v9")), ("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters")], Token);
        Assert.Equal(HttpStatusCode.NotAcceptable, answer.Code);
    }

    private static string ContentTypeOf(string version) => $"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList";
}
