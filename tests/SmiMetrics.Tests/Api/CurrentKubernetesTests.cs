using System.Globalization;
using System.Text.Json.Nodes;
using SmiMetrics.Tests.Auth;

namespace SmiMetrics.Tests.Api;

/// <summary>
/// What kube-apiserver 1.36 and its clients send us, sent again header for header, since no kube-apiserver newer than 1.20 is there to send it; and what it needs
/// to get for it. Each test names where in Kubernetes (<c>staging/src/k8s.io</c>) the form of its request stands.
/// </summary>
public sealed class CurrentKubernetesTests : IAsyncLifetime
{
    private const string Group = "/apis/metrics.smi-spec.io";
    private const string V2 = Group + "/v1alpha2";
    private const string Deployments = V2 + "/namespaces/shop/deployments";

    private const string AggregatedV2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    private const string AggregatedV2Beta1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
    private const string Tables = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
    private const string MetadataLists =
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    private const string Metadata =
        "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json";

    private const string Kubectl = "kubectl/v1.36.2 (linux/amd64) kubernetes/a61c2b9";
    private const string AuditId = "6e1e0a1c-31a5-4cf5-8d1f-0f2f3a3a1f52";

    private AggregatedServer _server = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await AggregatedServer.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    /// <summary>
    /// kube-aggregator <c>pkg/apiserver/handler_proxy.go</c>, client-go <c>transport/round_trippers.go</c> (SetAuthProxyHeaders): a line for each group and value, the
    /// key of an extra escaped and then in the letters of a Go header; the Audit-Id of apiserver <c>pkg/util/proxy/proxy.go</c>; what is forwarded of apimachinery
    /// <c>pkg/util/proxy/transport.go</c>; the rest is the caller's, here a pod of client-go.
    /// </summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_user_is_who_the_aggregator_says(bool http2)
    {
        await using RawConnection connection = await _server.ConnectAsync(http2);
        RawAnswer answer = await GetAsync(
            connection,
            Deployments,
            [
                ("X-Remote-User", "system:serviceaccount:shop:canary"),
                ("X-Remote-Uid", "0f3c6b4e-9d0e-4a3b-8f57-1f4d6f4f2c11"),
                ("X-Remote-Group", "system:serviceaccounts"),
                ("X-Remote-Group", "system:serviceaccounts:shop"),
                ("X-Remote-Group", "cn=ops,ou=groups"),
                ("X-Remote-Group", "system:authenticated"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "JTI=5b7f9c62-7a07-4c33-a7c6-6e6c9a1f2d33"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fnode-Name", "n1"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fnode-Uid", "c2a1a7de-6f0e-4f0b-9a52-6f8c7f5b9b10"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fpod-Name", "canary-7d9c"),
                ("X-Remote-Extra-Authentication.kubernetes.io%2fpod-Uid", "8d8b0c2f-2c55-4a3c-b6f1-4a8a6f7f9e21"),
                ("X-Remote-Extra-Scopes", "read"),
                ("X-Remote-Extra-Scopes", "a, b"),
                ("X-Forwarded-For", "10.244.1.7"),
                ("Audit-Id", AuditId),
                ("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                ("Accept", "application/json, */*"),
                ("Accept-Encoding", "gzip"),
                ("User-Agent", "canary/v0.0.0 (linux/amd64) kubernetes/$Format"),
            ]);

        AssertIs(answer, 200, "TrafficMetricsList");
        Assert.Equal(AuditId, answer["audit-id"]);
        Assert.Equal("no-cache, private", answer["cache-control"]);
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse("""
                    {
                      "user": "system:serviceaccount:shop:canary", "uid": "0f3c6b4e-9d0e-4a3b-8f57-1f4d6f4f2c11",
                      "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "cn=ops,ou=groups", "system:authenticated"],
                      "extra": {
                        "authentication.kubernetes.io/credential-id": ["JTI=5b7f9c62-7a07-4c33-a7c6-6e6c9a1f2d33"],
                        "authentication.kubernetes.io/node-name": ["n1"],
                        "authentication.kubernetes.io/node-uid": ["c2a1a7de-6f0e-4f0b-9a52-6f8c7f5b9b10"],
                        "authentication.kubernetes.io/pod-name": ["canary-7d9c"],
                        "authentication.kubernetes.io/pod-uid": ["8d8b0c2f-2c55-4a3c-b6f1-4a8a6f7f9e21"],
                        "scopes": ["read", "a, b"]
                      },
                      "resourceAttributes": {"namespace": "shop", "verb": "list", "group": "metrics.smi-spec.io", "version": "v1alpha2", "resource": "deployments"}
                    }
                    """),
                Assert.Single(_server.Reviews)),
            _server.Reviews[0].ToJsonString());
    }

    /// <summary>
    /// The aggregator sends the header all the same, but a kube-apiserver that was not told of it may let a caller's own through (apiserver
    /// <c>pkg/server/options/authentication.go</c>). kubeadm leaves the flag out, and other installers leave it empty.
    /// </summary>
    [Theory]
    [InlineData(null)]
    [InlineData("[]")]
    public async Task A_UID_is_believed_only_where_the_cluster_names_its_header(string? uidHeaders)
    {
        await using AggregatedServer server = await AggregatedServer.StartAsync(uidHeaders);
        await using RawConnection connection = await server.ConnectAsync();
        AssertIs(await GetAsync(connection, Deployments, [("X-Remote-User", "tess"), ("X-Remote-Uid", "u-1"), ("X-Remote-Group", "system:authenticated")]), 200, "TrafficMetricsList");
        JsonNode review = Assert.Single(server.Reviews);
        Assert.Equal(("tess", null), ((string?)review["user"], (string?)review["uid"]));
        Assert.Null(review["extra"]);
    }

    /// <summary>kube-aggregator <c>pkg/controllers/status/remote/remote_available_controller.go</c>: no Accept, no name in TLS, five at a time.</summary>
    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task The_availability_probe_passes_without_a_review(string version)
    {
        _server.May = _ => false;
        await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ =>
        {
            await using RawConnection connection = await _server.ProbeAsync();
            RawAnswer answer = await connection.GetAsync(
                AggregatedServer.Authority,
                $"{Group}/{version}",
                [("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters"), ("Accept-Encoding", "gzip"), ("User-Agent", "Go-http-client/2.0")],
                Token);
            AssertIs(answer, 200, "APIResourceList");
        }));
        Assert.Empty(_server.Reviews);
    }

    /// <summary>
    /// kube-aggregator <c>pkg/apiserver/handler_discovery.go</c>, client-go <c>discovery/discovery_client.go</c> (AcceptV2, AcceptV2Beta1). Whatever has another
    /// Content-Type is taken for no aggregated discovery, and what has no ETag is sent anew every minute.
    /// </summary>
    [Theory]
    [InlineData(AggregatedV2 + "," + AggregatedV2Beta1)]
    [InlineData(AggregatedV2)]
    public async Task Aggregated_discovery_is_fetched_once(string accept)
    {
        await using RawConnection connection = await _server.ConnectAsync();
        RawAnswer first = await FetchAsync(ifNoneMatch: null);
        AssertIs(first, 200, "APIGroupDiscoveryList", AggregatedV2);
        string tag = first["etag"]!;
        Assert.Matches("^\"[0-9A-F]{128}\"$", tag);
        Assert.Equal(("Accept", "public"), (first["vary"], first["cache-control"]));

        JsonNode document = JsonNode.Parse(first.Body)!;
        Assert.Equal("apidiscovery.k8s.io/v2", (string?)document["apiVersion"]);
        JsonNode group = Assert.Single(document["items"]!.AsArray())!;
        Assert.Equal("metrics.smi-spec.io", (string?)group["metadata"]!["name"]);
        Assert.Equal(["v1alpha2 Current", "v1alpha1 Current"], group["versions"]!.AsArray().Select(version => $"{version!["version"]} {version["freshness"]}"));
        JsonNode[] resources = [.. group["versions"]!.AsArray().SelectMany(version => version!["resources"]!.AsArray()).Select(resource => resource!)];
        Assert.All(resources.Concat(resources.SelectMany(resource => resource["subresources"]?.AsArray() ?? []).Select(resource => resource!)), resource =>
        {
            Assert.False(string.IsNullOrEmpty((string?)resource["responseKind"]!["kind"]));
            // Or every controller that watches whatever can be watched would come for ours.
            Assert.DoesNotContain("watch", resource["verbs"]!.AsArray().Select(verb => (string?)verb));
        });

        RawAnswer again = await FetchAsync(tag);
        Assert.Equal((304, "", tag), (again.Status, again.Body, again["etag"]));
        AssertIs(await FetchAsync(tag.ToLowerInvariant()), 200, "APIGroupDiscoveryList", AggregatedV2);
        Assert.Empty(_server.Reviews);

        Task<RawAnswer> FetchAsync(string? ifNoneMatch) => GetAsync(
            connection,
            "/apis",
            [
                ("Accept", accept), .. Tag(ifNoneMatch), ("X-Remote-User", "system:kube-aggregator"), ("X-Remote-Group", "system:masters"), ("Accept-Encoding", "gzip"),
            ]);
    }

    /// <summary>
    /// The same file, for whoever answers no aggregated discovery: a user without a group, and the tag of the other document where there is one. 304 for it would
    /// be an error.
    /// </summary>
    [Fact]
    public async Task The_fetch_of_one_versions_resources_needs_no_group_and_no_tag()
    {
        _server.May = spec => spec["groups"]!.AsArray().Any(group => (string?)group == "system:authenticated");
        await using RawConnection connection = await _server.ConnectAsync();
        (string, string)[] user = [("X-Remote-User", "system:kube-aggregator"), ("Accept-Encoding", "gzip")];
        string tag = (await GetAsync(connection, "/apis", [("Accept", AggregatedV2), .. user]))["etag"]!;
        AssertIs(await GetAsync(connection, V2, [("Accept", "application/json"), ("If-None-Match", tag), .. user]), 200, "APIResourceList");
        Assert.Equal(
            """{"user":"system:kube-aggregator","groups":["system:authenticated"],"nonResourceAttributes":{"path":"/apis/metrics.smi-spec.io/v1alpha2","verb":"get"}}""",
            _server.Reviews[^1].ToJsonString());
    }

    /// <summary>kube-aggregator <c>pkg/controllers/openapi/aggregator/downloader.go</c>, every minute.</summary>
    [Fact]
    public async Task OpenAPI_v2_is_downloaded_once()
    {
        await using RawConnection connection = await _server.ConnectAsync();
        RawAnswer first = await DownloadAsync(ifNoneMatch: null);
        Assert.Equal((200, "application/json"), (first.Status, first["content-type"]));
        Assert.Equal("2.0", (string?)JsonNode.Parse(first.Body)!["swagger"]);
        RawAnswer again = await DownloadAsync(first["etag"]!);
        Assert.Equal((304, "", first["etag"]), (again.Status, again.Body, again["etag"]));
        Assert.Equal(
            """{"user":"system:aggregator","groups":["system:authenticated"],"nonResourceAttributes":{"path":"/openapi/v2","verb":"get"}}""",
            _server.Reviews[0].ToJsonString());

        Task<RawAnswer> DownloadAsync(string? ifNoneMatch) =>
            GetAsync(connection, "/openapi/v2", [("Accept", "application/json"), .. Tag(ifNoneMatch), ("X-Remote-User", "system:aggregator"), ("Accept-Encoding", "gzip")]);
    }

    /// <summary>
    /// kube-aggregator <c>pkg/controllers/openapiv3/aggregator</c>: the root without an Accept; each document by the address that the root gives, passed on as
    /// whoever asks for it, and by kubectl's cache with the tag that came with it. A redirect, as of Go's own servers, would come out as 502.
    /// </summary>
    [Theory]
    [InlineData("v1alpha1")]
    [InlineData("v1alpha2")]
    public async Task OpenAPI_v3_is_kept_under_its_hash(string version)
    {
        await using RawConnection connection = await _server.ConnectAsync();
        RawAnswer root = await GetAsync(connection, "/openapi/v3", [("X-Remote-User", "system:aggregator"), ("Accept-Encoding", "gzip")]);
        Assert.Equal((200, "application/json"), (root.Status, root["content-type"]));
        string path = $"/openapi/v3{Group}/{version}";
        string address = (string)JsonNode.Parse(root.Body)!["paths"]![$"apis/metrics.smi-spec.io/{version}"]!["serverRelativeURL"]!;
        Assert.Matches($"^{path}\\?hash=[0-9A-F]{{128}}$", address);
        string hash = address.Split('=')[1];

        RawAnswer document = await AskAsync(address, null);
        Assert.Equal((200, "application/json", "Accept"), (document.Status, document["content-type"], document["vary"]));
        Assert.StartsWith("3.", (string?)JsonNode.Parse(document.Body)!["openapi"], StringComparison.Ordinal);
        Assert.Equal(("public, immutable", $"\"{hash}\""), (document["cache-control"], document["etag"]));
        Assert.Equal(TestAuthority.Now.AddYears(1).ToString("R", CultureInfo.InvariantCulture), document["expires"]);
        Assert.Equal(path, (string?)_server.Reviews[^1]["nonResourceAttributes"]!["path"]);
        Assert.Equal("tess", (string?)_server.Reviews[^1]["user"]);

        RawAnswer again = await AskAsync(address, $"\"{hash}\"");
        Assert.Equal((304, "", $"\"{hash}\""), (again.Status, again.Body, again["etag"]));

        RawAnswer old = await AskAsync($"{path}?hash={new string('0', 128)}", null);
        Assert.Equal((200, "no-cache, private", $"\"{hash}\"", null), (old.Status, old["cache-control"], old["etag"], old["location"]));
        Assert.Equal(document.Body, old.Body);

        Task<RawAnswer> AskAsync(string pathAndQuery, string? ifNoneMatch) =>
            GetAsync(connection, pathAndQuery, [("Accept", "application/json"), .. Tag(ifNoneMatch), .. User("tess"), ("User-Agent", Kubectl)]);
    }

    /// <summary>
    /// What clients of 1.36 take, passed on as it is: kubectl's <c>pkg/cmd/get</c>, client-go <c>rest</c>, <c>dynamic/simple.go</c> and <c>metadata/metadata.go</c>,
    /// each with and without its gates for CBOR (<c>ClientsAllowCBOR</c>, <c>ClientsPreferCBOR</c>; the rows of <c>test/integration/client</c>).
    /// </summary>
    [Theory]
    [InlineData(Tables, Deployments + "?limit=500", "Table")]
    [InlineData("application/json", Deployments + "?limit=500", "TrafficMetricsList")]
    [InlineData("application/json, */*", Deployments, "TrafficMetricsList")]
    [InlineData("application/json;q=0.9,application/cbor;q=1", Deployments, "TrafficMetricsList")]
    [InlineData("application/cbor, */*", Deployments, "TrafficMetricsList")]
    [InlineData("application/cbor;q=1,application/json;q=0.9", Deployments, "TrafficMetricsList")]
    [InlineData("application/cbor;q=0.9,application/json;q=1", Deployments + "/web", "TrafficMetrics")]
    [InlineData("application/json; q=0.9,example/foo; q=0.8", Deployments + "/web", "TrafficMetrics")]
    [InlineData("application/vnd.kubernetes.protobuf;q=1,application/cbor;q=0.9,application/json;q=0.8", Deployments, "TrafficMetricsList")]
    [InlineData("application/vnd.kubernetes.protobuf,application/json", Deployments + "/web", "TrafficMetrics")]
    [InlineData("application/vnd.kubernetes.protobuf, */*", Deployments, "TrafficMetricsList")]
    [InlineData(MetadataLists, Deployments + "?limit=500&resourceVersion=0", "PartialObjectMetadataList")]
    [InlineData(Metadata, Deployments + "/web", "PartialObjectMetadata")]
    [InlineData("application/json, */*", V2 + "?timeout=32s", "APIResourceList")]
    [InlineData("application/json;q=0.9,application/cbor;q=1", V2, "APIResourceList")]
    [InlineData("application/cbor, */*", V2, "APIResourceList")]
    [InlineData("application/vnd.kubernetes.protobuf,application/json", V2, "APIResourceList")]
    public async Task Who_would_rather_have_CBOR_or_protobuf_takes_JSON(string accept, string pathAndQuery, string kind)
    {
        await using RawConnection connection = await _server.ConnectAsync();
        AssertIs(
            await GetAsync(connection, pathAndQuery, [("Accept", accept), .. User("tess"), ("User-Agent", Kubectl), ("Kubectl-Command", "kubectl get"), ("Kubectl-Session", AuditId)]),
            200,
            kind);
    }

    /// <summary>client-go tells by 406 and the media types that there are, in JSON, that a server has no CBOR.</summary>
    [Theory]
    [InlineData("application/cbor", Deployments)]
    [InlineData("application/cbor;q=0.9,example/foo;q=0.8", Deployments)]
    [InlineData("application/cbor", V2)]
    [InlineData("application/com.github.proto-openapi.spec.v3.v1.0+protobuf", "/openapi/v3" + V2)]
    [InlineData("application/com.github.proto-openapi.spec.v3@v1.0+protobuf", "/openapi/v3" + V2)]
    public async Task Who_takes_nothing_else_is_told_so_in_JSON(string accept, string path)
    {
        await using RawConnection connection = await _server.ConnectAsync();
        RawAnswer answer = await GetAsync(connection, path, [("Accept", accept), .. User("tess")]);
        AssertIs(answer, 406, "Status");
        Assert.Equal("NotAcceptable", (string?)JsonNode.Parse(answer.Body)!["reason"]);
    }

    /// <summary>
    /// The list in a watch that is client-go's first choice since 1.35 (<c>tools/cache/reflector.go</c>, <c>util/watchlist</c>), as the aggregator writes queries
    /// again: in the order of names. After any error but a 429 and a refused connection the client lists and watches instead, and lists as the last step has it.
    /// </summary>
    [Theory]
    [InlineData("application/json", "?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeout=6m29s&timeoutSeconds=389&watch=true", "")]
    [InlineData("application/json", "?allowWatchBookmarks=true&fieldSelector=metadata.name%3Dweb&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=409&watch=true", "web")]
    [InlineData("application/json;q=0.9,application/cbor;q=1", "?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true", "")]
    [InlineData("application/cbor;q=1,application/json;q=0.9", "?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeoutSeconds=389&watch=true", "")]
    [InlineData(Metadata, "?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&timeout=6m29s&timeoutSeconds=389&watch=true", "")]
    public async Task Who_lists_by_watching_is_told_to_list(string accept, string query, string name)
    {
        await using RawConnection connection = await _server.ConnectAsync();
        RawAnswer watch = await GetAsync(connection, Deployments + query, [("Accept", accept), .. User("tess")]);
        AssertIs(watch, 405, "Status");
        Assert.Equal("MethodNotAllowed", (string?)JsonNode.Parse(watch.Body)!["reason"]);
        Assert.Null(watch["retry-after"]);
        JsonNode attributes = _server.Reviews[^1]["resourceAttributes"]!;
        Assert.Equal(("watch", "deployments", name), ((string?)attributes["verb"], (string?)attributes["resource"], (string?)attributes["name"] ?? ""));

        RawAnswer list = await GetAsync(connection, Deployments + "?limit=500&resourceVersion=0", [("Accept", "application/json"), .. User("tess")]);
        AssertIs(list, 200, "TrafficMetricsList");
        Assert.Equal(2, JsonNode.Parse(list.Body)!["items"]!.AsArray().Count);
    }

    /// <summary>
    /// apiserver <c>pkg/endpoints/request/requestinfo.go</c> and <c>plugin/pkg/authorizer/webhook/webhook.go</c> (AuthorizeWithSelectors): an authorizer of the cluster
    /// may give the right to a part of a list. kube-apiserver lets such a request through to us, and we have to ask the same question.
    /// </summary>
    [Fact]
    public async Task A_right_to_what_a_selector_selects_reaches_us_as_it_reaches_kube_apiserver()
    {
        _server.May = spec => Asks(spec, "labelSelector", """{"key":"app","operator":"In","values":["web"]}""")
            || Asks(spec, "fieldSelector", """{"key":"metadata.name","operator":"In","values":["idle"]}""");
        await using RawConnection connection = await _server.ConnectAsync();
        Assert.Equal(["web"], await NamesAsync("?labelSelector=app%3Dweb&limit=500"));
        Assert.Equal(["web"], await NamesAsync("?labelSelector=app+in+%28web%29%2Capp"));
        Assert.Equal([], await NamesAsync("?labelSelector=app%3Dweb%2Capp%21%3Dweb"));
        Assert.Equal(["idle"], await NamesAsync("?fieldSelector=metadata.name%3Didle&limit=500"));
        Assert.Equal([], await NamesAsync("?fieldSelector=metadata.name%3Didle&labelSelector=app%3Dweb"));
        foreach (string more in new[] { "", "?labelSelector=app", "?labelSelector=app+in+%28idle%2Cweb%29", "?labelSelector=app%21%3Dweb", "?fieldSelector=metadata.name%21%3Didle" })
        {
            Assert.Equal(["403"], await NamesAsync(more));
        }

        static bool Asks(JsonNode spec, string selector, string requirement) =>
            spec["resourceAttributes"]![selector]?["requirements"]!.AsArray().Any(each => each!.ToJsonString() == requirement) == true;

        async Task<IEnumerable<string?>> NamesAsync(string query)
        {
            RawAnswer answer = await GetAsync(connection, Deployments + query, [("Accept", "application/json"), .. User("tess")]);
            if (answer.Status == 403)
            {
                return ["403"];
            }

            AssertIs(answer, 200, "TrafficMetricsList");
            return JsonNode.Parse(answer.Body)!["items"]!.AsArray().Select(item => (string?)item!["metadata"]!["name"]);
        }
    }

    /// <summary>What the aggregator adds to every request that it passes on, and its own headers and the caller's.</summary>
    private static Task<RawAnswer> GetAsync(RawConnection connection, string pathAndQuery, IEnumerable<(string Name, string Value)> headers) => connection.GetAsync(
        AggregatedServer.Authority,
        pathAndQuery,
        [
            .. headers, ("X-Forwarded-Host", AggregatedServer.Authority), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Uri", pathAndQuery.Split('?')[0]),
        ],
        Token);

    private static (string Name, string Value)[] User(string name) =>
    [
        ("X-Remote-User", name), ("X-Remote-Group", "system:authenticated"), ("X-Remote-Extra-Authentication.kubernetes.io%2fcredential-Id", "X509SHA256=3f1c"),
        ("X-Forwarded-For", "192.0.2.7"), ("Audit-Id", AuditId), ("Accept-Encoding", "gzip"),
    ];

    private static (string Name, string Value)[] Tag(string? tag) => tag is null ? [] : [("If-None-Match", tag)];

    private static void AssertIs(RawAnswer answer, int status, string kind, string contentType = "application/json")
    {
        Assert.True(status == answer.Status, $"{answer.Status} {answer.Body}");
        Assert.Equal((kind, contentType), ((string?)JsonNode.Parse(answer.Body)!["kind"], answer["content-type"]));
        Assert.DoesNotContain(answer.Headers, header => header.Name is "location" or "set-cookie");
    }
}
