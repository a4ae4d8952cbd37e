using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

/// <summary>
/// The two clients that are known to read this API: those that take the metrics by their position (nginx-meshctl <c>top</c>), and the client that is generated
/// from the SMI SDK's types, which makes <c>trafficmetricses</c> the plural of TrafficMetrics (smi-sdk-go <c>pkg/gen/client/metrics</c>).
/// </summary>
public sealed class KnownClientsTests
{
    private const string Group = "/apis/metrics.smi-spec.io";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task Metrics_are_where_a_client_that_counts_expects_them(string version)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        JsonNode list = await GetAsync(server, $"{Group}/{version}/namespaces/shop/deployments");
        JsonNode web = list["items"]!.AsArray().Single(item => (string?)item!["resource"]!["name"] == "web")!;
        // Out of 100 requests 50 took up to 10 ms and 50 more up to 20 ms, and 1.5 failed.
        Assert.Equal([19.8, 18, 10, 98.5, 1.5], Enumerable.Range(0, 5).Select(index => Read((string)web["metrics"]![index]!["value"]!)));
        JsonNode idle = list["items"]!.AsArray().Single(item => (string?)item!["resource"]!["name"] == "idle")!;
        Assert.Equal([0, 0, 0, 0, 0], Enumerable.Range(0, 5).Select(index => Read((string)idle["metrics"]![index]!["value"]!)));

        JsonNode edges = await GetAsync(server, $"{Group}/{version}/namespaces/shop/deployments/web/edges");
        JsonNode to = edges["items"]!.AsArray().Single(item => (string?)item!["edge"]!["direction"] == "to")!;
        Assert.Equal(("StatefulSet", "db"), ((string?)to["edge"]!["resource"]!["kind"], (string?)to["edge"]!["resource"]!["name"]));
        Assert.Equal([19.8, 18, 10, 98.5, 1.5], Enumerable.Range(0, 5).Select(index => Read((string)to["metrics"]![index]!["value"]!)));
    }

    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task The_generated_client_lists_and_gets_what_decodes_into_its_types(string version)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        JsonNode all = await GetAsync(server, $"{Group}/{version}/trafficmetricses?timeout=10s&timeoutSeconds=10");
        JsonNode list = await GetAsync(server, $"{Group}/{version}/namespaces/shop/trafficmetricses");
        Assert.Equal(["deployment.idle", "deployment.web"], list["items"]!.AsArray().Select(item => (string?)item!["metadata"]!["name"]));
        Assert.Equal(2, all["items"]!.AsArray().Count);
        Assert.All(list["items"]!.AsArray(), item => Decode(item!.AsObject()));
        Decode((await GetAsync(server, $"{Group}/{version}/namespaces/shop/trafficmetricses/deployment.web")).AsObject());

        using HttpResponseMessage watch = await server.Client.GetAsync(new Uri($"{Group}/{version}/namespaces/shop/trafficmetricses?watch=true", UriKind.Relative), Token);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, watch.StatusCode);
        // What is not for people's eyes is not in discovery: a second resource of the same kind would make kubectl ask for the wrong one.
        Assert.DoesNotContain("trafficmetricses", (await GetAsync(server, $"{Group}/{version}")).ToJsonString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task Splits_decode_into_the_generated_types_too(string version)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        JsonNode list = await GetAsync(server, $"{Group}/{version}/namespaces/shop/trafficsplits");
        Assert.Equal(2, list["items"]!.AsArray().Count);
        Assert.All(list["items"]!.AsArray(), item => Decode(item!.AsObject()));
    }

    /// <summary>As Go's JSON decoder reads the SDK's structs: each known field must be of its type, or the whole list is refused.</summary>
    private static void Decode(JsonObject item)
    {
        Assert.Equal("TrafficMetrics", Text(item, "kind"));
        JsonObject metadata = item["metadata"]!.AsObject();
        foreach (string name in new[] { "name", "namespace", "selfLink" })
        {
            _ = Text(metadata, name);
        }

        _ = DateTimeOffset.ParseExact(Text(metadata, "creationTimestamp"), "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        Assert.All(metadata["labels"]?.AsObject() ?? [], label => Assert.Equal(JsonValueKind.String, label.Value!.GetValueKind()));
        Assert.All(metadata["annotations"]!.AsObject(), annotation => Assert.Equal(JsonValueKind.String, annotation.Value!.GetValueKind()));
        _ = DateTimeOffset.ParseExact(Text(item, "timestamp"), "yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        Assert.True(GoDuration.TryParse(Text(item, "window"), out TimeSpan window) && window > TimeSpan.Zero);
        Reference(item["resource"]!.AsObject());
        if (item["edge"] is JsonObject edge)
        {
            Assert.Contains(Text(edge, "direction"), new[] { "to", "from" });
            Reference(edge["resource"]!.AsObject());
        }

        if (item["backend"] is JsonObject backend)
        {
            Assert.True(backend["weight"]!.AsValue().TryGetValue(out int _));
            _ = Text(backend, "apex") + Text(backend, "name");
        }

        Assert.Equal(
            ["p99_response_latency ms", "p90_response_latency ms", "p50_response_latency ms", "success_count ", "failure_count "],
            item["metrics"]!.AsArray().Select(metric => $"{metric!["name"]} {metric["unit"]}"));
        Assert.All(item["metrics"]!.AsArray(), metric => Read(Text(metric!.AsObject(), "value")));
    }

    private static void Reference(JsonObject reference) => Assert.All(reference, field =>
    {
        Assert.Contains(field.Key, new[] { "kind", "namespace", "name", "apiVersion" });
        Assert.Equal(JsonValueKind.String, field.Value!.GetValueKind());
    });

    private static string Text(JsonObject of, string name) => of[name]!.GetValue<string>();

    /// <summary>A quantity, by Kubernetes' grammar.</summary>
    private static double Read(string quantity)
    {
        const string Suffixes = "m kMGTPE";
        int suffix = Suffixes.IndexOf(quantity[^1], StringComparison.Ordinal);
        string digits = suffix < 0 ? quantity : quantity[..^1];
        return double.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture) * Math.Pow(1000, suffix < 0 ? 0 : suffix - 1);
    }

    private static async Task<JsonNode> GetAsync(ServerUnderTest server, string path)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.TryAddWithoutValidation("Accept", "application/json, */*");
        using HttpResponseMessage response = await server.Client.SendAsync(request, Token);
        string body = await response.Content.ReadAsStringAsync(Token);
        Assert.True(response.IsSuccessStatusCode, body);
        return JsonNode.Parse(body)!;
    }
}
