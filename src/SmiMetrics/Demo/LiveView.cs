using System.Globalization;
using System.Text;
using System.Text.Json;

namespace SmiMetrics.Demo;

/// <summary>What the demo's output can do.</summary>
/// <param name="InPlace">Lines can be written over: it is a terminal that understands escape sequences.</param>
/// <param name="Colour">Colours are wanted there, too.</param>
/// <param name="Size">Columns and rows, asked anew each time.</param>
internal sealed record Screen(bool InPlace, bool Colour, Func<(int Columns, int Rows)> Size)
{
    /// <summary>Output that is a file or a pipe: no escape sequences at all.</summary>
    public static readonly Screen Plain = new(InPlace: false, Colour: false, () => (int.MaxValue, int.MaxValue));
}

/// <summary>The golden metrics of some workloads, asked of the demo's own API as any client would, again and again.</summary>
/// <param name="fillTime">How long after the start numbers are not whole yet; until then there is a note instead.</param>
internal sealed class LiveView(HttpClient api, TextWriter output, Screen screen, TimeSpan fillTime, TimeProvider clock)
{
    private const string Group = "metrics.smi-spec.io";
    internal static readonly string Header = $"{"",-24}{"success",10}{"rps",9}{"p50",9}{"p90",9}{"p99",9}  state";
    private const string Red = "\e[31m";
    private const string Grey = "\e[90m";
    private const string Plain = "\e[0m";
    private static readonly TimeSpan Refresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RefreshOnPaper = TimeSpan.FromSeconds(10);

    /// <summary>Below this a success rate is shown in red.</summary>
    private const double Alarming = 0.95;

    /// <summary>Those with a story: the front door, both versions of the catalog, the rollout, the bursts, the idle one, and one of each other kind.</summary>
    internal static readonly (string Namespace, string Name)[] Shown =
    [
        ("shop", "deployment.web"),
        ("shop", "deployment.catalog"),
        ("shop", "deployment.catalog-canary"),
        ("shop", "deployment.search"),
        ("shop", "deployment.recommendations"),
        ("shop", "deployment.gift-cards"),
        ("shop", "daemonset.image-cache"),
        ("payments", "deployment.checkout"),
        ("payments", "replicationcontroller.ledger"),
        ("warehouse", "statefulset.stock-db"),
        ("warehouse", "job.stock-import"),
    ];

    private int _linesAbove;

    /// <summary>Ends when asked to, quietly, with the cursor at the beginning of an empty line.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        long started = clock.GetTimestamp();
        try
        {
            await NoteAsync(started, cancellationToken);
            using PeriodicTimer timer = new(screen.InPlace ? Refresh : RefreshOnPaper, clock);
            do
            {
                string[] lines = await LinesAsync(cancellationToken);
                await DrawAsync(lines);
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            if (screen.InPlace)
            {
                // Over the ^C that the terminal may have put there.
                await output.WriteAsync("\r\e[K");
            }
        }
    }

    /// <summary>Until a whole window has been scraped, numbers would be too small.</summary>
    private async Task NoteAsync(long started, CancellationToken cancellationToken)
    {
        if (!screen.InPlace)
        {
            Task filled = Task.Delay(fillTime, clock, cancellationToken);
            await output.WriteLineAsync($"The first window fills: numbers in {fillTime.TotalSeconds:0} s.");
            await filled;
            return;
        }

        using PeriodicTimer timer = new(Refresh, clock);
        while (fillTime - clock.GetElapsedTime(started) is { Ticks: > 0 } left)
        {
            await DrawAsync([$"The first window fills: numbers in {Math.Ceiling(left.TotalSeconds):0} s."]);
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private async Task<string[]> LinesAsync(CancellationToken cancellationToken)
    {
        string time = TimeZoneInfo.ConvertTime(clock.GetUtcNow(), clock.LocalTimeZone).ToString("HH:mm:ss", CultureInfo.InvariantCulture);
        try
        {
            using HttpResponseMessage response = await api.GetAsync($"{Guide.Api}/trafficmetrics", cancellationToken);
            if (!response.IsSuccessStatusCode)
            {
                return [$"{time}  the server answers {(int)response.StatusCode}"];
            }

            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            using JsonDocument document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
            Dictionary<(string, string), JsonElement> items = document.RootElement.GetProperty("items").EnumerateArray().ToDictionary(Key);
            return [.. Shown.Where(items.ContainsKey).Select(shown => Row(shown, items[shown])).Prepend($"{time}{Header[time.Length..]}")];
        }
        catch (HttpRequestException e)
        {
            return [$"{time}  no answer: {e.Message}"];
        }
    }

    private static (string, string) Key(JsonElement item)
    {
        JsonElement metadata = item.GetProperty("metadata");
        return (metadata.GetProperty("namespace").GetString()!, metadata.GetProperty("name").GetString()!);
    }

    private string Row((string Namespace, string Name) shown, JsonElement item)
    {
        Dictionary<string, double> metrics = item.GetProperty("metrics").EnumerateArray()
            .ToDictionary(metric => metric.GetProperty("name").GetString()!, metric => Number(metric.GetProperty("value").GetString()!));
        double window = double.Parse(item.GetProperty("window").GetString()!.TrimEnd('s'), CultureInfo.InvariantCulture);
        string state = item.GetProperty("metadata").GetProperty("annotations").GetProperty($"{Group}/state").GetString()!;
        double success = metrics["success_count"];
        double total = success + metrics["failure_count"];
        string name = $"{shown.Namespace}/{shown.Name.Split('.', 2)[1]}";
        string row = total == 0
            ? $"{name,-24}{"-",10}{0,9}{"-",9}{"-",9}{"-",9}  {state}"
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{name,-24}{success / total * 100,8:0.00} %{total / window,9:0.0}{Milliseconds("p50")}{Milliseconds("p90")}{Milliseconds("p99")}  {state}");
        string colour = !screen.Colour ? "" : total == 0 ? Grey : success / total < Alarming ? Red : "";
        return colour.Length == 0 ? row : $"{colour}{row}{Plain}";

        string Milliseconds(string percentile) =>
            string.Create(CultureInfo.InvariantCulture, $"{metrics[$"{percentile}_response_latency"],6:0} ms");
    }

    /// <summary>Reads a quantity: <c>2500m</c>, <c>17</c>, <c>4k</c>.</summary>
    internal static double Number(string quantity)
    {
        double factor = quantity[^1] switch
        {
            'm' => 1e-3,
            'k' => 1e3,
            'M' => 1e6,
            'G' => 1e9,
            'T' => 1e12,
            'P' => 1e15,
            'E' => 1e18,
            _ => 0,
        };
        return factor == 0
            ? double.Parse(quantity, CultureInfo.InvariantCulture)
            : double.Parse(quantity.AsSpan(0, quantity.Length - 1), CultureInfo.InvariantCulture) * factor;
    }

    /// <summary>Writes lines over the ones before them, or below them with an empty line between.</summary>
    private async Task DrawAsync(string[] lines)
    {
        StringBuilder text = new();
        if (screen.InPlace)
        {
            (int columns, int rows) = screen.Size();
            // A line that wrapped, or had scrolled out, could not be written over.
            lines = [.. lines.Take(Math.Max(1, rows - 1)).Select(line => Cut(line, columns - 1))];
            if (_linesAbove > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"\r\e[{_linesAbove}A");
            }

            text.AppendJoin("", lines.Select(line => $"{line}\e[K\n")).Append("\e[J");
            _linesAbove = lines.Length;
        }
        else
        {
            text.Append('\n').AppendJoin("", lines.Select(line => line + "\n"));
        }

        await output.WriteAsync(text.ToString());
        await output.FlushAsync();
    }

    /// <summary>What is seen of a line; its escape sequences take no room and stay.</summary>
    private static string Cut(string line, int columns)
    {
        int start = line.StartsWith('\e') ? line.IndexOf('m', StringComparison.Ordinal) + 1 : 0;
        int end = start > 0 ? line.Length - Plain.Length : line.Length;
        return end - start <= columns ? line : string.Concat(line.AsSpan(0, start + Math.Max(0, columns)), line.AsSpan(end));
    }
}
