using System.Globalization;

namespace SmiMetrics.Api;

/// <summary>
/// Kubernetes quantities in canonical decimal form and milli precision (apimachinery <c>pkg/api/resource/quantity.go</c>): the largest
/// suffix that leaves a whole number, so 294 is <c>294</c>, 1.5 is <c>1500m</c> and 1000 is <c>1k</c>.
/// </summary>
internal static class Quantity
{
    /// <summary>
    /// Readers such as the HPA take the milli value as an int64 and overflow silently; nothing real comes near this bound.
    /// </summary>
    private const long MostMillis = 9_000_000_000_000_000;

    private static readonly string[] Suffixes = ["m", "", "k", "M", "G", "T", "P", "E"];

    /// <summary>Rounds to the nearest thousandth. What has no representation (NaN, infinities) and what cannot be (negatives) is zero or the bound.</summary>
    public static string Format(double value)
    {
        double scaled = Math.Round(value * 1000, MidpointRounding.AwayFromZero);
        long millis = double.IsNaN(scaled) || scaled <= 0 ? 0 : scaled >= MostMillis ? MostMillis : (long)scaled;
        if (millis == 0)
        {
            return "0";
        }

        int suffix = 0;
        while (millis % 1000 == 0 && suffix < Suffixes.Length - 1)
        {
            millis /= 1000;
            suffix++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{millis}{Suffixes[suffix]}");
    }
}
