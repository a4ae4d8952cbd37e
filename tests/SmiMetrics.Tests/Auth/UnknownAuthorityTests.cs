using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class UnknownAuthorityTests : IDisposable
{
    private static readonly TestAuthority Old = TestAuthority.Root("front-proxy-ca");
    private static readonly TestAuthority New = TestAuthority.Root("second-front-proxy-ca");
    private static readonly X509Certificate2 Known = Old.Issue("CN=front-proxy-client", TestAuthority.ClientAuthentication);
    private static readonly X509Certificate2 Unknown = New.Issue("CN=front-proxy-client", TestAuthority.ClientAuthentication);

    private readonly AskedTime _clock = new(TestAuthority.Now);
    private readonly AuthenticationTrust _trust;
    private readonly UnknownAuthority _unknown;

    public UnknownAuthorityTests()
    {
        _trust = new AuthenticationTrust(new AuthenticationOptions(), _clock, NullLogger<AuthenticationTrust>.Instance);
        _unknown = new UnknownAuthority(new AuthenticationOptions(), _trust, _clock);
        TrustIn(Old);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _trust.Dispose();

    [Fact]
    public void A_known_one_waits_for_nothing() => Assert.True(_unknown.WaitAsync(Known, [], Token).IsCompletedSuccessfully);

    /// <summary>Users' certificates are vouched for by another authority than front proxies'.</summary>
    [Fact]
    public void A_users_certificate_waits_for_nothing()
    {
        TestAuthority users = TestAuthority.Root("ca");
        _trust.Apply(new Dictionary<string, string> { ["client-ca-file"] = users.Pem });
        Assert.True(_unknown.WaitAsync(users.Issue("CN=alice", TestAuthority.ClientAuthentication), [], Token).IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_new_one_waits_until_it_is_published()
    {
        Task waiting = _unknown.WaitAsync(Unknown, [], Token);
        // It is looked at every 50 ms.
        Assert.Equal(TimeSpan.FromMilliseconds(450), await TimeUntilAsync(waiting, publishAfter: TimeSpan.FromMilliseconds(400)));
    }

    [Fact]
    public async Task A_stranger_waits_two_seconds()
    {
        Task waiting = _unknown.WaitAsync(Unknown, [], Token);
        Assert.Equal(TimeSpan.FromSeconds(2), await TimeUntilAsync(waiting, publishAfter: null));
    }

    [Fact]
    public async Task Many_strangers_are_not_waited_with()
    {
        using CancellationTokenSource gone = new();
        Task[] waiting = [.. Enumerable.Range(0, 100).Select(_ => _unknown.WaitAsync(Unknown, [], gone.Token))];
        Assert.DoesNotContain(waiting, wait => wait.IsCompleted);
        Assert.True(_unknown.WaitAsync(Unknown, [], Token).IsCompletedSuccessfully);

        await gone.CancelAsync();
        await Task.WhenAll(waiting);
        using CancellationTokenSource alone = new();
        Task another = _unknown.WaitAsync(Unknown, [], alone.Token);
        Assert.False(another.IsCompleted);
        await alone.CancelAsync();
        await another;
    }

    [Fact]
    public void Where_a_file_names_the_authorities_nothing_is_about_to_change()
    {
        AuthenticationOptions options = new() { FrontProxy = new FrontProxyOptions { RequestHeaderClientCaFile = "ca.crt" }, ClientCaFile = "users.crt" };
        UnknownAuthority ofFlags = new(options, _trust, _clock);
        Assert.True(ofFlags.WaitAsync(Unknown, [], Token).IsCompletedSuccessfully);
    }

    private async Task<TimeSpan> TimeUntilAsync(Task waiting, TimeSpan? publishAfter)
    {
        DateTimeOffset begun = _clock.GetUtcNow();
        while (!waiting.IsCompleted)
        {
            Task looked = _clock.NextQuestion();
            _clock.Advance(TimeSpan.FromMilliseconds(50));
            await Task.WhenAny(waiting, looked).WaitAsync(Patience.Limit, Token);
            if (_clock.GetUtcNow() - begun == publishAfter)
            {
                TrustIn(Old, New);
            }
        }

        await waiting;
        return _clock.GetUtcNow() - begun;
    }

    private void TrustIn(params TestAuthority[] authorities) => _trust.Apply(new Dictionary<string, string>
    {
        ["requestheader-client-ca-file"] = string.Concat(authorities.Select(authority => authority.Pem)),
        ["requestheader-allowed-names"] = """["front-proxy-client"]""",
        ["requestheader-username-headers"] = """["X-Remote-User"]""",
    });

    /// <summary>Tells when somebody asks how long it has been, as whoever waits does before each wait.</summary>
    private sealed class AskedTime(DateTimeOffset start) : FakeTimeProvider(start)
    {
        private TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task NextQuestion() => (_asked = new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

        public override long GetTimestamp()
        {
            long now = base.GetTimestamp();
            _asked.TrySetResult();
            return now;
        }
    }
}
