using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace SmiMetrics.Kubernetes;

/// <summary>What to list and watch.</summary>
/// <param name="Name">As RBAC rules name it; for logs and metrics.</param>
/// <param name="Paths">Where it is served, the preferred version first. The first that the cluster knows is used.</param>
internal sealed record WatchedResource(string Name, params IReadOnlyList<string> Paths)
{
    /// <summary>Ask for metadata alone: labels and owners, without spec and status. Servers that cannot do so send all, which we skip.</summary>
    public bool MetadataOnly { get; init; }

    /// <summary>Whether a view of the cluster is whole without it. Its kind may not be installed, or the server not be allowed to see it.</summary>
    public bool Optional { get; init; }

    /// <summary>Null for all objects.</summary>
    public string? FieldSelector { get; init; }

    /// <summary>When set, a watch ends after this time and everything is listed again, in case a watch ever misses something.</summary>
    public TimeSpan? RelistEvery { get; init; }
}

/// <summary>
/// Follows one resource of the cluster for as long as it runs. The rules are those of client-go's reflector
/// (tools/cache/reflector.go) and of "Efficient detection of changes" in the API concepts of Kubernetes:
/// <list type="number">
/// <item>List in pages of 500, at the preferred path that the cluster serves. The list's resourceVersion is where watching begins.
/// A continue token that expires (410) restarts the list; if one expires again, the list is read in one piece. If no path is
/// served there are no objects, and that is looked at again every few minutes.</item>
/// <item>Whatever was known and is not in the list is gone.</item>
/// <item>Watch from the last resourceVersion seen. Each event brings a newer one; bookmarks bring only that.</item>
/// <item>The server ends a watch after the time that we asked for, at random between 5 and 10 minutes; then watch again from where
/// it ended, without listing. A watch that outlives its time is dead, and is cut.</item>
/// <item>410, as a status or in an ERROR event, means that the server no longer has the history since then: back to 1. So does a
/// refusal (403, 404), so that lists keep us current where watches are not allowed.</item>
/// <item>After any failure wait, longer each time, until a list and a watch succeed again.</item>
/// </list>
/// Calls of <paramref name="changed"/> and <paramref name="listed"/> never overlap.
/// </summary>
/// <param name="changed">Called with every object, when it is listed and when it changes, and with null when it is gone.</param>
/// <param name="listed">Called after each whole list, and when an optional resource cannot be listed.</param>
/// <param name="pool">Shares the namespaces of keys.</param>
internal sealed partial class Informer(
    KubernetesApi api,
    WatchedResource resource,
    Action<ObjectKey, KubeObject?> changed,
    Action listed,
    Pool pool,
    TimeProvider timeProvider,
    ILogger logger,
    KubernetesMetrics metrics)
{
    private const int PageSize = 500;
    private static readonly TimeSpan PageDeadline = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortestWatch = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan WatchMargin = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LookAgainAfter = TimeSpan.FromMinutes(3);

    /// <summary>A watch that has stood for this long, or has brought an event, is one that works.</summary>
    public static readonly TimeSpan SteadyAfter = TimeSpan.FromSeconds(0.5);

    private readonly Backoff _backoff = new(Random.Shared);
    private HashSet<ObjectKey> _known = [];
    private string _path = "";
    private string? _resourceVersion;
    private string? _trouble;
    private volatile bool _listed;

    public string Resource => resource.Name;

    /// <inheritdoc cref="WatchedResource.Optional"/>
    public bool Optional => resource.Optional;

    /// <summary>Whether the resource has been listed at least once.</summary>
    public bool Listed => _listed;

    /// <summary>Why it cannot be listed or watched at present; null when all is well.</summary>
    public string? Trouble => Volatile.Read(ref _trouble);

    /// <summary>Ends when asked to stop, and never fails.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                TimeSpan pause = await FollowAsync(cancellationToken);
                if (pause > TimeSpan.Zero)
                {
                    await Task.Delay(pause, timeProvider, cancellationToken);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
        }
    }

    /// <summary>One list or one watch.</summary>
    /// <returns>How long to wait before the next.</returns>
    private async Task<TimeSpan> FollowAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_resourceVersion is not null)
            {
                await WatchAsync(cancellationToken);
                return TimeSpan.Zero;
            }

            _resourceVersion = await ListAsync(cancellationToken);
            if (_resourceVersion is not null)
            {
                return TimeSpan.Zero;
            }

            Steady();
            return Backoff.Lengthen(LookAgainAfter, Random.Shared);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // A connection that is closed under a reader fails in many ways; when stopping, none of them matters.
            throw new OperationCanceledException(cancellationToken);
        }
        catch (RefusedException e) when (e.Status == HttpStatusCode.Gone)
        {
            _resourceVersion = null;
            Log.Expired(logger, Resource);
            return _backoff.Next();
        }
        catch (Exception e)
        {
            if (e is RefusedException { Status: >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError and not HttpStatusCode.TooManyRequests })
            {
                _resourceVersion = null;
            }

            metrics.Failed(Resource);
            string reason = e is OperationCanceledException ? "no answer in time" : e.Message;
            if (Interlocked.Exchange(ref _trouble, reason) != reason)
            {
                Log.Failed(logger, Resource, reason);
                if (Optional)
                {
                    // Who waited for its list need wait no longer.
                    listed();
                }
            }

            return _backoff.Next();
        }
    }

    // ---- Steps 1 and 2: list

    /// <returns>The resourceVersion to watch from; null when no path is served.</returns>
    private async Task<string?> ListAsync(CancellationToken cancellationToken)
    {
        HashSet<ObjectKey> seen = [];
        string? resourceVersion = null;
        foreach (string path in resource.Paths)
        {
            try
            {
                resourceVersion = await ListAsync(path, seen, cancellationToken);
                _path = path;
                break;
            }
            catch (RefusedException e) when (e.Status == HttpStatusCode.NotFound && (_path.Length == 0 || path != resource.Paths[^1]))
            {
                // Another version may be served. A kind that has been served once does not vanish: then it is a proxy that fails over,
                // and what is known stays until it answers again.
            }
        }

        foreach (ObjectKey key in _known)
        {
            if (!seen.Contains(key))
            {
                changed(key, null);
            }
        }

        _known = seen;
        _listed = true;
        metrics.Listed(Resource);
        listed();
        return resourceVersion;
    }

    private async Task<string> ListAsync(string path, HashSet<ObjectKey> seen, CancellationToken cancellationToken)
    {
        int? limit = PageSize;
        bool expiredBefore = false;
        while (true)
        {
            seen.Clear();
            try
            {
                return await ListPagesAsync(path, limit, seen, cancellationToken);
            }
            catch (RefusedException e) when (e.Status == HttpStatusCode.Gone && limit is not null)
            {
                limit = expiredBefore ? null : limit;
                expiredBefore = true;
            }
        }
    }

    private async Task<string> ListPagesAsync(string path, int? limit, HashSet<ObjectKey> seen, CancellationToken cancellationToken)
    {
        string? resourceVersion = null;
        string? token = null;
        do
        {
            Query query = new(path);
            query.Add("fieldSelector", resource.FieldSelector);
            query.Add("limit", limit?.ToString());
            query.Add("continue", token);

            using CancellationTokenSource deadline = new(PageDeadline, timeProvider);
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
            using HttpResponseMessage response = await GetAsync(query, "PartialObjectMetadataList", either.Token);
            await using Stream body = await response.Content.ReadAsStreamAsync(either.Token);
            KubeList page = await JsonSerializer.DeserializeAsync(body, KubeJson.Default.KubeList, either.Token) ?? new KubeList();
            foreach (KubeObject item in page.Items ?? [])
            {
                if (KeyOf(item) is { } key)
                {
                    seen.Add(key);
                    _known.Add(key);
                    changed(key, item);
                }
            }

            // All pages are of one moment, that of the first.
            resourceVersion ??= page.Metadata?.ResourceVersion;
            token = page.Metadata?.Continue;
        }
        while (!string.IsNullOrEmpty(token));

        return resourceVersion ?? throw new InvalidDataException("a list without resourceVersion");
    }

    // ---- Steps 3 and 4: watch

    private async Task WatchAsync(CancellationToken cancellationToken)
    {
        TimeSpan time = resource.RelistEvery ?? TimeSpan.FromSeconds(Math.Floor(ShortestWatch.TotalSeconds * (1 + Random.Shared.NextDouble())));
        Query query = new(_path);
        query.Add("watch", "true");
        query.Add("fieldSelector", resource.FieldSelector);
        query.Add("resourceVersion", _resourceVersion);
        query.Add("allowWatchBookmarks", "true");
        query.Add("timeoutSeconds", $"{time.TotalSeconds:0}");

        using CancellationTokenSource deadline = new(time + WatchMargin, timeProvider);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        long opened = timeProvider.GetTimestamp();
        bool fruitful = false;
        try
        {
            using HttpResponseMessage response = await GetAsync(query, "PartialObjectMetadata", either.Token);
            opened = timeProvider.GetTimestamp();
            metrics.WatchOpened(Resource);
            await using ITimer steady = timeProvider.CreateTimer(_ => Steady(), state: null, SteadyAfter, Timeout.InfiniteTimeSpan);
            await foreach (ReadOnlySequence<byte> line in ReadLinesAsync(await response.Content.ReadAsStreamAsync(either.Token), either.Token))
            {
                fruitful |= Take(line);
            }
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException("the watch outlived its time without being closed");
        }

        if (!fruitful && timeProvider.GetElapsedTime(opened) < SteadyAfter)
        {
            // Without this, a proxy that closes every watch at once would have us ask without pause.
            throw new HttpIOException(HttpRequestError.ResponseEnded, "the watch was closed as soon as it was opened");
        }

        if (resource.RelistEvery is not null)
        {
            _resourceVersion = null;
        }
    }

    private static async IAsyncEnumerable<ReadOnlySequence<byte>> ReadLinesAsync(
        Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        PipeReader reader = PipeReader.Create(stream);
        try
        {
            ReadResult read;
            do
            {
                read = await reader.ReadAsync(cancellationToken);
                ReadOnlySequence<byte> rest = read.Buffer;
                while (rest.PositionOf((byte)'\n') is { } end)
                {
                    yield return rest.Slice(0, end);
                    rest = rest.Slice(rest.GetPosition(1, end));
                }

                reader.AdvanceTo(rest.Start, rest.End);
            }
            while (!read.IsCompleted); // A last line without its end was cut off; the next watch delivers it again.
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }

    /// <returns>Whether the line was an event.</returns>
    private bool Take(ReadOnlySequence<byte> line)
    {
        KubeEvent? received;
        try
        {
            Utf8JsonReader reader = new(line);
            received = JsonSerializer.Deserialize(ref reader, KubeJson.Default.KubeEvent);
        }
        catch (JsonException)
        {
            received = null;
        }

        if (received is { Type: "ERROR", Object: { } status })
        {
            throw new RefusedException((HttpStatusCode)(status.Code ?? 500), status.Message ?? "the watch failed");
        }

        ObjectKey? key = KeyOf(received?.Object);
        switch (received?.Type)
        {
            case "BOOKMARK":
                break;
            case "ADDED" or "MODIFIED" when key is not null:
                _known.Add(key.Value);
                changed(key.Value, received.Object);
                break;
            case "DELETED" when key is not null:
                _known.Remove(key.Value);
                changed(key.Value, null);
                break;
            default:
                metrics.EventSkipped(Resource);
                Log.Skipped(logger, Resource);
                return false;
        }

        _resourceVersion = received.Object?.Metadata?.ResourceVersion ?? _resourceVersion;
        Steady();
        return true;
    }

    // ---- Both

    private ObjectKey? KeyOf(KubeObject? item) =>
        item?.Metadata is { Name: { Length: > 0 } name } metadata ? new ObjectKey(pool.Share(metadata.Namespace), name) : null;

    private async Task<HttpResponseMessage> GetAsync(Query query, string metadataKind, CancellationToken cancellationToken)
    {
        string accept = resource.MetadataOnly ? $"application/json;as={metadataKind};g=meta.k8s.io;v=v1,application/json" : "application/json";
        HttpResponseMessage response = await api.GetAsync(query.ToString(), accept, cancellationToken);
        if (response.IsSuccessStatusCode)
        {
            return response;
        }

        using (response)
        {
            throw new RefusedException(response.StatusCode, await ReadReasonAsync(response, cancellationToken));
        }
    }

    // Kubernetes explains itself in a Status; a proxy in front of it in whatever it likes.
    private static async Task<string> ReadReasonAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        string reason = $"{(int)response.StatusCode} {response.ReasonPhrase}".TrimEnd();
        try
        {
            await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
            KubeObject? status = await JsonSerializer.DeserializeAsync(body, KubeJson.Default.KubeObject, cancellationToken);
            return status?.Message is { Length: > 0 } message ? $"{reason}: {message}" : reason;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return reason;
        }
    }

    /// <summary>All is well: an event came, or a watch has stood for a while.</summary>
    private void Steady()
    {
        _backoff.Reset();
        if (Interlocked.Exchange(ref _trouble, null) is not null)
        {
            Log.Recovered(logger, Resource);
        }
    }

    /// <summary>kube-apiserver answered, but not with what we asked for.</summary>
    private sealed class RefusedException(HttpStatusCode status, string message) : Exception(message)
    {
        public HttpStatusCode Status => status;
    }

    private sealed class Query(string path)
    {
        private string _text = path;

        public void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                _text += $"{(_text.Contains('?') ? '&' : '?')}{name}={Uri.EscapeDataString(value)}";
            }
        }

        public override string ToString() => _text;
    }

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Warning, "Cannot follow {Resource} in Kubernetes: {Reason}. Trying until it works.")]
        public static partial void Failed(ILogger logger, string resource, string reason);

        [LoggerMessage(LogLevel.Information, "Following {Resource} in Kubernetes again.")]
        public static partial void Recovered(ILogger logger, string resource);

        [LoggerMessage(LogLevel.Debug, "The history of {Resource} in Kubernetes has expired; listing again.")]
        public static partial void Expired(ILogger logger, string resource);

        [LoggerMessage(LogLevel.Debug, "Skipped an event of {Resource} in Kubernetes that cannot be read.")]
        public static partial void Skipped(ILogger logger, string resource);
    }
}
