using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>What has to be among the services of a server with a secure port.</summary>
internal static class AuthServices
{
    /// <summary>The serving certificate, read again when it changes.</summary>
    public static IServiceCollection AddServing(this IServiceCollection services, ServingOptions serving) => services
        .AddSingleton(serving)
        .AddSingleton<ServingCertificate>()
        .AddHostedService(provider => provider.GetRequiredService<ServingCertificate>());

    /// <summary>Who makes a request, and whether they may. A <see cref="KubernetesApi"/> among the services is asked where there is one.</summary>
    public static IServiceCollection AddAccess(this IServiceCollection services, AuthenticationOptions authentication, AuthorizationOptions authorization)
    {
        services.AddSingleton(authentication);
        services.AddSingleton<AuthMetrics>();
        services.AddSingleton<AuthenticationTrust>();
        services.AddHostedService(provider => provider.GetRequiredService<AuthenticationTrust>());
        services.AddSingleton<UnknownAuthority>();
        if (authentication.NeedsConfigMap)
        {
            services.AddHostedService<AuthenticationTrustWatch>();
        }

        services.AddSingleton<FrontProxyAuthenticator>();
        services.AddSingleton<ClientCertificateAuthenticator>();
        services.AddSingleton(provider => new RequestAuthenticator(
            provider.GetRequiredService<FrontProxyAuthenticator>(),
            provider.GetRequiredService<ClientCertificateAuthenticator>(),
            provider.GetService<KubernetesApi>() is { } api
                ? new BearerTokenAuthenticator(api, authentication.TokenCacheTtl, provider.GetRequiredService<AuthMetrics>(), provider.GetRequiredService<TimeProvider>())
                : null,
            // Where everything is allowed, nobody is anonymous: that is kube-apiserver's rule, too.
            request => authorization.Mode == AuthorizationMode.Delegated || authorization.IsAlwaysAllowed(request),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<RequestAuthenticator>>()));
        return services.AddSingleton(provider => new RequestAuthorizer(
            authorization,
            provider.GetService<KubernetesApi>(),
            provider.GetRequiredService<AuthMetrics>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<RequestAuthorizer>>()));
    }
}
