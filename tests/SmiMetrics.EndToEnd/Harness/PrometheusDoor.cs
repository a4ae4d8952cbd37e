using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>Stands before Prometheus: counts the queries that pass, can keep them until enough have come, and can be shut.</summary>
internal sealed class PrometheusDoor : IAsyncDisposable
{
    private readonly WebApplication _server;
    private readonly HttpClient _client;
    private readonly ConcurrentQueue<string> _queries = new();
    private TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _together;
    private int _waiting;

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
    public IReadOnlyList<string> IncreaseQueries => [.. _queries.Where(IsIncrease)];

    public IReadOnlyList<string> AllQueries => [.. _queries];

    public static async Task<PrometheusDoor> OpenAsync(string prometheus, CancellationToken cancellationToken)
    {
        PrometheusDoor door = new(prometheus);
        await door._server.StartAsync(cancellationToken);
        return door;
    }

    /// <summary>Counts anew.</summary>
    /// <param name="together">None of the <c>increase</c> queries that come now passes before so many are waiting.</param>
    public void Forget(int together = 1)
    {
        _queries.Clear();
        (_together, _waiting, _opened) = (together, 0, new(TaskCreationOptions.RunContinuationsAsynchronously));
    }

    /// <summary>Lets those pass that wait, and all that come.</summary>
    public void Open() => _opened.TrySetResult();

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

        if (await QueryTextAsync(body, context.Request) is { } query)
        {
            _queries.Enqueue(query);
            if (IsIncrease(query))
            {
                if (Interlocked.Increment(ref _waiting) >= _together)
                {
                    Open();
                }

                await _opened.Task.WaitAsync(context.RequestAborted);
            }
        }

        using HttpResponseMessage response = await _client.SendAsync(request, context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        context.Response.ContentType = response.Content.Headers.ContentType?.ToString();
        await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private static bool IsIncrease(string query) => query.Contains("increase(", StringComparison.Ordinal);

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
}
