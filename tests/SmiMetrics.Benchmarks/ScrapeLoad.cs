using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace SmiMetrics.Benchmarks;

/// <summary>
/// What scraping costs the whole server: a process with simulated proxies, the server's own process, and its CPU time and memory as the
/// kernel counts them (<c>/proc/PID</c>, so Linux only). Sizes are measured one after the other, each with a new server.
/// </summary>
internal static class ScrapeLoad
{
    public const string Command = "scrape-load";

    private const string Usage = """
        usage: scrape-load --server PATH [options]

          --server PATH        the program to measure: smi-metrics of `dotnet publish`
          --targets N,N,...    sizes to measure (100,300,1000)
          --kept N             wanted series on each page (300)
          --dropped N          other series on each page (1500)
          --interval SECONDS   (10)
          --max-window MINUTES how much history is kept (60). One scrape of every target is in memory for each interval of it; to fill an hour of
                               history in 6 minutes, use --interval 1 --max-window 6 --dropped 0
          --seconds N          how long to measure, after two intervals to warm up (60)
        """;

    public static async Task<int> RunAsync(string[] args)
    {
        if (args.Contains("--help") || args.Length % 2 != 0)
        {
            Console.WriteLine(Usage);
            return args.Contains("--help") ? 0 : 2;
        }

        Dictionary<string, string> options = args.Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);
        string Option(string name, string standard) => options.GetValueOrDefault(name, standard);
        int Number(string name, int standard) => int.Parse(Option(name, standard.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);

        string server = Option("--server", "smi-metrics");
        int interval = Number("--interval", 10);
        int seconds = Number("--seconds", 60);
        int kept = Number("--kept", 300);
        int dropped = Number("--dropped", 1500);
        int window = Number("--max-window", 60);
        Console.WriteLine($"{kept} series kept and {dropped} dropped of each target, every {interval} s, history of {window} min, measured for {seconds} s");
        Console.WriteLine("targets  page kB   CPU cores   CPU ms/scrape   resident MB   peak MB   list ms");
        foreach (string size in Option("--targets", "100,300,1000").Split(','))
        {
            int targets = int.Parse(size, CultureInfo.InvariantCulture);
            await MeasureAsync(server, targets, kept, dropped, interval, window, seconds);
        }

        return 0;
    }

    private static async Task MeasureAsync(string program, int targets, int kept, int dropped, int interval, int window, int seconds)
    {
        using Process proxies = Start(Environment.ProcessPath!, [SimulatedProxies.Command, $"{targets}", $"{kept}", $"{dropped}"], input: true);
        string[] ready = (await proxies.StandardOutput.ReadLineAsync())!.Split(' ');
        string config = Path.GetTempFileName();
        int port = 20_000 + (Environment.ProcessId % 20_000);
        await File.WriteAllTextAsync(config, Configuration(ready[0], targets, interval, window, port));
        using Process server = Start(program, ["serve", "--config", config], input: false);
        try
        {
            _ = server.StandardError.ReadToEndAsync();
            _ = server.StandardOutput.ReadToEndAsync();
            await Task.Delay(TimeSpan.FromSeconds(Math.Max(5, 2 * interval)), TimeProvider.System, CancellationToken.None);
            TimeSpan before = server.TotalProcessorTime;
            long start = Stopwatch.GetTimestamp();
            await Task.Delay(TimeSpan.FromSeconds(seconds), TimeProvider.System, CancellationToken.None);
            server.Refresh();
            TimeSpan used = server.TotalProcessorTime - before;
            TimeSpan elapsed = Stopwatch.GetElapsedTime(start);
            long resident = server.WorkingSet64;
            long peak = Peak(server.Id);
            double scrapes = targets * elapsed.TotalSeconds / interval;
            TimeSpan list = await ListAsync(port, window, targets);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{targets,7}  {int.Parse(ready[2], CultureInfo.InvariantCulture) / 1000.0,7:0}   {used / elapsed,9:0.00}   {used.TotalMilliseconds / scrapes,13:0.00}   {resident / 1e6,11:0}   {peak / 1e6,7:0}   {list.TotalMilliseconds,7:0}"));
        }
        finally
        {
            server.Kill();
            proxies.Kill();
            File.Delete(config);
        }
    }

    /// <summary>Asks for every pod's traffic in the longest window, which looks at every sample there is.</summary>
    private static async Task<TimeSpan> ListAsync(int port, int window, int targets)
    {
        using HttpClient client = new();
        string url = $"http://127.0.0.1:{port}/apis/metrics.smi-spec.io/v1alpha2/pods?window=";
        string answer = await client.GetStringAsync($"{url}{window}m");
        int items = answer.Split("\"TrafficMetrics\"").Length - 1;
        if (items != targets)
        {
            throw new InvalidOperationException($"{items} pods are answered for, not {targets}");
        }

        // Another window, or the answer just given would serve.
        long start = Stopwatch.GetTimestamp();
        await client.GetStringAsync(FormattableString.Invariant($"{url}{(window * 60) - 1}s"));
        return Stopwatch.GetElapsedTime(start);
    }

    private static string Configuration(string proxies, int targets, int interval, int window, int port)
    {
        StringBuilder yaml = new();
        yaml.AppendLine(CultureInfo.InvariantCulture, $"kubernetes: none\nsource: scrape\nmesh: linkerd\nscrape-interval: {interval}s\nmax-window: {window}m\ninsecure-port: {port}\nadmin-port: 0\nlog-level: error\nscrape-target:");
        for (int target = 0; target < targets; target++)
        {
            yaml.AppendLine(CultureInfo.InvariantCulture, $"- {proxies}/{target}/metrics#namespace=ns-{target % 20}&pod=app-{target / 5}-7d4b9c6f5d-{target % 5}&deployment=app-{target / 5}");
        }

        return yaml.ToString();
    }

    private static Process Start(string program, string[] arguments, bool input) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = !input, RedirectStandardInput = input })!;

    /// <summary>The most memory that was ever resident, in bytes.</summary>
    private static long Peak(int process) =>
        long.Parse(File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
}
