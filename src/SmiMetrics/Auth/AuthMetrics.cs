using System.Diagnostics.Metrics;

namespace SmiMetrics.Auth;

/// <summary>
/// What authentication and authorization tell of themselves, with the names, labels and buckets that Kubernetes' own servers have (apiserver
/// <c>pkg/endpoints/filters/metrics.go</c>, <c>pkg/authentication/request/x509/x509.go</c>, <c>pkg/{authentication,authorization}/…factory/metrics.go</c>).
/// </summary>
internal sealed class AuthMetrics
{
    private const double Hour = 3600;
    private const double Day = 24 * Hour;

    private readonly Counter<long> _attempts;
    private readonly Counter<long> _users;
    private readonly Histogram<double> _duration;
    private readonly Histogram<double> _certificates;
    private readonly Reviews _tokenReviews;
    private readonly Reviews _accessReviews;

    public AuthMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create("SmiMetrics.Auth");
        _attempts = meter.CreateCounter<long>("authentication_attempts", description: "Counter of authenticated attempts.");
        _users = meter.CreateCounter<long>("authenticated_user_requests", description: "Counter of authenticated requests broken out by username.");
        _duration = CreateHistogram(
            meter,
            "authentication_duration_seconds",
            "Authentication duration in seconds broken out by result.",
            [.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1.024, 2.048, 4.096, 8.192, 16.384]);
        _certificates = CreateHistogram(
            meter,
            "apiserver_client_certificate_expiration_seconds",
            "Distribution of the remaining lifetime on the certificate used to authenticate a request.",
            [0, Hour / 2, Hour, 2 * Hour, 6 * Hour, 12 * Hour, Day, 2 * Day, 4 * Day, 7 * Day, 30 * Day, 90 * Day, 180 * Day, 360 * Day]);
        _tokenReviews = new Reviews(meter, "apiserver_delegated_authn_request");
        _accessReviews = new Reviews(meter, "apiserver_delegated_authz_request");
    }

    public void Authenticated(AuthenticationResult result, TimeSpan duration)
    {
        KeyValuePair<string, object?> label = new("result", result switch
        {
            AuthenticationResult.Success => "success",
            AuthenticationResult.NoOpinion => "failure",
            _ => "error",
        });
        _attempts.Add(1, label);
        _duration.Record(duration.TotalSeconds, label);
        if (result is AuthenticationResult.Success { User.Name: var name })
        {
            _users.Add(1, new KeyValuePair<string, object?>("username", Compressed(name)));
        }
    }

    /// <param name="remaining">How long the certificate will still be good.</param>
    public void AuthenticatedByCertificate(TimeSpan remaining) => _certificates.Record(remaining.TotalSeconds);

    /// <param name="code">The HTTP status; null when there was no answer.</param>
    public void TokenReviewed(int? code, TimeSpan duration) => _tokenReviews.Record(code, duration);

    /// <inheritdoc cref="TokenReviewed"/>
    public void AccessReviewed(int? code, TimeSpan duration) => _accessReviews.Record(code, duration);

    // Users are without number, and nobody's business.
    private static string Compressed(string username) => username switch
    {
        "admin" or "client" or "kube_proxy" or "kubelet" or "system:serviceaccount:kube-system:default" => username,
        _ => username.Contains('@', StringComparison.Ordinal) ? "email_id" : "other",
    };

    private static Histogram<double> CreateHistogram(Meter meter, string name, string description, double[] buckets) => meter.CreateHistogram(
        name, unit: null, description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = buckets });

    private sealed class Reviews(Meter meter, string name)
    {
        private readonly Counter<long> _total = meter.CreateCounter<long>(
            $"{name}_total", description: "Number of HTTP requests partitioned by status code.");

        private readonly Histogram<double> _duration = CreateHistogram(
            meter, $"{name}_duration_seconds", "Request latency in seconds. Broken down by status code.", [.25, .5, .7, 1, 1.5, 3, 5, 10]);

        public void Record(int? code, TimeSpan duration)
        {
            KeyValuePair<string, object?> label = new("code", code is { } status ? status : "<error>");
            _total.Add(1, label);
            _duration.Record(duration.TotalSeconds, label);
        }
    }
}
