using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using SmiMetrics.Exposition;

namespace SmiMetrics.Demo;

/// <summary>The door <c>proxies</c> of the demo: answers <c>http://POD-IP:PORT/PATH</c> with what that pod's proxy would show now.</summary>
internal sealed class SimulatedProxies(SimulatedCluster cluster, SimulatedMesh mesh) : HttpMessageHandler
{
    private readonly RequestCounter _requests = new(cluster.World, mesh.Bounds);

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        TimeSpan age = cluster.Age;
        Uri url = request.RequestUri!;
        SimulatedPod? pod = cluster.PodsAt(age).FirstOrDefault(pod => pod.Ip == url.Host);
        if (pod is null || url.Port != mesh.Page.Port)
        {
            return Task.FromException<HttpResponseMessage>(new HttpRequestException(
                HttpRequestError.ConnectionError, pod is null ? $"no route to host ({url.Host})" : $"connection refused ({url.Authority})"));
        }

        HttpResponseMessage response = url.AbsolutePath == mesh.Page.Path ? Page(pod, age) : new HttpResponseMessage(HttpStatusCode.NotFound);
        response.RequestMessage = request;
        return Task.FromResult(response);
    }

    private HttpResponseMessage Page(SimulatedPod pod, TimeSpan age)
    {
        ArrayBufferWriter<byte> page = new(64 * 1024);
        mesh.WritePage(new ExpositionWriter(page), pod, age, cluster, _requests);
        ReadOnlyMemoryContent content = new(page.WrittenMemory);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(ExpositionWriter.ContentType);
        return new HttpResponseMessage(HttpStatusCode.OK) { Content = content };
    }
}
