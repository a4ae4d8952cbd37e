using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>Stands before Prometheus: counts the queries that pass, sees how many pass at once, and can be shut.</summary>
internal sealed class PrometheusDoor : IAsyncDisposable
{
    // Long enough that queries sent together are seen together, also on a busy machine.
    private static readonly TimeSpan Held = TimeSpan.FromMilliseconds(200);

    private readonly WebApplication _server;
    private readonly HttpClient _client;
    private readonly ConcurrentQueue<string> _queries = new();
    private int _inFlight;
    private int _mostInFlight;

    private PrometheusDoor(string prometheus)
    {
        _client = new HttpClient { BaseAddress = new Uri(prometheus) };
        _server = LoopbackServer.Create();
        _server.Run(PassAsync);
    }

    public string Url => _server.Address().GetLeftPart(UriPartial.Authority);

    /// <summary>When true, every connection is broken off.</summary>
    public bool Shut { get; set; }

    /// <summary>The PromQL of <c>increase</c> queries since <see cref="Forget"/>: what requests cost, without probes for meshes and intervals.</summary>
    public IReadOnlyList<string> IncreaseQueries => [.. _queries.Where(query => query.Contains("increase(", StringComparison.Ordinal))];

    public IReadOnlyList<string> AllQueries => [.. _queries];

    /// <summary>The most queries that were under way at one moment since <see cref="Forget"/>.</summary>
    public int MostInFlight => _mostInFlight;

    public static async Task<PrometheusDoor> OpenAsync(string prometheus, CancellationToken cancellationToken)
    {
        PrometheusDoor door = new(prometheus);
        await door._server.StartAsync(cancellationToken);
        return door;
    }

    public void Forget()
    {
        _queries.Clear();
        _mostInFlight = 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _client.Dispose();
    }

    private async Task PassAsync(HttpContext context)
    {
        if (Shut)
        {
            context.Abort();
            return;
        }

        using MemoryStream body = new();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        body.Position = 0;
        using HttpRequestMessage request = new(new HttpMethod(context.Request.Method), context.Request.Path + context.Request.QueryString);
        if (body.Length > 0)
        {
            request.Content = new StreamContent(body);
            request.Content.Headers.TryAddWithoutValidation("Content-Type", context.Request.ContentType);
        }

        Remember(await QueryTextAsync(body, context.Request));
        int inFlight = Interlocked.Increment(ref _inFlight);
        try
        {
            InterlockedMax(ref _mostInFlight, inFlight);
            await Task.Delay(Held, TimeProvider.System, context.RequestAborted);
            using HttpResponseMessage response = await _client.SendAsync(request, context.RequestAborted);
            context.Response.StatusCode = (int)response.StatusCode;
            context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
            await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    private void Remember(string? query)
    {
        if (query is not null)
        {
            _queries.Enqueue(query);
        }
    }

    private static async Task<string?> QueryTextAsync(MemoryStream body, HttpRequest request)
    {
        if (request.Query["query"] is [{ } inUrl, ..])
        {
            return inUrl;
        }

        using StreamReader reader = new(body, leaveOpen: true);
        string form = await reader.ReadToEndAsync();
        body.Position = 0;
        return Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(form).TryGetValue("query", out Microsoft.Extensions.Primitives.StringValues query)
            ? query.ToString()
            : null;
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen = target;
        while (seen < value)
        {
            seen = Interlocked.CompareExchange(ref target, value, seen);
        }
    }
}
