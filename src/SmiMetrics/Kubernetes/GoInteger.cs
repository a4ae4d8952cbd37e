using System.Globalization;

namespace SmiMetrics.Kubernetes;

/// <summary>Whole numbers as Go's <c>strconv.ParseInt</c> reads them, with its words for what it does not read.</summary>
internal static class GoInteger
{
    /// <param name="problem">Why it is none; null when it is one.</param>
    public static bool TryParse(string text, out long value, out string? problem)
    {
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value))
        {
            problem = null;
            return true;
        }

        bool outOfRange = text.AsSpan(text is ['-' or '+', ..] ? 1 : 0) is { Length: > 0 } digits && !digits.ContainsAnyExceptInRange('0', '9');
        problem = $"strconv.ParseInt: parsing \"{text}\": {(outOfRange ? "value out of range" : "invalid syntax")}";
        return false;
    }
}
