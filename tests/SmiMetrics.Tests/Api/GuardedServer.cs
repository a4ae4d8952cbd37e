using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

namespace SmiMetrics.Tests.Api;

/// <summary>
/// The whole server behind its secure port, and a kube-apiserver of which only the reviews work: <c>rita</c> may read everything of ours, <c>tess</c> the
/// namespace shop, whoever is authenticated what describes the API, and <c>scraper</c> the metrics.
/// </summary>
public sealed class GuardedServer : IAsyncLifetime
{
    public const string GoodToken = "good";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("smi-metrics-guarded-");
    private readonly int _port = FreePort.Next();
    private readonly Authority _frontProxies = new("front-proxy-ca");
    private readonly Authority _users = new("ca");
    private readonly Authority _foreigners = new("foreign-ca");
    private ServerUnderTest? _server;

    public async ValueTask InitializeAsync() => _server = await ServerUnderTest.StartAsync(
        new Doors(new Reviews(), new FakePrometheus()),
        TestClusters.Shop,
        TimeProvider.System,
        "--kubernetes=cluster", $"--secure-port={_port}", "--bind-address=127.0.0.1", $"--cert-dir={_folder.FullName}",
        $"--requestheader-client-ca-file={Write("front-proxy-ca.crt", _frontProxies)}", $"--client-ca-file={Write("ca.crt", _users)}");

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _folder.Delete(recursive: true);
    }

    /// <summary>Sends a request on a connection of its own.</summary>
    /// <param name="caller">
    /// <c>NAME</c>, vouched for by the front proxy; <c>certificate:NAME</c>; <c>foreign:NAME</c>, a certificate of somebody else's authority; <c>token:TOKEN</c>;
    /// <c>forger</c>, who has the headers of a master and nothing else; <c>nobody</c>.
    /// </param>
    internal async Task<HttpResponseMessage> SendAsync(string caller, HttpMethod method, string path, string? accept, CancellationToken cancellationToken)
    {
        string[] parts = caller.Split(':', 2);
        using X509Certificate2? certificate = (parts[0], parts.Length) switch
        {
            ("certificate", 2) => _users.Issue(parts[1]),
            ("foreign", 2) => _foreigners.Issue(parts[1]),
            ("token", 2) or ("forger" or "nobody", 1) => null,
            _ => _frontProxies.Issue("front-proxy-client"),
        };
        using SocketsHttpHandler handler = new();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, served, _, _) => served is not null;
        handler.SslOptions.ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, [], offline: true);
        using HttpClient client = new(handler);
        // As it stands: what a path with dots does is for the server to say.
        using HttpRequestMessage request = new(
            method, new Uri($"https://127.0.0.1:{_port}{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        request.Headers.TryAddWithoutValidation("Accept", accept);
        string? user = parts is ["forger"] or ["certificate", _] or ["foreign", _] ? "admin" : parts is ["nobody"] or ["token", _] ? null : caller;
        if (user is not null)
        {
            request.Headers.TryAddWithoutValidation("X-Remote-User", user);
            request.Headers.TryAddWithoutValidation("X-Remote-Group", user == "admin" ? "system:masters" : "somebody");
        }

        if (parts is ["token", var token])
        {
            request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        }

        HttpResponseMessage response = await client.SendAsync(request, cancellationToken);
        await response.Content.LoadIntoBufferAsync(cancellationToken);
        return response;
    }

    private string Write(string name, Authority authority)
    {
        string file = Path.Combine(_folder.FullName, name);
        File.WriteAllText(file, authority.Pem);
        return file;
    }

    private sealed class Authority
    {
        private readonly X509Certificate2 _certificate;

        public Authority(string name)
        {
            CertificateRequest request = new($"CN={name}", ECDsa.Create(ECCurve.NamedCurves.nistP256), HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
            DateTimeOffset now = TimeProvider.System.GetUtcNow();
            _certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        }

        public string Pem => _certificate.ExportCertificatePem();

        public X509Certificate2 Issue(string name)
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            DateTimeOffset now = TimeProvider.System.GetUtcNow();
            using X509Certificate2 bare = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256)
                .Create(_certificate, now.AddHours(-1), now.AddHours(1), RandomNumberGenerator.GetBytes(8));
            return bare.CopyWithPrivateKey(key);
        }
    }

    private sealed class Reviews : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Method != HttpMethod.Post)
            {
                return new HttpResponseMessage(HttpStatusCode.ServiceUnavailable);
            }

            JsonNode review = JsonNode.Parse(await request.Content!.ReadAsStringAsync(cancellationToken))!;
            JsonNode spec = review["spec"]!;
            review["status"] = (string?)review["kind"] == "TokenReview"
                ? (string?)spec["token"] == GoodToken
                    ? new JsonObject { ["authenticated"] = true, ["user"] = new JsonObject { ["username"] = "rita" } }
                    : new JsonObject { ["error"] = "invalid bearer token" }
                : new JsonObject { ["allowed"] = May(spec) };
            return new HttpResponseMessage(HttpStatusCode.Created) { Content = new StringContent(review.ToJsonString(), Encoding.UTF8, "application/json") };
        }

        private static bool May(JsonNode spec)
        {
            string user = (string)spec["user"]!;
            if (spec["nonResourceAttributes"] is { } path)
            {
                bool authenticated = spec["groups"]!.AsArray().Any(group => (string?)group == "system:authenticated");
                return (string?)path["verb"] == "get"
                    && ((string)path["path"]! == "/metrics" ? user == "scraper" : authenticated && (((string)path["path"]!).Split('/')[1] is "apis" or "openapi" or "version"));
            }

            JsonNode of = spec["resourceAttributes"]!;
            return (string?)of["group"] == "metrics.smi-spec.io" && (string?)of["verb"] is "get" or "list"
                && (user == "rita" || (user == "tess" && (string?)of["namespace"] == "shop"));
        }
    }
}
