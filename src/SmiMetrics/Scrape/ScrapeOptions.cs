using System.Net;
using SmiMetrics.Transport;

namespace SmiMetrics.Scrape;

/// <summary>How proxies are scraped: the <c>--scrape-…</c> flags.</summary>
internal sealed record ScrapeOptions
{
    public static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    /// <summary>A series is stale after five minutes, so with a longer one there would be moments without any sample.</summary>
    private static readonly TimeSpan LongestInterval = TimeSpan.FromMinutes(5);

    private static readonly TimeSpan ShortestTimeout = TimeSpan.FromMilliseconds(50);

    /// <summary>Pods do not change their addresses; a target that the operator named may.</summary>
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(10);

    /// <summary>The time between two scrapes of a target; one second to five minutes.</summary>
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

    /// <summary><see cref="Targets"/>, read.</summary>
    /// <exception cref="FormatException">One is among the <see cref="Problems"/>.</exception>
    public IReadOnlyList<ScrapeTarget> NamedTargets =>
        [.. Targets.Select(text => NamedTarget.TryParse(text, out ScrapeTarget? target, out string? problem) ? target : throw new FormatException(problem))];

    /// <summary>What a <see cref="TransportHandler"/> behind the <c>proxies</c> door needs to know of these.</summary>
    public TransportOptions Transport => new()
    {
        CaFile = CaFile,
        ClientCertFile = ClientCertFile,
        ClientKeyFile = ClientKeyFile,
        ConnectTimeout = Timeout,
        ConnectionLifetime = ConnectionLifetime,
        // A connection must outlive the time until its target's next turn, with room for one that is late.
        IdleTimeout = Interval * 2,
        Compression = true,
        Proxy = ProxyUrl is null ? null : new WebProxy(ProxyUrl),
    };

    /// <summary>Everything that is wrong with these options, one line per problem, in the words of the command line.</summary>
    public IEnumerable<string> Problems()
    {
        if (Interval < ShortestInterval || Interval > LongestInterval)
        {
            yield return "--scrape-interval: must be between 1s and 5m";
        }
        else if (Timeout < ShortestTimeout || Timeout > Interval)
        {
            yield return "--scrape-timeout: must be between 50ms and --scrape-interval";
        }

        HashSet<Uri> urls = [];
        foreach (string text in Targets)
        {
            if (!NamedTarget.TryParse(text, out ScrapeTarget? target, out string? problem))
            {
                yield return $"--scrape-target {NamedTarget.Shown(text)}: {problem}";
            }
            else if (!urls.Add(target.Url))
            {
                yield return $"--scrape-target {NamedTarget.Shown(text)}: given twice";
            }
        }

        if (BearerTokenFile is not null && !urls.Any(url => url.Scheme == Uri.UriSchemeHttps))
        {
            yield return "--scrape-bearer-token-file: is shown to https targets only, and no --scrape-target is one";
        }

        if (ClientKeyFile is not null && ClientCertFile is null)
        {
            yield return "--scrape-client-key-file needs --scrape-client-cert-file";
        }

        foreach (string missing in RereadFile.Missing(
            ("--scrape-bearer-token-file", BearerTokenFile),
            ("--scrape-ca-file", CaFile),
            ("--scrape-client-cert-file", ClientCertFile),
            ("--scrape-client-key-file", ClientKeyFile)))
        {
            yield return missing;
        }

        if (ProxyUrl is not null)
        {
            if (!HttpUrl.TryParse(ProxyUrl, out Uri? proxy) || proxy.Scheme != Uri.UriSchemeHttp)
            {
                yield return $"--scrape-proxy-url {HttpUrl.WithoutUserInfo(ProxyUrl)}: not an http URL";
            }
            else if (proxy.UserInfo.Length > 0)
            {
                yield return $"--scrape-proxy-url {HttpUrl.WithoutUserInfo(ProxyUrl)}: must not hold credentials";
            }
        }
    }
}
