using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class DiscoveryTests
{
    private const string V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    private const string V2Beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";

    /// <summary>What kubectl 1.32 and Kubernetes 1.32 call their own resources for short, and the categories that these are in.</summary>
    private static readonly string[] Taken =
    [
        "all", "api-extensions", "apiserver", "cluster-admin",
        "cm", "cr", "crd", "crds", "cs", "csr", "deploy", "ds", "ep", "ev", "hpa", "ing", "limits", "netpol", "no", "ns", "pc", "pdb", "po", "pv", "pvc", "quota",
        "rc", "rs", "sa", "sc", "sts", "svc", "vac", "cj", "ts",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/apis?pretty=true", "application/json", "groups")]
    [InlineData("/apis/metrics.smi-spec.io/v1alpha1?pretty=true", "application/json", "resources-v1alpha1")]
    [InlineData("/apis", V2, "aggregated-v2")]
    [InlineData("/apis", V2Beta1, "aggregated-v2beta1")]
    public async Task A_discovery_document_has_this_shape(string url, string accept, string golden)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using HttpResponseMessage response = await AskAsync(server, url, accept);
        Golden.Verify($"api/{golden}", Documents.Pretty(await ReadAsync(response)));
    }

    [Theory]
    [InlineData("", "application/json")]
    [InlineData("*/*", "application/json")]
    [InlineData("application/json", "application/json")]
    [InlineData(V2, V2)]
    [InlineData(V2Beta1, V2Beta1)]
    // kube-apiserver from 1.30 on, and from 1.26 on.
    [InlineData($"{V2},{V2Beta1}", V2)]
    [InlineData($"{V2Beta1},application/json", V2Beta1)]
    // kubectl, and what it sends for a server that may have peers.
    [InlineData($"{V2},{V2Beta1},application/json", V2)]
    [InlineData($"{V2};profile=nopeer,{V2Beta1},application/json", V2)]
    [InlineData($"application/json,{V2}", "application/json")]
    [InlineData($"application/json;q=0.5,{V2};q=0.9", V2)]
    [InlineData("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,application/json", "application/json")]
    [InlineData("application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json", "application/json")]
    [InlineData("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList", null)]
    [InlineData("application/json;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList", null)]
    [InlineData("application/json;g=meta.k8s.io;v=v1;as=Table", null)]
    [InlineData("application/vnd.kubernetes.protobuf", null)]
    public async Task Groups_are_told_in_the_first_form_that_there_is(string accept, string? contentType)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using HttpResponseMessage response = await AskAsync(server, "/apis", accept);
        // Before it is parsed, after which it is written in another way.
        string sent = response.Content.Headers.NonValidated["Content-Type"].Single();
        JsonNode answer = JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!;
        if (contentType is null)
        {
            Assert.Equal(HttpStatusCode.NotAcceptable, response.StatusCode);
            Assert.Equal("Status", (string?)answer["kind"]);
            return;
        }

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(contentType, sent);
        Assert.Equal(["Accept"], response.Headers.Vary);
        Assert.Equal(contentType == "application/json" ? "APIGroupList" : "APIGroupDiscoveryList", (string?)answer["kind"]);
    }

    [Fact]
    public async Task Who_has_the_document_is_not_sent_it_again()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        using HttpResponseMessage first = await AskAsync(server, "/apis", V2);
        string tag = first.Headers.GetValues("ETag").Single();
        Assert.Matches("^\"[0-9A-F]{128}\"$", tag);
        Assert.Equal("public", first.Headers.CacheControl?.ToString());

        using HttpResponseMessage again = await AskAsync(server, "/apis", V2, tag);
        Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
        Assert.Equal(tag, again.Headers.GetValues("ETag").Single());
        Assert.Empty(await again.Content.ReadAsByteArrayAsync(Token));

        // Go compares the header as it stands.
        foreach (string other in new[] { $"W/{tag}", $"{tag}, \"x\"", "*", "\"x\"" })
        {
            using HttpResponseMessage different = await AskAsync(server, "/apis", V2, other);
            Assert.Equal(HttpStatusCode.OK, different.StatusCode);
        }

        // The other version is another document.
        using HttpResponseMessage beta = await AskAsync(server, "/apis", V2Beta1, tag);
        Assert.Equal(HttpStatusCode.OK, beta.StatusCode);
    }

    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task Both_forms_of_discovery_say_the_same(string version)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync();
        JsonNode legacy = JsonNode.Parse(await server.Client.GetStringAsync($"/apis/metrics.smi-spec.io/{version}", Token))!;
        using HttpResponseMessage response = await AskAsync(server, "/apis", V2);
        JsonNode aggregated = JsonNode.Parse(await ReadAsync(response))!["items"]![0]!["versions"]!.AsArray().Single(each => (string?)each!["version"] == version)!;
        Assert.Equal("Current", (string?)aggregated["freshness"]);

        List<string> fromAggregated = [];
        foreach (JsonNode? resource in aggregated["resources"]!.AsArray())
        {
            fromAggregated.Add(Line(resource!, (string)resource!["resource"]!, (string)resource["singularResource"]!, (string)resource["scope"]! == "Namespaced"));
            fromAggregated.AddRange((resource["subresources"]?.AsArray() ?? []).Select(sub =>
                Line(sub!, $"{resource["resource"]}/{sub!["subresource"]}", "", (string)resource["scope"]! == "Namespaced")));
        }

        Assert.Equal(
            legacy["resources"]!.AsArray().Select(resource =>
                $"{resource!["name"]} {resource["singularName"]} {resource["namespaced"]} {resource["kind"]} {version} {Words(resource)}"),
            fromAggregated);

        string Line(JsonNode resource, string name, string singular, bool namespaced) =>
            $"{name} {singular} {(namespaced ? "true" : "false")} {resource["responseKind"]!["kind"]} {resource["responseKind"]!["version"]} {Words(resource)}";
    }

    [Fact]
    public void Short_names_and_categories_are_those_of_two_resources_and_nobody_elses()
    {
        Assert.Equal(
            ["trafficmetrics: tm, traffic", "trafficedges: te, traffic"],
            TrafficResource.All
                .Where(resource => resource.ShortNames.Count + resource.Categories.Count > 0)
                .Select(resource => $"{resource.Name}: {string.Join(", ", [.. resource.ShortNames, .. resource.Categories])}"));
        Assert.Empty(TrafficResource.All.SelectMany(resource => resource.ShortNames.Concat(resource.Categories)).Intersect(Taken));
    }

    private static string Words(JsonNode resource) =>
        string.Join(' ', new[] { "verbs", "shortNames", "categories" }.Select(field => resource[field]?.ToJsonString(JsonSerializerOptions.Default)));

    private static async Task<HttpResponseMessage> AskAsync(ServerUnderTest server, string url, string accept, string? tag = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, url);
        request.Headers.TryAddWithoutValidation("Accept", accept);
        request.Headers.TryAddWithoutValidation("If-None-Match", tag);
        return await server.Client.SendAsync(request, Token);
    }

    private static Task<string> ReadAsync(HttpResponseMessage response) => response.EnsureSuccessStatusCode().Content.ReadAsStringAsync(Token);
}
