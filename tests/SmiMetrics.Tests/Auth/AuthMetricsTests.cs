using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class AuthMetricsTests
{
    [Fact]
    public void Each_outcome_is_counted_as_itself()
    {
        using AuthMeters meters = new();
        meters.Metrics.Authenticated(new AuthenticationResult.Success(RequestUser.Anonymous), TimeSpan.FromMilliseconds(2));
        meters.Metrics.Authenticated(new AuthenticationResult.NoOpinion("x"), TimeSpan.FromMilliseconds(3));
        meters.Metrics.Authenticated(new AuthenticationResult.NoOpinion("x"), TimeSpan.FromMilliseconds(4));
        meters.Metrics.Authenticated(new AuthenticationResult.Error("x"), TimeSpan.FromMilliseconds(5));

        Assert.Equal(
            (1, 2, 1),
            (meters.Count("authentication_attempts{result=success}"), meters.Count("authentication_attempts{result=failure}"), meters.Count("authentication_attempts{result=error}")));
        Assert.Equal([.003, .004], meters.Measured("authentication_duration_seconds{result=failure}"));
    }

    [Theory]
    [InlineData("admin", "admin")]
    [InlineData("client", "client")]
    [InlineData("kube_proxy", "kube_proxy")]
    [InlineData("kubelet", "kubelet")]
    [InlineData("system:serviceaccount:kube-system:default", "system:serviceaccount:kube-system:default")]
    [InlineData("alice@example.com", "email_id")]
    [InlineData("system:serviceaccount:shop:web", "other")]
    [InlineData("system:anonymous", "other")]
    [InlineData("alice", "other")]
    public void Users_are_counted_in_a_few_words(string user, string label)
    {
        using AuthMeters meters = new();
        meters.Metrics.Authenticated(new AuthenticationResult.Success(RequestUser.Anonymous with { Name = user }), TimeSpan.Zero);
        Assert.Equal(1, meters.Count($"authenticated_user_requests{{username={label}}}"));
    }

    [Fact]
    public void The_two_kinds_of_reviews_are_counted_apart()
    {
        using AuthMeters meters = new();
        meters.Metrics.TokenReviewed(201, TimeSpan.FromSeconds(1));
        meters.Metrics.AccessReviewed(null, TimeSpan.FromSeconds(2));
        Assert.Equal([1.0], meters.Measured("apiserver_delegated_authn_request_duration_seconds{code=201}"));
        Assert.Equal([2.0], meters.Measured("apiserver_delegated_authz_request_duration_seconds{code=<error>}"));
        Assert.Equal(1, meters.Count("apiserver_delegated_authz_request_total{code=<error>}"));
    }
}
