using SmiMetrics.Api;
using SmiMetrics.Auth;
using SmiMetrics.Hosting;
using SmiMetrics.Prometheus;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics;

/// <content>The flags themselves, as <c>--help</c> shows them.</content>
internal sealed partial record ServeOptions
{
    /// <summary>The flags of <c>smi-metrics serve</c>, as <c>--help</c> lists them.</summary>
    internal static class Flags
    {
        public const string None = "none";
        public const string Cluster = "cluster";
        public const string Auto = MeshConfiguration.AutoName;
        public const string Prometheus = "prometheus";
        public const string Scrape = "scrape";

        public static readonly Flag Config = new("config", "FILE", null, "YAML file whose keys are these flags, without the dashes; flags and environment override it");
        public static readonly Flag Kubeconfig = new("kubeconfig", "FILE", null, "how to reach Kubernetes; without it the pod's service account, else $KUBECONFIG");
        public static readonly Flag Kubernetes = new("kubernetes", "cluster|none", Cluster, "none: run without a cluster, series labels alone name resources");
        public static readonly Flag Mesh = new("mesh", "NAME[,NAME...]", Auto, "meshes in order of preference; auto: all known ones whose series exist", Repeatable: true);
        public static readonly Flag MeshConfig = new("mesh-config", "PATH", null, "file or folder of further mesh descriptors, read again when they change; one of a known name replaces it");
        public static readonly Flag Source = new("source", $"{Prometheus}|{Scrape}", null, $"where numbers come from; without it {Prometheus} if a URL is given, else {Scrape}: the mesh's proxies themselves");
        public static readonly Flag ScrapeInterval = new("scrape-interval", "DURATION", GoDuration.Format(ScrapeOptions.DefaultInterval), "time between two scrapes of a proxy");
        public static readonly Flag ScrapeTimeout = new("scrape-timeout", "DURATION", GoDuration.Format(ScrapeOptions.DefaultTimeout), "deadline of one scrape; at most the interval");
        public static readonly Flag ScrapeTarget = new("scrape-target", "URL[#LABEL=VALUE&...]", null, "page to scrape besides the cluster's proxies, and labels that say whose it is: #namespace=shop&pod=web-1&deployment=web; repeatable", Repeatable: true);
        public static readonly Flag ScrapeBearerTokenFile = new("scrape-bearer-token-file", "FILE", null, "token to present to https targets named by --scrape-target, read again when it changes");
        public static readonly Flag ScrapeCaFile = new("scrape-ca-file", "FILE", null, "PEM certificates to trust for https targets instead of the system's");
        public static readonly Flag ScrapeClientCertFile = new("scrape-client-cert-file", "FILE", null, "PEM certificate to present to https targets");
        public static readonly Flag ScrapeClientKeyFile = new("scrape-client-key-file", "FILE", null, "its key");
        public static readonly Flag ScrapeProxyUrl = new("scrape-proxy-url", "URL", null, "HTTP proxy to reach all targets through");
        public static readonly Flag PrometheusUrl = new("prometheus-url", "URL", null, "Prometheus' base URL; repeat it for replicas of one store", Repeatable: true);
        public static readonly Flag PrometheusBearerTokenFile = new("prometheus-bearer-token-file", "FILE", null, "token to present to Prometheus, read again when it changes");
        public static readonly Flag PrometheusCaFile = new("prometheus-ca-file", "FILE", null, "PEM certificates to trust for Prometheus instead of the system's");
        public static readonly Flag PrometheusClientCertFile = new("prometheus-client-cert-file", "FILE", null, "PEM certificate to present to Prometheus");
        public static readonly Flag PrometheusClientKeyFile = new("prometheus-client-key-file", "FILE", null, "its key");
        public static readonly Flag PrometheusUsername = new("prometheus-username", "NAME", null, "user for basic authentication at Prometheus");
        public static readonly Flag PrometheusPasswordFile = new("prometheus-password-file", "FILE", null, "that user's password");
        public static readonly Flag PrometheusHeader = new("prometheus-header", "NAME=VALUE", null, "header to send to Prometheus, such as X-Scope-OrgID=team; repeatable", Repeatable: true);
        public static readonly Flag PrometheusTimeout = new("prometheus-timeout", "DURATION", GoDuration.Format(PrometheusOptions.DefaultTimeout), "deadline of one query");
        public static readonly Flag DefaultWindow = new("default-window", "DURATION", GoDuration.Format(WindowOptions.DefaultWindow), "query window of requests that name none; grows to two scrape intervals");
        public static readonly Flag MaxWindow = new("max-window", "DURATION", GoDuration.Format(WindowOptions.MaxWindow), "longest window that a request may ask for");
        public static readonly Flag CacheTtl = new("cache-ttl", "DURATION", GoDuration.Format(PrometheusOptions.DefaultCacheTtl), "how long Prometheus' answers are reused; 0s: not at all");
        public static readonly Flag MaxStale = new("max-stale", "DURATION", GoDuration.Format(PrometheusOptions.DefaultMaxStale), "how old an answer, marked stale, may be given while Prometheus fails; 0s: never");
        public static readonly Flag LatencyUnit = new("latency-unit", "ms|seconds", Api.LatencyUnit.Milliseconds.Unit, "unit of the latency metrics");
        public static readonly Flag SecurePort = new("secure-port", "PORT", "6443", "HTTPS, for kube-apiserver; 0: off, as it is with --kubernetes none and no CA");
        public static readonly Flag BindAddress = new("bind-address", "IP", "0.0.0.0", "address of the secure and the admin port; unless given, 127.0.0.1 with --kubernetes none");
        public static readonly Flag TlsCertFile = new("tls-cert-file", "FILE", null, "PEM serving certificate with its intermediates, read again when it changes");
        public static readonly Flag TlsPrivateKeyFile = new("tls-private-key-file", "FILE", null, "its key");
        public static readonly Flag CertDir = new("cert-dir", "DIR", "apiserver.local.config/certificates", "where a self-signed certificate is made when no files are given");
        public static readonly Flag TlsMinVersion = new("tls-min-version", "VersionTLS12|VersionTLS13", nameof(TlsVersion.VersionTLS12), "oldest TLS to accept");
        public static readonly Flag RequestHeaderClientCaFile = new("requestheader-client-ca-file", "FILE", null, "CAs of the front proxy, instead of the cluster's extension-apiserver-authentication");
        public static readonly Flag RequestHeaderAllowedNames = new("requestheader-allowed-names", "NAME[,NAME...]", null, "common names of the front proxy; none: any", Repeatable: true);
        public static readonly Flag RequestHeaderUsernameHeaders = new("requestheader-username-headers", "HEADER[,HEADER...]", "x-remote-user", "headers with the user's name", Repeatable: true);
        public static readonly Flag RequestHeaderGroupHeaders = new("requestheader-group-headers", "HEADER[,HEADER...]", "x-remote-group", "headers with the user's groups", Repeatable: true);
        public static readonly Flag RequestHeaderExtraHeadersPrefix = new("requestheader-extra-headers-prefix", "PREFIX[,PREFIX...]", "x-remote-extra-", "prefixes of headers with more about the user", Repeatable: true);
        public static readonly Flag RequestHeaderUidHeaders = new("requestheader-uid-headers", "HEADER[,HEADER...]", null, "headers with the user's UID", Repeatable: true);
        public static readonly Flag ClientCaFile = new("client-ca-file", "FILE", null, "CAs of users' certificates, instead of the cluster's extension-apiserver-authentication");
        public static readonly Flag AuthenticationTokenCacheTtl = new("authentication-token-webhook-cache-ttl", "DURATION", GoDuration.Format(AuthenticationOptions.DefaultTokenCacheTtl), "how long kube-apiserver's word on a bearer token is kept; 0s: not at all");
        public static readonly Flag AuthorizationMode = new("authorization-mode", "Delegated|AlwaysAllow", nameof(Auth.AuthorizationMode.Delegated), "who says what a user may do: kube-apiserver, or nobody");
        public static readonly Flag AuthorizationAuthorizedTtl = new("authorization-webhook-cache-authorized-ttl", "DURATION", GoDuration.Format(AuthorizationOptions.DefaultTtl), "how long kube-apiserver's yes is kept; 0s: not at all");
        public static readonly Flag AuthorizationUnauthorizedTtl = new("authorization-webhook-cache-unauthorized-ttl", "DURATION", GoDuration.Format(AuthorizationOptions.DefaultTtl), "how long its no is kept; 0s: not at all");
        public static readonly Flag AuthorizationAlwaysAllowPaths = new("authorization-always-allow-paths", "PATH[,PATH...]", "/healthz,/readyz,/livez", "paths that are open to anybody; a * at the end stands for whatever follows", Repeatable: true);
        public static readonly Flag InsecurePort = new("insecure-port", "PORT", "0", "plain HTTP on 127.0.0.1 only, without authentication, for development; 0: off");
        public static readonly Flag AdminPort = new("admin-port", "PORT", "8081", "plain HTTP for /livez /readyz /healthz /metrics /version, no traffic data; 0: off");
        public static readonly Flag MaxRequestsInFlight = new("max-requests-in-flight", "N", "400", "requests for traffic to serve at once; further ones are 429 with Retry-After, but for system:masters; a tenth for those who say not who they are; 0: no limit");
        public static readonly Flag RequestTimeout = new("request-timeout", "DURATION", GoDuration.Format(HostingOptions.DefaultRequestTimeout), "how long a request may take before it is 504; kube-apiserver breaks it off after 60s");
        public static readonly Flag ShutdownDelayDuration = new("shutdown-delay-duration", "DURATION", "0s", "time to serve on after SIGTERM, unready already, until nobody sends requests here any more");
        public static readonly Flag GoAwayChance = new("goaway-chance", "CHANCE", "0", "part of the requests, up to 0.02, that end their HTTP/2 connection, so that kube-apiserver finds other replicas");
        public static readonly Flag LogLevel = new("log-level", "trace|debug|info|warn|error", "info", "least important level that is logged");
        public static readonly Flag LogFormat = new("log-format", "text|json", "text", "form of log lines");

        /// <summary>Those that count only together with <see cref="RequestHeaderClientCaFile"/>.</summary>
        public static readonly IReadOnlyList<Flag> RequestHeaders =
            [RequestHeaderAllowedNames, RequestHeaderUsernameHeaders, RequestHeaderGroupHeaders, RequestHeaderExtraHeadersPrefix, RequestHeaderUidHeaders];

        /// <summary>Those that count only with <c>--source prometheus</c>.</summary>
        public static readonly IReadOnlyList<Flag> OfPrometheus =
        [
            PrometheusUrl, PrometheusBearerTokenFile, PrometheusCaFile, PrometheusClientCertFile, PrometheusClientKeyFile, PrometheusUsername,
            PrometheusPasswordFile, PrometheusHeader, PrometheusTimeout, CacheTtl, MaxStale,
        ];

        /// <summary>Those that say where the cluster and the numbers are.</summary>
        public static IReadOnlyList<Flag> OfCheck =>
            [Config, Kubeconfig, Kubernetes, Mesh, MeshConfig, Source, .. OfPrometheus, .. OfScrape, DefaultWindow, MaxWindow, LogLevel, LogFormat];

        /// <summary>Those that count only with <c>--source scrape</c>.</summary>
        public static readonly IReadOnlyList<Flag> OfScrape =
        [
            ScrapeInterval, ScrapeTimeout, ScrapeTarget, ScrapeBearerTokenFile, ScrapeCaFile, ScrapeClientCertFile, ScrapeClientKeyFile, ScrapeProxyUrl,
        ];

        public static readonly IReadOnlyList<Flag> All =
        [
            Config, Kubeconfig, Kubernetes, Mesh, MeshConfig, Source, .. OfPrometheus, .. OfScrape, DefaultWindow, MaxWindow, LatencyUnit,
            SecurePort, BindAddress, TlsCertFile, TlsPrivateKeyFile, CertDir, TlsMinVersion,
            ClientCaFile, RequestHeaderClientCaFile, .. RequestHeaders, AuthenticationTokenCacheTtl,
            AuthorizationMode, AuthorizationAuthorizedTtl, AuthorizationUnauthorizedTtl, AuthorizationAlwaysAllowPaths,
            InsecurePort, AdminPort, MaxRequestsInFlight, RequestTimeout, ShutdownDelayDuration, GoAwayChance, LogLevel, LogFormat,
        ];
    }
}
