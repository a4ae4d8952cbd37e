using System.Net;
using Microsoft.AspNetCore.Http;
using SmiMetrics.Auth;
using SmiMetrics.Tests.Kubernetes;

namespace SmiMetrics.Tests.Auth;

public sealed class BearerTokenAuthenticatorTests : IDisposable
{
    private const string Alice =
        """{"authenticated":true,"user":{"username":"alice","uid":"u-1","groups":["dev","a,b"],"extra":{"example.com/scopes":["x","y"]}},"audiences":["a"]}""";

    private readonly AuthMeters _meters = new();
    private readonly TestTime _time = new();
    private readonly ReviewServer _server = new() { Answer = _ => Task.FromResult(ReviewServer.Status(Alice)) };
    private readonly BearerTokenAuthenticator _authenticator;

    public BearerTokenAuthenticatorTests() => _authenticator = New(TimeSpan.FromSeconds(10));

    public void Dispose()
    {
        _meters.Dispose();
        _server.Dispose();
    }

    [Fact]
    public async Task The_user_is_whom_the_review_names()
    {
        RequestUser user = Success(await AskAsync("Bearer t0ken"));

        Assert.Equal(("alice", "u-1"), (user.Name, user.Uid));
        Assert.Equal(["dev", "a,b"], user.Groups);
        Assert.Equal(["x", "y"], Assert.Single(user.Extra, pair => pair.Key == "example.com/scopes").Value);
        (string path, var body) = Assert.Single(_server.Requests);
        Assert.Equal("/apis/authentication.k8s.io/v1/tokenreviews", path);
        Assert.Equal("""{"spec":{"token":"t0ken"},"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1"}""", body.ToJsonString());
    }

    [Theory]
    [InlineData("bearer t0ken")]
    [InlineData("BEARER t0ken and more")]
    [InlineData("  Bearer t0ken ")]
    public async Task The_scheme_has_no_case_and_the_token_ends_at_a_blank(string header)
    {
        Success(await AskAsync(header));
        Assert.Equal("t0ken", Assert.Single(_server.Requests).Body["spec"]!["token"]!.GetValue<string>());
    }

    /// <summary>What a stranger sends goes on to kube-apiserver, and was sent at any length.</summary>
    [Fact]
    public async Task A_token_of_absurd_length_is_an_error_without_asking()
    {
        Success(await AskAsync("Bearer " + new string('t', 16 * 1024)));
        Assert.IsType<AuthenticationResult.Error>(await AskAsync("Bearer " + new string('t', (16 * 1024) + 1)));
        Assert.Single(_server.Requests);
    }

    /// <summary>Made-up tokens cost memory for ten seconds each, however many there were.</summary>
    [Fact]
    public async Task More_tokens_than_can_be_asked_about_are_not_asked_about()
    {
        TaskCompletionSource<HttpResponseMessage> held = new();
        _server.Answer = _ => held.Task;
        Task<AuthenticationResult>[] waiting = [.. Enumerable.Range(0, 1_100).Select(i => AskAsync($"Bearer t{i}"))];
        AuthenticationResult.Failed refused = Assert.IsType<AuthenticationResult.Failed>(await AskAsync("Bearer another"));
        Assert.Contains("too many reviews", refused.Why, StringComparison.Ordinal);
        Assert.DoesNotContain(waiting, wait => wait.IsCompleted);

        _time.Advance(TimeSpan.FromSeconds(11));
        await Task.WhenAll(waiting);
        _server.Answer = _ => Task.FromResult(ReviewServer.Status(Alice));
        // Those who asked have been told, and their reviews end one by one.
        await Patience.UntilAsync(async () => await AskAsync("Bearer another") is AuthenticationResult.Success);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("Bearer  t0ken")]
    [InlineData("Basic YTpi")]
    [InlineData("Bearert0ken")]
    public async Task What_is_no_bearer_token_is_no_opinion(string? header)
    {
        Assert.IsType<AuthenticationResult.NoOpinion>(await AskAsync(header));
        Assert.Empty(_server.Requests);
    }

    [Theory]
    [InlineData("""{"user":{},"error":"invalid bearer token"}""", "bearer token: invalid bearer token")]
    [InlineData("""{"user":{}}""", "bearer token: not authenticated")]
    [InlineData("""{"authenticated":true,"user":{}}""", "bearer token: not authenticated")]
    [InlineData("null", "bearer token: not authenticated")]
    public async Task A_token_that_nobody_knows_is_an_error(string status, string why)
    {
        _server.Answer = _ => Task.FromResult(ReviewServer.Status(status));
        Assert.Equal(why, Error(await AskAsync("Bearer nonsense")));
    }

    [Fact]
    public async Task Good_and_bad_answers_hold_for_ten_seconds()
    {
        _server.Answer = review => Task.FromResult(ReviewServer.Status(
            review["spec"]!["token"]!.GetValue<string>() == "good" ? Alice : """{"error":"invalid bearer token"}"""));
        for (int i = 0; i < 3; i++)
        {
            Success(await AskAsync("Bearer good"));
            Error(await AskAsync("Bearer bad"));
        }

        Assert.Equal(2, _server.Requests.Count);
        _time.Advance(TimeSpan.FromSeconds(9.9));
        Success(await AskAsync("Bearer good"));
        Assert.Equal(2, _server.Requests.Count);

        _server.Answer = _ => Task.FromResult(ReviewServer.Status("""{"error":"invalid bearer token"}"""));
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Error(await AskAsync("Bearer good"));
        Error(await AskAsync("Bearer bad"));
        Assert.Equal(4, _server.Requests.Count);
    }

    [Fact]
    public async Task Nothing_is_kept_for_no_time()
    {
        BearerTokenAuthenticator authenticator = New(TimeSpan.Zero);
        await AskAsync("Bearer t0ken", authenticator);
        await AskAsync("Bearer t0ken", authenticator);
        Assert.Equal(2, _server.Requests.Count);
    }

    [Fact]
    public async Task Callers_with_one_token_share_a_review_and_none_spoils_it_for_the_others()
    {
        TaskCompletionSource<HttpResponseMessage> answer = new();
        _server.Answer = _ => answer.Task;
        using CancellationTokenSource impatience = new();
        Task<AuthenticationResult> first = AskAsync("Bearer t0ken", _authenticator, impatience.Token);
        Task<AuthenticationResult> second = AskAsync("Bearer t0ken");
        await _server.ArrivedAsync();

        await impatience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        answer.SetResult(ReviewServer.Status(Alice));

        Success(await second);
        Assert.Single(_server.Requests);
    }

    [Fact]
    public async Task A_failure_of_kube_apiserver_is_not_the_tokens_and_forgotten()
    {
        _server.Answer = _ => Task.FromResult(ReviewServer.Text(HttpStatusCode.Forbidden, "cannot create resource \"tokenreviews\""));
        Assert.Equal(
            "the bearer token could not be reviewed: HTTP status 403: cannot create resource \"tokenreviews\"",
            Assert.IsType<AuthenticationResult.Failed>(await AskAsync("Bearer t0ken")).Why);

        _server.Answer = _ => Task.FromResult(ReviewServer.Status(Alice));
        Success(await AskAsync("Bearer t0ken"));
        Assert.Equal(1, _meters.Count("apiserver_delegated_authn_request_total{code=403}"));
        Assert.Equal(1, _meters.Count("apiserver_delegated_authn_request_total{code=201}"));
        Assert.Single(_meters.Measured("apiserver_delegated_authn_request_duration_seconds{code=201}"));
    }

    private BearerTokenAuthenticator New(TimeSpan ttl) => new(_server.Api, ttl, _meters.Metrics, _time);

    private Task<AuthenticationResult> AskAsync(string? header) => AskAsync(header, _authenticator);

    private static Task<AuthenticationResult> AskAsync(string? header, BearerTokenAuthenticator authenticator, CancellationToken? aborted = null)
    {
        DefaultHttpContext context = new() { RequestAborted = aborted ?? CancellationToken.None };
        context.Request.Headers.Authorization = header;
        return authenticator.AuthenticateAsync(context);
    }

    private static RequestUser Success(AuthenticationResult result) => Assert.IsType<AuthenticationResult.Success>(result).User;

    private static string Error(AuthenticationResult result) => Assert.IsType<AuthenticationResult.Error>(result).Why;
}
