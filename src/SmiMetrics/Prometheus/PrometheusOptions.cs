using SmiMetrics.Transport;

namespace SmiMetrics.Prometheus;

/// <summary>How Prometheus is reached and how long its answers live: the <c>--prometheus-…</c> flags, <c>--cache-ttl</c> and <c>--max-stale</c>.</summary>
internal sealed record PrometheusOptions
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan DefaultCacheTtl = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan DefaultMaxStale = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan ConnectionIdleTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Base URLs, without <c>/api/v1</c>. Several are replicas of one store: any of them may answer.</summary>
    public required IReadOnlyList<string> Urls { get; init; }

    /// <summary>Read again at most once a minute, as Kubernetes renews its tokens.</summary>
    public string? BearerTokenFile { get; init; }

    /// <summary>PEM. Only what it holds is trusted then; the system's roots are not.</summary>
    public string? CaFile { get; init; }

    /// <summary>PEM, with any intermediate certificates after our own.</summary>
    public string? ClientCertFile { get; init; }

    /// <summary>PEM; null when the key is in <see cref="ClientCertFile"/> too.</summary>
    public string? ClientKeyFile { get; init; }

    public string? Username { get; init; }

    public string? PasswordFile { get; init; }

    /// <summary>Further request headers as <c>NAME=VALUE</c>, such as <c>X-Scope-OrgID=team-a</c>.</summary>
    public IReadOnlyList<string> Headers { get; init; } = [];

    /// <summary>The deadline of one query, attempts at every replica and waiting for a free slot included.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>How long an answer is reused; zero turns reuse off.</summary>
    public TimeSpan CacheTtl { get; init; } = DefaultCacheTtl;

    /// <summary>How old an answer may be given while Prometheus fails; zero turns that off.</summary>
    public TimeSpan MaxStale { get; init; } = DefaultMaxStale;

    /// <summary>How many queries Prometheus works on for us at a time; its own limit is 20 for all (<c>--query.max-concurrency</c>).</summary>
    public int MaxConcurrentQueries { get; init; } = 16;

    /// <summary>The longest body that is read, decompressed.</summary>
    public long MaxResponseBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>How many rows all remembered answers may have together; about 100 bytes each.</summary>
    public int MaxRememberedRows { get; init; } = 500_000;

    /// <summary>What a <see cref="TransportHandler"/> behind the <c>prometheus</c> door needs to know of these.</summary>
    public TransportOptions Transport => new()
    {
        CaFile = CaFile,
        ClientCertFile = ClientCertFile,
        ClientKeyFile = ClientKeyFile,
        // A host that swallows packets must leave time for a second attempt.
        ConnectTimeout = Timeout / 2,
        ConnectionLifetime = ConnectionLifetime,
        IdleTimeout = ConnectionIdleTimeout,
        // On the same machine compressing costs more than it saves; over a network it divides the body by 6 to 17.
        Compression = !Urls.All(url => new Uri(url).IsLoopback),
    };

    /// <summary>Everything that is wrong with these options, one line per problem, in the words of the command line.</summary>
    public IEnumerable<string> Problems()
    {
        if (Urls.Count == 0)
        {
            yield return "--prometheus-url is missing";
        }

        foreach (string url in Urls)
        {
            if (!HttpUrl.TryParse(url, out Uri? uri))
            {
                yield return $"--prometheus-url {HttpUrl.WithoutUserInfo(url)}: not an http or https URL";
            }
            else if (uri.UserInfo.Length > 0)
            {
                yield return $"--prometheus-url {HttpUrl.WithoutUserInfo(url)}: credentials belong in --prometheus-username and --prometheus-password-file";
            }
            else if (uri.Query.Length > 0 || uri.Fragment.Length > 0)
            {
                yield return $"--prometheus-url {url}: must not have a query or a fragment";
            }
        }

        foreach (string header in Headers)
        {
            if (!TryParseHeader(header, out string name, out _))
            {
                // The value may be a secret, so only the name is repeated.
                yield return $"--prometheus-header {name}: not NAME=VALUE with the name of a request header";
            }
            else if (name.Equals("Authorization", StringComparison.OrdinalIgnoreCase) && (BearerTokenFile is not null || Username is not null))
            {
                yield return $"--prometheus-header {name}: stands against --prometheus-bearer-token-file or --prometheus-username";
            }
        }

        if (BearerTokenFile is not null && Username is not null)
        {
            yield return "--prometheus-bearer-token-file and --prometheus-username exclude each other";
        }

        if (Username is null != PasswordFile is null)
        {
            yield return "--prometheus-username and --prometheus-password-file need each other";
        }

        if (Username?.Contains(':', StringComparison.Ordinal) == true)
        {
            yield return "--prometheus-username: must not contain a colon (RFC 7617)";
        }

        if (ClientKeyFile is not null && ClientCertFile is null)
        {
            yield return "--prometheus-client-key-file needs --prometheus-client-cert-file";
        }

        foreach (string missing in RereadFile.Missing(
            ("--prometheus-bearer-token-file", BearerTokenFile),
            ("--prometheus-ca-file", CaFile),
            ("--prometheus-client-cert-file", ClientCertFile),
            ("--prometheus-client-key-file", ClientKeyFile),
            ("--prometheus-password-file", PasswordFile)))
        {
            yield return missing;
        }

        if (Timeout < TimeSpan.FromMilliseconds(50) || Timeout > TimeSpan.FromMinutes(10))
        {
            yield return "--prometheus-timeout: must be between 50ms and 10m";
        }

        if (CacheTtl < TimeSpan.Zero || CacheTtl > TimeSpan.FromHours(1))
        {
            yield return "--cache-ttl: must be between 0s and 1h";
        }

        if (MaxStale < TimeSpan.Zero || MaxStale > TimeSpan.FromHours(24))
        {
            yield return "--max-stale: must be between 0s and 24h";
        }
    }

    /// <summary>Splits <c>NAME=VALUE</c>; false when it is not that, or names what is no request header.</summary>
    public static bool TryParseHeader(string header, out string name, out string value)
    {
        int equals = header.IndexOf('=', StringComparison.Ordinal);
        name = (equals < 0 ? header : header[..equals]).Trim();
        value = equals < 0 ? "" : header[(equals + 1)..].Trim();
        if (equals < 0)
        {
            name = "(without =)";
            return false;
        }

        if (name.Length == 0 || value.Any(char.IsControl))
        {
            return false;
        }

        using HttpRequestMessage scratch = new();
        try
        {
            return scratch.Headers.TryAddWithoutValidation(name, value);
        }
        catch (FormatException)
        {
            return false;
        }
    }
}
