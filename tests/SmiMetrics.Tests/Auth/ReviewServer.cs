using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Auth;

/// <summary>Stands for a kube-apiserver that is asked for reviews, and answers as a test has it.</summary>
internal sealed class ReviewServer : HttpMessageHandler
{
    private readonly ConcurrentQueue<(string Path, JsonNode Body)> _requests = [];
    private readonly SemaphoreSlim _arrivals = new(0);

    /// <summary>Given the review; may throw, or take its time.</summary>
    public Func<JsonNode, Task<HttpResponseMessage>> Answer { get; set; } = _ => Task.FromResult(Status("""{"allowed":true}"""));

    public IReadOnlyList<(string Path, JsonNode Body)> Requests => [.. _requests];

    public KubernetesApi Api => KubernetesApi.Over(this);

    /// <summary>A review with this status.</summary>
    public static HttpResponseMessage Status(string json) => Text(HttpStatusCode.Created, $$"""{"kind":"X","metadata":{"managedFields":[]},"spec":{},"status":{{json}}}""");

    public static HttpResponseMessage Text(HttpStatusCode code, string text) => new(code) { Content = new StringContent(text) };

    /// <summary>Waits until another request has come.</summary>
    public async Task ArrivedAsync() => Assert.True(await _arrivals.WaitAsync(Patience.Limit), "no request came");

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        JsonNode body = JsonNode.Parse(Encoding.UTF8.GetString(await request.Content!.ReadAsByteArrayAsync(cancellationToken)))!;
        Assert.Equal(HttpMethod.Post, request.Method);
        Assert.Equal("application/json", request.Content.Headers.ContentType?.MediaType);
        _requests.Enqueue((request.RequestUri!.AbsolutePath, body));
        _arrivals.Release();
        return await Answer(body).WaitAsync(cancellationToken);
    }
}
