using System.Buffers;
using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Web;

namespace SmiMetrics.Tests.Kubernetes;

/// <summary>A request that the fake has seen.</summary>
internal sealed record Seen(string Path, IReadOnlyDictionary<string, string> Query, string Accept)
{
    public bool IsWatch => Query.ContainsKey("watch");
}

/// <summary>
/// The list/watch protocol of kube-apiserver over objects in memory: resource versions, pages, watches that deliver what happened
/// since a version. Tests interfere through <see cref="Intercept"/> and the open watches.
/// </summary>
internal sealed class FakeApiServer : HttpMessageHandler
{

    private readonly Lock _lock = new();
    private readonly Dictionary<string, SortedDictionary<string, JsonObject>> _objects = [];
    private readonly List<(long Version, string Path, string Type, string Json)> _history = [];
    private readonly List<(string Path, PipeWriter Writer)> _watches = [];
    private readonly ConcurrentQueue<Seen> _requests = [];
    private readonly SemaphoreSlim _arrivals = new(0);
    private readonly List<Seen> _unread = [];
    private long _version = 100;

    /// <summary>Given a chance to answer instead. It may be called from several threads.</summary>
    public Func<Seen, HttpResponseMessage?> Intercept { get; set; } = _ => null;

    /// <summary>Every request so far.</summary>
    public IReadOnlyList<Seen> Requests => [.. _requests];

    /// <summary>Serves these paths; all others are 404.</summary>
    public FakeApiServer Serve(params ReadOnlySpan<string> paths)
    {
        foreach (string path in paths)
        {
            _objects.TryAdd(path, new(StringComparer.Ordinal));
        }

        return this;
    }

    /// <summary>Creates or replaces an object, and tells those who watch.</summary>
    public void Put(string path, string json)
    {
        lock (_lock)
        {
            JsonObject item = JsonNode.Parse(json)!.AsObject();
            JsonObject metadata = item["metadata"]!.AsObject();
            metadata["resourceVersion"] = $"{++_version}";
            string key = $"{metadata["namespace"]}/{metadata["name"]}";
            string type = _objects[path].ContainsKey(key) ? "MODIFIED" : "ADDED";
            _objects[path][key] = item;
            Tell(path, type, item);
        }
    }

    public void Delete(string path, string key, bool silently = false)
    {
        lock (_lock)
        {
            _objects[path].Remove(key, out JsonObject? item);
            item!["metadata"]!["resourceVersion"] = $"{++_version}";
            if (!silently)
            {
                Tell(path, "DELETED", item);
            }
        }
    }

    /// <summary>Sends a line to all who watch a path, whatever it is.</summary>
    public void SendLine(string path, string line)
    {
        lock (_lock)
        {
            foreach (PipeWriter writer in _watches.Where(watch => watch.Path == path).Select(watch => watch.Writer))
            {
                Write(writer, line + "\n");
            }
        }
    }

    /// <summary>Ends all watches of a path, perhaps within a line.</summary>
    public void CloseWatches(string path, string lastWords = "")
    {
        lock (_lock)
        {
            foreach ((_, PipeWriter writer) in _watches.Where(watch => watch.Path == path))
            {
                Write(writer, lastWords);
                writer.Complete();
            }

            _watches.RemoveAll(watch => watch.Path == path);
        }
    }

    /// <summary>The next request, in the order of arrival, that is such; those before it stay for later calls.</summary>
    public async Task<Seen> NextAsync(Func<Seen, bool> isSuch)
    {
        using CancellationTokenSource patience = new(Patience.Limit);
        while (true)
        {
            lock (_unread)
            {
                if (_unread.Find(request => isSuch(request)) is { } found)
                {
                    _unread.Remove(found);
                    return found;
                }
            }

            await _arrivals.WaitAsync(patience.Token);
        }
    }

    public Task<Seen> NextListAsync(string path) => NextAsync(request => request.Path == path && !request.IsWatch);

    public Task<Seen> NextWatchAsync(string path) => NextAsync(request => request.Path == path && request.IsWatch);

    public static HttpResponseMessage Status(HttpStatusCode code, string message) => new(code)
    {
        Content = new StringContent(
            $$"""{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"{{message}}","code":{{(int)code}}}"""),
    };

    public static string ErrorEvent(int code) =>
        $$$"""{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","code":{{{code}}}}}""";

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        System.Collections.Specialized.NameValueCollection query = HttpUtility.ParseQueryString(request.RequestUri!.Query);
        Seen seen = new(
            request.RequestUri.AbsolutePath,
            query.AllKeys.ToDictionary(key => key!, key => query[key]!),
            string.Join(",", request.Headers.GetValues("Accept")).Replace(" ", "", StringComparison.Ordinal));
        HttpResponseMessage response;
        try
        {
            response = Intercept(seen) ?? (_objects.ContainsKey(seen.Path) ? Answer(seen) : Status(HttpStatusCode.NotFound, "the server could not find the requested resource"));
        }
        finally
        {
            _requests.Enqueue(seen);
            lock (_unread)
            {
                _unread.Add(seen);
            }

            _arrivals.Release();
        }

        return Task.FromResult(response);
    }

    private HttpResponseMessage Answer(Seen seen)
    {
        lock (_lock)
        {
            return new HttpResponseMessage(HttpStatusCode.OK) { Content = seen.IsWatch ? Watch(seen) : List(seen) };
        }
    }

    private StringContent List(Seen seen)
    {
        int limit = seen.Query.TryGetValue("limit", out string? asked) ? int.Parse(asked) : int.MaxValue;
        // The token holds what a real one holds: the moment of the first page, and where to go on.
        (long version, int start) = seen.Query.TryGetValue("continue", out string? token)
            ? (long.Parse(token.Split('+')[0]), int.Parse(token.Split('+')[1]))
            : (_version, 0);
        JsonObject[] items = [.. _objects[seen.Path].Values.Where(item => Selected(seen, item))];
        JsonObject metadata = new() { ["resourceVersion"] = $"{version}" };
        if (items.Length - start > limit)
        {
            metadata["continue"] = $"{version}+{start + limit}";
        }

        JsonObject list = new()
        {
            ["kind"] = "List",
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. items.Skip(start).Take(limit).Select(item => item.DeepClone())]),
        };
        return new StringContent(list.ToJsonString());
    }

    private StreamContent Watch(Seen seen)
    {
        Pipe pipe = new(new PipeOptions(pauseWriterThreshold: 0));
        long since = long.Parse(seen.Query["resourceVersion"]);
        foreach ((_, _, _, string json) in _history.Where(entry => entry.Path == seen.Path && entry.Version > since))
        {
            Write(pipe.Writer, json);
        }

        _watches.Add((seen.Path, pipe.Writer));
        return new StreamContent(pipe.Reader.AsStream());
    }

    private void Tell(string path, string type, JsonObject item)
    {
        string line = new JsonObject { ["type"] = type, ["object"] = item.DeepClone() }.ToJsonString() + "\n";
        _history.Add((_version, path, type, line));
        foreach (PipeWriter writer in _watches.Where(watch => watch.Path == path).Select(watch => watch.Writer))
        {
            Write(writer, line);
        }
    }

    private static bool Selected(Seen seen, JsonObject item) =>
        !seen.Query.TryGetValue("fieldSelector", out string? selector) || selector == $"metadata.name={item["metadata"]!["name"]}";

    private static void Write(PipeWriter writer, string text)
    {
        writer.Write(Encoding.UTF8.GetBytes(text));
        _ = writer.FlushAsync().AsTask();
    }
}
