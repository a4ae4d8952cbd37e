using System.Globalization;

namespace SmiMetrics.Api;

/// <summary>How values are written, and read, in URLs and documents.</summary>
internal static class Wire
{
    /// <summary>The subresource of the traffic between an object and its peers. It is there to be got, and gives a list.</summary>
    public const string Edges = "edges";

    /// <summary>An instant as RFC 3339 has it, in UTC and whole seconds.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>A choice, in lower case.</summary>
    public static string Word<T>(T value) where T : struct, Enum => Enum.GetName(value)!.ToLowerInvariant();
}
