using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;
using SmiMetrics.Tests.Auth;

namespace SmiMetrics.Tests.Api;

/// <summary>
/// The whole server behind its secure port, as a kube-apiserver of 1.36 finds it: what the cluster says of its front proxy is the server's only trust, and every
/// review is put to a kube-apiserver that keeps it. Nothing else of that works. Verdicts are not kept, so that each request has a review of its own.
/// </summary>
internal sealed class AggregatedServer : IAsyncDisposable
{
    /// <summary>The cluster IP of our Service: kube-apiserver dials it and names it as the host, while the name in TLS is the Service's.</summary>
    public const string Authority = "10.96.33.1:443";

    private const string ServiceName = "smi-metrics.smi-metrics.svc";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("smi-metrics-aggregated-");
    private readonly int _port = FreePort.Next();
    private readonly ReviewServer _reviews = new();
    private readonly TestAuthority _frontProxies = TestAuthority.Root("front-proxy-ca");
    private readonly X509Certificate2 _certificate;
    private ServerUnderTest? _server;

    private AggregatedServer()
    {
        _certificate = _frontProxies.Issue("CN=front-proxy-client", TestAuthority.ClientAuthentication);
        _reviews.Answer = review => Task.FromResult(ReviewServer.Status(May(review["spec"]!) ? """{"allowed":true}""" : """{"allowed":false}"""));
    }

    /// <summary>What kube-apiserver allows, by the <c>spec</c> of a SubjectAccessReview. Everything, unless a test says otherwise.</summary>
    public Func<JsonNode, bool> May { get; set; } = _ => true;

    /// <summary>The specs of the SubjectAccessReviews so far.</summary>
    public IReadOnlyList<JsonNode> Reviews => [.. _reviews.Requests.Select(request => request.Body["spec"]!)];

    /// <param name="uidHeaders">
    /// What <c>kube-apiserver --requestheader-uid-headers</c> was given, which kubeadm does not set: the ConfigMap has no such key then.
    /// </param>
    public static async Task<AggregatedServer> StartAsync(string? uidHeaders = """["X-Remote-Uid"]""")
    {
        AggregatedServer server = new();
        server._server = await ServerUnderTest.StartAsync(
            new Doors(new ReviewsAlone(server._reviews), new FakePrometheus()),
            TestClusters.Shop,
            new FakeTimeProvider(TestAuthority.Now),
            "--kubernetes=cluster", $"--secure-port={server._port}", "--bind-address=127.0.0.1", $"--cert-dir={server._folder.FullName}",
            "--authorization-webhook-cache-authorized-ttl=0s", "--authorization-webhook-cache-unauthorized-ttl=0s");

        // The ConfigMap extension-apiserver-authentication, as pkg/controlplane/controller/clusterauthenticationtrust writes it.
        Dictionary<string, string> trust = new()
        {
            ["client-ca-file"] = TestAuthority.Root("kubernetes").Pem,
            ["requestheader-allowed-names"] = """["front-proxy-client"]""",
            ["requestheader-client-ca-file"] = server._frontProxies.Pem,
            ["requestheader-extra-headers-prefix"] = """["X-Remote-Extra-"]""",
            ["requestheader-group-headers"] = """["X-Remote-Group"]""",
            ["requestheader-username-headers"] = """["X-Remote-User"]""",
        };
        if (uidHeaders is not null)
        {
            trust["requestheader-uid-headers"] = uidHeaders;
        }

        server._server.Services.GetRequiredService<AuthenticationTrust>().Apply(trust);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }

        _reviews.Dispose();
        _certificate.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>
    /// Connects as the aggregator does, which speaks HTTP/2 wherever it can, and HTTP/1.1 where the environment variable <c>DISABLE_HTTP2</c> says so
    /// (apimachinery <c>pkg/util/net/http.go</c>).
    /// </summary>
    public Task<RawConnection> ConnectAsync(bool http2 = true) => ConnectAsync(ServiceName, http2);

    /// <summary>Connects as the availability probe does: to an address, which has no name in TLS.</summary>
    public Task<RawConnection> ProbeAsync() => ConnectAsync(serverName: null, http2: true);

    private Task<RawConnection> ConnectAsync(string? serverName, bool http2) => RawConnection.ConnectAsync(
        _port,
        _certificate,
        serverName,
        http2 ? [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11] : [SslApplicationProtocol.Http11],
        TestContext.Current.CancellationToken);

    private sealed class ReviewsAlone(ReviewServer reviews) : DelegatingHandler(reviews)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => request.Method == HttpMethod.Post
            ? base.SendAsync(request, cancellationToken)
            : Task.FromResult(new HttpResponseMessage(HttpStatusCode.ServiceUnavailable));
    }
}
