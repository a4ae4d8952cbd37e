using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// A real etcd, kube-apiserver and kube-controller-manager on 127.0.0.1. Of the controllers only those run that aggregate
/// ClusterRoles and empty deleted namespaces: every other object is exactly as the tests wrote it.
/// </summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    // Go programs let their garbage grow to the size of what they need; a test machine has better use for it.
    private static readonly (string, string) FewerMegabytes = ("GOGC", "30");

    private readonly Workspace _workspace;
    private readonly ControlPlanePrograms _programs;
    private readonly CertificateAuthority _clients;
    private readonly KeyPair _serving;
    private readonly string _serviceAccountKey;
    private readonly string _serviceAccountPublicKey;
    private readonly ApiServer _first;
    private readonly int _etcdPort = FreePort.Next();
    private ChildProcess? _etcd;
    private ChildProcess? _controllerManager;

    private ControlPlane(Workspace workspace, ControlPlanePrograms programs)
    {
        _workspace = workspace;
        _programs = programs;
        _clients = new CertificateAuthority(workspace, "ca");
        _serving = _clients.ForServer("kube-apiserver", "localhost", "kubernetes.default.svc");
        AdminCertificate = _clients.ForUser("admin", "system:masters");
        using RSA key = RSA.Create(2048);
        _serviceAccountKey = workspace.Write("certificates/sa.key", key.ExportRSAPrivateKeyPem());
        _serviceAccountPublicKey = workspace.Write("certificates/sa.pub", key.ExportSubjectPublicKeyInfoPem());
        _first = new ApiServer(this, "front-proxy-ca");
        Admin = Kubeconfig("admin", AdminCertificate, Url);
    }

    public string Url => _first.Url;

    public int Port => _first.Port;

    /// <summary>The kubeconfig of a cluster administrator.</summary>
    public string Admin { get; }

    public KeyPair AdminCertificate { get; }

    /// <summary>What kube-apiserver shows to aggregated servers.</summary>
    public KeyPair FrontProxy => _first.FrontProxy;

    /// <summary>The authority that aggregated servers are told to trust for user headers.</summary>
    public CertificateAuthority FrontProxyAuthority => _first.FrontProxyAuthority;

    /// <summary>The administrator's HTTP client.</summary>
    public KubeApi Api => _first.Api;

    public string Logs => string.Join('\n', new[] { _etcd, _first.Process, _controllerManager }.OfType<ChildProcess>().Select(process => process.Tail));

    public static async Task<ControlPlane> StartAsync(Workspace workspace, ControlPlanePrograms programs, CancellationToken cancellationToken)
    {
        ControlPlane controlPlane = new(workspace, programs);
        try
        {
            controlPlane.StartEtcd();
            await controlPlane.StartApiServerAsync(cancellationToken);
            controlPlane.StartControllerManager();
            return controlPlane;
        }
        catch
        {
            await controlPlane.DisposeAsync();
            throw;
        }
    }

    /// <summary>A kubeconfig for a user who has these groups and whatever rights RBAC gives.</summary>
    /// <param name="url">Where the user finds kube-apiserver; null for its own address.</param>
    public string KubeconfigFor(string user, string[] groups, string? url) => Kubeconfig(user, _clients.ForUser(user, groups), url ?? Url);

    /// <summary>A client certificate of the cluster's.</summary>
    public KeyPair CertificateFor(string user, params string[] groups) => _clients.ForUser(user, groups);

    /// <summary>
    /// Waits until kube-apiserver allows somebody something with metrics.smi-spec.io: it learns of bindings, and of the roles that a controller
    /// aggregates, in its own time.
    /// </summary>
    public Task AllowsAsync(string user, string[] groups, string verb, string resource, string? @namespace, CancellationToken cancellationToken)
    {
        JsonObject review = new()
        {
            ["apiVersion"] = "authorization.k8s.io/v1",
            ["kind"] = "SubjectAccessReview",
            ["spec"] = new JsonObject
            {
                ["user"] = user,
                ["groups"] = new JsonArray([.. groups.Select(group => JsonValue.Create(group))]),
                ["resourceAttributes"] = new JsonObject { ["group"] = "metrics.smi-spec.io", ["verb"] = verb, ["resource"] = resource, ["namespace"] = @namespace },
            },
        };
        return Eventually.TrueAsync(
            $"{user} may {verb} {resource} in {@namespace ?? "the cluster"}",
            async token => (await Api.CreateAsync("/apis/authorization.k8s.io/v1/subjectaccessreviews", review, token))["status"]!["allowed"]!.GetValue<bool>(),
            () => Logs,
            cancellationToken);
    }

    /// <summary>Ends kube-apiserver as a crash would.</summary>
    public Task StopApiServerAsync(CancellationToken cancellationToken) => _first.KillAsync(cancellationToken);

    /// <summary>Starts kube-apiserver (again, on the same port) and waits until it is ready.</summary>
    public Task StartApiServerAsync(CancellationToken cancellationToken) => _first.StartAsync(cancellationToken);

    /// <summary>
    /// Starts a further kube-apiserver on the same etcd, which proves itself to aggregated servers by another authority. The caller disposes it.
    /// </summary>
    public async Task<ApiServer> StartFurtherApiServerAsync(string frontProxyAuthority, CancellationToken cancellationToken)
    {
        ApiServer further = new(this, frontProxyAuthority);
        try
        {
            await further.StartAsync(cancellationToken);
            return further;
        }
        catch
        {
            await further.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (IAsyncDisposable? process in new IAsyncDisposable?[] { _controllerManager, _first, _etcd })
        {
            if (process is not null)
            {
                await process.DisposeAsync();
            }
        }
    }

    private void StartEtcd()
    {
        int peers = FreePort.Next();
        _etcd = ChildProcess.Start("etcd", _programs.Etcd,
        [
            "--data-dir", _workspace.PathOf("etcd"),
            "--listen-client-urls", $"http://127.0.0.1:{_etcdPort}",
            "--advertise-client-urls", $"http://127.0.0.1:{_etcdPort}",
            "--listen-peer-urls", $"http://127.0.0.1:{peers}",
            "--initial-advertise-peer-urls", $"http://127.0.0.1:{peers}",
            "--initial-cluster", $"default=http://127.0.0.1:{peers}",
        ]);
    }

    private void StartControllerManager()
    {
        string kubeconfig = KubeconfigFor("system:kube-controller-manager", [], null);
        _controllerManager = ChildProcess.Start("kube-controller-manager", _programs.ControllerManager,
        [
            $"--kubeconfig={kubeconfig}",
            $"--authentication-kubeconfig={kubeconfig}",
            $"--authorization-kubeconfig={kubeconfig}",
            "--use-service-account-credentials=true",
            $"--service-account-private-key-file={_serviceAccountKey}",
            "--controllers=clusterrole-aggregation,namespace",
            "--leader-elect=false",
            "--port=0",
            $"--secure-port={FreePort.Next()}",
            "--bind-address=127.0.0.1",
            $"--cert-dir={_workspace.Folder("controller-manager")}",
        ],
        FewerMegabytes);
    }

    private string Kubeconfig(string user, KeyPair certificate, string url)
    {
        static string Base64(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));
        return _workspace.Write($"kubeconfig/{Guid.NewGuid():N}-{user.Replace(':', '-')}", $$"""
            apiVersion: v1
            kind: Config
            current-context: test
            clusters:
            - name: test
              cluster: {server: "{{url}}", certificate-authority-data: {{Base64(_clients.Certificate)}}}
            users:
            - name: "{{user}}"
              user: {client-certificate-data: {{Base64(certificate.Certificate)}}, client-key-data: {{Base64(certificate.Key)}}}
            contexts:
            - name: test
              context: {cluster: test, user: "{{user}}"}
            """);
    }

    /// <summary>One kube-apiserver, with a front-proxy authority of its own.</summary>
    internal sealed class ApiServer(ControlPlane controlPlane, string frontProxyAuthority) : IAsyncDisposable
    {
        public int Port { get; } = FreePort.Next();

        public string Url => $"https://127.0.0.1:{Port}";

        public CertificateAuthority FrontProxyAuthority { get; } = new(controlPlane._workspace, frontProxyAuthority);

        public KeyPair FrontProxy => field ??= FrontProxyAuthority.ForUser("front-proxy-client");

        /// <summary>The administrator's HTTP client.</summary>
        public KubeApi Api => field ??= new KubeApi(Url, controlPlane.AdminCertificate, controlPlane._clients.Certificate);

        /// <summary>Null before the first start.</summary>
        public ChildProcess? Process { get; private set; }

        public async Task StartAsync(CancellationToken cancellationToken)
        {
            Process = ChildProcess.Start("kube-apiserver", controlPlane._programs.ApiServer,
            [
                $"--etcd-servers=http://127.0.0.1:{controlPlane._etcdPort}",
                $"--secure-port={Port}",
                "--bind-address=127.0.0.1",
                // Loopback is refused here, and nobody uses it without the endpoint reconciler.
                "--advertise-address=192.0.2.2",
                "--endpoint-reconciler-type=none",
                $"--cert-dir={controlPlane._workspace.Folder($"apiserver-{Port}")}",
                $"--tls-cert-file={controlPlane._serving.CertificateFile}",
                $"--tls-private-key-file={controlPlane._serving.KeyFile}",
                $"--client-ca-file={controlPlane._clients.File}",
                "--service-cluster-ip-range=10.0.0.0/16",
                "--authorization-mode=RBAC",
                // Pods are written without service accounts: no controller makes those.
                "--disable-admission-plugins=ServiceAccount",
                "--service-account-issuer=https://kubernetes.default.svc",
                $"--service-account-signing-key-file={controlPlane._serviceAccountKey}",
                $"--service-account-key-file={controlPlane._serviceAccountPublicKey}",
                $"--requestheader-client-ca-file={FrontProxyAuthority.File}",
                "--requestheader-allowed-names=front-proxy-client",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                $"--proxy-client-cert-file={FrontProxy.CertificateFile}",
                $"--proxy-client-key-file={FrontProxy.KeyFile}",
            ],
            FewerMegabytes);
            await Eventually.TrueAsync(
                "kube-apiserver is ready",
                async token => (await Api.SendAsync(HttpMethod.Get, "/readyz", null, [], token)).Code == HttpStatusCode.OK,
                () => Process.Tail,
                cancellationToken);
        }

        public Task KillAsync(CancellationToken cancellationToken) => Process!.KillAsync(cancellationToken);

        public async ValueTask DisposeAsync()
        {
            Api.Dispose();
            if (Process is not null)
            {
                await Process.DisposeAsync();
            }
        }
    }
}
