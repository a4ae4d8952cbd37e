using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Hosting;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class KubernetesApiTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("smi-metrics-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_kubeconfig_that_does_not_exist_is_named_with_its_flag()
    {
        string missing = Path.Combine(_folder, "missing");

        KubernetesConfigurationException problem = Assert.Throws<KubernetesConfigurationException>(() => KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = missing }));

        Assert.StartsWith($"--kubeconfig {missing}: ", problem.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not: [yaml")]
    [InlineData("apiVersion: v1\nkind: Config\n")]
    [InlineData("apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: []\n")]
    public void A_kubeconfig_that_makes_no_sense_is_named_with_its_flag(string text)
    {
        string file = Write(text);

        KubernetesConfigurationException problem = Assert.Throws<KubernetesConfigurationException>(() => KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file }));

        Assert.StartsWith($"--kubeconfig {file}: ", problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', problem.Message);
    }

    [Fact]
    public void A_client_certificate_that_is_none_is_named_with_the_file()
    {
        string file = Write(Kubeconfig("https://127.0.0.1:1", "insecure-skip-tls-verify: true", "{client-certificate-data: bm9uZQ==, client-key-data: bm9uZQ==}"));

        KubernetesConfigurationException problem = Assert.Throws<KubernetesConfigurationException>(() => KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file }));

        Assert.StartsWith($"--kubeconfig {file}: ", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_trusts_any_authority_of_the_bundle_and_presents_token_and_HTTP_2()
    {
        using Authority other = new("other");
        using Authority ours = new("ours");
        await using WebApplication server = await ServeAsync(ours.Issue("127.0.0.1"));
        string file = Write(Kubeconfig(Address(server), $"certificate-authority-data: {Base64(other.Pem + ours.Pem)}", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        using HttpResponseMessage response = await api.GetAsync("/echo?a=1%2C2", "application/json;as=X,application/json", TestContext.Current.CancellationToken);

        Assert.Equal("HTTP/2 /echo?a=1%2C2 Bearer secret  application/json;as=X,application/json smi-metrics", await BodyAsync(response));
    }

    [Fact]
    public async Task It_posts()
    {
        using Authority ours = new("ours");
        await using WebApplication server = await ServeAsync(ours.Issue("127.0.0.1"));
        string file = Write(Kubeconfig(Address(server) + "/k8s/clusters/c-1", $"certificate-authority-data: {Base64(ours.Pem)}", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        using HttpResponseMessage response = await api.PostAsync("/apis/x", new StringContent("{}"), TestContext.Current.CancellationToken);

        Assert.Equal("POST /k8s/clusters/c-1/apis/x {}", await BodyAsync(response));
    }

    [Fact]
    public async Task It_presents_the_client_certificate()
    {
        using Authority ours = new("ours");
        await using WebApplication server = await ServeAsync(ours.Issue("127.0.0.1"));
        using X509Certificate2 client = ours.Issue("client");
        string user = $"{{client-certificate-data: {Base64(client.ExportCertificatePem())}, client-key-data: {Base64(client.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem())}}}";
        string file = Write(Kubeconfig(Address(server), $"certificate-authority-data: {Base64(ours.Pem)}", user));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        using HttpResponseMessage response = await api.GetAsync("/echo", "application/json", TestContext.Current.CancellationToken);

        Assert.Contains(" CN=client ", await BodyAsync(response), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_intermediate_authority_is_enough_as_it_is_for_kubectl()
    {
        using Authority root = new("root");
        using Authority intermediate = new("intermediate", root);
        await using WebApplication server = await ServeAsync(intermediate.Issue("127.0.0.1"));
        string file = Write(Kubeconfig(Address(server), $"certificate-authority-data: {Base64(intermediate.Pem)}", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        using HttpResponseMessage response = await api.GetAsync("/echo", "application/json", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Theory]
    [InlineData("127.0.0.1", false)] // of another authority
    [InlineData("example.com", true)] // of ours, for another name
    public async Task It_does_not_trust_others(string name, bool ofOurs)
    {
        using Authority ours = new("ours");
        using Authority impostor = new("ours");
        await using WebApplication server = await ServeAsync((ofOurs ? ours : impostor).Issue(name));
        string file = Write(Kubeconfig(Address(server), $"certificate-authority-data: {Base64(ours.Pem)}", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        await Assert.ThrowsAsync<HttpRequestException>(() => api.GetAsync("/echo", "application/json", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task The_name_to_verify_may_be_another_than_the_address()
    {
        using Authority ours = new("ours");
        await using WebApplication server = await ServeAsync(ours.Issue("example.com"));
        string file = Write(Kubeconfig(Address(server), $"{{certificate-authority-data: {Base64(ours.Pem)}, tls-server-name: example.com", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        using HttpResponseMessage response = await api.GetAsync("/echo", "application/json", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Verification_can_be_skipped_by_the_kubeconfig_alone()
    {
        using Authority ours = new("ours");
        await using WebApplication server = await ServeAsync(ours.Issue("example.com"));
        string file = Write(Kubeconfig(Address(server), "insecure-skip-tls-verify: true", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        using HttpResponseMessage response = await api.GetAsync("/echo", "application/json", TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task An_answer_streams()
    {
        using Authority ours = new("ours");
        await using WebApplication server = await ServeAsync(ours.Issue("127.0.0.1"));
        string file = Write(Kubeconfig(Address(server), $"certificate-authority-data: {Base64(ours.Pem)}", "{token: secret}"));
        using KubernetesApi api = KubernetesApi.Connect(new KubernetesOptions { Kubeconfig = file });

        // The body of this one never ends.
        using HttpResponseMessage response = await api.GetAsync("/watch", "application/json", TestContext.Current.CancellationToken);
        using StreamReader reader = new(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));

        Assert.Equal("first", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Every_request_is_counted_as_Kubernetes_clients_count_theirs()
    {
        using RequestMeters meters = new();
        FakeApiServer server = new FakeApiServer().Serve("/api/v1/pods");
        server.Intercept = seen => seen.Path == "/fails" ? throw new HttpRequestException("no answer") : null;
        using KubernetesApi api = KubernetesApi.Over(server).CountedBy(new KubernetesMetrics(meters));
        foreach (string path in new[] { "/api/v1/pods", "/api/v1/pods", "/nosuch" })
        {
            (await api.GetAsync(path, "application/json", TestContext.Current.CancellationToken)).Dispose();
        }

        await Assert.ThrowsAsync<HttpRequestException>(() => api.GetAsync("/fails", "application/json", TestContext.Current.CancellationToken));

        Assert.Equal(2, meters["rest_client_requests_total{code=200,host=kubernetes,method=GET}"]);
        Assert.Equal(1, meters["rest_client_requests_total{code=404,host=kubernetes,method=GET}"]);
        Assert.Equal(1, meters["rest_client_requests_total{code=<error>,host=kubernetes,method=GET}"]);
        Assert.Equal(4, meters["rest_client_request_duration_seconds{host=kubernetes,verb=GET}"]);
    }

    private static async Task<WebApplication> ServeAsync(X509Certificate2 certificate)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(https =>
        {
            https.ServerCertificate = certificate;
            https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
            https.ClientCertificateValidation = (_, _, _) => true;
        })));
        WebApplication server = builder.Build();
        server.Run(async context =>
        {
            if (context.Request.Path == "/watch")
            {
                await context.Response.WriteAsync("first\n", context.RequestAborted);
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
            }
            else if (context.Request.Method == "POST")
            {
                using StreamReader body = new(context.Request.Body);
                await context.Response.WriteAsync($"POST {context.Request.Path} {await body.ReadToEndAsync(context.RequestAborted)}", context.RequestAborted);
            }
            else
            {
                await context.Response.WriteAsync(
                    $"{context.Request.Protocol} {context.Request.Path}{context.Request.QueryString} {context.Request.Headers.Authorization} "
                    + $"{context.Connection.ClientCertificate?.Subject} {context.Request.Headers.Accept} {context.Request.Headers.UserAgent}",
                    context.RequestAborted);
            }
        });
        await server.StartAsync();
        return server;
    }

    private static string Address(WebApplication server) =>
        server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    private static Task<string> BodyAsync(HttpResponseMessage response) => response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);

    private static string Base64(string text) => Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(text));

    private string Write(string kubeconfig)
    {
        string file = Path.Combine(_folder, "kubeconfig");
        File.WriteAllText(file, kubeconfig);
        return file;
    }

    private static string Kubeconfig(string server, string cluster, string user) => $$$"""
        apiVersion: v1
        kind: Config
        current-context: here
        contexts:
        - {name: here, context: {cluster: it, user: me}}
        clusters:
        - {name: it, cluster: {server: "{{{server}}}", {{{cluster.TrimStart('{')}}} }}
        users:
        - {name: me, user: {{{user}}}}
        """;

    /// <summary>A certificate authority.</summary>
    private sealed class Authority : IDisposable
    {
        private readonly X509Certificate2 _certificate;

        public Authority(string name, Authority? above = null)
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
            request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
            (DateTimeOffset from, DateTimeOffset to) = Validity;
            _certificate = above is null
                ? request.CreateSelfSigned(from, to)
                : request.Create(above._certificate, from, to, RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
        }

        public string Pem => _certificate.ExportCertificatePem() + "\n";

        private static (DateTimeOffset From, DateTimeOffset To) Validity =>
            (TimeProvider.System.GetUtcNow().AddHours(-1), TimeProvider.System.GetUtcNow().AddHours(1));

        public X509Certificate2 Issue(string name)
        {
            using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
            SubjectAlternativeNameBuilder names = new();
            if (IPAddress.TryParse(name, out IPAddress? address))
            {
                names.AddIpAddress(address);
            }
            else
            {
                names.AddDnsName(name);
            }

            request.CertificateExtensions.Add(names.Build());
            (DateTimeOffset from, DateTimeOffset to) = Validity;
            return request.Create(_certificate, from.AddMinutes(1), to.AddMinutes(-1), RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
        }

        public void Dispose() => _certificate.Dispose();
    }
}
