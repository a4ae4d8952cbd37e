using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>An HTTP answer, read whole.</summary>
internal sealed record HttpAnswer(HttpStatusCode Code, string? ContentType, string Body)
{
    public JsonNode Json => JsonNode.Parse(Body)!;

    /// <summary>As it was sent, with its parameters.</summary>
    public string? FullContentType { get; init; }

    /// <summary>The values of its header <c>Audit-Id</c>, where they were kept.</summary>
    public IReadOnlyList<string> AuditIds { get; init; } = [];

    /// <summary>What a plain GET is answered.</summary>
    public static async Task<HttpAnswer> GetAsync(HttpClient client, string path, CancellationToken cancellationToken)
    {
        using HttpResponseMessage response = await client.GetAsync(path, cancellationToken);
        return new HttpAnswer(
            response.StatusCode, response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsStringAsync(cancellationToken));
    }
}

/// <summary>Speaks HTTP to kube-apiserver, or to any other server of the test with a certificate of an authority of the test.</summary>
internal sealed class KubeApi : IDisposable
{
    private readonly HttpClient _client;
    private readonly Func<KubeApi> _another;

    /// <param name="serverName">The name that the server's certificate must have; null for the URL's host.</param>
    public KubeApi(string url, KeyPair? identity, string authority, string? serverName = null)
        : this(url, authority, identity is null ? null : ClientCertificate(identity, []), serverName)
    {
    }

    private KubeApi(string url, string authority, SslStreamCertificateContext? identity, string? serverName)
    {
        _another = () => new KubeApi(url, authority, identity, serverName);
        X509Certificate2 root = X509Certificate2.CreateFromPem(authority);
        SocketsHttpHandler handler = new();
        handler.SslOptions.ClientCertificateContext = identity;
        handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            CustomTrustStore = { root },
        };
        _client = new HttpClient(handler) { BaseAddress = new Uri(url), Timeout = Patience.Limit };
        // Also the name that TLS verifies.
        _client.DefaultRequestHeaders.Host = serverName;
    }

    /// <summary>A client that sends more certificates after its own, as an attacker may.</summary>
    public static KubeApi WithChain(string url, KeyPair identity, KeyPair[] further, string authority, string serverName) =>
        new(url, authority, ClientCertificate(identity, further), serverName);

    /// <summary>The same caller on connections of its own.</summary>
    public KubeApi Another() => _another();

    public async Task<string> GetTextAsync(string path, CancellationToken cancellationToken)
    {
        HttpAnswer answer = await SendAsync(HttpMethod.Get, path, null, [], cancellationToken);
        return answer.Code == HttpStatusCode.OK ? answer.Body : throw new HttpRequestException($"GET {path}: {(int)answer.Code} {answer.Body}");
    }

    public async Task<JsonNode> GetAsync(string path, CancellationToken cancellationToken) => JsonNode.Parse(await GetTextAsync(path, cancellationToken))!;

    /// <summary>Creates an object and returns it as the server has it, with its UID.</summary>
    public Task<JsonNode> CreateAsync(string path, JsonNode body, CancellationToken cancellationToken) =>
        WriteAsync(HttpMethod.Post, path, body, "application/json", cancellationToken);

    public Task<JsonNode> MergeAsync(string path, JsonNode patch, CancellationToken cancellationToken) =>
        WriteAsync(HttpMethod.Patch, path, patch, "application/merge-patch+json", cancellationToken);

    public async Task DeleteAsync(string path, CancellationToken cancellationToken)
    {
        HttpAnswer answer = await SendAsync(HttpMethod.Delete, path, null, [], cancellationToken);
        if ((int)answer.Code is < 200 or >= 300)
        {
            throw new HttpRequestException($"DELETE {path}: {(int)answer.Code} {answer.Body}");
        }
    }

    /// <summary>Sends a request and returns whatever is answered.</summary>
    public async Task<HttpAnswer> SendAsync(
        HttpMethod method, string path, HttpContent? content, (string Name, string Value)[] headers, CancellationToken cancellationToken)
    {
        // As it stands: what a path with dots does is for the servers to say.
        Uri url = new(_client.BaseAddress!.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using HttpRequestMessage request = new(method, url) { Content = content };
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        using HttpResponseMessage response = await _client.SendAsync(request, cancellationToken);
        // Before it is parsed, after which it is written in another way.
        string? contentType = response.Content.Headers.NonValidated.TryGetValues("Content-Type", out HeaderStringValues values) ? values.ToString() : null;
        return new HttpAnswer(
            response.StatusCode, response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsStringAsync(cancellationToken))
        {
            FullContentType = contentType,
            AuditIds = response.Headers.TryGetValues("Audit-Id", out IEnumerable<string>? ids) ? [.. ids] : [],
        };
    }

    public void Dispose() => _client.Dispose();

    private async Task<JsonNode> WriteAsync(HttpMethod method, string path, JsonNode body, string contentType, CancellationToken cancellationToken)
    {
        using StringContent content = new(body.ToJsonString(), Encoding.UTF8, new MediaTypeHeaderValue(contentType));
        HttpAnswer answer = await SendAsync(method, path, content, [], cancellationToken);
        return (int)answer.Code is >= 200 and < 300 ? answer.Json : throw new HttpRequestException($"{method} {path}: {(int)answer.Code} {answer.Body}");
    }

    private static SslStreamCertificateContext ClientCertificate(KeyPair identity, KeyPair[] further) =>
        SslStreamCertificateContext.Create(
            identity.Load(), [.. further.Select(pair => X509Certificate2.CreateFromPem(pair.Certificate))], offline: true);
}
