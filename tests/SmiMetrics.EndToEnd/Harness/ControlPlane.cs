using System.Security.Cryptography;
using System.Text;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// A real etcd, kube-apiserver and kube-controller-manager on 127.0.0.1. Of the controllers only those run that aggregate
/// ClusterRoles and empty deleted namespaces: every other object is exactly as the tests wrote it.
/// </summary>
internal sealed class ControlPlane : IAsyncDisposable
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(90);

    private readonly Workspace _workspace;
    private readonly ControlPlanePrograms _programs;
    private readonly CertificateAuthority _clients;
    private readonly KeyPair _serving;
    private readonly string _serviceAccountKey;
    private readonly string _serviceAccountPublicKey;
    private readonly int _port = Workspace.FreePort();
    private readonly int _etcdPort = Workspace.FreePort();
    private ChildProcess? _etcd;
    private ChildProcess? _apiServer;
    private ChildProcess? _controllerManager;

    private ControlPlane(Workspace workspace, ControlPlanePrograms programs)
    {
        _workspace = workspace;
        _programs = programs;
        _clients = new CertificateAuthority(workspace, "ca");
        _serving = _clients.ForServer("kube-apiserver", "localhost", "kubernetes.default.svc");
        FrontProxyAuthority = new CertificateAuthority(workspace, "front-proxy-ca");
        FrontProxy = FrontProxyAuthority.ForUser("front-proxy-client");
        AdminCertificate = _clients.ForUser("admin", "system:masters");
        Admin = Kubeconfig("admin", AdminCertificate, Url);
        using RSA key = RSA.Create(2048);
        _serviceAccountKey = workspace.Write("certificates/sa.key", key.ExportRSAPrivateKeyPem());
        _serviceAccountPublicKey = workspace.Write("certificates/sa.pub", key.ExportSubjectPublicKeyInfoPem());
        Api = new KubeApi(Url, AdminCertificate, _clients.Certificate);
    }

    public string Url => $"https://127.0.0.1:{_port}";

    public int Port => _port;

    /// <summary>The kubeconfig of a cluster administrator.</summary>
    public string Admin { get; }

    public KeyPair AdminCertificate { get; }

    /// <summary>What kube-apiserver shows to aggregated servers.</summary>
    public KeyPair FrontProxy { get; }

    /// <summary>The authority that aggregated servers are told to trust for user headers.</summary>
    public CertificateAuthority FrontProxyAuthority { get; }

    /// <summary>The administrator's HTTP client.</summary>
    public KubeApi Api { get; }

    public string Logs => string.Join('\n', new[] { _etcd, _apiServer, _controllerManager }.OfType<ChildProcess>().Select(process => process.Tail));

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

    /// <summary>Ends kube-apiserver as a crash would.</summary>
    public Task StopApiServerAsync(CancellationToken cancellationToken) => _apiServer!.KillAsync(cancellationToken);

    /// <summary>Starts kube-apiserver (again, on the same port) and waits until it is ready.</summary>
    public async Task StartApiServerAsync(CancellationToken cancellationToken)
    {
        _apiServer = ChildProcess.Start("kube-apiserver", _programs.ApiServer,
        [
            $"--etcd-servers=http://127.0.0.1:{_etcdPort}",
            $"--secure-port={_port}",
            "--bind-address=127.0.0.1",
            // Loopback is refused here, and nobody uses it without the endpoint reconciler.
            "--advertise-address=192.0.2.2",
            "--endpoint-reconciler-type=none",
            $"--cert-dir={_workspace.Folder("apiserver")}",
            $"--tls-cert-file={_serving.CertificateFile}",
            $"--tls-private-key-file={_serving.KeyFile}",
            $"--client-ca-file={_clients.File}",
            "--service-cluster-ip-range=10.0.0.0/16",
            "--authorization-mode=RBAC",
            // Pods are written without service accounts: no controller makes those.
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            $"--service-account-signing-key-file={_serviceAccountKey}",
            $"--service-account-key-file={_serviceAccountPublicKey}",
            $"--requestheader-client-ca-file={FrontProxyAuthority.File}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            $"--proxy-client-cert-file={FrontProxy.CertificateFile}",
            $"--proxy-client-key-file={FrontProxy.KeyFile}",
        ]);
        await Eventually.SucceedsAsync("kube-apiserver is ready", StartDeadline, token => Api.GetTextAsync("/readyz", token), () => Logs, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        foreach (ChildProcess process in new[] { _controllerManager, _apiServer, _etcd }.OfType<ChildProcess>())
        {
            await process.DisposeAsync();
        }
    }

    private void StartEtcd()
    {
        int peers = Workspace.FreePort();
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
            $"--secure-port={Workspace.FreePort()}",
            "--bind-address=127.0.0.1",
            $"--cert-dir={_workspace.Folder("controller-manager")}",
        ]);
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
}
