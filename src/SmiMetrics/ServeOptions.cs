using System.Globalization;
using System.Net;
using SmiMetrics.Api;
using SmiMetrics.Auth;
using SmiMetrics.Hosting;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Prometheus;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics;

/// <summary>How log lines look (<c>--log-format</c>).</summary>
internal enum LogFormat
{
    Text,
    Json,
}

/// <summary>Everything that <c>smi-metrics serve</c> can be told, and the flags that tell it. <c>check</c> is told the part that is not about listening.</summary>
internal sealed partial record ServeOptions
{
    /// <summary>Null to run without a cluster.</summary>
    public required KubernetesOptions? Kubernetes { get; init; }

    /// <summary>Which meshes to look for, and where their descriptors are.</summary>
    public required MeshConfiguration MeshConfiguration { get; init; }

    /// <summary>The meshes to look for, in order of preference, as they were read.</summary>
    public required IReadOnlyList<MeshDescriptor> Meshes { get; init; }

    /// <summary>Null when the numbers come from the proxies themselves: exactly one of this and <see cref="Scrape"/> is there.</summary>
    public required PrometheusOptions? Prometheus { get; init; }

    /// <summary>Null when the numbers come from a Prometheus.</summary>
    public required ScrapeOptions? Scrape { get; init; }

    public required WindowOptions Windows { get; init; }

    public required LatencyUnit LatencyUnit { get; init; }

    /// <summary>Null when HTTPS is off.</summary>
    public required ServingOptions? Serving { get; init; }

    public required AuthenticationOptions Authentication { get; init; }

    public required AuthorizationOptions Authorization { get; init; }

    /// <summary>Zero is off.</summary>
    public required int InsecurePort { get; init; }

    /// <summary>Zero is off.</summary>
    public required int AdminPort { get; init; }

    /// <summary>Where the admin port is: <c>--bind-address</c>, but loopback by default where there is no cluster.</summary>
    public required IPAddress AdminAddress { get; init; }

    public required HostingOptions Hosting { get; init; }

    public required LogLevel LogLevel { get; init; }

    public required LogFormat LogFormat { get; init; }

    /// <summary>Reads all flags.</summary>
    /// <returns>Null when there are mistakes: <paramref name="errors"/> has a line for each.</returns>
    public static ServeOptions? Read(Func<Flag, IReadOnlyList<string>> commandLine, Func<string, string?> environment, List<string> errors) =>
        Read(Flags.All, commandLine, environment, errors);

    /// <summary>Reads the flags that say where clusters and numbers are: nothing listens.</summary>
    /// <inheritdoc cref="Read(Func{Flag, IReadOnlyList{string}}, Func{string, string}, List{string})"/>
    public static ServeOptions? ReadForCheck(Func<Flag, IReadOnlyList<string>> commandLine, Func<string, string?> environment, List<string> errors) =>
        Read(Flags.OfCheck, commandLine, environment, errors);

    /// <summary>Reads only where further descriptors are.</summary>
    /// <returns>Files and folders.</returns>
    public static IReadOnlyList<string> ReadMeshConfig(Func<Flag, IReadOnlyList<string>> commandLine, Func<string, string?> environment, List<string> errors) =>
        [.. new FlagValues(Flags.All, Flags.Config, commandLine, environment, errors).Texts(Flags.MeshConfig)];

    private static ServeOptions? Read(
        IReadOnlyList<Flag> flags, Func<Flag, IReadOnlyList<string>> commandLine, Func<string, string?> environment, List<string> errors)
    {
        bool listens = flags.Contains(Flags.SecurePort);
        // What is set for the server beside a check is none of the check's business.
        FlagValues values = new(Flags.All, Flags.Config, flag => flags.Contains(flag) ? commandLine(flag) : [], environment, errors);
        bool noCluster = values.Text(Flags.Kubernetes) == Flags.None;
        if (values.Text(Flags.Kubernetes) is { } kubernetes && kubernetes is not (Flags.None or Flags.Cluster))
        {
            values.Fail(Flags.Kubernetes, $"\"{kubernetes}\" is neither {Flags.Cluster} nor {Flags.None}");
        }

        if (noCluster && values.IsGiven(Flags.Kubeconfig))
        {
            values.Fail(Flags.Kubeconfig, $"goes against {Flags.Kubernetes.Option} {Flags.None}");
        }

        IPAddress? parsed = IPAddress.TryParse(values.Text(Flags.BindAddress), out IPAddress? given) ? given : null;
        if (parsed is null)
        {
            values.Fail(Flags.BindAddress, $"\"{values.Text(Flags.BindAddress)}\" is not an IP address");
        }

        // What knows no cluster serves one machine, unless it is told otherwise.
        IPAddress address = noCluster && !values.IsGiven(Flags.BindAddress) ? IPAddress.Loopback : parsed ?? IPAddress.Any;
        bool scrape = ReadSource(values) == Flags.Scrape;
        MeshConfiguration meshes = ReadMeshes(values);
        ServeOptions options = new()
        {
            Kubernetes = noCluster ? null : new KubernetesOptions { Kubeconfig = File(values, Flags.Kubeconfig) },
            MeshConfiguration = meshes,
            Meshes = meshes.Read(errors, mistake => values.Fail(Flags.Mesh, mistake)),
            Prometheus = scrape ? null : ReadPrometheus(values, errors),
            Scrape = scrape ? ReadScrape(values, noCluster, errors) : null,
            Windows = ReadWindows(values),
            LatencyUnit = values.Text(Flags.LatencyUnit) == LatencyUnit.Seconds.Unit ? LatencyUnit.Seconds : LatencyUnit.Milliseconds,
            Serving = listens ? ReadServing(values, address, noCluster) : null,
            Authentication = ReadAuthentication(values, noCluster),
            Authorization = ReadAuthorization(values),
            InsecurePort = Port(values, Flags.InsecurePort),
            AdminPort = Port(values, Flags.AdminPort),
            AdminAddress = address,
            Hosting = ReadHosting(values),
            LogLevel = Choice(values, Flags.LogLevel, LogLevel.Information, [
                ("trace", LogLevel.Trace), ("debug", LogLevel.Debug), ("info", LogLevel.Information), ("warn", LogLevel.Warning), ("error", LogLevel.Error)]),
            LogFormat = Choice(values, Flags.LogFormat, LogFormat.Text, [("text", LogFormat.Text), ("json", LogFormat.Json)]),
        };
        CheckChoice(values, Flags.LatencyUnit, LatencyUnit.Milliseconds.Unit, LatencyUnit.Seconds.Unit);
        if (listens)
        {
            CheckPorts(options, values);
        }

        if (options.Scrape is { } scraping && 2 * scraping.Interval > options.Windows.Max)
        {
            values.Fail(Flags.ScrapeInterval, $"a window holds at least two, and {Flags.MaxWindow.Option} is {GoDuration.Format(options.Windows.Max)}");
        }

        return errors.Count == 0 ? options : null;
    }

    private static MeshConfiguration ReadMeshes(FlagValues values)
    {
        MeshConfiguration configuration = new([.. Split(values.Texts(Flags.Mesh)).Distinct()], [.. values.Texts(Flags.MeshConfig)]);
        if (configuration.Names.Count == 0)
        {
            values.Fail(Flags.Mesh, "names no mesh");
        }
        else if (!configuration.Auto && configuration.Names.Contains(Flags.Auto))
        {
            values.Fail(Flags.Mesh, $"{Flags.Auto} stands alone: it already means all that are found");
        }

        return configuration;
    }

    /// <summary>Prometheus if there is one, else the proxies themselves. Flags of the other one would do nothing, which nobody wants to find out later.</summary>
    private static string ReadSource(FlagValues values)
    {
        string source = values.Text(Flags.Source) ?? (values.IsGiven(Flags.PrometheusUrl) ? Flags.Prometheus : Flags.Scrape);
        if (source is not (Flags.Prometheus or Flags.Scrape))
        {
            values.Fail(Flags.Source, $"\"{source}\" is neither {Flags.Prometheus} nor {Flags.Scrape}");
            return values.IsGiven(Flags.PrometheusUrl) ? Flags.Prometheus : Flags.Scrape;
        }

        foreach (Flag flag in (source == Flags.Scrape ? Flags.OfPrometheus : Flags.OfScrape).Where(values.IsGiven))
        {
            values.Fail(flag, values.IsGiven(Flags.Source)
                ? $"goes against {Flags.Source.Option} {source}"
                : $"needs {(source == Flags.Scrape ? Flags.PrometheusUrl.Option : $"{Flags.Source.Option} {Flags.Scrape}, as {Flags.PrometheusUrl.Option} is given")}");
        }

        return source;
    }

    private static ScrapeOptions ReadScrape(FlagValues values, bool noCluster, List<string> errors)
    {
        TimeSpan interval = Duration(values, Flags.ScrapeInterval, ScrapeOptions.DefaultInterval);
        ScrapeOptions options = new()
        {
            Interval = interval,
            // A short interval alone shall not need a second flag.
            Timeout = values.IsGiven(Flags.ScrapeTimeout) || interval > ScrapeOptions.DefaultTimeout
                ? Duration(values, Flags.ScrapeTimeout, ScrapeOptions.DefaultTimeout)
                : interval,
            Targets = values.Texts(Flags.ScrapeTarget),
            BearerTokenFile = values.Text(Flags.ScrapeBearerTokenFile),
            CaFile = values.Text(Flags.ScrapeCaFile),
            ClientCertFile = values.Text(Flags.ScrapeClientCertFile),
            ClientKeyFile = values.Text(Flags.ScrapeClientKeyFile),
            ProxyUrl = values.Text(Flags.ScrapeProxyUrl),
        };
        errors.AddRange(options.Problems());
        if (noCluster && options.Targets.Count == 0)
        {
            values.Fail(Flags.Kubernetes, $"{Flags.None} leaves nothing to ask: give {Flags.PrometheusUrl.Option} or {Flags.ScrapeTarget.Option}");
        }

        return options;
    }

    private static PrometheusOptions ReadPrometheus(FlagValues values, List<string> errors)
    {
        PrometheusOptions options = new()
        {
            Urls = values.Texts(Flags.PrometheusUrl),
            BearerTokenFile = values.Text(Flags.PrometheusBearerTokenFile),
            CaFile = values.Text(Flags.PrometheusCaFile),
            ClientCertFile = values.Text(Flags.PrometheusClientCertFile),
            ClientKeyFile = values.Text(Flags.PrometheusClientKeyFile),
            Username = values.Text(Flags.PrometheusUsername),
            PasswordFile = values.Text(Flags.PrometheusPasswordFile),
            Headers = values.Texts(Flags.PrometheusHeader),
            Timeout = Duration(values, Flags.PrometheusTimeout, PrometheusOptions.DefaultTimeout),
            CacheTtl = Duration(values, Flags.CacheTtl, PrometheusOptions.DefaultCacheTtl),
            MaxStale = Duration(values, Flags.MaxStale, PrometheusOptions.DefaultMaxStale),
        };
        errors.AddRange(options.Problems());
        return options;
    }

    private static WindowOptions ReadWindows(FlagValues values)
    {
        WindowOptions windows = new(
            Duration(values, Flags.DefaultWindow, WindowOptions.DefaultWindow),
            Duration(values, Flags.MaxWindow, WindowOptions.MaxWindow));
        if (windows.Default <= TimeSpan.Zero)
        {
            values.Fail(Flags.DefaultWindow, "must be longer than zero");
        }
        else if (windows.Default.Ticks % TimeSpan.TicksPerMillisecond != 0)
        {
            values.Fail(Flags.DefaultWindow, "must be a whole number of milliseconds");
        }
        else if (windows.Default > windows.Max)
        {
            values.Fail(Flags.DefaultWindow, $"{GoDuration.Format(windows.Default)} is longer than {Flags.MaxWindow.Option} {GoDuration.Format(windows.Max)}");
        }

        return windows;
    }

    private static ServingOptions? ReadServing(FlagValues values, IPAddress address, bool noCluster)
    {
        int port = Port(values, Flags.SecurePort);
        if (values.IsGiven(Flags.TlsCertFile) != values.IsGiven(Flags.TlsPrivateKeyFile))
        {
            Flag given = values.IsGiven(Flags.TlsCertFile) ? Flags.TlsCertFile : Flags.TlsPrivateKeyFile;
            values.Fail(given, $"{Flags.TlsCertFile.Option} and {Flags.TlsPrivateKeyFile.Option} need each other");
        }

        ServingOptions options = new()
        {
            SecurePort = port,
            BindAddress = address,
            TlsCertFile = File(values, Flags.TlsCertFile),
            TlsPrivateKeyFile = File(values, Flags.TlsPrivateKeyFile),
            CertDir = values.Text(Flags.CertDir)!,
            TlsMinVersion = Choice(values, Flags.TlsMinVersion, TlsVersion.VersionTLS12, [
                (nameof(TlsVersion.VersionTLS12), TlsVersion.VersionTLS12), (nameof(TlsVersion.VersionTLS13), TlsVersion.VersionTLS13)]),
        };
        // Without a cluster and without a CA of its own the secure port could authenticate nobody.
        bool nobodyToTrust = noCluster && !values.IsGiven(Flags.RequestHeaderClientCaFile) && !values.IsGiven(Flags.ClientCaFile);
        if (nobodyToTrust && values.IsGiven(Flags.SecurePort) && port != 0)
        {
            values.Fail(
                Flags.SecurePort,
                $"needs {Flags.RequestHeaderClientCaFile.Option} or {Flags.ClientCaFile.Option} with {Flags.Kubernetes.Option} {Flags.None}: nobody could be authenticated");
        }
        else if (noCluster && !nobodyToTrust && port != 0 && values.Text(Flags.AuthorizationMode) == nameof(AuthorizationMode.Delegated))
        {
            // That everything is allowed shall be somebody's decision.
            values.Fail(
                Flags.AuthorizationMode,
                $"must be {nameof(AuthorizationMode.AlwaysAllow)} with {Flags.Kubernetes.Option} {Flags.None}: there is no cluster to ask who may do what");
        }

        return port == 0 || nobodyToTrust ? null : options;
    }

    private static AuthenticationOptions ReadAuthentication(FlagValues values, bool noCluster) => new()
    {
        HasCluster = !noCluster,
        FrontProxy = ReadFrontProxy(values),
        ClientCaFile = File(values, Flags.ClientCaFile),
        TokenCacheTtl = Lifetime(values, Flags.AuthenticationTokenCacheTtl, AuthenticationOptions.DefaultTokenCacheTtl),
    };

    private static AuthorizationOptions ReadAuthorization(FlagValues values)
    {
        string[] paths = Split(values.Texts(Flags.AuthorizationAlwaysAllowPaths));
        foreach (string path in paths.Where(path => path[..^1].Contains('*', StringComparison.Ordinal)))
        {
            values.Fail(Flags.AuthorizationAlwaysAllowPaths, $"\"{path}\": a * may only stand at the end");
        }

        return new AuthorizationOptions
        {
            Mode = Choice(values, Flags.AuthorizationMode, AuthorizationMode.Delegated, [
                (nameof(AuthorizationMode.Delegated), AuthorizationMode.Delegated), (nameof(AuthorizationMode.AlwaysAllow), AuthorizationMode.AlwaysAllow)]),
            AuthorizedTtl = Lifetime(values, Flags.AuthorizationAuthorizedTtl, AuthorizationOptions.DefaultTtl),
            UnauthorizedTtl = Lifetime(values, Flags.AuthorizationUnauthorizedTtl, AuthorizationOptions.DefaultTtl),
            AlwaysAllowPaths = paths,
        };
    }

    private static FrontProxyOptions ReadFrontProxy(FlagValues values)
    {
        FrontProxyOptions defaults = new();
        IReadOnlyList<string> List(Flag flag, IReadOnlyList<string> fallback) =>
            values.IsGiven(flag) ? Split(values.Texts(flag)) : fallback;

        foreach (Flag flag in Flags.RequestHeaders.Where(flag => values.IsGiven(flag) && !values.IsGiven(Flags.RequestHeaderClientCaFile)))
        {
            values.Fail(flag, $"counts only together with {Flags.RequestHeaderClientCaFile.Option}");
        }

        return new FrontProxyOptions
        {
            RequestHeaderClientCaFile = File(values, Flags.RequestHeaderClientCaFile),
            AllowedNames = List(Flags.RequestHeaderAllowedNames, defaults.AllowedNames),
            UsernameHeaders = List(Flags.RequestHeaderUsernameHeaders, defaults.UsernameHeaders),
            GroupHeaders = List(Flags.RequestHeaderGroupHeaders, defaults.GroupHeaders),
            ExtraHeadersPrefix = List(Flags.RequestHeaderExtraHeadersPrefix, defaults.ExtraHeadersPrefix),
            UidHeaders = List(Flags.RequestHeaderUidHeaders, defaults.UidHeaders),
        };
    }

    private static HostingOptions ReadHosting(FlagValues values)
    {
        HostingOptions options = new()
        {
            MaxRequestsInFlight = values.Read(
                Flags.MaxRequestsInFlight,
                text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : (int?)null,
                "a number of requests, or 0 for no limit",
                0),
            RequestTimeout = Duration(values, Flags.RequestTimeout, HostingOptions.DefaultRequestTimeout),
            ShutdownDelay = Duration(values, Flags.ShutdownDelayDuration, TimeSpan.Zero),
            GoAwayChance = values.Read(
                Flags.GoAwayChance,
                text => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double chance) && chance <= HostingOptions.MaxGoAwayChance
                    ? chance
                    : (double?)null,
                string.Create(CultureInfo.InvariantCulture, $"a chance from 0 to {HostingOptions.MaxGoAwayChance}"),
                0),
        };
        if (options.RequestTimeout <= TimeSpan.Zero || options.RequestTimeout > HostingOptions.Longest)
        {
            values.Fail(Flags.RequestTimeout, $"must be longer than zero and at most {GoDuration.Format(HostingOptions.Longest)}");
        }

        if (options.ShutdownDelay < TimeSpan.Zero || options.ShutdownDelay > HostingOptions.Longest)
        {
            values.Fail(Flags.ShutdownDelayDuration, $"must be between 0s and {GoDuration.Format(HostingOptions.Longest)}");
        }

        return options;
    }

    private static void CheckPorts(ServeOptions options, FlagValues values)
    {
        if (options.Serving is null && options.InsecurePort == 0)
        {
            values.Fail(Flags.InsecurePort, "nothing would be served: neither this port nor the secure one is on");
        }

        (Flag Flag, int Port)[] ports =
            [(Flags.SecurePort, options.Serving?.SecurePort ?? 0), (Flags.InsecurePort, options.InsecurePort), (Flags.AdminPort, options.AdminPort)];
        foreach (IGrouping<int, (Flag Flag, int Port)> clash in ports.Where(port => port.Port > 0).GroupBy(port => port.Port).Where(group => group.Count() > 1))
        {
            values.Fail(clash.Last().Flag, $"{clash.Key} is {clash.First().Flag.Option} already");
        }
    }

    private static string[] Split(IReadOnlyList<string> texts) =>
        [.. texts.SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))];

    private static TimeSpan Duration(FlagValues values, Flag flag, TimeSpan fallback) =>
        values.Read(flag, text => GoDuration.TryParse(text, out TimeSpan duration) ? duration : (TimeSpan?)null, "a duration such as 30s, 5m or 1h30m", fallback);

    private static TimeSpan Lifetime(FlagValues values, Flag flag, TimeSpan fallback)
    {
        TimeSpan lifetime = Duration(values, flag, fallback);
        if (lifetime < TimeSpan.Zero)
        {
            values.Fail(flag, "must not be less than zero");
        }

        return lifetime;
    }

    /// <summary>Stands for a port that is wrong, and reported already: neither on nor off.</summary>
    private const int UnreadablePort = -1;

    private static int Port(FlagValues values, Flag flag) => values.Read(
        flag,
        text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port <= IPEndPoint.MaxPort ? port : (int?)null,
        "a port (0 to 65535)",
        UnreadablePort);

    private static T Choice<T>(FlagValues values, Flag flag, T fallback, (string Name, T Value)[] choices) where T : struct =>
        values.Read(
            flag,
            text => Array.FindIndex(choices, choice => choice.Name == text) is >= 0 and var at ? choices[at].Value : (T?)null,
            "one of " + string.Join(", ", choices.Select(choice => choice.Name)),
            fallback);

    private static void CheckChoice(FlagValues values, Flag flag, params string[] choices)
    {
        if (values.Text(flag) is { } text && !choices.Contains(text))
        {
            values.Fail(flag, $"\"{text}\" is not one of {string.Join(", ", choices)}");
        }
    }

    private static string? File(FlagValues values, Flag flag)
    {
        string? path = values.Text(flag);
        if (path is not null && !System.IO.File.Exists(path))
        {
            values.Fail(flag, $"{path}: no such file");
        }

        return path;
    }
}
