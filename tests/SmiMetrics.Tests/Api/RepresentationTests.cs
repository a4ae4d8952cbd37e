using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using SmiMetrics.Api;
using YamlDotNet.RepresentationModel;

namespace SmiMetrics.Tests.Api;

/// <summary>The forms in which objects and lists are answered, over HTTP.</summary>
public sealed partial class RepresentationTests
{
    private const string Root = "/apis/metrics.smi-spec.io/v1alpha2";
    private const string TableV1 = "application/json;as=Table;v=v1;g=meta.k8s.io";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("namespaces/shop/deployments", "table-list")]
    [InlineData("namespaces/shop/deployments/web", "table-object")]
    [InlineData("namespaces/shop/deployments/web?includeObject=Object", "table-with-object")]
    [InlineData("namespaces/shop/trafficedges?includeObject=None", "table-edges")]
    [InlineData("namespaces/shop/deployments/web/edges?includeObject=None", "table-edges-of-one")]
    [InlineData("namespaces/shop/trafficsplits?includeObject=None", "table-splits")]
    [InlineData("meshes?includeObject=None", "table-meshes")]
    [InlineData("namespaces/nosuch/deployments", "table-empty")]
    public async Task A_table_has_this_shape(string path, string golden) =>
        Golden.Verify($"api/{golden}", Time().Replace(await GetAsync(path, TableV1), "2026-11-22T12:00:00Z"));

    [Theory]
    [InlineData("namespaces/shop/deployments", "PartialObjectMetadataList", "metadata-list")]
    [InlineData("namespaces/shop/deployments/web", "PartialObjectMetadata", "metadata-object")]
    public async Task Metadata_has_this_shape(string path, string kind, string golden) =>
        Golden.Verify($"api/{golden}", Time().Replace(await GetAsync(path, $"application/json;as={kind};v=v1;g=meta.k8s.io"), "2026-11-22T12:00:00Z"));

    [Fact]
    public async Task The_older_version_differs_in_its_name_only()
    {
        string table = await GetAsync("namespaces/shop/deployments", TableV1);
        string older = await GetAsync("namespaces/shop/deployments", TableV1.Replace("v=v1", "v=v1beta1", StringComparison.Ordinal));
        Assert.Equal(3, Regex.Count(older, "meta.k8s.io/v1beta1"));
        Assert.Equal(Time().Replace(table, ""), Time().Replace(older.Replace("meta.k8s.io/v1beta1", "meta.k8s.io/v1", StringComparison.Ordinal), ""));
    }

    [Fact]
    public async Task An_idle_workload_has_no_success_rate()
    {
        JsonNode table = JsonNode.Parse(await GetAsync("namespaces/shop/deployments/idle", TableV1))!;
        Assert.Equal(["idle", "-", "0", "-", "-", "-", "0", "0", "30s", "linkerd", "idle"], table["rows"]![0]!["cells"]!.AsArray().Select(cell => (string?)cell));
    }

    [Theory]
    [InlineData("namespaces/shop/deployments")]
    [InlineData("namespaces/shop/trafficedges")]
    [InlineData("meshes")]
    [InlineData("")]
    public async Task YAML_says_what_JSON_says(string path)
    {
        string json = await GetAsync(path, "application/json");
        string yaml = await GetAsync(path, "application/yaml");
        YamlStream stream = [];
        stream.Load(new StringReader(yaml));
        Assert.Equal(Time().Replace(JsonNode.Parse(json)!.ToJsonString(), ""), Time().Replace(ToJson(stream.Documents[0].RootNode)!.ToJsonString(), ""));
    }

    /// <summary>A table has no column for it unless it is wide, and an old number looks like any other.</summary>
    [Theory]
    [InlineData("namespaces/shop/deployments")]
    [InlineData("namespaces/shop/deployments/web")]
    public async Task Who_gets_stale_numbers_is_warned(string path)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop, "--max-stale=60s");
        Assert.False((await SendAsync(server, path, TableV1)).Headers.Contains("Warning"));
        server.Prometheus.Instead = () => new HttpResponseMessage(HttpStatusCode.InternalServerError);
        string warning = Assert.Single((await SendAsync(server, path, TableV1)).Headers.GetValues("Warning"));
        Assert.Matches(@"^299 - ""these numbers are of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: .+""$", warning);
    }

    /// <summary>After a start all rates were too low, and looked like any others. One unmeshed workload among others is no news, and no warning.</summary>
    [Theory]
    [InlineData("namespaces/shop/trafficsplits/db-canary", true)]
    [InlineData("namespaces/shop/deployments", false)]
    public async Task Who_gets_nothing_but_partial_numbers_is_warned_of_why(string path, bool warned)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        HttpResponseMessage response = await SendAsync(server, path, TableV1);
        Assert.Equal(warned, response.Headers.TryGetValues("Warning", out IEnumerable<string>? warnings));
        Assert.All(warnings ?? [], warning => Assert.StartsWith("299 - \"these numbers are partial: the mesh does not show by which name", warning, StringComparison.Ordinal));
    }

    [Fact]
    public void A_warning_is_one_line_of_ASCII()
    {
        DefaultHttpContext context = new();
        Answer.Warn(context.Response, ["say \"no\" to C:\\", "line\nbreak – dash"]);
        Assert.Equal("299 - \"say \\\"no\\\" to C:\\\\\"|299 - \"line?break ? dash\"", string.Join("|", context.Response.Headers["Warning"].ToArray()));
    }

    [Fact]
    public async Task An_error_is_a_Status_whatever_form_was_asked_for()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        HttpResponseMessage table = await SendAsync(server, "namespaces/shop/deployments/nosuch", TableV1);
        Assert.Equal((HttpStatusCode.NotFound, "Status"), (table.StatusCode, (string?)JsonNode.Parse(await table.Content.ReadAsStringAsync(Token))!["kind"]));
        HttpResponseMessage yaml = await SendAsync(server, "namespaces/shop/deployments/nosuch", "application/yaml");
        Assert.Equal("application/yaml", yaml.Content.Headers.ContentType!.MediaType);
        Assert.StartsWith("kind: Status\napiVersion: v1\nmetadata: {}\nstatus: Failure\n", await yaml.Content.ReadAsStringAsync(Token), StringComparison.Ordinal);
        // Who takes nothing that we have is told so in JSON.
        HttpResponseMessage protobuf = await SendAsync(server, "namespaces/shop/deployments", "application/vnd.kubernetes.protobuf");
        Assert.Equal(HttpStatusCode.NotAcceptable, protobuf.StatusCode);
        Assert.Equal(
            "only the following media types are accepted: application/json, application/yaml",
            (string?)JsonNode.Parse(await protobuf.Content.ReadAsStringAsync(Token))!["message"]);
    }

    [Fact]
    public async Task Only_large_bodies_are_compressed_and_only_for_those_who_take_it()
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.OfDeployments(300));
        HttpResponseMessage whole = await SendAsync(server, "deployments", "application/json");
        byte[] body = await whole.Content.ReadAsByteArrayAsync(Token);
        Assert.Empty(whole.Content.Headers.ContentEncoding);
        Assert.True(body.Length > 128 * 1024);

        HttpResponseMessage packed = await SendAsync(server, "deployments", "application/json", "deflate, gzip;q=0.5");
        Assert.Equal(["gzip"], packed.Content.Headers.ContentEncoding);
        Assert.Equal(["Accept-Encoding"], packed.Headers.Vary);
        byte[] small = await packed.Content.ReadAsByteArrayAsync(Token);
        Assert.True(small.Length < body.Length / 4, $"{small.Length} of {body.Length}");
        await using GZipStream unpacked = new(new MemoryStream(small), CompressionMode.Decompress);
        using StreamReader reader = new(unpacked);
        Assert.Equal(Time().Replace(Encoding.UTF8.GetString(body), ""), Time().Replace(await reader.ReadToEndAsync(Token), ""));

        Assert.Empty((await SendAsync(server, "deployments", "application/json", "gzip;q=0")).Content.Headers.ContentEncoding);
        Assert.Empty((await SendAsync(server, "namespaces/n0/deployments/d0", "application/json", "gzip")).Content.Headers.ContentEncoding);
    }

    private static async Task<string> GetAsync(string path, string accept)
    {
        await using ServerUnderTest server = await ServerUnderTest.StartAsync(TestClusters.Shop);
        HttpResponseMessage response = await SendAsync(server, path + (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "pretty=true", accept);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(accept.Split(';')[0], response.Content.Headers.ContentType!.ToString());
        return await response.Content.ReadAsStringAsync(Token);
    }

    private static async Task<HttpResponseMessage> SendAsync(ServerUnderTest server, string path, string accept, string? encodings = null)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, $"{Root}/{path}");
        request.Headers.TryAddWithoutValidation("Accept", accept);
        foreach (string encoding in encodings?.Split(", ") ?? [])
        {
            request.Headers.AcceptEncoding.Add(StringWithQualityHeaderValue.Parse(encoding));
        }

        return await server.Client.SendAsync(request, Token);
    }

    /// <summary>By YAML's core schema: what is quoted is text, what is plain may be a number, a boolean or null.</summary>
    private static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(child => KeyValuePair.Create(((YamlScalarNode)child.Key).Value!, ToJson(child.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(ToJson)]),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain, Value: { } plain } when PlainJson().IsMatch(plain) => JsonNode.Parse(plain),
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => throw new InvalidOperationException($"{node}"),
    };

    [GeneratedRegex(@"^(null|true|false|-?\d+(\.\d+)?)$")]
    private static partial Regex PlainJson();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")]
    private static partial Regex Time();
}
