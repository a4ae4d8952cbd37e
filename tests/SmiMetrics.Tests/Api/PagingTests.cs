using System.Net;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace SmiMetrics.Tests.Api;

/// <summary>Selectors and pages of lists, over HTTP. Of Deployments there is one more than in the cluster: the one that the fake Prometheus tells of.</summary>
public sealed class PagingTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("deployments", false)]
    [InlineData("deployments?labelSelector=half%3D1", false)]
    [InlineData("deployments", true)]
    public async Task The_pages_of_a_list_are_the_list(string path, bool table)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.OfDeployments(5000));
        string[] whole = [.. Names(await GetAsync(server, path, table))];
        List<string> read = [];
        string? token = null;
        do
        {
            JsonNode page = await GetAsync(server, path + Ampersand(path) + $"limit=500&continue={token}", table);
            read.AddRange(Names(page));
            token = (string?)page["metadata"]!["continue"];
            // Where selectors are, Kubernetes does not tell how many are left.
            Assert.Equal(path.Contains('?', StringComparison.Ordinal) || token is null ? null : whole.Length - read.Count, (int?)page["metadata"]!["remainingItemCount"]);
        }
        while (token is not null);

        Assert.Equal(path.Contains('?', StringComparison.Ordinal) ? 2500 : 5001, whole.Length);
        Assert.Equal(whole, read);
    }

    [Fact]
    public async Task Pages_are_all_of_the_moment_of_the_first()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.OfDeployments(20));
        JsonNode first = await GetAsync(server, "deployments?limit=15", table: false);
        server.Publish(TestClusters.OfDeployments(2));
        int asked = server.Prometheus.Asked.Count;
        JsonNode second = await GetAsync(server, $"deployments?limit=15&continue={first["metadata"]!["continue"]}", table: false);
        Assert.Equal(21, Names(first).Concat(Names(second)).Distinct().Count());
        Assert.Equal(Timestamps(first), Timestamps(second));
        Assert.Equal(asked, server.Prometheus.Asked.Count);
        Assert.Equal(3, Names(await GetAsync(server, "deployments", table: false)).Count());
    }

    [Theory]
    [InlineData("namespaces/n1/deployments?limit=2&continue={0}", 400, "BadRequest")]
    [InlineData("deployments?limit=2&continue={0}&labelSelector=half", 400, "BadRequest")]
    [InlineData("deployments?limit=2&continue={0}&window=1m", 400, "BadRequest")]
    [InlineData("pods?limit=2&continue={0}", 400, "BadRequest")]
    [InlineData("deployments?limit=2&continue=nonsense", 400, "BadRequest")]
    [InlineData("deployments?limit=2&continue=NS5BQUFBQUFBQUFBQUFBQUFB", 410, "Expired")]
    [InlineData("deployments?limit=two", 400, "BadRequest")]
    public async Task What_does_not_continue_this_list_is_refused(string path, int status, string reason)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.OfDeployments(20));
        JsonNode first = await GetAsync(server, "deployments?limit=5", table: false);
        using HttpResponseMessage response = await server.Client.GetAsync(
            new Uri($"{Root}/{string.Format(null, path, first["metadata"]!["continue"])}", UriKind.Relative), Token);
        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(reason, (string?)JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!["reason"]);
    }

    [Theory]
    [InlineData("limit=0", 21)]
    [InlineData("limit=-1", 21)]
    [InlineData("limit=", 21)]
    [InlineData("limit=99999999999999", 21)]
    [InlineData("limit=7", 7)]
    [InlineData("limit=500&resourceVersion=0&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true", 21)]
    public async Task A_limit_that_limits_nothing_is_none(string query, int items)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.OfDeployments(20));
        Assert.Equal(items, Names(await GetAsync(server, "deployments?" + query, table: false)).Count());
    }

    [Theory]
    [InlineData("deployments?fieldSelector=metadata.name%3Dd3", "d3")]
    [InlineData("deployments?fieldSelector=metadata.namespace%3Dn1", "d1,d4")]
    [InlineData("deployments?fieldSelector=metadata.namespace!%3Dn1,metadata.name!%3Dd0", "d2,d3,d5,web")]
    [InlineData("deployments?fieldSelector=metadata.namespace%3Dn1&labelSelector=half%3D0", "d4")]
    [InlineData("namespaces?fieldSelector=metadata.name%3Dn1", "n1")]
    [InlineData("trafficmetrics?fieldSelector=metadata.name%3Ddeployment.d2", "deployment.d2")]
    [InlineData("meshes?fieldSelector=metadata.name%3Dlinkerd", "linkerd")]
    [InlineData("meshes?fieldSelector=metadata.name%3Distio", "")]
    [InlineData("meshes?labelSelector=!app", "linkerd")]
    [InlineData("deployments?labelSelector=half+notin+(0),!app", "d1,d3,d5,web")]
    [InlineData("deployments?labelSelector=number%3E3", "d4,d5")]
    public async Task Selectors_look_at_what_the_objects_show(string path, string names)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.OfDeployments(6));
        IEnumerable<string> selected = Names(await GetAsync(server, path, table: false)).Select(name => name[(name.IndexOf('/') + 1)..]).Order(StringComparer.Ordinal);
        Assert.Equal(names, string.Join(',', selected));
    }

    [Fact]
    public async Task A_field_that_cannot_be_selected_by_is_named()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        using HttpResponseMessage response = await server.Client.GetAsync(new Uri($"{Root}/deployments?fieldSelector=spec.replicas%3D2", UriKind.Relative), Token);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("\\\"spec.replicas\\\" is not a known field selector", await response.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
    }

    private static string Ampersand(string path) => path.Contains('?', StringComparison.Ordinal) ? "&" : "?";

    private static async Task<JsonNode> GetAsync(ServerUnderTest server, string path, bool table)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, $"{Root}/{path}");
        request.Headers.Accept.Add(MediaTypeWithQualityHeaderValue.Parse(table ? "application/json;as=Table;v=v1;g=meta.k8s.io" : "application/json"));
        using HttpResponseMessage response = await server.Client.SendAsync(request, Token);
        string body = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.IsSuccessStatusCode, body);
        return JsonNode.Parse(body)!;
    }

    private static IEnumerable<string> Names(JsonNode list) => (list["items"]?.AsArray() ?? list["rows"]!.AsArray())
        .Select(item => (item!["object"] ?? item)["metadata"]!)
        .Select(metadata => $"{metadata["namespace"]}/{metadata["name"]}");

    private static IEnumerable<string> Timestamps(JsonNode list) => list["items"]!.AsArray().Select(item => (string)item!["timestamp"]!).Distinct();
}
