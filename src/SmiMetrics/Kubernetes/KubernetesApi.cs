using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using k8s.Authentication;
using k8s.KubeConfigModels;
using SmiMetrics.Transport;

namespace SmiMetrics.Kubernetes;

/// <summary>How to reach the cluster.</summary>
internal sealed record KubernetesOptions
{
    /// <summary>
    /// The file that <c>--kubeconfig</c> names. When null: the service account of the pod that we run in, else the files of
    /// <c>$KUBECONFIG</c>, else <c>~/.kube/config</c>.
    /// </summary>
    public string? Kubeconfig { get; init; }
}

/// <summary>The way to the cluster cannot be read or makes no sense. The message is one line and names the file, or the flag to give.</summary>
internal sealed class KubernetesConfigurationException(string message, Exception? innerException) : Exception(message, innerException);

/// <summary>
/// The door to kube-apiserver, and all that is known here of the package KubernetesClient: it reads kubeconfig files and service
/// accounts and provides the credentials of each request; requests and answers are raw, because its typed models of 10,000 pods
/// would cost more than everything else in this process.
/// </summary>
internal sealed class KubernetesApi : IDisposable
{
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    // Watches are silent for minutes. Without pings a connection whose other end was switched off looks just like that.
    private static readonly TimeSpan PingAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(15);

    private readonly HttpClient _client;
    private readonly Uri _server;
    private readonly ServiceClientCredentials? _credentials;
    private readonly string? _tlsServerName;
    private KubernetesMetrics? _metrics;

    private KubernetesApi(HttpMessageHandler handler, Uri server, ServiceClientCredentials? credentials, string? tlsServerName)
    {
        // Deadlines are the callers': a watch has none that HttpClient could know.
        _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _server = server;
        _credentials = credentials;
        _tlsServerName = tlsServerName;
    }

    /// <summary>Finds out where the cluster is and who we are. Sends nothing yet.</summary>
    /// <exception cref="KubernetesConfigurationException">There is no way to a cluster, or it cannot be read.</exception>
    public static KubernetesApi Connect(KubernetesOptions options)
    {
        (KubernetesClientConfiguration configuration, string origin) = Load(options.Kubeconfig);
        try
        {
            return new KubernetesApi(
                CreateHandler(configuration),
                new Uri(configuration.Host.EndsWith('/') ? configuration.Host : configuration.Host + "/"),
                k8s.Kubernetes.CreateCredentials(configuration),
                configuration.TlsServerName);
        }
        catch (Exception e)
        {
            // A certificate that is none, a key that does not fit, a server that is no URL: the package has an exception for each.
            throw new KubernetesConfigurationException($"{origin}: {OneLine(e)}", e);
        }
    }

    /// <summary>The door that demo and tests replace: every request goes to <paramref name="handler"/>, without credentials.</summary>
    public static KubernetesApi Over(HttpMessageHandler handler) => new(handler, new Uri("http://kubernetes/"), credentials: null, tlsServerName: null);

    /// <summary>Has every request from now on counted. (The way to the cluster is found before there is anything to count with.)</summary>
    public KubernetesApi CountedBy(KubernetesMetrics metrics)
    {
        _metrics = metrics;
        return this;
    }

    /// <summary>Sends a GET and returns when the head of the answer is here; the body streams. Any status is an answer.</summary>
    /// <param name="pathAndQuery">Begins with a slash, and is escaped already.</param>
    /// <exception cref="HttpRequestException">No answer.</exception>
    public Task<HttpResponseMessage> GetAsync(string pathAndQuery, string accept, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, pathAndQuery, content: null, accept, cancellationToken);

    /// <summary>Posts JSON (a TokenReview, a SubjectAccessReview) and returns when the head of the answer is here. Any status is an answer.</summary>
    /// <inheritdoc cref="GetAsync"/>
    public Task<HttpResponseMessage> PostAsync(string pathAndQuery, HttpContent content, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, pathAndQuery, content, "application/json", cancellationToken);

    public void Dispose() => _client.Dispose();

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string pathAndQuery, HttpContent? content, string accept, CancellationToken cancellationToken)
    {
        // The server may be a proxy in front of several clusters, with a path of its own (Rancher), so the slash must go.
        using HttpRequestMessage request = new(method, new Uri(_server, pathAndQuery.TrimStart('/')))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = content,
        };
        request.Headers.TryAddWithoutValidation("Accept", accept);
        request.Headers.TryAddWithoutValidation("User-Agent", "smi-metrics");
        if (!string.IsNullOrEmpty(_tlsServerName))
        {
            // SocketsHttpHandler takes the name that it verifies from here, and from nowhere else.
            request.Headers.Host = _tlsServerName;
        }

        if (_credentials is not null)
        {
            // Per request, because tokens rotate: the service account's file is read again every minute.
            await _credentials.ProcessHttpRequestAsync(request, cancellationToken);
        }

        long start = Stopwatch.GetTimestamp();
        int? code = null;
        try
        {
            HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            code = (int)response.StatusCode;
            return response;
        }
        finally
        {
            _metrics?.Requested(method.Method, _server.Authority, code, Stopwatch.GetElapsedTime(start));
        }
    }

    private static (KubernetesClientConfiguration Configuration, string Origin) Load(string? kubeconfig)
    {
        string origin = "";
        try
        {
            if (kubeconfig is not null)
            {
                origin = $"--kubeconfig {kubeconfig}";
                return (Load([kubeconfig], KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig)), origin);
            }

            if (KubernetesClientConfiguration.IsInCluster())
            {
                origin = "the service account of this pod";
                return (KubernetesClientConfiguration.InClusterConfig(), origin);
            }

            string? variable = Environment.GetEnvironmentVariable("KUBECONFIG");
            if (!string.IsNullOrEmpty(variable))
            {
                origin = $"$KUBECONFIG ({variable})";
                return (Load(variable.Split(Path.PathSeparator), KubernetesClientConfiguration.BuildDefaultConfig()), origin);
            }

            if (File.Exists(KubernetesClientConfiguration.KubeConfigDefaultLocation))
            {
                origin = KubernetesClientConfiguration.KubeConfigDefaultLocation;
                return (Load([origin], KubernetesClientConfiguration.BuildConfigFromConfigFile(origin)), origin);
            }
        }
        catch (Exception e)
        {
            throw new KubernetesConfigurationException($"{origin}: {OneLine(e)}", e);
        }

        throw new KubernetesConfigurationException(
            "no Kubernetes cluster: this is not a pod, $KUBECONFIG is not set and ~/.kube/config does not exist; "
            + "give --kubeconfig FILE, or --kubernetes=none to run without a cluster",
            innerException: null);
    }

    // Of a bundle of authorities in a kubeconfig the package reads only the first certificate, and a cluster that rotates its
    // authority has two. So they are read again here.
    private static KubernetesClientConfiguration Load(string[] files, KubernetesClientConfiguration configuration)
    {
        K8SConfiguration[] read = [.. files.Where(File.Exists).Select(file => KubernetesClientConfiguration.LoadKubeConfig(file))];
        string? clusterName = read.SelectMany(file => file.Contexts ?? [])
            .FirstOrDefault(context => context.Name == configuration.CurrentContext)?.ContextDetails?.Cluster;
        foreach (K8SConfiguration file in read)
        {
            if (file.Clusters?.FirstOrDefault(cluster => cluster.Name == clusterName)?.ClusterEndpoint is { } cluster)
            {
                string? path = cluster.CertificateAuthority;
                string? pem = Pem(string.IsNullOrEmpty(path) ? null : Path.Combine(Path.GetDirectoryName(file.FileName) ?? "", path), cluster.CertificateAuthorityData);
                X509Certificate2Collection authorities = [];
                authorities.ImportFromPem(pem);
                if (authorities.Count > 0)
                {
                    configuration.SslCaCerts = authorities;
                }

                break;
            }
        }

        return configuration;
    }

    private static SocketsHttpHandler CreateHandler(KubernetesClientConfiguration configuration)
    {
        SocketsHttpHandler handler = new()
        {
            ConnectTimeout = ConnectTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = PingAfter,
            KeepAlivePingTimeout = PingTimeout,
            EnableMultipleHttp2Connections = true,
            AutomaticDecompression = DecompressionMethods.GZip,
            AllowAutoRedirect = false,
        };

        if (ClientCertificate(configuration) is { } certificate)
        {
            handler.SslOptions.ClientCertificates = [certificate];
        }

        // Without authorities the system's decide, as with kubectl.
        if (configuration.SkipTlsVerify)
        {
            handler.SslOptions.RemoteCertificateValidationCallback = (_, _, _, errors) =>
                errors == SslPolicyErrors.None || configuration.SkipTlsVerify;
        }
        else if (configuration.SslCaCerts is { Count: > 0 } authorities)
        {
            TrustAnchors.TrustOnly(authorities, handler.SslOptions);
        }

        return handler;
    }

    private static X509Certificate2? ClientCertificate(KubernetesClientConfiguration configuration)
    {
        string? certificate = Pem(configuration.ClientCertificateFilePath, configuration.ClientCertificateData);
        string? key = Pem(configuration.ClientKeyFilePath, configuration.ClientCertificateKeyData);
        return certificate is null || key is null ? null : X509Certificate2.CreateFromPem(certificate, key);
    }

    // Where a kubeconfig has both, kubectl prefers what is in it to what it names.
    private static string? Pem(string? file, string? base64) =>
        !string.IsNullOrEmpty(base64) ? Encoding.ASCII.GetString(Convert.FromBase64String(base64))
        : !string.IsNullOrEmpty(file) ? File.ReadAllText(file)
        : null;

    private static string OneLine(Exception e) => e.Message.ReplaceLineEndings(" ");
}
