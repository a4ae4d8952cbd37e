using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SmiMetrics.Tests.Api;

/// <summary>The secure port of a whole server that has no cluster to ask.</summary>
public sealed class SecurePortTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("smi-metrics-secure-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Without_a_cluster_a_users_certificate_is_enough_and_nothing_else()
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authorityRequest = new("CN=ca", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using X509Certificate2 authority = authorityRequest.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 bare = new CertificateRequest("CN=alice", key, HashAlgorithmName.SHA256)
            .Create(authority, now.AddHours(-1), now.AddHours(1), [1, 2, 3]);
        using X509Certificate2 alice = bare.CopyWithPrivateKey(key);
        string file = Path.Combine(_folder.FullName, "ca.crt");
        await File.WriteAllTextAsync(file, authority.ExportCertificatePem(), TestContext.Current.CancellationToken);
        int port = FreePort.Next();

        await using ServerUnderTest server = await ServerUnderTest.StartAsync(
            snapshot: null,
            "--kubernetes=none", $"--secure-port={port}", "--bind-address=127.0.0.1", $"--cert-dir={_folder.FullName}", $"--client-ca-file={file}",
            "--authorization-mode=AlwaysAllow");

        const string List = "/apis/metrics.smi-spec.io/v1alpha2/deployments";
        Assert.Equal(HttpStatusCode.OK, await CodeAsync(alice, List, null));
        Assert.Equal(HttpStatusCode.OK, await CodeAsync(alice, "/metrics", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await CodeAsync(null, List, null));
        // There is nobody to say whose a token is.
        Assert.Equal(HttpStatusCode.Unauthorized, await CodeAsync(null, List, "Bearer t0ken"));
        Assert.Equal(HttpStatusCode.OK, await CodeAsync(null, "/readyz", null));

        async Task<HttpStatusCode> CodeAsync(X509Certificate2? certificate, string path, string? authorization)
        {
            using SocketsHttpHandler handler = new();
            handler.SslOptions.RemoteCertificateValidationCallback = (_, served, _, _) => served is not null;
            handler.SslOptions.ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, [], offline: true);
            using HttpClient client = new(handler);
            using HttpRequestMessage request = new(HttpMethod.Get, $"https://127.0.0.1:{port}{path}");
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using HttpResponseMessage response = await client.SendAsync(request, TestContext.Current.CancellationToken);
            return response.StatusCode;
        }
    }
}
