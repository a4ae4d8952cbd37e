using System.Net;
using System.Text.Json.Nodes;
using SmiMetrics.Auth;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Kubernetes;

namespace SmiMetrics.Tests.Auth;

public sealed class RequestAuthorizerTests : IDisposable
{
    private const string Version = "/apis/metrics.smi-spec.io/v1alpha2";

    private static readonly RequestUser Bob = new("bob", null, ["dev", "system:authenticated"], RequestUser.NoExtra);

    private readonly AuthMeters _meters = new();
    private readonly TestTime _time = new();
    private readonly LogRecorder<RequestAuthorizer> _log = new();
    private readonly ReviewServer _server = new();

    public void Dispose()
    {
        _meters.Dispose();
        _server.Dispose();
    }

    [Fact]
    public async Task A_resource_request_is_reviewed_by_its_attributes()
    {
        RequestUser user = new("bob", "u-1", ["a,b"], new Dictionary<string, IReadOnlyList<string>> { ["z"] = ["1"], ["example.com/scopes"] = ["x", "y"] });
        Assert.IsType<AuthorizationResult.Allowed>(await AskAsync(New(), user, "/namespaces/ns/deployments/web/edges"));

        (string path, JsonNode body) = Assert.Single(_server.Requests);
        Assert.Equal("/apis/authorization.k8s.io/v1/subjectaccessreviews", path);
        Assert.True(
            JsonNode.DeepEquals(
                JsonNode.Parse("""
                    {
                      "kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1",
                      "spec": {
                        "user": "bob", "uid": "u-1", "groups": ["a,b"], "extra": {"example.com/scopes": ["x", "y"], "z": ["1"]},
                        "resourceAttributes": {
                          "namespace": "ns", "verb": "get", "group": "metrics.smi-spec.io", "version": "v1alpha2",
                          "resource": "deployments", "subresource": "edges", "name": "web"
                        }
                      }
                    }
                    """),
                body),
            body.ToJsonString());
    }

    [Fact]
    public async Task Any_other_request_is_reviewed_by_its_path()
    {
        await New().AuthorizeAsync(Bob, RequestInfo.Of("HEAD", "/openapi/v2", null), CancellationToken.None);

        JsonNode spec = Assert.Single(_server.Requests).Body["spec"]!;
        Assert.Equal("""{"path":"/openapi/v2","verb":"head"}""", spec["nonResourceAttributes"]!.ToJsonString());
        Assert.Null(spec["resourceAttributes"]);
        Assert.Null(spec["extra"]);
    }

    /// <summary>Kubernetes' <c>FieldSelectorAttributes</c> and <c>LabelSelectorAttributes</c>, of every operator that there is.</summary>
    [Theory]
    [InlineData("/pods?labelSelector=app%3Dweb", null, """[{"key":"app","operator":"In","values":["web"]}]""")]
    [InlineData("/pods?labelSelector=app%3D%3Dweb", null, """[{"key":"app","operator":"In","values":["web"]}]""")]
    [InlineData("/pods?labelSelector=app%21%3Dweb", null, """[{"key":"app","operator":"NotIn","values":["web"]}]""")]
    [InlineData("/pods?labelSelector=app%3D", null, """[{"key":"app","operator":"In","values":[""]}]""")]
    [InlineData("/pods?labelSelector=app+in+%28web%2Capi%29", null, """[{"key":"app","operator":"In","values":["api","web"]}]""")]
    [InlineData("/pods?labelSelector=app+notin+%28web%2Capi%29", null, """[{"key":"app","operator":"NotIn","values":["api","web"]}]""")]
    [InlineData("/pods?labelSelector=tier%2C%21app", null, """[{"key":"app","operator":"DoesNotExist"},{"key":"tier","operator":"Exists"}]""")]
    [InlineData("/pods?labelSelector=weight%3E1%2Capp%3Dweb%2Cage%3C2", null, """[{"key":"app","operator":"In","values":["web"]}]""")]
    [InlineData("/pods?labelSelector=weight%3E1", null, null)]
    [InlineData("/pods?fieldSelector=metadata.name%3Dweb%2Cmetadata.namespace%21%3Da", """[{"key":"metadata.name","operator":"In","values":["web"]},{"key":"metadata.namespace","operator":"NotIn","values":["a"]}]""", null)]
    [InlineData("/pods?fieldSelector=status.phase%3D%3DRunning&labelSelector=app", """[{"key":"status.phase","operator":"In","values":["Running"]}]""", """[{"key":"app","operator":"Exists"}]""")]
    // Each as far as it can be read, whatever is wrong with the other, and with everything else.
    [InlineData("/pods?fieldSelector=metadata.name%3Dweb&labelSelector=a%3D%3D%3Db&limit=many", """[{"key":"metadata.name","operator":"In","values":["web"]}]""", null)]
    [InlineData("/pods?fieldSelector=nonsense&labelSelector=app", null, """[{"key":"app","operator":"Exists"}]""")]
    // The first of several counts.
    [InlineData("/pods?labelSelector=app&labelSelector=other", null, """[{"key":"app","operator":"Exists"}]""")]
    [InlineData("/pods?labelSelector=&fieldSelector=", null, null)]
    // Whatever has a verb that selects, and nothing else.
    [InlineData("/pods?watch=1&labelSelector=app", null, """[{"key":"app","operator":"Exists"}]""")]
    [InlineData("/namespaces/ns/edges?labelSelector=app", null, """[{"key":"app","operator":"Exists"}]""")]
    [InlineData("/namespaces/ns/pods/web?labelSelector=app&fieldSelector=metadata.name%3Dweb", null, null)]
    [InlineData("/namespaces/ns/pods/web/edges?labelSelector=app", null, null)]
    [InlineData("/watch/pods?labelSelector=app", null, null)]
    [InlineData("?labelSelector=app", null, null)]
    public async Task A_list_is_reviewed_with_its_selectors(string pathAndQuery, string? fields, string? labels)
    {
        await AskAsync(New(), Bob, pathAndQuery);
        JsonNode? attributes = Assert.Single(_server.Requests).Body["spec"]!["resourceAttributes"];
        Assert.Equal(fields is null ? null : $$"""{"requirements":{{fields}}}""", attributes?["fieldSelector"]?.ToJsonString());
        Assert.Equal(labels is null ? null : $$"""{"requirements":{{labels}}}""", attributes?["labelSelector"]?.ToJsonString());
    }

    [Fact]
    public async Task A_right_to_some_objects_is_none_to_others()
    {
        _server.Answer = review => Task.FromResult(ReviewServer.Status(
            review["spec"]!["resourceAttributes"]!["labelSelector"]?.ToJsonString().Contains("mine", StringComparison.Ordinal) == true ? """{"allowed":true}""" : "{}"));
        RequestAuthorizer authorizer = New();
        Assert.IsType<AuthorizationResult.Allowed>(await AskAsync(authorizer, Bob, "/pods?labelSelector=team%3Dmine"));
        Assert.IsType<AuthorizationResult.Denied>(await AskAsync(authorizer, Bob, "/pods?labelSelector=team%3Dother"));
        Assert.IsType<AuthorizationResult.Denied>(await AskAsync(authorizer, Bob, "/pods"));
    }

    [Theory]
    [InlineData("""{"allowed":true,"reason":"RBAC: allowed by x"}""", null)]
    [InlineData("""{"allowed":false}""", "")]
    [InlineData("""{"allowed":false,"reason":"no such role"}""", "no such role")]
    [InlineData("""{"allowed":false,"denied":true,"reason":"never"}""", "never")]
    [InlineData("""{"allowed":true,"denied":true}""", "")]
    [InlineData("{}", "")]
    public async Task Only_what_is_allowed_is_allowed(string status, string? reason)
    {
        _server.Answer = _ => Task.FromResult(ReviewServer.Status(status));
        AuthorizationResult result = await AskAsync(New(), Bob, "/deployments");
        Assert.Equal(reason is null ? AuthorizationResult.Allowed.Instance : new AuthorizationResult.Denied(reason), result);
    }

    [Fact]
    public async Task Masters_pass_without_a_review()
    {
        _server.Answer = _ => throw new HttpRequestException("down");
        RequestUser master = new("system:kube-aggregator", null, ["system:masters", "system:authenticated"], RequestUser.NoExtra);
        Assert.IsType<AuthorizationResult.Allowed>(await AskAsync(New(), master, ""));
        Assert.Empty(_server.Requests);
    }

    [Theory]
    [InlineData("/healthz", true)]
    [InlineData("/readyz", true)]
    [InlineData("/livez", true)]
    [InlineData("/livez/", false)]
    [InlineData("/readyz/ping", false)]
    [InlineData("/livezz", false)]
    [InlineData("/metrics", false)]
    [InlineData("/open/", true)]
    [InlineData("/open/to/all", true)]
    [InlineData("/open", false)]
    [InlineData("/apis/metrics.smi-spec.io/v1alpha2", true)]
    [InlineData("/apis/metrics.smi-spec.io/v1alpha2/deployments", false)]
    public async Task Some_paths_are_open_to_anybody_and_no_resource_is(string path, bool open)
    {
        _server.Answer = _ => Task.FromResult(ReviewServer.Status("{}"));
        RequestAuthorizer authorizer = New(new AuthorizationOptions { AlwaysAllowPaths = ["/healthz", "readyz", "/livez", "/open/*", "/apis/*"] });
        AuthorizationResult result = await authorizer.AuthorizeAsync(RequestUser.Anonymous, RequestInfo.Of("GET", path, null), CancellationToken.None);
        Assert.Equal(open, result is AuthorizationResult.Allowed);
        Assert.Equal(open ? 0 : 1, _server.Requests.Count);
    }

    [Fact]
    public async Task With_AlwaysAllow_nobody_is_asked()
    {
        RequestAuthorizer authorizer = new(
            new AuthorizationOptions { Mode = AuthorizationMode.AlwaysAllow }, api: null, _meters.Metrics, _time, _log);
        Assert.IsType<AuthorizationResult.Allowed>(await AskAsync(authorizer, Bob, "/deployments"));
    }

    [Fact]
    public async Task Yes_and_no_are_kept_for_times_of_their_own()
    {
        _server.Answer = review => Task.FromResult(ReviewServer.Status(
            review["spec"]!["resourceAttributes"]!["resource"]!.GetValue<string>() == "pods" ? """{"allowed":true}""" : "{}"));
        RequestAuthorizer authorizer = New(new AuthorizationOptions { AuthorizedTtl = TimeSpan.FromSeconds(20), UnauthorizedTtl = TimeSpan.FromSeconds(5) });

        await AskBothAsync(expected: 2);
        await AskBothAsync(expected: 2);
        _time.Advance(TimeSpan.FromSeconds(5));
        await AskBothAsync(expected: 3);
        _time.Advance(TimeSpan.FromSeconds(15));
        await AskBothAsync(expected: 5);

        async Task AskBothAsync(int expected)
        {
            Assert.IsType<AuthorizationResult.Allowed>(await AskAsync(authorizer, Bob, "/namespaces/ns/pods"));
            Assert.IsType<AuthorizationResult.Denied>(await AskAsync(authorizer, Bob, "/namespaces/ns/nodes"));
            Assert.Equal(expected, _server.Requests.Count);
        }
    }

    [Fact]
    public async Task A_verdict_is_for_one_user_and_one_request()
    {
        RequestAuthorizer authorizer = New();
        RequestUser[] users =
        [
            Bob, Bob with { Name = "eve" }, Bob with { Uid = "u" }, Bob with { Groups = ["dev,system:authenticated"] }, Bob with { Groups = [] },
            Bob with { Extra = new Dictionary<string, IReadOnlyList<string>> { ["a"] = ["b"] } },
        ];
        foreach (RequestUser user in users)
        {
            foreach (string path in new[] { "/namespaces/ns/pods", "/namespaces/other/pods", "/namespaces/ns/pods/web", "/namespaces/ns/pods/web/edges", "/pods?watch=1", "" })
            {
                await AskAsync(authorizer, user, path);
                await AskAsync(authorizer, user, path);
            }
        }

        Assert.Equal(36, _server.Requests.Count);
    }

    [Fact]
    public async Task A_request_that_says_ten_thousand_bytes_about_itself_is_not_kept()
    {
        RequestAuthorizer authorizer = New();
        string path = "/namespaces/ns/pods/" + new string('x', 10_000);
        await AskAsync(authorizer, Bob, path);
        await AskAsync(authorizer, Bob, path);
        Assert.Equal(2, _server.Requests.Count);
    }

    [Fact]
    public async Task What_passes_is_tried_five_times_with_growing_pauses()
    {
        Func<HttpResponseMessage>[] answers =
        [
            () => throw new HttpRequestException("connection refused"),
            () => ReviewServer.Text(HttpStatusCode.InternalServerError, "etcd"),
            () => ReviewServer.Text(HttpStatusCode.TooManyRequests, "slow down"),
            () => ReviewServer.Text(HttpStatusCode.ServiceUnavailable, "starting"),
            () => ReviewServer.Status("""{"allowed":true}"""),
        ];
        int asked = 0;
        _server.Answer = _ => Task.FromResult(answers[asked++]());
        RequestAuthorizer authorizer = New();
        Task<AuthorizationResult> impatient = AskAsync(authorizer, Bob, "/deployments");
        await PauseAsync(500);
        await PauseAsync(750);
        // Who asks has been told by now that it is not known; who asks again meets the same review.
        Assert.IsType<AuthorizationResult.Failed>(await impatient);
        await PauseAsync(1125);
        Task<AuthorizationResult> again = AskAsync(authorizer, Bob, "/deployments");
        await PauseAsync(1687);
        Assert.IsType<AuthorizationResult.Failed>(await again);
        await Patience.UntilAsync(() => asked == 5 && _meters.Count("apiserver_delegated_authz_request_total{code=201}") == 1);

        Assert.IsType<AuthorizationResult.Allowed>(await AskAsync(authorizer, Bob, "/deployments"));
        Assert.Equal(5, asked);
        Assert.Equal(1, _meters.Count("apiserver_delegated_authz_request_total{code=<error>}"));
        Assert.Equal(1, _meters.Count("apiserver_delegated_authz_request_total{code=429}"));
    }

    [Fact]
    public async Task Without_an_answer_nobody_is_let_in_and_the_log_has_the_cause()
    {
        _server.Answer = _ => throw new HttpRequestException("connection refused");
        RequestAuthorizer authorizer = New();
        Task<AuthorizationResult> result = AskAsync(authorizer, Bob, "/deployments");
        foreach (int pause in new[] { 500, 750, 1125, 1687 })
        {
            await PauseAsync(pause);
        }

        Assert.IsType<AuthorizationResult.Failed>(await result);
        Assert.Contains("no answer within 1 s; last: connection refused", Assert.Single(_log.Lines), StringComparison.Ordinal);
        Assert.Contains($"bob may list {Version}/deployments", _log.Lines[0], StringComparison.Ordinal);

        // And it is not held against them.
        _server.Answer = _ => Task.FromResult(ReviewServer.Status("""{"allowed":true}"""));
        await Patience.UntilAsync(async () => await AskAsync(authorizer, Bob, "/deployments") is AuthorizationResult.Allowed);
    }

    [Theory]
    [InlineData(HttpStatusCode.Forbidden, "no")]
    [InlineData(HttpStatusCode.UnprocessableEntity, "no")]
    [InlineData(HttpStatusCode.Created, "{")]
    [InlineData(HttpStatusCode.Created, "null")]
    [InlineData(HttpStatusCode.Created, """{"kind":"SubjectAccessReview"}""")]
    public async Task What_does_not_pass_is_not_tried_again(HttpStatusCode code, string text)
    {
        _server.Answer = _ => Task.FromResult(ReviewServer.Text(code, text));
        Assert.IsType<AuthorizationResult.Failed>(await AskAsync(New(), Bob, "/deployments"));
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task While_a_review_hangs_it_is_not_waited_for_longer_than_a_second()
    {
        TaskCompletionSource<HttpResponseMessage> answer = new();
        _server.Answer = _ => answer.Task;
        RequestAuthorizer authorizer = New();
        Task<AuthorizationResult> result = AskAsync(authorizer, Bob, "/deployments");
        await _server.ArrivedAsync();
        _time.Advance(TimeSpan.FromSeconds(0.9));
        Assert.False(result.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.IsType<AuthorizationResult.Failed>(await result);
        Assert.Contains("no answer within 1 s", Assert.Single(_log.Lines), StringComparison.Ordinal);

        // An answer that comes late is there for whoever asks again.
        Task<AuthorizationResult> again = AskAsync(authorizer, Bob, "/deployments");
        answer.SetResult(ReviewServer.Status("""{"allowed":true}"""));
        Assert.IsType<AuthorizationResult.Allowed>(await again);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task Identical_reviews_under_way_are_one()
    {
        TaskCompletionSource<HttpResponseMessage> answer = new();
        _server.Answer = _ => answer.Task;
        RequestAuthorizer authorizer = New();
        using CancellationTokenSource impatience = new();
        Task<AuthorizationResult> first =
            authorizer.AuthorizeAsync(Bob, RequestInfo.Of("GET", Version + "/pods", null), impatience.Token);
        Task<AuthorizationResult>[] others = [.. Enumerable.Range(0, 50).Select(_ => AskAsync(authorizer, Bob, "/pods"))];
        await _server.ArrivedAsync();
        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        answer.SetResult(ReviewServer.Status("""{"allowed":true}"""));
        Assert.All(await Task.WhenAll(others), result => Assert.IsType<AuthorizationResult.Allowed>(result));
        Assert.Single(_server.Requests);
    }

    private async Task PauseAsync(int milliseconds)
    {
        TimeSpan pause = await _time.NextTimerAsync(TimeSpan.FromMilliseconds(milliseconds - 1), TimeSpan.FromMilliseconds(milliseconds + 1));
        _time.Advance(pause);
    }

    private RequestAuthorizer New(AuthorizationOptions? options = null) => new(options ?? new(), _server.Api, _meters.Metrics, _time, _log);

    private static Task<AuthorizationResult> AskAsync(RequestAuthorizer authorizer, RequestUser user, string pathAndQuery)
    {
        string[] parts = pathAndQuery.Split('?');
        return authorizer.AuthorizeAsync(
            user, RequestInfo.Of("GET", Version + parts[0], parts.Length > 1 ? "?" + parts[1] : null), CancellationToken.None);
    }
}
