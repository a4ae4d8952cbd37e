using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// kube-apiserver and the server judge the same requests, and must judge them by the same words: what a user without rights hears from
/// the one is compared with what the other says.
/// </summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed partial class VerdictTests(World world) : WorldTest(world)
{
    private const string User = "nobody \"at\" <all>";

    private SmiMetricsServer _server = null!;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _server = await World.RouteAsync(Token);
    }

    [Theory]
    [InlineData("GET", "/deployments", "list", "deployments", "", "")]
    [InlineData("GET", "/deployments/", "list", "deployments", "", "")]
    [InlineData("GET", "/namespaces/ns/deployments", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments/web", "get", "deployments", "ns", "web")]
    [InlineData("GET", "/namespaces/ns/deployments/web/edges", "get", "deployments/edges", "ns", "web")]
    [InlineData("GET", "/namespaces/ns/deployments/web/edges/more", "get", "deployments/edges", "ns", "web")]
    [InlineData("GET", "/namespaces", "list", "namespaces", "", "")]
    [InlineData("GET", "/namespaces/foo", "get", "namespaces", "foo", "foo")]
    [InlineData("GET", "/namespaces/foo/edges", "list", "edges", "foo", "")]
    [InlineData("GET", "/namespaces/foo/edges/x", "get", "edges", "foo", "x")]
    [InlineData("GET", "/namespaces/foo/status", "get", "namespaces/status", "foo", "foo")]
    [InlineData("GET", "/namespaces/foo/namespaces", "list", "namespaces", "foo", "")]
    [InlineData("GET", "/nodes/n1", "get", "nodes", "", "n1")]
    [InlineData("GET", "/nodes/n1/edges", "get", "nodes/edges", "", "n1")]
    [InlineData("GET", "/namespaces/ns/trafficmetricses", "list", "trafficmetricses", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?watch=1", "watch", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?watch=", "watch", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?watch=no", "watch", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?watch=False", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?watch=0", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?Watch=1", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments/web?watch=1", "get", "deployments", "ns", "web")]
    [InlineData("GET", "/namespaces/foo/edges?watch=1", "watch", "edges", "foo", "")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx", "list", "deployments", "ns", "x")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3D%3Dx&watch=1", "watch", "deployments", "ns", "x")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx%2Cmetadata.name%3Da", "list", "deployments", "ns", "a")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%21%3Dx", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3D..", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx%3Dy", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx%5C%2Cy", "list", "deployments", "ns", "x,y")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx&limit=many&watch=1", "watch", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx&limit=", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?fieldSelector=metadata.name%3Dx&labelSelector=%3D%3D", "list", "deployments", "ns", "")]
    [InlineData("GET", "/namespaces/ns/deployments?labelSelector=app+in+%28a%2Cb%29&fieldSelector=metadata.name%3Dx", "list", "deployments", "ns", "x")]
    [InlineData("OPTIONS", "/namespaces/ns/deployments/web", "", "deployments", "ns", "web")]
    [InlineData("POST", "/namespaces/ns/deployments", "create", "deployments", "ns", "")]
    [InlineData("PUT", "/namespaces/ns/deployments/web", "update", "deployments", "ns", "web")]
    [InlineData("PATCH", "/namespaces/ns/deployments/web", "patch", "deployments", "ns", "web")]
    [InlineData("DELETE", "/namespaces/ns/deployments/web", "delete", "deployments", "ns", "web")]
    [InlineData("DELETE", "/namespaces/ns/deployments", "deletecollection", "deployments", "ns", "")]
    [InlineData("GET", "/watch/deployments", "watch", "deployments", "", "")]
    [InlineData("GET", "/watch/namespaces/ns/deployments", "watch", "deployments", "ns", "")]
    [InlineData("GET", "/watch/namespaces/ns/deployments/web", "watch", "deployments", "ns", "web")]
    public async Task A_resource_is_refused_in_the_same_words(string method, string pathAndQuery, string verb, string resource, string @namespace, string name)
    {
        string message = await RefusedAlikeAsync(method, Api + pathAndQuery);
        Match words = ResourceWords().Match(message);
        Assert.True(words.Success, message);
        Assert.Equal(
            (verb, resource, @namespace, name),
            (words.Groups["verb"].Value, words.Groups["resource"].Value, words.Groups["namespace"].Value, words.Groups["name"].Value));
    }

    /// <summary>Everybody known may read discovery; so it is the anonymous who is refused.</summary>
    [Theory]
    [InlineData("GET", Api, "get")]
    [InlineData("GET", Api + "/", "get")]
    [InlineData("OPTIONS", Api, "options")]
    [InlineData("POST", Api, "post")]
    public async Task A_path_is_refused_in_the_same_words(string method, string path, string verb)
    {
        HttpAnswer theirs = await World.ControlPlane.Api.SendAsync(
            new HttpMethod(method), path, null, [("Impersonate-User", "system:anonymous"), ("Impersonate-Group", "system:unauthenticated")], Token);
        HttpAnswer ours = await DirectlyAsync(null, method, path, []);
        AssertAlike(theirs, ours);
        Assert.Equal($"forbidden: User \"system:anonymous\" cannot {verb} path \"{path}\"", ours.Json["message"]!.GetValue<string>());
    }

    /// <summary>The answer to HEAD has no words, so it is whether the right to get, and only that, lets it pass.</summary>
    [Fact]
    public async Task HEAD_is_judged_as_GET_is()
    {
        await World.ControlPlane.Api.CreateAsync(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            new JsonObject
            {
                ["apiVersion"] = "rbac.authorization.k8s.io/v1",
                ["kind"] = "ClusterRole",
                ["metadata"] = new JsonObject { ["name"] = "getter" },
                ["rules"] = new JsonArray(new JsonObject
                {
                    ["apiGroups"] = new JsonArray("metrics.smi-spec.io"), ["resources"] = new JsonArray("deployments"), ["verbs"] = new JsonArray("get"),
                }),
            },
            Token);
        await World.ControlPlane.Api.CreateAsync(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            new JsonObject
            {
                ["apiVersion"] = "rbac.authorization.k8s.io/v1",
                ["kind"] = "ClusterRoleBinding",
                ["metadata"] = new JsonObject { ["name"] = "getter" },
                ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = "getter" },
                ["subjects"] = new JsonArray(new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "User", ["name"] = "getter" }),
            },
            Token);
        (string, string)[] asGetter = [("X-Remote-User", "getter")];
        await World.ControlPlane.AllowsAsync("getter", [], "get", "deployments", "shop", Token);
        Assert.Equal(
            HttpStatusCode.MethodNotAllowed, (await DirectlyAsync(World.ControlPlane.FrontProxy, "HEAD", $"{Api}/namespaces/shop/deployments/web", asGetter)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await DirectlyAsync(World.ControlPlane.FrontProxy, "HEAD", $"{Api}/namespaces/shop/deployments", asGetter)).Code);
        Assert.Equal(HttpStatusCode.Forbidden, (await ImpersonatingAsync("getter", "HEAD", $"{Api}/namespaces/shop/deployments")).Code);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await ImpersonatingAsync("getter", "HEAD", $"{Api}/namespaces/shop/deployments/web")).Code);
    }

    private async Task<string> RefusedAlikeAsync(string method, string pathAndQuery)
    {
        HttpAnswer theirs = await ImpersonatingAsync(User, method, pathAndQuery);
        HttpAnswer ours = await DirectlyAsync(World.ControlPlane.FrontProxy, method, pathAndQuery, [("X-Remote-User", User)]);
        AssertAlike(theirs, ours);
        return ours.Json["message"]!.GetValue<string>();
    }

    private static void AssertAlike(HttpAnswer theirs, HttpAnswer ours)
    {
        Statuses.Assert(theirs, HttpStatusCode.Forbidden, "Forbidden");
        Statuses.Assert(ours, HttpStatusCode.Forbidden, "Forbidden");
        Assert.Equal(theirs.Json["message"]!.GetValue<string>(), ours.Json["message"]!.GetValue<string>());
        Assert.Equal(theirs.Json["details"]?.ToJsonString(), ours.Json["details"]?.ToJsonString());
    }

    private Task<HttpAnswer> ImpersonatingAsync(string user, string method, string pathAndQuery) =>
        World.ControlPlane.Api.SendAsync(new HttpMethod(method), pathAndQuery, null, [("Impersonate-User", user)], Token);

    private async Task<HttpAnswer> DirectlyAsync(KeyPair? certificate, string method, string pathAndQuery, (string, string)[] headers)
    {
        using KubeApi client = new($"https://127.0.0.1:{_server.SecurePort}", certificate, World.Installation.Authority, Installation.ServerName);
        return await client.SendAsync(new HttpMethod(method), pathAndQuery, null, headers, Token);
    }

    [GeneratedRegex("""^\w+\.metrics\.smi-spec\.io (?:"(?<name>.+)" )?is forbidden: User ".+" cannot (?<verb>\w*) resource "(?<resource>[\w/]+)" in API group "metrics.smi-spec.io" (?:at the cluster scope|in the namespace "(?<namespace>.+)")$""")]
    private static partial Regex ResourceWords();
}
