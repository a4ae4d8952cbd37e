using SmiMetrics.Api;
using SmiMetrics.Auth;
using SmiMetrics.Hosting;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests;

public sealed class CommandLineTests
{
    private const string Url = "--prometheus-url=http://127.0.0.1:9090";

    [Fact]
    public async Task Help_shows_every_flag()
    {
        (int status, string output, _) = await RunAsync(["--help"]);
        Assert.Equal(0, status);
        Golden.Verify("cli/help", output);
        Assert.All(ServeOptions.Flags.All, flag => Assert.Contains(flag.Option + " ", output));
    }

    /// <summary>Whoever has a server's flags at hand, as in a Deployment, puts <c>check</c> before them.</summary>
    [Fact]
    public async Task A_check_takes_the_flags_of_the_server()
    {
        ServeOptions? read = null;
        StringWriter error = new();
        int status = await CommandLine.RunAsync(
            ["check", Url, "--insecure-port", "8080", "--tls-cert-file", "/nosuch", "--max-window", "10m"],
            _ => null,
            new Commands
            {
                Check = (options, _) =>
                {
                    read = options;
                    return Task.FromResult(0);
                },
            },
            TextWriter.Null,
            error,
            TestContext.Current.CancellationToken);
        Assert.Equal((0, ""), (status, error.ToString()));
        Assert.Equal(TimeSpan.FromMinutes(10), read!.Windows.Max);
    }

    [Fact]
    public async Task The_meshes_are_those_that_the_server_would_look_for()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("smi-metrics-meshes-");
        try
        {
            string file = Path.Combine(folder.FullName, "istio.yaml");
            const string Text = "extends: istio\noutcome: {failure: ['response_code=~\"[45]..\"']}\n";
            await File.WriteAllTextAsync(file, Text, TestContext.Current.CancellationToken);
            string? Environment(string name) => name == "SMI_METRICS_MESH_CONFIG" ? folder.FullName : null;
            (int status, string list, _) = await RunAsync(["meshes"], Environment);
            Assert.Equal(0, status);
            Assert.Contains($"  Istio, from {file}\n", list, StringComparison.Ordinal);
            Assert.Equal((0, Text, ""), await RunAsync(["meshes", "istio"], Environment));
            Assert.Equal((2, "", "smi-metrics: there is no mesh 'nosuch'; smi-metrics meshes lists them\n"), await RunAsync(["meshes", "nosuch"], Environment));
            Assert.Equal((2, "", "smi-metrics: /nosuch: no such file or folder\n"), await RunAsync(["meshes", "--mesh-config", "/nosuch"]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Serve_is_what_happens_without_a_command()
    {
        (_, _, ServeOptions? bare) = await ReadAsync([Url]);
        (_, _, ServeOptions? named) = await ReadAsync(["serve", Url]);
        Assert.NotNull(bare);
        Assert.NotNull(named);
        Assert.Equal(bare.Windows, named.Windows);
    }

    [Fact]
    public async Task Flags_that_nobody_gives_have_their_documented_defaults()
    {
        (_, _, ServeOptions? options) = await ReadAsync([Url]);
        Assert.NotNull(options);
        Assert.NotNull(options.Kubernetes);
        Assert.Null(options.Kubernetes.Kubeconfig);
        Assert.Equal(MeshCatalogue.Load().All.Select(mesh => mesh.Name), options.Meshes.Select(mesh => mesh.Name));
        Assert.True(options.MeshConfiguration.Auto);
        Assert.Equal(TimeSpan.FromSeconds(5), options.Prometheus!.Timeout);
        Assert.Equal(TimeSpan.FromSeconds(5), options.Prometheus!.CacheTtl);
        Assert.Equal(TimeSpan.FromSeconds(60), options.Prometheus!.MaxStale);
        Assert.Equal(TimeSpan.FromSeconds(30), options.Windows.Default);
        Assert.Equal(TimeSpan.FromHours(1), options.Windows.Max);
        Assert.Equal(LatencyUnit.Milliseconds, options.LatencyUnit);
        Assert.Equal(6443, options.Serving!.SecurePort);
        Assert.Equal("0.0.0.0", options.Serving.BindAddress.ToString());
        Assert.Equal(TlsVersion.VersionTLS12, options.Serving.TlsMinVersion);
        Assert.Equal(new AuthorizationOptions().AlwaysAllowPaths, options.Authorization.AlwaysAllowPaths);
        Assert.Equal(AuthorizationMode.Delegated, options.Authorization.Mode);
        Assert.Equal(TimeSpan.FromSeconds(10), options.Authorization.AuthorizedTtl);
        Assert.Equal(TimeSpan.FromSeconds(10), options.Authorization.UnauthorizedTtl);
        Assert.Equal(TimeSpan.FromSeconds(10), options.Authentication.TokenCacheTtl);
        Assert.True(options.Authentication.NeedsConfigMap);
        Assert.Equal(0, options.InsecurePort);
        Assert.Equal(8081, options.AdminPort);
        Assert.Equal(
            new HostingOptions { MaxRequestsInFlight = 400, RequestTimeout = TimeSpan.FromSeconds(55), ShutdownDelay = TimeSpan.Zero, GoAwayChance = 0 },
            options.Hosting);
    }

    [Fact]
    public async Task Without_a_cluster_the_secure_port_needs_a_CA_and_a_decision()
    {
        (_, string errors, ServeOptions? options) = await ReadAsync(
            [Url, "--kubernetes=none", "--secure-port=6443", "--client-ca-file=SmiMetrics.Tests.dll", "--authorization-mode=AlwaysAllow"]);
        Assert.True(options is not null, errors);
        Assert.Equal(6443, options.Serving!.SecurePort);
        Assert.False(options.Authentication.NeedsConfigMap);
        // Who says nothing of others serves nobody else: the secure port stood open to the network.
        Assert.Equal(("127.0.0.1", "127.0.0.1"), ($"{options.Serving!.BindAddress}", $"{options.AdminAddress}"));
    }

    [Fact]
    public async Task A_wrong_source_is_one_mistake()
    {
        (_, string errors, _) = await ReadAsync(["--source=scrap"]);
        Assert.Equal("smi-metrics: --source: \"scrap\" is neither prometheus nor scrape", errors.Trim());
    }

    [Fact]
    public async Task Without_a_Prometheus_the_proxies_are_scraped()
    {
        (_, _, ServeOptions? options) = await ReadAsync([]);
        Assert.NotNull(options);
        Assert.Null(options.Prometheus);
        Assert.NotNull(options.Scrape);
        Assert.Equal(TimeSpan.FromSeconds(10), options.Scrape.Interval);
        Assert.Equal(TimeSpan.FromSeconds(5), options.Scrape.Timeout);
        Assert.Empty(options.Scrape.Targets);
        (_, _, options) = await ReadAsync(["--source=scrape", "--scrape-interval=2s", "--scrape-target=http://127.0.0.1:1/a", "--scrape-target=http://127.0.0.1:2/b"]);
        Assert.Equal(TimeSpan.FromSeconds(2), options!.Scrape!.Timeout);
        Assert.Equal(2, options.Scrape.Targets.Count);
        (_, _, options) = await ReadAsync([Url]);
        Assert.Null(options!.Scrape);
    }

    [Fact]
    public async Task All_mistakes_are_reported_together_with_exit_status_2()
    {
        (int status, string errors, _) = await ReadAsync(
        [
            "--mesh=nosuch", "--secure-port=x", "--prometheus-timeout=1d", "--foo", "--log-level=loud", "--latency-unit=minutes", "--default-window=2h",
            "--kubeconfig=/nosuch/config", "--tls-cert-file=/nosuch/crt", "--prometheus-url=ftp://x", "--bind-address=localhost", "--kubernetes=maybe",
        ]);
        Assert.Equal(2, status);
        string[] expected =
        [
            "--foo", "--mesh: there is no mesh 'nosuch'", "--secure-port: \"x\" is not a port", "--prometheus-timeout: \"1d\" is not a duration",
            "--log-level: \"loud\" is not one of trace, debug, info, warn, error", "--latency-unit: \"minutes\" is not one of ms, seconds",
            "--default-window: 2h0m0s is longer than --max-window 1h0m0s", "--kubeconfig: /nosuch/config: no such file",
            "--tls-cert-file: /nosuch/crt: no such file", "--tls-cert-file and --tls-private-key-file need each other", "--prometheus-url ftp://x",
            "--bind-address: \"localhost\" is not an IP address", "--kubernetes: \"maybe\" is neither cluster nor none",
        ];
        Assert.All(expected, message => Assert.Contains(message, errors));
        Assert.Equal(expected.Length, errors.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.All(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith("smi-metrics: ", line));
    }

    [Theory]
    [InlineData("--prometheus-url is missing", "--source=prometheus")]
    [InlineData("--kubernetes: none leaves nothing to ask: give --prometheus-url or --scrape-target", "--kubernetes=none", "--insecure-port=1")]
    [InlineData("--source: \"cortex\" is neither prometheus nor scrape", Url, "--source=cortex")]
    [InlineData("--prometheus-url: goes against --source scrape", Url, "--source=scrape")]
    [InlineData("--scrape-interval: goes against --source prometheus", Url, "--source=prometheus", "--scrape-interval=5s")]
    [InlineData("--scrape-interval: needs --source scrape, as --prometheus-url is given", Url, "--scrape-interval=5s")]
    [InlineData("--cache-ttl: needs --prometheus-url", "--cache-ttl=5s")]
    [InlineData("--scrape-interval: a window holds at least two, and --max-window is 1m0s", "--scrape-interval=40s", "--max-window=1m")]
    [InlineData("--insecure-port: nothing would be served", Url, "--kubernetes=none")]
    [InlineData("--insecure-port: nothing would be served", Url, "--secure-port=0")]
    [InlineData("--secure-port: needs --requestheader-client-ca-file or --client-ca-file", Url, "--kubernetes=none", "--secure-port=6443")]
    [InlineData("--authorization-mode: must be AlwaysAllow with --kubernetes none", Url, "--kubernetes=none", "--secure-port=6443", "--client-ca-file=SmiMetrics.Tests.dll")]
    [InlineData("--authorization-mode: must be AlwaysAllow with --kubernetes none", Url, "--kubernetes=none", "--requestheader-client-ca-file=SmiMetrics.Tests.dll", "--authorization-mode=Delegated")]
    [InlineData("--authorization-mode: \"RBAC\" is not one of Delegated, AlwaysAllow", Url, "--authorization-mode=RBAC")]
    [InlineData("--client-ca-file: /nosuch: no such file", Url, "--client-ca-file=/nosuch")]
    [InlineData("--authorization-always-allow-paths: \"/a*b\": a * may only stand at the end", Url, "--authorization-always-allow-paths=/healthz,/a*b")]
    [InlineData("--authentication-token-webhook-cache-ttl: must not be less than zero", Url, "--authentication-token-webhook-cache-ttl=-1s")]
    [InlineData("--authorization-webhook-cache-authorized-ttl: \"x\" is not a duration", Url, "--authorization-webhook-cache-authorized-ttl=x")]
    [InlineData("--authorization-webhook-cache-unauthorized-ttl: must not be less than zero", Url, "--authorization-webhook-cache-unauthorized-ttl=-5m")]
    [InlineData("--kubeconfig: goes against --kubernetes none", Url, "--kubernetes=none", "--insecure-port=1", "--kubeconfig=SmiMetrics.Tests.dll")]
    [InlineData("--admin-port: 6443 is --secure-port already", Url, "--admin-port=6443")]
    [InlineData("--requestheader-allowed-names: counts only together with --requestheader-client-ca-file", Url, "--requestheader-allowed-names=x")]
    [InlineData("--mesh: auto stands alone", Url, "--mesh=auto,linkerd")]
    [InlineData("--mesh: names no mesh", Url, "--mesh=,")]
    [InlineData("--secure-port: given more than once", Url, "--secure-port=1", "--secure-port=2")]
    [InlineData("--insecure-port: \"65536\" is not a port", Url, "--insecure-port=65536")]
    [InlineData("--default-window: must be longer than zero", Url, "--default-window=0s")]
    [InlineData("--cache-ttl: must be between 0s and 1h", Url, "--cache-ttl=-1s")]
    [InlineData("--max-requests-in-flight: \"-1\" is not a number of requests, or 0 for no limit", Url, "--max-requests-in-flight=-1")]
    [InlineData("--request-timeout: must be longer than zero and at most 1h0m0s", Url, "--request-timeout=0s")]
    [InlineData("--request-timeout: must be longer than zero and at most 1h0m0s", Url, "--request-timeout=2h")]
    [InlineData("--shutdown-delay-duration: must be between 0s and 1h0m0s", Url, "--shutdown-delay-duration=-1s")]
    [InlineData("--goaway-chance: \"0.03\" is not a chance from 0 to 0.02", Url, "--goaway-chance=0.03")]
    [InlineData("--config: ", Url, "--config=/nosuch/config.yaml")]
    public async Task A_mistake_is_named(string expected, params string[] args)
    {
        (int status, string errors, _) = await ReadAsync(args);
        Assert.Equal(2, status);
        Assert.Contains(expected, errors);
    }

    [Fact]
    public async Task Values_come_from_the_flag_else_the_environment_else_the_file()
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(
                file,
                """
                prometheus-url:
                  - http://a:9090
                  - http://b:9090
                mesh: linkerd
                default-window: 1m
                max-window: 2h
                cache-ttl: 7s
                """,
                TestContext.Current.CancellationToken);
            Dictionary<string, string> environment = new() { ["SMI_METRICS_CONFIG"] = file, ["SMI_METRICS_MAX_WINDOW"] = "3h", ["SMI_METRICS_CACHE_TTL"] = "8s" };
            (_, string errors, ServeOptions? options) = await ReadAsync(["--cache-ttl=9s"], environment.GetValueOrDefault);
            Assert.True(options is not null, errors);
            Assert.Equal(["http://a:9090", "http://b:9090"], options.Prometheus!.Urls);
            Assert.Equal(["linkerd"], options.Meshes.Select(mesh => mesh.Name));
            Assert.Equal(TimeSpan.FromMinutes(1), options.Windows.Default);
            Assert.Equal(TimeSpan.FromHours(3), options.Windows.Max);
            Assert.Equal(TimeSpan.FromSeconds(9), options.Prometheus!.CacheTtl);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_mistake_in_the_environment_or_the_file_is_named_by_its_place()
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "max-window: long\nno-such-flag: 1\nadmin-port: [1, 2]\n", TestContext.Current.CancellationToken);
            Dictionary<string, string> environment = new() { ["SMI_METRICS_CONFIG"] = file, ["SMI_METRICS_CACHE_TTL"] = "soon" };
            (int status, string errors, _) = await ReadAsync([Url], environment.GetValueOrDefault);
            Assert.Equal(2, status);
            Assert.Contains($"{file}:1: max-window: \"long\" is not a duration", errors);
            Assert.Contains($"{file}:2: no-such-flag: there is no such flag", errors);
            Assert.Contains($"{file}:3: admin-port: expected one value", errors);
            Assert.Contains("SMI_METRICS_CACHE_TTL: \"soon\" is not a duration", errors);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_broken_descriptor_is_reported_with_file_and_line()
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "name: mine\ntitle: Mine\nsurprise: 1\n", TestContext.Current.CancellationToken);
            (int status, string errors, _) = await ReadAsync([Url, $"--mesh-config={file}", "--secure-port=x"]);
            Assert.Equal(2, status);
            Assert.Contains($"{file}:3: ", errors);
            Assert.Contains("--secure-port", errors);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static async Task<(int Status, string Errors, ServeOptions? Options)> ReadAsync(string[] args, Func<string, string?>? environment = null)
    {
        ServeOptions? options = null;
        StringWriter error = new();
        int status = await CommandLine.RunAsync(
            args,
            environment ?? (_ => null),
            new Commands
            {
                Serve = (read, _) =>
                {
                    options = read;
                    return Task.FromResult(0);
                },
            },
            TextWriter.Null,
            error,
            TestContext.Current.CancellationToken);
        return (status, error.ToString().ReplaceLineEndings("\n"), options);
    }

    private static async Task<(int Status, string Output, string Errors)> RunAsync(string[] args, Func<string, string?>? environment = null)
    {
        StringWriter output = new();
        StringWriter error = new();
        int status = await CommandLine.RunAsync(
            args, environment ?? (_ => null), new Commands { Serve = (_, _) => Task.FromResult(0) }, output, error, TestContext.Current.CancellationToken);
        return (status, output.ToString().ReplaceLineEndings("\n"), error.ToString());
    }
}
