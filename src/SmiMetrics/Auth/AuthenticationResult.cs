namespace SmiMetrics.Auth;

/// <summary>Who makes a request. Stands in <see cref="HttpContext.Features"/> once authentication has succeeded, and not before.</summary>
/// <param name="Uid">Null if the front proxy named none.</param>
/// <param name="Groups">In the order received; with <c>system:authenticated</c>.</param>
/// <param name="Extra">Keys are lower-case. Values are as received.</param>
internal sealed record RequestUser(string Name, string? Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra);

/// <summary>What an authenticator thinks of a request: it knows the user, has nothing to say, or has caught the request lying.</summary>
internal abstract record AuthenticationResult
{
    private AuthenticationResult()
    {
    }

    public sealed record Success(RequestUser User) : AuthenticationResult;

    /// <param name="Why">For the log.</param>
    public sealed record NoOpinion(string Why) : AuthenticationResult;

    /// <param name="Why">For the log; not for the caller.</param>
    public sealed record Error(string Why) : AuthenticationResult;
}
