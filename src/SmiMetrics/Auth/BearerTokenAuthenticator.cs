using System.Security.Cryptography;
using System.Text;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>
/// Has kube-apiserver say whose a bearer token is, by a TokenReview (apiserver <c>pkg/authentication/request/bearertoken/bearertoken.go</c>,
/// <c>plugin/pkg/authenticator/token/webhook/webhook.go</c>). Its answer, good or bad, is kept for a short time; a revoked token works that much longer.
/// </summary>
internal sealed class BearerTokenAuthenticator
{
    /// <summary>More tokens than that are not in use at a time; what is thrown away is asked for again.</summary>
    public const int MaxKept = 8192;

    /// <summary>A service account's has about a thousand letters. What a stranger sends goes on to kube-apiserver, so it is not sent at any length.</summary>
    private const int LongestToken = 16 * 1024;

    // So that what is kept in memory, and may end in a dump of it, is no token, nor can be compared with any.
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);
    private readonly ReviewClient<TokenReview> _client;
    private readonly ReviewCache<AuthenticationResult> _cache;

    /// <param name="cacheTtl">How long an answer is kept; zero: not at all.</param>
    public BearerTokenAuthenticator(KubernetesApi api, TimeSpan cacheTtl, AuthMetrics metrics, TimeProvider time)
    {
        _client = new ReviewClient<TokenReview>(api, TokenReview.Path, ReviewJson.Default.TokenReview, metrics.TokenReviewed, time);
        _cache = new ReviewCache<AuthenticationResult>(MaxKept, _ => cacheTtl, time) { Trouble = () => _client.Trouble };
    }

    public async Task<AuthenticationResult> AuthenticateAsync(HttpContext context)
    {
        if (TokenOf(context.Request.Headers.Authorization.FirstOrDefault()) is not { } token)
        {
            return new AuthenticationResult.NoOpinion("no bearer token");
        }

        if (token.Length > LongestToken)
        {
            return new AuthenticationResult.Error("the bearer token is too long to be one");
        }

        string question = Convert.ToBase64String(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(token)));
        try
        {
            return await _cache.AskAsync(question, keep: true, () => ReviewAsync(token), context.RequestAborted);
        }
        catch (ReviewException e)
        {
            return new AuthenticationResult.Failed($"the bearer token could not be reviewed: {e.Message}");
        }
    }

    private static string? TokenOf(string? header) =>
        header?.Trim().Split(' ', 3) is [var scheme, { Length: > 0 } token, ..] && scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) ? token : null;

    private async Task<AuthenticationResult> ReviewAsync(string token)
    {
        TokenReview review = await _client.PostAsync(new TokenReview(new TokenReviewSpec(token), Status: null));
        return review.Status switch
        {
            { Authenticated: true, User: { Username: { Length: > 0 } name } user } => new AuthenticationResult.Success(new RequestUser(
                name,
                string.IsNullOrEmpty(user.Uid) ? null : user.Uid,
                user.Groups ?? [],
                user.Extra?.ToDictionary(pair => pair.Key, pair => (IReadOnlyList<string>)pair.Value) ?? RequestUser.NoExtra)),
            // Whoever shows a token that nobody knows is not anonymous, even if there was no error.
            { Error: { Length: > 0 } error } => new AuthenticationResult.Error($"bearer token: {error.ReplaceLineEndings(" ")}"),
            _ => new AuthenticationResult.Error("bearer token: not authenticated"),
        };
    }
}
