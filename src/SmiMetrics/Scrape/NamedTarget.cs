using System.Diagnostics.CodeAnalysis;
using SmiMetrics.Kubernetes;
using SmiMetrics.Transport;

namespace SmiMetrics.Scrape;

/// <summary>
/// Reads a target as <c>--scrape-target</c> names it: an http or https URL whose fragment holds the labels of its series as
/// <c>name=value&amp;…</c>, percent-encoded (<c>http://10.0.0.7:4191/metrics#namespace=shop&amp;pod=web-1</c>).
/// </summary>
internal static class NamedTarget
{
    /// <param name="problem">What is wrong with it, to follow the text; null when nothing is.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out ScrapeTarget? target, [NotNullWhen(false)] out string? problem)
    {
        target = null;
        // By hand, for Uri would decode some of the fragment's percent signs, and then "%26" and "&" are the same.
        int hash = text.IndexOf('#', StringComparison.Ordinal);
        if (!HttpUrl.TryParse(hash < 0 ? text : text[..hash], out Uri? url))
        {
            problem = "not an http or https URL";
            return false;
        }

        if (url.UserInfo.Length > 0)
        {
            problem = "must not hold credentials; --scrape-bearer-token-file is for https targets";
            return false;
        }

        Dictionary<string, string> labels = [];
        foreach (string pair in hash < 0 ? [] : text[(hash + 1)..].Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string name = Uri.UnescapeDataString(equals < 0 ? pair : pair[..equals]);
            if (equals < 0 || !IsLabelName(name))
            {
                problem = $"'{pair}' after the # is not LABEL=VALUE";
                return false;
            }

            if (!labels.TryAdd(name, Uri.UnescapeDataString(pair[(equals + 1)..])))
            {
                problem = $"label {name} is given twice";
                return false;
            }
        }

        target = new ScrapeTarget(url, Pod: null, new LabelSet([.. labels.Where(label => label.Value.Length > 0)]));
        problem = null;
        return true;
    }

    /// <summary>The text as it may be shown: a password that somebody wrote into it is left out.</summary>
    public static string Shown(string text)
    {
        int hash = text.IndexOf('#', StringComparison.Ordinal);
        return hash < 0 ? HttpUrl.WithoutUserInfo(text) : HttpUrl.WithoutUserInfo(text[..hash]) + text[hash..];
    }

    // Names that begin with two underscores are Prometheus' own, __name__ among them (data model, "Metric names and labels").
    private static bool IsLabelName(string name) =>
        name.Length > 0
        && !char.IsAsciiDigit(name[0])
        && !name.StartsWith("__", StringComparison.Ordinal)
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');
}
