using System.Formats.Asn1;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Auth;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Auth;

/// <summary>Who a request is taken to come from, with all authenticators behind each other.</summary>
public sealed class RequestAuthenticatorTests : IDisposable
{
    private const string Usage = TestAuthority.ClientAuthentication;

    private static readonly TestAuthority FrontProxies = TestAuthority.Root("front-proxy-ca");
    private static readonly TestAuthority Users = TestAuthority.Root("ca");
    private static readonly TestAuthority Foreign = TestAuthority.Root("somebody-else");
    private static readonly X509Certificate2 FrontProxy = FrontProxies.Issue("CN=front-proxy-client", Usage);
    private static readonly X509Certificate2 Carol = Users.Issue("CN=carol,O=\"a,b\",O=ops", Usage);

    private readonly WatchedTime _time = new(TestAuthority.Now);
    private readonly AuthMeters _meters = new();
    private readonly LogRecorder<RequestAuthenticator> _log = new();
    private readonly ReviewServer _server = new();
    private readonly AuthenticationTrust _trust;

    public RequestAuthenticatorTests()
    {
        _trust = new AuthenticationTrust(new AuthenticationOptions(), _time, NullLogger<AuthenticationTrust>.Instance);
        _trust.Apply(new Dictionary<string, string>
        {
            ["client-ca-file"] = Users.Pem,
            ["requestheader-client-ca-file"] = FrontProxies.Pem,
            ["requestheader-allowed-names"] = """["front-proxy-client"]""",
            ["requestheader-username-headers"] = """["X-Remote-User"]""",
            ["requestheader-group-headers"] = """["X-Remote-Group"]""",
            ["requestheader-extra-headers-prefix"] = """["X-Remote-Extra-"]""",
        });
        _server.Answer = review => Task.FromResult(ReviewServer.Status(
            review["spec"]!["token"]!.GetValue<string>() == "good"
                ? """{"authenticated":true,"user":{"username":"dora","groups":["system:serviceaccounts","system:authenticated"]}}"""
                : """{"error":"invalid bearer token"}"""));
    }

    public void Dispose()
    {
        _trust.Dispose();
        _meters.Dispose();
        _server.Dispose();
    }

    [Theory]
    [InlineData("front proxy", "alice", "good", "alice: dev system:authenticated")]
    [InlineData("front proxy", "alice", "bad", "alice: dev system:authenticated")]
    [InlineData("front proxy", null, null, null)]
    [InlineData("front proxy", null, "good", "dora: system:serviceaccounts system:authenticated")]
    [InlineData("user", "alice", null, "carol: ops a,b system:authenticated")]
    [InlineData("user", null, "good", "carol: ops a,b system:authenticated")]
    [InlineData("foreign", null, null, null)]
    [InlineData("foreign", "alice", null, null)]
    [InlineData("foreign", "alice", "good", "dora: system:serviceaccounts system:authenticated")]
    [InlineData("nobody", null, "good", "dora: system:serviceaccounts system:authenticated")]
    [InlineData("nobody", null, "bad", null)]
    [InlineData("nobody", "alice", null, "system:anonymous: system:unauthenticated")]
    [InlineData("nobody", null, null, "system:anonymous: system:unauthenticated")]
    public async Task The_first_that_vouches_counts_and_an_error_is_not_anonymous(string peer, string? header, string? token, string? expected)
    {
        AuthenticationResult result = await New().AuthenticateAsync(Request(peer, header, token));

        if (expected is null)
        {
            Assert.IsType<AuthenticationResult.Error>(result);
            Assert.Single(_log.Lines);
        }
        else
        {
            RequestUser user = Assert.IsType<AuthenticationResult.Success>(result).User;
            Assert.Equal(expected, $"{user.Name}: {string.Join(' ', user.Groups)}");
            Assert.Empty(_log.Lines);
        }
    }

    [Theory]
    [InlineData("front proxy")]
    [InlineData("user")]
    [InlineData("foreign")]
    [InlineData("nobody")]
    public async Task Credentials_go_no_further(string peer)
    {
        DefaultHttpContext request = Request(peer, "alice", "good");
        request.Request.Headers["X-Remote-Extra-Scopes"] = "all";
        request.Request.Headers.Accept = "application/json";

        await New().AuthenticateAsync(request);

        Assert.Equal(["Accept"], request.Request.Headers.Keys);
    }

    [Theory]
    [InlineData("alice", "", "system:authenticated")]
    [InlineData("alice", "dev", "dev system:authenticated")]
    [InlineData("alice", "system:authenticated dev", "system:authenticated dev")]
    [InlineData("alice", "system:unauthenticated", "system:unauthenticated")]
    [InlineData("system:anonymous", "system:unauthenticated", "system:unauthenticated")]
    [InlineData("system:anonymous", "", "")]
    [InlineData("system:kube-aggregator", "system:masters", "system:masters system:authenticated")]
    public async Task Everybody_known_belongs_to_the_authenticated(string user, string sent, string expected)
    {
        DefaultHttpContext request = Request("front proxy", user, null);
        request.Request.Headers["X-Remote-Group"] = sent.Split(' ');

        AuthenticationResult.Success success = Assert.IsType<AuthenticationResult.Success>(await New().AuthenticateAsync(request));
        Assert.Equal(expected.Split(' ', StringSplitOptions.RemoveEmptyEntries), success.User.Groups);
    }

    [Theory]
    [InlineData("/readyz", true)]
    [InlineData("/apis/metrics.smi-spec.io/v1alpha2", false)]
    public async Task Where_everything_is_allowed_only_some_paths_are_open_to_anyone(string path, bool open)
    {
        DefaultHttpContext request = Request("nobody", null, null);
        request.Features.Set(RequestInfo.Of("GET", path, null));

        AuthenticationResult result = await New(info => info.Path == "/readyz").AuthenticateAsync(request);

        Assert.Equal(open, result is AuthenticationResult.Success { User.Name: "system:anonymous" });
        Assert.Equal(open, result is not AuthenticationResult.NoOpinion);
    }

    [Fact]
    public async Task A_thousand_strangers_are_one_line_in_ten_seconds()
    {
        RequestAuthenticator authenticator = New();
        for (int i = 0; i < 1_000; i++)
        {
            await authenticator.AuthenticateAsync(Request("nobody", null, "bad"));
        }

        Assert.Equal(["Request refused: bearer token: invalid bearer token (0 more since the last such line)"], _log.Lines);
        _time.Advance(TimeSpan.FromSeconds(10));
        await authenticator.AuthenticateAsync(Request("foreign", null, null));
        Assert.Equal(
            "Request refused: client certificate cn=mallory: signed by an unknown authority (999 more since the last such line)", _log.Lines[^1]);
    }

    [Fact]
    public async Task A_user_certificate_is_judged_once_for_each_generation_of_trust()
    {
        RequestAuthenticator authenticator = New();
        DefaultHttpContext request = Request("user", null, null);
        PresentedCertificates connection = request.Features.Get<PresentedCertificates>()!;
        await authenticator.AuthenticateAsync(request);
        CertificateVerdict first = connection.AsUser!;
        await authenticator.AuthenticateAsync(request);
        Assert.Same(first, connection.AsUser);

        _trust.Apply(new Dictionary<string, string> { ["client-ca-file"] = Foreign.Pem });
        Assert.IsType<AuthenticationResult.Error>(await authenticator.AuthenticateAsync(request));
    }

    [Fact]
    public void A_certificate_that_names_nobody_is_no_opinion()
    {
        _trust.Apply(new Dictionary<string, string> { ["client-ca-file"] = Users.Pem + FrontProxies.Pem });
        DefaultHttpContext request = Request("nobody", null, null);
        request.Connection.ClientCertificate = Users.Issue("O=ops", Usage);
        ClientCertificateAuthenticator authenticator = new(_trust, _meters.Metrics, _time);
        Assert.IsType<AuthenticationResult.NoOpinion>(authenticator.Authenticate(request));
    }

    [Fact]
    public async Task A_review_that_fails_lets_nobody_in_as_somebody_or_anybody()
    {
        _server.Answer = _ => Task.FromResult(ReviewServer.Text(HttpStatusCode.Forbidden, "no"));
        Assert.IsType<AuthenticationResult.Failed>(await New().AuthenticateAsync(Request("nobody", null, "good")));
    }

    [Fact]
    public void Every_organization_is_a_group_whatever_relative_name_it_stands_in()
    {
        // SEQUENCE { SET { CN=u, O=x }, SET { O=y } }
        X500DistinguishedName subject = new(Subject());
        X509Certificate2 leaf = Users.Issue(subject, TestAuthority.Now.AddHours(-1), TestAuthority.Now.AddHours(1), Usage);
        CertificateSubject read = CertificateSubject.Of(leaf);
        Assert.Equal("u", read.CommonName);
        Assert.Equal(["x", "y"], read.Organizations);

        static byte[] Subject()
        {
            AsnWriter writer = new(AsnEncodingRules.BER);
            using (writer.PushSequence())
            {
                using (writer.PushSetOf())
                {
                    Attribute(writer, "2.5.4.3", "u");
                    Attribute(writer, "2.5.4.10", "x");
                }

                using (writer.PushSetOf())
                {
                    Attribute(writer, "2.5.4.10", "y");
                }
            }

            return writer.Encode();
        }

        static void Attribute(AsnWriter writer, string oid, string text)
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(oid);
                writer.WriteCharacterString(UniversalTagNumber.UTF8String, text);
            }
        }
    }

    private RequestAuthenticator New(Func<RequestInfo, bool>? isOpenToAnyone = null) => new(
        new FrontProxyAuthenticator(_trust, _meters.Metrics, _time),
        new ClientCertificateAuthenticator(_trust, _meters.Metrics, _time),
        new BearerTokenAuthenticator(_server.Api, TimeSpan.FromSeconds(10), _meters.Metrics, _time),
        isOpenToAnyone ?? (_ => true),
        _time,
        _log);

    private static DefaultHttpContext Request(string peer, string? header, string? token)
    {
        DefaultHttpContext context = new();
        context.Connection.ClientCertificate = peer switch
        {
            "front proxy" => FrontProxy,
            "user" => Carol,
            "foreign" => Foreign.Issue("CN=mallory", Usage),
            _ => null,
        };
        context.Features.Set(new PresentedCertificates());
        context.Features.Set(RequestInfo.Of("GET", "/apis/metrics.smi-spec.io/v1alpha2/deployments", null));
        if (header is not null)
        {
            context.Request.Headers["X-Remote-User"] = header;
            context.Request.Headers["X-Remote-Group"] = "dev";
        }

        if (token is not null)
        {
            context.Request.Headers.Authorization = "Bearer " + token;
        }

        return context;
    }
}
