using System.Net.Http.Headers;
using System.Text;
using SmiMetrics.Transport;

namespace SmiMetrics.Prometheus;

/// <summary>What every request carries so that Prometheus, or the proxy before it, lets us in and knows the tenant.</summary>
internal sealed class Credentials
{
    private readonly (string Name, string Value)[] _headers;
    private readonly string? _username;
    private readonly SecretFile? _token;
    private readonly SecretFile? _password;

    public Credentials(PrometheusOptions options, TimeProvider timeProvider)
    {
        _headers =
        [
            .. options.Headers.Select(header => PrometheusOptions.TryParseHeader(header, out string name, out string value)
                ? (name, value)
                : throw new ArgumentException($"no request header: {name}", nameof(options))),
        ];
        _username = options.Username;
        _token = options.BearerTokenFile is null ? null : new SecretFile(options.BearerTokenFile, timeProvider);
        _password = options.PasswordFile is null ? null : new SecretFile(options.PasswordFile, timeProvider);
    }

    /// <exception cref="CredentialsException">The token or password file cannot be read.</exception>
    public void Apply(HttpRequestMessage request)
    {
        foreach ((string name, string value) in _headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (_token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token.Text);
        }
        else if (_username is not null && _password is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{_username}:{_password.Text}")));
        }
    }
}
