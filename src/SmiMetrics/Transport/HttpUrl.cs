using System.Diagnostics.CodeAnalysis;

namespace SmiMetrics.Transport;

/// <summary>URLs as operators write them.</summary>
internal static class HttpUrl
{
    /// <summary>Whether the text is an absolute http or https URL with a host.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Uri? url) =>
        Uri.TryCreate(text, UriKind.Absolute, out url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps) && url.Host.Length > 0;

    /// <summary>The text as it may be shown: somebody may have written a password into it, even if it is no URL.</summary>
    public static string WithoutUserInfo(string text)
    {
        int at = text.LastIndexOf('@');
        return at < 0 ? text : $"…{text[at..]}";
    }
}
