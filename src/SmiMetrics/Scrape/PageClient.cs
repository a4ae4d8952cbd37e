using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using SmiMetrics.Exposition;
using SmiMetrics.Transport;

namespace SmiMetrics.Scrape;

/// <summary>
/// Fetches pages of metrics. Whoever may create a pod chooses what such a page is, so it gets a small buffer and a bounded length,
/// is never followed elsewhere, and sees no credentials.
/// </summary>
internal sealed class PageClient : IDisposable
{
    /// <summary>Decompressed.</summary>
    public const int MaxPageBytes = 64 * 1024 * 1024;

    public const int MaxLineBytes = 1024 * 1024;

    /// <summary>How many pages at a time may have a line that is longer than the buffer. Well-behaved ones have none.</summary>
    private const int MaxLongLines = 32;

    private const int BufferBytes = 16 * 1024;

    // What Prometheus asks for without protobuf (scrape/scrape.go, acceptHeader).
    private const string Accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

    private readonly HttpMessageInvoker _http;
    private readonly SecretFile? _token;
    private readonly string _userAgent;
    private readonly string _timeoutSeconds;
    private readonly SemaphoreSlim _longLines = new(MaxLongLines);

    /// <param name="options">Without <see cref="ScrapeOptions.Problems"/>.</param>
    /// <param name="door">The <c>proxies</c> door: a <see cref="TransportHandler"/>, or what demo and tests put in its place. Disposed with the client.</param>
    /// <param name="version">Our own, for the targets' access logs.</param>
    /// <param name="timeProvider">The clock by which files are read again.</param>
    public PageClient(ScrapeOptions options, HttpMessageHandler door, string version, TimeProvider timeProvider)
    {
        _http = new HttpMessageInvoker(door, disposeHandler: true);
        _token = options.BearerTokenFile is null ? null : new SecretFile(options.BearerTokenFile, timeProvider);
        _userAgent = $"smi-metrics/{version}";
        _timeoutSeconds = options.Timeout.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
    }

    /// <summary>Fetches a target's page into <paramref name="page"/>, which is left to the caller to complete or fail.</summary>
    /// <param name="target">Whose page it is.</param>
    /// <param name="page">Takes the lines.</param>
    /// <param name="cancellationToken">The deadline.</param>
    /// <exception cref="Exception"><see cref="ScrapeFailure.Of"/> says what each means.</exception>
    public async Task FetchAsync(ScrapeTarget target, PageInProgress page, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, target.Url);
        request.Headers.TryAddWithoutValidation("Accept", Accept);
        request.Headers.TryAddWithoutValidation("User-Agent", _userAgent);
        request.Headers.TryAddWithoutValidation("X-Prometheus-Scrape-Timeout-Seconds", _timeoutSeconds);
        if (_token is not null && target.Pod is null && target.Url.Scheme == Uri.UriSchemeHttps)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token.Text);
        }

        using HttpResponseMessage response = await _http.SendAsync(request, cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw new ScrapeException(ScrapeOutcome.HttpError, string.Create(CultureInfo.InvariantCulture, $"answered {(int)response.StatusCode}"));
        }

        ExpositionFormat format = FormatOf(response.Content.Headers.ContentType?.MediaType);
        if (response.Content.Headers.ContentLength > MaxPageBytes)
        {
            throw TooLarge();
        }

        await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
        await ReadLinesAsync(body, page, format, cancellationToken);
    }

    public void Dispose() => _http.Dispose();

    // No type, or the type of any bytes, is what small servers write by hand send.
    private static ExpositionFormat FormatOf(string? mediaType) => mediaType?.ToLowerInvariant() switch
    {
        null or "text/plain" or "application/octet-stream" => ExpositionFormat.Text,
        "application/openmetrics-text" => ExpositionFormat.OpenMetrics,
        { Length: <= 50 } other => throw new ScrapeException(ScrapeOutcome.Unreadable, $"answered with {other}, which is no page of metrics"),
        _ => throw new ScrapeException(ScrapeOutcome.Unreadable, "answered with what is no page of metrics"),
    };

    private async Task ReadLinesAsync(Stream body, PageInProgress page, ExpositionFormat format, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        bool hasLongLine = false;
        try
        {
            int filled = 0;
            long total = 0;
            for (int read; (read = await body.ReadAsync(buffer.AsMemory(filled), cancellationToken)) > 0;)
            {
                total += read;
                if (total > MaxPageBytes)
                {
                    throw TooLarge();
                }

                int lastLineFeed = buffer.AsSpan(filled, read).LastIndexOf((byte)'\n');
                int whole = lastLineFeed < 0 ? 0 : filled + lastLineFeed + 1;
                filled += read;
                if (whole > 0)
                {
                    page.Read(buffer.AsSpan(0, whole), format);
                    buffer.AsSpan(whole, filled - whole).CopyTo(buffer);
                    filled -= whole;
                }

                if (filled < buffer.Length)
                {
                    continue;
                }

                if (filled >= MaxLineBytes)
                {
                    throw new ScrapeException(ScrapeOutcome.TooLarge, "a line is longer than 1 MiB");
                }

                if (!hasLongLine)
                {
                    await _longLines.WaitAsync(cancellationToken);
                    hasLongLine = true;
                }

                byte[] longer = ArrayPool<byte>.Shared.Rent(Math.Min(buffer.Length * 4, MaxLineBytes));
                buffer.CopyTo(longer, 0);
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = longer;
            }

            // The start of a line, to which the page will say what it thinks of it.
            page.Read(buffer.AsSpan(0, filled), format);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            if (hasLongLine)
            {
                _longLines.Release();
            }
        }
    }

    private static ScrapeException TooLarge() => new(ScrapeOutcome.TooLarge, "page is larger than 64 MiB");
}
