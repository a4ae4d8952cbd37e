using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>
/// Finds out who makes a request (apiserver <c>pkg/authentication/authenticatorfactory/delegating.go</c>, <c>pkg/authentication/request/union/union.go</c>):
/// <list type="number">
/// <item>the front proxy says so, else a client certificate does, else a bearer token: the first that succeeds counts;</item>
/// <item>kube-apiserver does not say whose the token is: nobody knows, which is neither an error nor an anonymous request;</item>
/// <item>nobody succeeded and somebody found something wrong: an error, and not an anonymous request;</item>
/// <item>nobody had anything to go by: the request is anonymous;</item>
/// <item>whoever is known belongs to <c>system:authenticated</c>;</item>
/// <item>credentials go no further.</item>
/// </list>
/// </summary>
/// <param name="bearerToken">Null where there is nobody to ask about tokens.</param>
/// <param name="isOpenToAnyone">Whether a request may be anonymous, where it is not whoever judges it that decides.</param>
internal sealed partial class RequestAuthenticator(
    FrontProxyAuthenticator frontProxy,
    ClientCertificateAuthenticator clientCertificate,
    BearerTokenAuthenticator? bearerToken,
    Func<RequestInfo, bool> isOpenToAnyone,
    TimeProvider time,
    ILogger<RequestAuthenticator> logger)
{
    private readonly SparseLog _refusals = new(time);

    /// <returns>A success, or why there is none. That is in the log already.</returns>
    public async Task<AuthenticationResult> AuthenticateAsync(HttpContext context)
    {
        AuthenticationResult result = await TryAllAsync(context);
        context.Request.Headers.Authorization = default;
        if (result is AuthenticationResult.Success { User: { } user })
        {
            return new AuthenticationResult.Success(user.AsAuthenticated());
        }

        string why = result switch
        {
            AuthenticationResult.Error error => error.Why,
            AuthenticationResult.Failed failed => failed.Why,
            AuthenticationResult.NoOpinion noOpinion => noOpinion.Why,
            _ => throw new InvalidOperationException(result.ToString()),
        };
        if (_refusals.MaySpeak(out long unsaid))
        {
            Log.Refused(logger, why, unsaid);
        }

        return result;
    }

    private async Task<AuthenticationResult> TryAllAsync(HttpContext context)
    {
        List<string> errors = [];
        AuthenticationResult result = Note(frontProxy.Authenticate(context));
        if (result is not AuthenticationResult.Success)
        {
            result = Note(clientCertificate.Authenticate(context));
        }

        if (result is not AuthenticationResult.Success && bearerToken is not null)
        {
            result = Note(await bearerToken.AuthenticateAsync(context));
        }

        if (result is AuthenticationResult.Success or AuthenticationResult.Failed)
        {
            return result;
        }

        if (errors.Count > 0)
        {
            return new AuthenticationResult.Error(string.Join("; ", errors.Distinct()));
        }

        return context.Features.Get<RequestInfo>() is { } request && isOpenToAnyone(request)
            ? new AuthenticationResult.Success(RequestUser.Anonymous)
            : new AuthenticationResult.NoOpinion("no credentials");

        AuthenticationResult Note(AuthenticationResult found)
        {
            if (found is AuthenticationResult.Error { Why: var why })
            {
                errors.Add(why);
            }

            return found;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Request refused: {Why} ({Unsaid} more since the last such line)")]
        public static partial void Refused(ILogger logger, string why, long unsaid);
    }
}
