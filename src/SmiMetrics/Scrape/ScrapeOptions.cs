namespace SmiMetrics.Scrape;

/// <summary>How proxies are scraped: the <c>--scrape-…</c> flags.</summary>
internal sealed record ScrapeOptions
{
    public static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The time between two scrapes of a target; at least a second.</summary>
    public TimeSpan Interval { get; init; } = DefaultInterval;

    /// <summary>The deadline of one scrape, to the last byte of its page; at most <see cref="Interval"/>.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>Pages to scrape besides the cluster's proxies: URLs, each with its series' labels as the fragment (<c>#namespace=shop&amp;pod=web-1</c>).</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>Presented to <see cref="Targets"/> that are https, to nobody else: any pod may call itself a proxy.</summary>
    public string? BearerTokenFile { get; init; }

    /// <summary>PEM. What https targets are verified by, instead of the system's roots.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM. Presented to https targets.</summary>
    public string? ClientCertFile { get; init; }

    /// <summary>PEM; null when the key is in <see cref="ClientCertFile"/> too.</summary>
    public string? ClientKeyFile { get; init; }

    /// <summary>An HTTP proxy to reach targets through; null for none. The environment's <c>http_proxy</c> never counts: pods are near.</summary>
    public string? ProxyUrl { get; init; }
}
