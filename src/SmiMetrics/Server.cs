using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using SmiMetrics.Api;
using SmiMetrics.Auth;
using SmiMetrics.Diagnostics;
using SmiMetrics.Hosting;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Prometheus;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;
using SmiMetrics.Transport;

namespace SmiMetrics;

/// <summary>The ways out of the process. Demo and tests put handlers of their own in; nothing inside knows.</summary>
/// <param name="Kube">To kube-apiserver; null for the real one.</param>
/// <param name="Prometheus">To Prometheus; null for the real one.</param>
/// <param name="Proxies">To the pages that are scraped; null for the real ones.</param>
internal sealed record Doors(HttpMessageHandler? Kube = null, HttpMessageHandler? Prometheus = null, HttpMessageHandler? Proxies = null)
{
    public static readonly Doors Real = new();
}

/// <summary>The three ports, and which requests came in by which.</summary>
internal enum Listener
{
    /// <summary>HTTPS for kube-apiserver and whoever else proves to have the right.</summary>
    Secure,

    /// <summary>Plain HTTP on loopback, without authentication.</summary>
    Insecure,

    /// <summary>Plain HTTP for probes and scrapes, without traffic data.</summary>
    Admin,
}

/// <summary>Puts the server together from its options: services, then an ordered pipeline for each port.</summary>
internal static partial class Server
{
    /// <summary>Of lists that are read page by page: some 50 MB at most.</summary>
    private const int MostItemsOfPages = 50_000;

    /// <summary>Serves until it is told to stop.</summary>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(ServeOptions options, Doors doors, TimeProvider clock, CancellationToken cancellationToken)
    {
        using SecondSignal signal = new(() => Environment.Exit(CommandLine.RuntimeFailure));
        try
        {
            await using WebApplication app = Build(options, doors, clock);
            await app.StartAsync(cancellationToken);
            Announce(app, options);
            await app.WaitForShutdownAsync(cancellationToken);
            return CommandLine.Success;
        }
        catch (IOException e) when (e.InnerException is AddressInUseException)
        {
            await Console.Error.WriteLineAsync($"smi-metrics: {TakenPort(options, e.Message)}");
            return CommandLine.RuntimeFailure;
        }
        catch (Exception e) when (e is KubernetesConfigurationException or ServingCertificateException or InvalidDataException or IOException or SocketException)
        {
            // What the operator can mend: a cluster that cannot be reached this way, a certificate or CA file that is none, a port that is
            // not ours to take.
            await Console.Error.WriteLineAsync($"smi-metrics: {e.Message}");
            return CommandLine.RuntimeFailure;
        }
    }

    /// <exception cref="KubernetesConfigurationException">There is no way to the cluster.</exception>
    /// <exception cref="ServingCertificateException">There is no certificate to serve with.</exception>
    public static WebApplication Build(ServeOptions options, Doors doors, TimeProvider clock)
    {
        // Nothing is configured but by our own flags, neither by ASP.NET's variables nor by files in the folder that we happen to be started in: Kestrel would
        // open ports of its own, and an environment called Development would show strangers the stack of an error.
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions { EnvironmentName = Environments.Production, ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.Sources.Clear();
        AddLogging(builder.Logging, options);
        builder.Services.AddSingleton(clock);
        builder.Services.AddSingleton(options.Authorization);
        AddHosting(builder.Services, options.Hosting);
        AddTraffic(builder.Services, options, doors);
        builder.Services.AddHostedService(provider => provider.GetRequiredService<MeshMonitor>());
        builder.Services.AddSingleton<TrafficAggregator>();
        builder.Services.AddSingleton(options.LatencyUnit);
        builder.Services.AddSingleton(new ListPages(clock, MostItemsOfPages));
        builder.Services.AddSingleton<TrafficApi>();
        if (options.MeshConfiguration.Paths.Count > 0)
        {
            builder.Services.AddHostedService<MeshConfigWatcher>();
        }

        AddCluster(builder.Services, options, doors);
        AddDiagnostics(builder.Services);
        if (options.Serving is { } serving)
        {
            AddAuth(builder.Services, options, serving);
        }

        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => Listen(kestrel, options));
        WebApplication app = builder.Build();
        app.Use(RefuseOtherListenersAsync);
        app.UseAuditId();
        app.MapWhen(By(Listener.Admin), admin => admin.UseDiagnostics().Run(NotFoundAsync));
        // Outside the funnel, or every error would be counted as one of ours.
        app.UseRequestMetrics();
        app.UseMiddleware<StatusErrors>();
        app.UseGoAway(options.Hosting.GoAwayChance);
        app.UsePlainUrls();
        app.Use(DescribeRequestAsync);
        app.UseMiddleware<RequestDeadline>();
        if (options.Serving is not null)
        {
            app.UseWhen(By(Listener.Secure), secure => secure.UseRequestAuthentication(
                refuse: context => StatusErrors.WriteAsync(context, Status.Unauthorized()), fail: context => StatusErrors.WriteAsync(context, Status.Unjudged())));
        }

        // Behind authentication, since some callers are exempt, and before anybody is asked whether they may.
        app.UseMiddleware<InFlightLimit>();
        if (options.Serving is not null)
        {
            // As on every Kubernetes API server, diagnostics too: with rights.
            app.UseWhen(By(Listener.Secure), secure => secure
                .UseRequestAuthorization(
                    deny: (context, user, request, reason) => StatusErrors.WriteAsync(context, Status.Forbidden(user.Name, request, reason)),
                    fail: context => StatusErrors.WriteAsync(context, Status.Unjudged()))
                .UseDiagnostics());
        }

        app.Run(app.Services.GetRequiredService<TrafficApi>().AnswerAsync);
        return app;
    }

    /// <summary>What finds out about the meshes, without what serves it: nothing listens, and the monitor looks when it is told to.</summary>
    /// <exception cref="KubernetesConfigurationException">There is no way to the cluster.</exception>
    public static IHost BuildCheck(ServeOptions options, Doors doors, TimeProvider clock)
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        AddLogging(builder.Logging, options);
        if (options.LogLevel == LogLevel.Information)
        {
            // The report says it all; but why something does not answer only the log can tell.
            builder.Logging.AddFilter(null, LogLevel.Warning);
            builder.Logging.AddFilter(typeof(MeshMonitor).FullName, LogLevel.Error);
        }

        builder.Services.AddMetrics();
        builder.Services.AddSingleton(clock);
        AddTraffic(builder.Services, options, doors);
        AddCluster(builder.Services, options, doors);
        return builder.Build();
    }

    /// <summary>Kestrel says which address is taken; the user knows flags.</summary>
    private static string TakenPort(ServeOptions options, string message)
    {
        (Flag Flag, int Port)[] ports =
        [
            (ServeOptions.Flags.SecurePort, options.Serving?.SecurePort ?? 0),
            (ServeOptions.Flags.InsecurePort, options.InsecurePort),
            (ServeOptions.Flags.AdminPort, options.AdminPort),
        ];
        (Flag Flag, int Port) taken = ports.FirstOrDefault(port => message.Contains($":{port.Port}:", StringComparison.Ordinal));
        return taken.Flag is null ? message : $"{taken.Flag.Option} {taken.Port}: another program listens on this port already";
    }

    private static void AddTraffic(IServiceCollection services, ServeOptions options, Doors doors)
    {
        if (options.Prometheus is { } prometheus)
        {
            AddPrometheus(services, prometheus, doors);
        }
        else if (options.Scrape is { } scrape)
        {
            AddScraper(services, scrape, options, doors);
        }

        services.AddSingleton(options.MeshConfiguration);
        services.AddSingleton(new ConfiguredMeshes(options.Meshes, options.MeshConfiguration.Auto));
        services.AddSingleton(options.Windows);
        services.AddSingleton<MeshMonitor>();
    }

    private static void AddPrometheus(IServiceCollection services, PrometheusOptions prometheus, Doors doors)
    {
        services.AddSingleton(prometheus);
        services.AddSingleton<PrometheusMetrics>();
        services.AddSingleton(provider => new PrometheusClient(
            prometheus,
            doors.Prometheus ?? new TransportHandler(prometheus.Transport, provider.GetRequiredService<TimeProvider>()),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<PrometheusMetrics>(),
            provider.GetRequiredService<ILogger<PrometheusClient>>()));
        services.AddSingleton<ITrafficSource, PrometheusTrafficSource>();
    }

    private static void AddScraper(IServiceCollection services, ScrapeOptions scrape, ServeOptions options, Doors doors)
    {
        services.AddSingleton(scrape);
        services.AddSingleton(provider => new SampleStore(
            new SeriesSelection(options.Meshes), options.Windows.Max, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ScrapeMetrics>();
        services.AddSingleton(provider => new PageClient(
            scrape,
            doors.Proxies ?? new TransportHandler(scrape.Transport, provider.GetRequiredService<TimeProvider>()),
            BuildVersion.Own.Version,
            provider.GetRequiredService<TimeProvider>()));
        services.AddHostedService<Scraper>();
        services.AddSingleton<ITrafficSource, ScrapeTrafficSource>();
    }

    private static void AddCluster(IServiceCollection services, ServeOptions options, Doors doors)
    {
        services.AddSingleton<KubernetesMetrics>();
        if (options.Kubernetes is not { } kubernetes)
        {
            services.AddSingleton(Cluster.Absent());
            return;
        }

        // Connected here, so that a way that does not exist stops the start and not the first request.
        KubernetesApi api = doors.Kube is { } door ? KubernetesApi.Over(door) : KubernetesApi.Connect(kubernetes);
        services.AddSingleton(provider => api.CountedBy(provider.GetRequiredService<KubernetesMetrics>()));
        services.AddSingleton(Cluster.Watched());
        services.AddSingleton(provider => new ClusterInformer(
            provider.GetRequiredService<KubernetesApi>(),
            provider.GetRequiredService<Cluster>(),
            retention: options.Windows.Max,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<ClusterInformer>>(),
            provider.GetRequiredService<KubernetesMetrics>()));
        services.AddHostedService(provider => provider.GetRequiredService<ClusterInformer>());
        services.AddSingleton(provider => new ReadinessCheck("informer-sync", () =>
            provider.GetRequiredService<Cluster>().Synced ? null : string.Join("; ", provider.GetRequiredService<ClusterInformer>().Troubles)));
    }

    private static void AddAuth(IServiceCollection services, ServeOptions options, ServingOptions serving)
    {
        services.AddServing(serving);
        services.AddAccess(options.Authentication, options.Authorization);
        services.AddSingleton(provider => new ReadinessCheck(
            "extension-authentication",
            () => provider.GetRequiredService<AuthenticationTrust>().Ready ? null : "it is not known yet whom to believe about users"));
    }

    private static void AddHosting(IServiceCollection services, HostingOptions hosting)
    {
        services.AddSingleton(hosting);
        services.Configure<HostOptions>(host => host.ShutdownTimeout = hosting.ShutdownTimeout);
        services.AddHostedService<ShutdownDelay>();
    }

    private static void AddDiagnostics(IServiceCollection services)
    {
        services.AddSingleton<Health>();
        services.AddSingleton(BuildVersion.Own);
        services.AddSingleton<MetricsExporter>();
        services.AddSingleton<RequestMetrics>();
    }

    private static void AddLogging(ILoggingBuilder logging, ServeOptions options)
    {
        logging.ClearProviders();
        logging.SetMinimumLevel(options.LogLevel);
        // A start that fails is told by RunAsync, in a line.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        logging.AddFilter("Microsoft", options.LogLevel > LogLevel.Warning ? options.LogLevel : LogLevel.Warning);
        logging.AddJsonConsole(console =>
        {
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
        });
        logging.Services.AddSingleton<ConsoleFormatter, LogLines>();

        // Standard output belongs to what a command answers.
        logging.Services.Configure<ConsoleLoggerOptions>(console =>
        {
            console.FormatterName = options.LogFormat == LogFormat.Json ? ConsoleFormatterNames.Json : LogLines.FormatterName;
            console.LogToStandardErrorThreshold = LogLevel.Trace;
        });
    }

    private static void Listen(KestrelServerOptions kestrel, ServeOptions options)
    {
        kestrel.UseServingLimits();
        if (options.Serving is { } serving)
        {
            ServingCertificate certificate = kestrel.ApplicationServices.GetRequiredService<ServingCertificate>();
            Listen(kestrel, serving.BindAddress, serving.SecurePort, listen =>
            {
                // From the wire inwards. To linger is to read what still comes, whatever it is, so it is outside of TLS; whose certificate it is
                // can be asked only within.
                Mark(listen, Listener.Secure);
                listen.UseLingeringClose(
                    kestrel.ApplicationServices.GetRequiredService<TimeProvider>(),
                    inner => inner.UseCountedHandshakes(
                        kestrel.ApplicationServices.GetRequiredService<RequestMetrics>(), tls => tls.UseServingCertificate(certificate, serving.TlsMinVersion)));
                kestrel.ApplicationServices.GetRequiredService<UnknownAuthority>().Use(listen);
            });
        }

        if (options.InsecurePort != 0)
        {
            kestrel.Listen(IPAddress.Loopback, options.InsecurePort, listen => Mark(listen, Listener.Insecure));
        }

        if (options.AdminPort != 0)
        {
            Listen(kestrel, options.AdminAddress, options.AdminPort, listen => Mark(listen, Listener.Admin));
        }
    }

    /// <summary>0.0.0.0 means every address, as with Go's servers: on an IPv6-only cluster too.</summary>
    private static void Listen(KestrelServerOptions kestrel, IPAddress address, int port, Action<ListenOptions> configure)
    {
        if (address.Equals(IPAddress.Any))
        {
            kestrel.ListenAnyIP(port, configure);
        }
        else
        {
            kestrel.Listen(address, port, configure);
        }
    }

    /// <summary>Remembers with the connection where it came in. Its local port would not do: port 0 becomes another.</summary>
    private static void Mark(ListenOptions listen, Listener listener)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => connection =>
        {
            connection.Items[typeof(Listener)] = listener;
            return next(connection);
        });
    }

    private static Func<HttpContext, bool> By(Listener listener) => context =>
        context.Features.Get<IConnectionItemsFeature>()?.Items.TryGetValue(typeof(Listener), out object? value) == true
        && Equals(value, listener);

    /// <summary>What is asked of whom depends on where a request came in. What came in elsewhere has been asked nothing.</summary>
    private static Task RefuseOtherListenersAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<IConnectionItemsFeature>()?.Items.ContainsKey(typeof(Listener)) == true)
        {
            return next(context);
        }

        context.Abort();
        return Task.CompletedTask;
    }

    /// <summary>Takes the request apart, once for all who judge, answer and count it; for counting, in a bounded number of words.</summary>
    private static Task DescribeRequestAsync(HttpContext context, RequestDelegate next)
    {
        context.Features.Set<IQueryFeature>(new QueryFeature(OrdinalQuery.Of(context.Request.QueryString.Value)));
        RequestInfo info = RequestInfo.Of(context.Request);
        context.Features.Set(info);
        if (ResourcePath.Of(info) is { } path)
        {
            context.Features.Set(path);
            context.Features.Set(new RequestAttributes(
                // What else there is to do with resources goes by its method: POST, not create.
                info.Verb is "get" or "list" or "watch" ? info.Verb : "",
                TrafficApi.Group,
                path.Version,
                path.Resource.Name,
                path.Edges ? Wire.Edges : "",
                path.Name is not null ? "resource" : path.Namespace is not null ? "namespace" : "cluster"));
        }

        return next(context);
    }

    private static Task NotFoundAsync(HttpContext context) => StatusErrors.WriteAsync(context, Status.NoSuchResource());

    private static void Announce(WebApplication app, ServeOptions options)
    {
        ILogger logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("SmiMetrics");
        Log.Started(logger, BuildVersion.Own.Version, string.Join(", ", options.Meshes.Select(mesh => mesh.Name)));
        if (options.Serving is { } serving)
        {
            Log.Secure(logger, serving.BindAddress, serving.SecurePort);
        }
        else
        {
            Log.NotSecure(logger);
        }

        if (options.AdminPort != 0)
        {
            Log.Admin(logger, options.AdminAddress, options.AdminPort);
        }

        if (options.InsecurePort != 0)
        {
            Log.Insecure(logger, options.InsecurePort, TrafficApi.Group, TrafficApi.Versions[0]);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "smi-metrics {Version} serves the traffic of {Meshes}")]
        public static partial void Started(ILogger logger, string version, string meshes);

        [LoggerMessage(LogLevel.Information, "HTTPS for kube-apiserver on {Address} port {Port}")]
        public static partial void Secure(ILogger logger, IPAddress address, int port);

        [LoggerMessage(LogLevel.Information, "HTTPS is off: without a cluster, --requestheader-client-ca-file or --client-ca-file nobody could be authenticated")]
        public static partial void NotSecure(ILogger logger);

        [LoggerMessage(LogLevel.Information, "/readyz, /metrics and the like on {Address} port {Port}")]
        public static partial void Admin(ILogger logger, IPAddress address, int port);

        [LoggerMessage(LogLevel.Information, "plain HTTP, for this machine only. Try: curl http://127.0.0.1:{Port}/apis/{Group}/{Version}/namespaces")]
        public static partial void Insecure(ILogger logger, int port, string group, string version);
    }
}
