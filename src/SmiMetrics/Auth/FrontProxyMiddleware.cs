using System.Diagnostics.Metrics;

namespace SmiMetrics.Auth;

/// <summary>Lets requests through whose user a front proxy vouches for.</summary>
internal static class FrontProxyMiddleware
{
    /// <summary>
    /// Puts the <see cref="RequestUser"/> into the request's features and goes on; hands every other request to <paramref name="refuse"/>,
    /// which answers 401. Needs <see cref="FrontProxyAuthenticator"/> and <see cref="AuthenticationRecord"/> among the services.
    /// </summary>
    public static IApplicationBuilder UseFrontProxyAuthentication(this IApplicationBuilder app, RequestDelegate refuse)
    {
        FrontProxyAuthenticator authenticator = app.ApplicationServices.GetRequiredService<FrontProxyAuthenticator>();
        AuthenticationRecord record = app.ApplicationServices.GetRequiredService<AuthenticationRecord>();
        return app.Use(next => context =>
        {
            AuthenticationResult result = authenticator.Authenticate(context);
            record.Attempt(result);
            if (result is AuthenticationResult.Success { User: RequestUser user })
            {
                context.Features.Set(user);
                return next(context);
            }

            return refuse(context);
        });
    }
}

/// <summary>Counts attempts to authenticate, and logs refusals: at most one line in ten seconds, however many strangers knock.</summary>
internal sealed partial class AuthenticationRecord
{
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(10);

    private readonly Lock _speaking = new();
    private readonly TimeProvider _time;
    private readonly ILogger<AuthenticationRecord> _logger;
    private readonly Counter<long> _attempts;
    private DateTimeOffset _quietUntil = DateTimeOffset.MinValue;
    private long _unsaid;

    public AuthenticationRecord(TimeProvider time, IMeterFactory meters, ILogger<AuthenticationRecord> logger)
    {
        _time = time;
        _logger = logger;
        _attempts = meters.Create("SmiMetrics.Auth").CreateCounter<long>(
            "smi_metrics_auth_attempts",
            unit: null,
            "Requests that tried to authenticate, by result: success, failure (nobody vouched) or error (refused).");
    }

    public void Attempt(AuthenticationResult result)
    {
        switch (result)
        {
            case AuthenticationResult.Success:
                Count("success");
                break;
            case AuthenticationResult.NoOpinion(string why):
                Count("failure");
                Refused(why);
                break;
            case AuthenticationResult.Error(string why):
                Count("error");
                Refused(why);
                break;
        }
    }

    private void Count(string result) => _attempts.Add(1, new KeyValuePair<string, object?>("result", result));

    private void Refused(string why)
    {
        long unsaid;
        lock (_speaking)
        {
            DateTimeOffset now = _time.GetUtcNow();
            if (now < _quietUntil)
            {
                _unsaid++;
                return;
            }

            _quietUntil = now + QuietTime;
            unsaid = _unsaid;
            _unsaid = 0;
        }

        Log.Refused(_logger, why, unsaid);
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "Request refused: {Why} ({Unsaid} more since the last such line)")]
        public static partial void Refused(ILogger logger, string why, long unsaid);
    }
}
