using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Connections;
using SmiMetrics.Demo;

namespace SmiMetrics;

/// <summary>What <c>smi-metrics demo</c> can be told, and the flags that tell it.</summary>
internal sealed record DemoOptions(SimulatedMesh Mesh, int Port)
{
    private const int DefaultPort = 8080;

    /// <summary>Reads all flags. Nothing else counts: the environment's are the server's.</summary>
    /// <param name="given">What the command line gives a flag; empty when it does not mention it.</param>
    /// <returns>Null when there are mistakes: <paramref name="errors"/> has a line for each.</returns>
    public static DemoOptions? Read(Func<Flag, IReadOnlyList<string>> given, List<string> errors)
    {
        string name = given(Flags.Mesh) is [.., var last] ? last : Flags.Mesh.Default!;
        SimulatedMesh? mesh = SimulatedMesh.All.FirstOrDefault(mesh => mesh.Name == name);
        if (mesh is null)
        {
            errors.Add($"{Flags.Mesh.Option}: \"{name}\" is not one of {string.Join(", ", SimulatedMesh.All.Select(mesh => mesh.Name))}");
        }

        int port = DefaultPort;
        if (given(Flags.Port) is [.., var text]
            && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port is < 1 or > IPEndPoint.MaxPort))
        {
            errors.Add($"{Flags.Port.Option}: \"{text}\" is not a port (1 to {IPEndPoint.MaxPort})");
        }

        return errors.Count == 0 ? new DemoOptions(mesh!, port) : null;
    }

    internal static class Flags
    {
        public static readonly Flag Mesh =
            new("mesh", string.Join('|', SimulatedMesh.All.Select(mesh => mesh.Name)), SimulatedMesh.All[0].Name, "the mesh to simulate");

        public static readonly Flag Port = new("port", "PORT", $"{DefaultPort}", "where to listen, on 127.0.0.1 only");

        public static readonly IReadOnlyList<Flag> All = [Mesh, Port];
    }
}

/// <summary>
/// <c>smi-metrics demo</c>: the server as <c>serve</c> builds it, with a simulated cluster and simulated proxies behind its doors, and
/// its own first client.
/// </summary>
internal static class DemoCommand
{
    private const string ScrapeInterval = "1s";
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    // The scraper looks for targets once a second, and has the first samples of them all an interval later.
    private static readonly TimeSpan FillTime = Window + TimeSpan.FromSeconds(3);

    /// <summary>Runs the demo until it is told to stop.</summary>
    /// <returns>The exit status.</returns>
    public static async Task<int> RunAsync(
        DemoOptions options, Screen screen, TextWriter output, TextWriter error, TimeProvider clock, CancellationToken cancellationToken)
    {
        WebApplication app = Build(options, clock);
        await using (app)
        {
            try
            {
                await app.StartAsync(cancellationToken);
            }
            catch (IOException e) when (e.InnerException is AddressInUseException)
            {
                await error.WriteLineAsync($"smi-metrics: {DemoOptions.Flags.Port.Option} {options.Port}: another program listens on this port already");
                return CommandLine.RuntimeFailure;
            }
            catch (IOException e)
            {
                // A port that only root may take, for one.
                await error.WriteLineAsync($"smi-metrics: {DemoOptions.Flags.Port.Option} {options.Port}: {e.Message}");
                return CommandLine.RuntimeFailure;
            }

            try
            {
                await new Guide(Shop.World, options.Mesh, options.Port).WriteAsync(output);
                await output.FlushAsync(cancellationToken);
            }
            catch (IOException e)
            {
                await error.WriteLineAsync($"smi-metrics: the output cannot be written: {e.Message}");
                return CommandLine.RuntimeFailure;
            }

            // Whatever proxy the environment names for everybody else's requests.
            using HttpClient api = new(new SocketsHttpHandler { UseProxy = false })
            {
                BaseAddress = new Uri($"http://127.0.0.1:{options.Port}"),
                Timeout = Window,
            };
            LiveView view = new(api, output, screen, FillTime, clock);
            Task showing = view.RunAsync(app.Lifetime.ApplicationStopping);
            await app.WaitForShutdownAsync(cancellationToken);
            await showing;
            return CommandLine.Success;
        }
    }

    /// <summary>The real server before a simulated world.</summary>
    public static WebApplication Build(DemoOptions options, TimeProvider clock)
    {
        SimulatedCluster cluster = new(Shop.World, clock);
        Doors doors = new(Kube: new SimulatedApiServer(cluster, options.Mesh, clock), Proxies: new SimulatedProxies(cluster, options.Mesh));
        return Server.Build(Serve(options), doors, clock);
    }

    /// <summary>What the terminal that we were started in can do.</summary>
    public static Screen DetectScreen(Func<string, string?> environment)
    {
        bool inPlace = !Console.IsOutputRedirected && environment("TERM") is not "dumb";
        return inPlace ? new Screen(InPlace: true, Colour: string.IsNullOrEmpty(environment("NO_COLOR")), Size) : Screen.Plain;

        // Some terminals do not know how large they are.
        static (int, int) Size() => Console.WindowWidth > 0 && Console.WindowHeight > 0 ? (Console.WindowWidth, Console.WindowHeight) : (80, 24);
    }

    private static ServeOptions Serve(DemoOptions options)
    {
        Dictionary<Flag, string> flags = new()
        {
            [ServeOptions.Flags.Mesh] = options.Mesh.Name,
            [ServeOptions.Flags.Source] = ServeOptions.Flags.Scrape,
            [ServeOptions.Flags.ScrapeInterval] = ScrapeInterval,
            [ServeOptions.Flags.DefaultWindow] = $"{Window.TotalSeconds:0}s",
            [ServeOptions.Flags.MaxWindow] = "10m",
            [ServeOptions.Flags.InsecurePort] = options.Port.ToString(CultureInfo.InvariantCulture),
            [ServeOptions.Flags.SecurePort] = "0",
            [ServeOptions.Flags.AdminPort] = "0",
            // Log lines would tear the live view, and a mesh without series is no news in the first second.
            [ServeOptions.Flags.LogLevel] = "error",
        };
        List<string> errors = [];
        return ServeOptions.Read(flag => flags.TryGetValue(flag, out string? value) ? [value] : [], _ => null, errors)
            ?? throw new InvalidOperationException(string.Join("; ", errors));
    }
}
