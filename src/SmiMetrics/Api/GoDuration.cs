using System.Buffers;
using System.Globalization;
using System.Text;

namespace SmiMetrics.Api;

/// <summary>Durations as Go writes and reads them: <c>1m30s</c>, <c>1.5h</c>, <c>300ms</c> (Go <c>time.Duration.String</c>, <c>time.ParseDuration</c>).</summary>
internal static class GoDuration
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private static readonly (string Name, decimal Ticks)[] Units =
    [
        ("ns", 0.01m),
        ("us", TimeSpan.TicksPerMicrosecond),
        ("µs", TimeSpan.TicksPerMicrosecond),
        ("μs", TimeSpan.TicksPerMicrosecond),
        ("ms", TimeSpan.TicksPerMillisecond),
        ("s", TimeSpan.TicksPerSecond),
        ("m", TimeSpan.TicksPerMinute),
        ("h", TimeSpan.TicksPerHour),
    ];

    /// <summary>
    /// Reads a signed sequence of decimal numbers with units. As in Go there is no <c>d</c>, and only <c>0</c> needs no unit. Parts below
    /// 100 ns are lost.
    /// </summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        ReadOnlySpan<char> rest = text;
        bool negative = rest is ['-', ..];
        if (rest is ['-' or '+', ..])
        {
            rest = rest[1..];
        }

        if (rest is "0")
        {
            return true;
        }

        if (rest.IsEmpty)
        {
            return false;
        }

        decimal ticks = 0;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept(Digits);
            if (digits <= 0
                || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount))
            {
                return false;
            }

            rest = rest[digits..];
            int letters = rest.IndexOfAny(Digits);
            ReadOnlySpan<char> name = letters < 0 ? rest : rest[..letters];
            decimal unit = 0;
            foreach ((string known, decimal size) in Units)
            {
                unit = name.SequenceEqual(known) ? size : unit;
            }

            if (unit == 0 || amount > long.MaxValue / Math.Max(unit, 1))
            {
                return false;
            }

            ticks += amount * unit;
            rest = rest[name.Length..];
        }

        // Go's limit is 2^63 ns, about 292 years.
        if (ticks > long.MaxValue / 100)
        {
            return false;
        }

        duration = TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
        return true;
    }

    /// <summary>The form that Go prints: <c>0s</c>, <c>100ms</c>, <c>1.5s</c>, <c>1m0s</c>, <c>24h0m0s</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration == TimeSpan.Zero)
        {
            return "0s";
        }

        string sign = duration < TimeSpan.Zero ? "-" : "";
        decimal ticks = Math.Abs((decimal)duration.Ticks);
        if (ticks < TimeSpan.TicksPerSecond)
        {
            (decimal unit, string name) = ticks < TimeSpan.TicksPerMicrosecond ? (0.01m, "ns")
                : ticks < TimeSpan.TicksPerMillisecond ? (TimeSpan.TicksPerMicrosecond, "µs")
                : (TimeSpan.TicksPerMillisecond, "ms");
            return string.Create(CultureInfo.InvariantCulture, $"{sign}{ticks / unit:0.#######}{name}");
        }

        StringBuilder text = new(sign);
        decimal hours = Math.Floor(ticks / TimeSpan.TicksPerHour);
        decimal minutes = Math.Floor(ticks / TimeSpan.TicksPerMinute);
        if (hours > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"{hours}h");
        }

        if (minutes > 0)
        {
            text.Append(CultureInfo.InvariantCulture, $"{minutes % 60}m");
        }

        decimal seconds = (ticks - (minutes * TimeSpan.TicksPerMinute)) / TimeSpan.TicksPerSecond;
        return text.Append(CultureInfo.InvariantCulture, $"{seconds:0.#######}s").ToString();
    }
}
