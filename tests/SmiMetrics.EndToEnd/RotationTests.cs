using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// What is replaced from time to time – a certificate, whom to trust, the server itself – is replaced while callers ask again and again
/// through kube-apiserver, and none of their requests fails.
/// </summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class RotationTests(World world) : WorldTest(world)
{
    private const int Callers = 6;
    private const string TrustPath = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
    private const string TrustKey = "requestheader-client-ca-file";
    private static readonly string[] Paths =
        [$"{Api}/namespaces/shop/deployments/web", $"{Api}/namespaces/shop/deployments", Api, $"{Api}/namespaces/shop/deployments/web/edges", $"{Api}/nodes"];

    [Fact]
    public async Task A_new_serving_certificate_is_taken_up_and_no_request_fails()
    {
        CertificateAuthority authority = new(World.Workspace, "serving-ca");
        MountedSecret secret = new(World.Workspace.Folder("serving-secret"));
        await secret.WriteAsync(authority.ForServer("first", Installation.ServerName));
        // Under load kube-apiserver is sent to a new connection every now and then, so it meets the new certificate too.
        await using SmiMetricsServer server = await StartAsync(
            "smi-metrics-new-certificate", null, "--tls-cert-file", secret.CertificateFile, "--tls-private-key-file", secret.KeyFile, "--goaway-chance", "0.02");
        await World.RouteToAsync(server.SecurePort, authority.Certificate, server.Requests, () => server.Logs, Token);
        await using Load load = StartLoad(World.ControlPlane.Api);
        await load.AnsweredAsync(200, Token);
        Assert.Equal("CN=first", await SubjectAsync(server.SecurePort));

        await secret.WriteAsync(authority.ForServer("second", Installation.ServerName));
        await Eventually.TrueAsync(
            "the new certificate is shown", async _ => await SubjectAsync(server.SecurePort) == "CN=second", () => server.Logs, Token);
        // Of so many, one in fifty of which ends a connection, many were on connections with the new certificate.
        await load.AnsweredAsync(500, Token);
        await AssertNoneFailedAsync(load, server);
    }

    [Fact]
    public async Task A_new_front_proxy_authority_is_trusted_the_old_one_forgotten_and_no_request_fails()
    {
        // As the Service kubernetes is for a pod: whichever kube-apiserver is there.
        await using TcpForwarder kubernetes = new(World.ControlPlane.Port);
        await using SmiMetricsServer server = await StartAsync("smi-metrics-new-front-proxy", World.ServerKubeconfigAt($"https://127.0.0.1:{kubernetes.Port}"));
        await World.RouteToAsync(server.SecurePort, World.Installation.Authority, server.Requests, () => server.Logs, Token);
        await using Load first = StartLoad(World.ControlPlane.Api);
        await first.AnsweredAsync(100, Token);

        // It asks whether we are available before it publishes its authority; were it told no, the first would refuse its callers, too.
        await using ControlPlane.ApiServer second = await World.ControlPlane.StartFurtherApiServerAsync("second-front-proxy-ca", Token);
        try
        {
            await using Load further = StartLoad(second.Api);
            await further.AnsweredAsync(200, Token);
            await first.AnsweredAsync(200, Token);
            Assert.Equal(HttpStatusCode.OK, (await DirectlyAsync(server, World.ControlPlane.FrontProxy)).Code);
            Assert.Equal(HttpStatusCode.OK, (await DirectlyAsync(server, second.FrontProxy)).Code);
            await AssertNoneFailedAsync(first, server);

            kubernetes.Target = second.Port;
            await World.ControlPlane.StopApiServerAsync(Token);
            string bundle = (await second.Api.GetAsync(TrustPath, Token))["data"]![TrustKey]!.GetValue<string>();
            Assert.Contains(World.ControlPlane.FrontProxyAuthority.Certificate, bundle, StringComparison.Ordinal);
            await second.Api.MergeAsync(TrustPath, new JsonObject { ["data"] = new JsonObject { [TrustKey] = second.FrontProxyAuthority.Certificate } }, Token);
            // The connection to kube-apiserver was lost on the way, so it takes a while.
            HttpAnswer unknown = await Eventually.SomeAsync(
                "the old authority is forgotten",
                async _ => await DirectlyAsync(server, World.ControlPlane.FrontProxy) is { Code: not HttpStatusCode.OK } answer ? answer : null,
                () => server.Logs,
                Token);
            Statuses.Assert(unknown, HttpStatusCode.Unauthorized, "Unauthorized");
            Assert.Equal(HttpStatusCode.OK, (await DirectlyAsync(server, second.FrontProxy)).Code);
            await further.AnsweredAsync(200, Token);
            await AssertNoneFailedAsync(further, server);
        }
        finally
        {
            // Adds its authority to the ConfigMap again.
            await World.ControlPlane.StartApiServerAsync(Token);
        }
    }

    [Fact]
    public async Task A_server_that_is_told_to_end_loses_no_request()
    {
        string[] flags = ["--tls-cert-file", World.Installation.CertificateFile, "--tls-private-key-file", World.Installation.KeyFile, "--shutdown-delay-duration", "10s"];
        await using SmiMetricsServer leaving = await StartAsync("smi-metrics-leaving", null, flags);
        await using SmiMetricsServer staying = await StartAsync("smi-metrics-staying", null, flags);
        await using TcpForwarder service = new(leaving.SecurePort);
        await World.RouteToAsync(service.Port, World.Installation.Authority, leaving.Requests, () => leaving.Logs, Token);
        await using Load load = StartLoad(World.ControlPlane.Api);
        await load.AnsweredAsync(200, Token);
        // An idle connection of somebody who will not close it.
        Assert.Equal(HttpStatusCode.OK, (await leaving.GetAsync(Api, Token)).Code);

        leaving.Terminate();
        // As the endpoints of a Service follow readiness.
        HttpAnswer notReady = await NotReadyAsync(leaving);
        Assert.Contains("[-]shutdown failed", notReady.Body, StringComparison.Ordinal);
        service.Target = staying.SecurePort;
        await leaving.EndedAsync(Token).WaitAsync(Patience.Limit, Token);
        Assert.Equal(0, leaving.ExitCode);

        await load.AnsweredAsync(200, Token);
        await AssertNoneFailedAsync(load, leaving);
        Assert.Contains("apiserver_request_total{", await staying.Admin.GetStringAsync("/metrics", Token), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_signal_ends_it_at_once()
    {
        await using SmiMetricsServer server = await StartAsync("smi-metrics-hurried", null, "--shutdown-delay-duration", "1h");
        server.Terminate();
        await NotReadyAsync(server);
        Assert.False(server.HasExited);
        server.Terminate();
        await server.EndedAsync(Token).WaitAsync(Patience.Limit, Token);
        Assert.Equal(1, server.ExitCode);
    }

    private Task<SmiMetricsServer> StartAsync(string name, string? kubeconfig, params string[] flags)
    {
        string[] certificate = flags.Contains("--tls-cert-file")
            ? []
            : ["--tls-cert-file", World.Installation.CertificateFile, "--tls-private-key-file", World.Installation.KeyFile];
        return World.StartServerAsync(
            name,
            [
                "--kubeconfig", kubeconfig ?? World.ServerKubeconfig, "--mesh", "linkerd", "--prometheus-url", World.Prometheus.Url,
                .. certificate, .. flags,
            ],
            Token);
    }

    private static Task<HttpAnswer> NotReadyAsync(SmiMetricsServer server) => Eventually.SomeAsync(
        "it is not ready any more",
        async token => await server.ReadyAsync(token) is { Code: HttpStatusCode.InternalServerError } answer ? answer : null,
        () => server.Logs,
        Token);

    private static Load StartLoad(KubeApi like) => Load.Start([.. Enumerable.Range(0, Callers).Select(_ => like.Another())], Paths);

    private async Task AssertNoneFailedAsync(Load load, SmiMetricsServer server)
    {
        await load.StopAsync();
        Assert.True(load.Failures.Count == 0, $"{load.Failures.Count} failed, {load.Answers} did not:\n{string.Join('\n', load.Failures.Take(10))}\n{server.Logs}\n{World.ControlPlane.Logs}");
    }

    private async Task<HttpAnswer> DirectlyAsync(SmiMetricsServer server, KeyPair frontProxy)
    {
        using KubeApi client = new($"https://127.0.0.1:{server.SecurePort}", frontProxy, World.Installation.Authority, Installation.ServerName);
        return await client.SendAsync(HttpMethod.Get, Paths[0], null, [("X-Remote-User", "admin"), ("X-Remote-Group", "system:masters")], Token);
    }

    /// <summary>Of the certificate that a new connection is shown.</summary>
    private static async Task<string> SubjectAsync(int port)
    {
        using TcpClient tcp = new();
        await tcp.ConnectAsync(IPAddress.Loopback, port, Token);
        await using SslStream stream = new(tcp.GetStream());
        await stream.AuthenticateAsClientAsync(
            new SslClientAuthenticationOptions { TargetHost = Installation.ServerName, RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is not null }, Token);
        return ((X509Certificate2)stream.RemoteCertificate!).Subject;
    }

    /// <summary>Files as kubelet mounts a Secret: links through a folder that is a link itself, and only that one is replaced.</summary>
    private sealed class MountedSecret
    {
        private readonly string _folder;
        private int _version;

        public MountedSecret(string folder)
        {
            _folder = folder;
            File.CreateSymbolicLink(CertificateFile, Path.Combine("..data", "tls.crt"));
            File.CreateSymbolicLink(KeyFile, Path.Combine("..data", "tls.key"));
        }

        public string CertificateFile => Path.Combine(_folder, "tls.crt");

        public string KeyFile => Path.Combine(_folder, "tls.key");

        public async Task WriteAsync(KeyPair pair)
        {
            string version = $"..{++_version}";
            Directory.CreateDirectory(Path.Combine(_folder, version));
            await File.WriteAllTextAsync(Path.Combine(_folder, version, "tls.crt"), pair.Certificate, Token);
            await File.WriteAllTextAsync(Path.Combine(_folder, version, "tls.key"), pair.Key, Token);
            string link = Path.Combine(_folder, "..data_tmp");
            File.CreateSymbolicLink(link, version);
            // .NET does not rename over a link to a folder.
            _ = (await Command.RunAsync("mv", ["-T", link, Path.Combine(_folder, "..data")], Token)).Text;
        }
    }
}
