using System.Net;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>A server behind kube-apiserver that asks Prometheus anew for each request.</summary>
public sealed class GuardedServer(World world) : ServerBehindDoor(world)
{
    private readonly int _securePort = FreePort.Next();

    private protected override string[] Flags =>
    [
        "--cache-ttl", "0s", "--max-stale", "0s",
        "--secure-port", $"{_securePort}", "--authorization-mode", "AlwaysAllow",
        "--requestheader-client-ca-file", World.ControlPlane.FrontProxyAuthority.File,
        "--tls-cert-file", World.Installation.CertificateFile, "--tls-private-key-file", World.Installation.KeyFile,
    ];

    internal Task RouteAsync(CancellationToken cancellationToken) =>
        World.RouteToAsync(_securePort, World.Installation.Authority, new RequestCounts(Server.Admin), () => "", cancellationToken);
}

/// <summary>
/// kube-apiserver passes everybody's requests through one connection. What is odd about one of them, and legal for Go, is its sender's business alone.
/// </summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class OddRequestTests(World world, GuardedServer guarded) : WorldTest(world), IClassFixture<GuardedServer>
{
    private const int Others = 12;

    // Open to everybody whom the cluster knows.
    private const string Discovery = $"GET {Api}";

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await guarded.RouteAsync(Token);
    }

    public static readonly TheoryData<string, string, int> Requests = new()
    {
        { "a header that is not UTF-8", $"{Discovery} HTTP/1.1\r\nX-Foo: \u00ff", 200 },
        { "known headers that are not UTF-8", $"{Discovery} HTTP/1.1\r\nUser-Agent: \u00ff\r\nAccept: \u00ff, */*\r\nIf-None-Match: \u00ff\r\nAudit-Id: \u00ff", 200 },
        { "a path that is not UTF-8, which is repeated in a header", $"{Discovery}/%ff HTTP/1.1", 404 },
        { "a query that is not UTF-8, which kube-apiserver escapes", $"{Discovery}?x=\u00ff HTTP/1.1", 200 },
        { "a header of 135 kB", $"{Discovery} HTTP/1.1\r\nX-Foo: {Long(135_000)}", 200 },
        { "a URL of 135 kB", $"{Discovery}?x={Long(135_000)} HTTP/1.1", 200 },
        { "a path of 135 kB", $"{Discovery}/{Long(135_000)} HTTP/1.1", 404 },
        { "headers of 900 kB, which kube-apiserver does not pass on", $"{Discovery} HTTP/1.1\r\nX-Foo: {Long(900_000)}", 503 },
        { "five thousand headers", $"{Discovery} HTTP/1.1\r\n{string.Join("\r\n", Enumerable.Range(0, 5_000).Select(i => $"X-{i}: 1"))}", 200 },
        { "a header in five thousand lines", $"{Discovery} HTTP/1.1\r\n{string.Join("\r\n", Enumerable.Repeat("X-Foo: 1", 5_000))}", 200 },
        { "nine thousand cookies", $"{Discovery} HTTP/1.1\r\nCookie: {string.Join("; ", Enumerable.Repeat("a=1", 9_000))}", 200 },
        { "headers of the connection", $"{Discovery} HTTP/1.1\r\nTE: gzip\r\nKeep-Alive: 1\r\nProxy-Connection: close\r\nHTTP2-Settings: AAMAAABk", 200 },
        { "a trailer that is not UTF-8", $"{Discovery} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Foo\r\n\r\n1\r\nx\r\n0\r\nX-Foo: \u00ff", 200 },
        { "a body that is not read", $"{Discovery} HTTP/1.1\r\nContent-Length: 200000\r\n\r\n{new string('x', 199_996)}", 200 },
        { "names of every letter that a name may have", $"{Discovery} HTTP/1.1\r\nX-!#$%&'*+.^_`|~: a\tb\r\nX-Empty:", 200 },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task Nobody_else_notices(string what, string request, int code)
    {
        // Paths below discovery are passed on for those only who may read them.
        KeyPair sender = request.StartsWith($"{Discovery}/", StringComparison.Ordinal) ? World.ControlPlane.AdminCertificate : World.ControlPlane.CertificateFor("odd-olga");
        (HttpStatusCode answered, string answer) = await AskedAmongOthersAsync(sender, request);
        Assert.True(code == (int)answered, $"{what}: {answer}");
    }

    /// <summary>Whoever may impersonate may call somebody anything.</summary>
    [Theory]
    [InlineData("Impersonate-User: \u00ff")]
    [InlineData("Impersonate-User: olga\r\nImpersonate-Group: \u00ff")]
    [InlineData("Impersonate-User: olga\r\nImpersonate-Extra-Scopes: \u00ff")]
    public async Task Who_has_a_name_that_is_not_UTF_8_is_nobody(string headers)
    {
        (HttpStatusCode answered, string answer) = await AskedAmongOthersAsync(World.ControlPlane.AdminCertificate, $"{Discovery} HTTP/1.1\r\n{headers}");
        Assert.True(answered == HttpStatusCode.Unauthorized, answer);
    }

    /// <summary>Asks while others' requests are in flight, and asserts that those are answered.</summary>
    /// <param name="request">Without what every request has.</param>
    private async Task<(HttpStatusCode Code, string Answer)> AskedAmongOthersAsync(KeyPair sender, string request)
    {
        guarded.Door.Forget(together: int.MaxValue);
        Task<HttpAnswer>[] others =
            [.. Enumerable.Range(0, Others).Select(_ => World.ControlPlane.Api.SendAsync(HttpMethod.Get, $"{Api}/namespaces/shop/deployments/web", null, [], Token))];
        await guarded.InFlightAsync(Others, Token);
        try
        {
            int line = request.IndexOf(" HTTP/1.1", StringComparison.Ordinal) + " HTTP/1.1".Length;
            return await RawRequest.SendAsync(
                World.ControlPlane.Port, sender, $"{request[..line]}\r\nHost: kubernetes\r\nConnection: close{request[line..]}\r\n\r\n", Token);
        }
        finally
        {
            guarded.Door.Open();
            foreach (HttpAnswer other in await Task.WhenAll(others))
            {
                Assert.True(other.Code == HttpStatusCode.OK, $"{(int)other.Code} {other.Body}");
                Assert.Equal("ok", new TrafficItem(other.Json).State);
            }
        }
    }

    // In letters that HPACK does not shorten.
    private static string Long(int length) => new('X', length);
}
