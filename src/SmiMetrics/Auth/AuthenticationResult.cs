namespace SmiMetrics.Auth;

/// <summary>Who makes a request. Stands in <see cref="HttpContext.Features"/> once authentication has succeeded, and not before.</summary>
/// <param name="Uid">Null if whoever vouches for the user named none.</param>
/// <param name="Groups">In the order received; with <c>system:authenticated</c> last, or <c>system:unauthenticated</c> alone.</param>
/// <param name="Extra">Further attributes that authorizers may go by.</param>
internal sealed record RequestUser(string Name, string? Uid, IReadOnlyList<string> Groups, IReadOnlyDictionary<string, IReadOnlyList<string>> Extra)
{
    public const string AnonymousName = "system:anonymous";
    public const string AuthenticatedGroup = "system:authenticated";
    public const string UnauthenticatedGroup = "system:unauthenticated";

    /// <summary>Cluster administrators, and kube-apiserver itself.</summary>
    public const string MastersGroup = "system:masters";

    public static readonly IReadOnlyDictionary<string, IReadOnlyList<string>> NoExtra = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Who shows no credentials.</summary>
    public static readonly RequestUser Anonymous = new(AnonymousName, null, [UnauthenticatedGroup], NoExtra);

    /// <summary>
    /// The same, in the group that everybody known belongs to (apiserver <c>pkg/authentication/group/authenticated_group_adder.go</c>).
    /// kube-apiserver's own requests come without.
    /// </summary>
    public RequestUser AsAuthenticated() =>
        Name == AnonymousName || Groups.Contains(AuthenticatedGroup) || Groups.Contains(UnauthenticatedGroup)
            ? this
            : this with { Groups = [.. Groups, AuthenticatedGroup] };
}

/// <summary>What an authenticator thinks of a request: it knows the user, has nothing to say, has caught the request lying, or cannot know.</summary>
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

    /// <summary>Nobody could say who it is.</summary>
    /// <inheritdoc cref="Error" path="/param"/>
    public sealed record Failed(string Why) : AuthenticationResult;
}
