using SmiMetrics.Kubernetes;

namespace SmiMetrics.Auth;

/// <summary>Brings the cluster's word on whom to believe to those who judge by it.</summary>
internal sealed class AuthenticationTrustWatch(
    KubernetesApi api, AuthenticationTrust trust, TimeProvider clock, ILogger<AuthenticationTrustWatch> logger, KubernetesMetrics metrics) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new ConfigMapWatcher(api, "kube-system", "extension-apiserver-authentication", trust.Apply, clock, logger, metrics).RunAsync(stoppingToken);
}
