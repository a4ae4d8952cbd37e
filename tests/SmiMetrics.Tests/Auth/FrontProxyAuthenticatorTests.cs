using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class FrontProxyAuthenticatorTests : IDisposable
{
    private const string Usage = TestAuthority.ClientAuthentication;

    private static readonly TestAuthority Authority = TestAuthority.Root("front-proxy-ca");
    private static readonly TestAuthority Foreign = TestAuthority.Root("somebody-else");
    private static readonly X509Certificate2 FrontProxy = Authority.Issue("O=cluster,CN=front-proxy-client", Usage);

    private readonly FakeTimeProvider _time = new(TestAuthority.Now);
    private readonly AuthMeters _meters = new();
    private readonly AuthenticationTrust _trust;
    private readonly FrontProxyAuthenticator _authenticator;

    public FrontProxyAuthenticatorTests()
    {
        _trust = new AuthenticationTrust(new AuthenticationOptions(), _time, NullLogger<AuthenticationTrust>.Instance);
        _authenticator = new FrontProxyAuthenticator(_trust, _meters.Metrics, _time);
        Trust(["front-proxy-client"], Authority.Pem);
    }

    public void Dispose()
    {
        _trust.Dispose();
        _meters.Dispose();
    }

    [Fact]
    public void The_front_proxy_is_believed() =>
        Assert.Equal("alice", Success(Request(FrontProxy)).Name);

    [Fact]
    public void Without_a_certificate_there_is_no_opinion_whatever_the_headers_say()
    {
        HttpContext request = Request(null);
        request.Request.Headers["X-Remote-Group"] = "system:masters";

        Assert.Equal("no client certificate", NoOpinion(request));
    }

    [Fact]
    public void Without_trust_there_is_no_opinion()
    {
        AuthenticationTrust none = new(new AuthenticationOptions(), _time, NullLogger<AuthenticationTrust>.Instance);

        AuthenticationResult result = new FrontProxyAuthenticator(none, _meters.Metrics, _time).Authenticate(Request(FrontProxy));

        Assert.IsType<AuthenticationResult.NoOpinion>(result);
    }

    [Fact]
    public void A_certificate_of_a_foreign_authority_is_an_error() =>
        Assert.Equal("client certificate cn=front-proxy-client: signed by an unknown authority", Error(Request(Foreign.Issue("CN=front-proxy-client", Usage))));

    [Fact]
    public void A_self_signed_certificate_is_an_error() =>
        Assert.Contains("signed by an unknown authority", Error(Request(TestAuthority.Root("front-proxy-client").Certificate)), StringComparison.Ordinal);

    [Fact]
    public void A_forged_signature_is_an_error()
    {
        HttpContext request = Request(TestAuthority.Forge("CN=front-proxy-client", Authority.Certificate));

        Assert.Contains("NotSignatureValid", Error(request), StringComparison.Ordinal);
    }

    [Fact]
    public void The_right_authority_with_another_common_name_is_an_error() =>
        Assert.Equal("client certificate cn=kubelet: not in the list of allowed names", Error(Request(Authority.Issue("CN=kubelet", Usage))));

    [Theory]
    [InlineData("CN=Front-Proxy-Client")]
    [InlineData("CN=front-proxy-client2")]
    [InlineData("O=front-proxy-client")]
    [InlineData("OU=front-proxy-client,O=x")]
    [InlineData("CN=x,CN=front-proxy-client,CN=y")]
    public void Only_the_common_name_itself_counts_as_a_name(string subject) =>
        Assert.Contains("not in the list of allowed names", Error(Request(Authority.Issue(subject, Usage))), StringComparison.Ordinal);

    [Fact]
    public void An_empty_list_of_names_allows_any()
    {
        Trust([], Authority.Pem);

        Success(Request(Authority.Issue("CN=whoever", Usage)));
        Success(Request(Authority.Issue("O=without a name", Usage)));
        Error(Request(Foreign.Issue("CN=whoever", Usage)));
    }

    [Fact]
    public void Every_authority_of_a_bundle_is_good()
    {
        TestAuthority second = TestAuthority.Root("another-ca");
        Trust(["front-proxy-client"], TestAuthority.Root("unrelated").Pem + Authority.Pem + second.Pem);

        Success(Request(FrontProxy));
        Success(Request(second.Issue("CN=front-proxy-client", Usage)));
        Error(Request(Foreign.Issue("CN=front-proxy-client", Usage)));
    }

    [Fact]
    public void During_a_rotation_two_authorities_of_one_name_are_both_good()
    {
        TestAuthority next = TestAuthority.Root("front-proxy-ca");
        Trust(["front-proxy-client"], Authority.Pem + next.Pem);

        Success(Request(FrontProxy));
        Success(Request(next.Issue("CN=front-proxy-client", Usage)));
    }

    [Fact]
    public void An_expired_leaf_is_an_error()
    {
        X509Certificate2 leaf = Authority.Issue("CN=front-proxy-client", TestAuthority.Now.AddHours(-2), TestAuthority.Now.AddMinutes(-30), Usage);

        Assert.Contains("expired or not yet valid", Error(Request(leaf)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_leaf_of_the_future_is_an_error()
    {
        X509Certificate2 leaf = Authority.Issue("CN=front-proxy-client", TestAuthority.Now.AddMinutes(30), TestAuthority.Now.AddHours(2), Usage);

        Assert.Contains("expired or not yet valid", Error(Request(leaf)), StringComparison.Ordinal);
    }

    [Fact]
    public void An_expired_authority_is_an_error()
    {
        _time.Advance(TimeSpan.FromDays(365 * 6));
        X509Certificate2 leaf = Authority.Issue("CN=front-proxy-client", TestAuthority.Now, TestAuthority.Now.AddYears(10), Usage);

        Assert.Contains("expired or not yet valid", Error(Request(leaf)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_leaf_for_servers_only_is_an_error() =>
        Assert.Contains(
            "not for client authentication", Error(Request(Authority.Issue("CN=front-proxy-client", TestAuthority.ServerAuthentication))), StringComparison.Ordinal);

    [Fact]
    public void A_leaf_without_usages_is_good_for_all() => Success(Request(Authority.Issue("CN=front-proxy-client")));

    [Fact]
    public void A_leaf_for_any_usage_is_good() => Success(Request(Authority.Issue("CN=front-proxy-client", TestAuthority.AnyUsage)));

    [Fact]
    public void A_leaf_for_servers_and_clients_is_good() =>
        Success(Request(Authority.Issue("CN=front-proxy-client", TestAuthority.ServerAuthentication, Usage)));

    [Fact]
    public void A_presented_intermediate_links_the_leaf_to_the_bundle()
    {
        TestAuthority intermediate = Authority.Intermediate("intermediate");
        X509Certificate2 leaf = intermediate.Issue("CN=front-proxy-client", Usage);

        Success(Request(leaf, intermediate.Certificate));
        Success(Request(leaf, Foreign.Certificate, intermediate.Certificate, Authority.Certificate));
        Assert.Contains("signed by an unknown authority", Error(Request(leaf)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_presented_root_is_never_trusted() =>
        Error(Request(Foreign.Issue("CN=front-proxy-client", Usage), Foreign.Certificate));

    [Fact]
    public void An_authority_of_the_bundle_need_not_be_self_signed()
    {
        TestAuthority intermediate = Authority.Intermediate("intermediate");
        TestAuthority sibling = Authority.Intermediate("sibling");
        Trust(["front-proxy-client"], intermediate.Pem);

        Success(Request(intermediate.Issue("CN=front-proxy-client", Usage)));
        Success(Request(intermediate.Issue("CN=front-proxy-client", Usage), intermediate.Certificate, Authority.Certificate));
        // What only the authority above it vouches for is not vouched for.
        Error(Request(FrontProxy, Authority.Certificate));
        Error(Request(sibling.Issue("CN=front-proxy-client", Usage), sibling.Certificate, Authority.Certificate));
        Error(Request(TestAuthority.Forge("CN=front-proxy-client", intermediate.Certificate), intermediate.Certificate));
    }

    [Fact]
    public void A_chain_of_two_intermediates_is_good()
    {
        TestAuthority first = Authority.Intermediate("first");
        TestAuthority second = first.Intermediate("second");

        Success(Request(second.Issue("CN=front-proxy-client", Usage), second.Certificate, first.Certificate));
        Error(Request(second.Issue("CN=front-proxy-client", Usage), second.Certificate));
    }

    [Fact]
    public void A_leaf_cannot_issue_certificates() =>
        Error(Request(TestAuthority.Usurp("CN=front-proxy-client", FrontProxy), FrontProxy, Authority.Certificate));

    /// <summary>field.md A5: the certificate of the genuine front proxy is public; the reference server accepted it anywhere in the chain.</summary>
    [Fact]
    public void The_genuine_certificate_behind_a_wrong_leaf_is_no_help()
    {
        Error(Request(Authority.Issue("CN=kubelet", Usage), FrontProxy, Authority.Certificate));
        Error(Request(Foreign.Issue("CN=front-proxy-client", Usage), FrontProxy, Authority.Certificate));
        Error(Request(TestAuthority.Forge("CN=front-proxy-client", FrontProxy), FrontProxy, Authority.Certificate));
    }

    [Fact]
    public void Without_a_user_header_there_is_no_opinion()
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers["X-Remote-User"] = "";

        Assert.Equal("the front proxy named no user", NoOpinion(request));
    }

    [Fact]
    public void The_first_user_header_with_a_value_names_the_user()
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers["X-Remote-User"] = new string[] { "", "bob", "carol" };
        request.Request.Headers["X-Other-User"] = "dave";
        Assert.Equal("bob", Success(request).Name);

        request = Request(FrontProxy);
        request.Request.Headers.Remove("X-Remote-User");
        request.Request.Headers["x-other-user"] = "dave";
        Assert.Equal("dave", Success(request).Name);
    }

    [Fact]
    public void Each_line_is_one_group_commas_and_percent_signs_and_all()
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers["X-Remote-Group"] = new string[] { "g,2", "team:a%2Fb", "", " spaced " };

        Assert.Equal(["g,2", "team:a%2Fb", " spaced "], Success(request).Groups);
    }

    /// <summary>The server takes headers as bytes, a character each: one that is not UTF-8 would otherwise end everybody's connection.</summary>
    [Fact]
    public void Names_are_UTF_8()
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers["X-Remote-User"] = "j\u00c3\u00bcrgen";
        request.Request.Headers["X-Remote-Group"] = "\u00e9\u00a1\u00a7";
        request.Request.Headers["X-Remote-Extra-Where"] = "z\u00c3\u00bcrich";
        RequestUser user = Success(request);
        Assert.Equal(("j\u00fcrgen", "\u9867"), (user.Name, user.Groups[0]));
        Assert.Equal(["z\u00fcrich"], user.Extra["where"]);
    }

    [Theory]
    [InlineData("X-Remote-User", "\u00ff")]
    [InlineData("X-Remote-User", "j\u00fcrgen")]
    [InlineData("X-Remote-Group", "\u00c3")]
    [InlineData("X-Remote-Extra-Where", "\u00ed\u00a0\u0080")]
    public void A_name_that_is_not_UTF_8_is_nobodys(string header, string value)
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers[header] = value;
        Assert.Equal("the front proxy names a user, group or attribute that is not UTF-8", Error(request));
        Assert.False(request.Request.Headers.ContainsKey(header));
    }

    [Fact]
    public void Two_hundred_groups_stay_in_order()
    {
        string[] groups = [.. Enumerable.Range(0, 200).Select(i => $"group-{i}")];
        HttpContext request = Request(FrontProxy);
        request.Request.Headers["X-Remote-Group"] = groups;

        Assert.Equal(groups, Success(request).Groups);
    }

    [Fact]
    public void How_long_its_certificate_will_be_good_is_measured()
    {
        Success(Request(FrontProxy));
        Error(Request(Foreign.Issue("CN=front-proxy-client", Usage)));

        Assert.Equal([TimeSpan.FromHours(12).TotalSeconds], _meters.Measured("apiserver_client_certificate_expiration_seconds"), (a, b) => Math.Abs(a - b) < 2);
    }

    [Theory]
    [InlineData("x-remote-extra-example.com%2fscopes", "example.com/scopes")]
    [InlineData("X-Remote-Extra-Scopes", "scopes")]
    [InlineData("X-REMOTE-EXTRA-A%2BB+c", "a+b+c")]
    [InlineData("X-Remote-Extra-%c3%a9", "é")]
    [InlineData("X-Remote-Extra-100%25", "100%")]
    [InlineData("X-Remote-Extra-%zz%2f", "%zz%2f")]
    [InlineData("X-Remote-Extra-%2", "%2")]
    [InlineData("X-Remote-Extra-a%", "a%")]
    [InlineData("X-Remote-Extra-% 2f", "% 2f")]
    [InlineData("X-Remote-Extra-%ff", "%ff")]
    public void Keys_of_extra_attributes_are_lower_case_and_percent_decoded(string header, string key)
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers[header] = new string[] { "a,b", "%2f" };

        (string actual, IReadOnlyList<string> values) = Assert.Single(Success(request).Extra);
        Assert.Equal(key, actual);
        Assert.Equal(["a,b", "%2f"], values);
    }

    [Fact]
    public void Two_spellings_of_an_extra_key_are_one_key()
    {
        HttpContext request = Request(FrontProxy);
        request.Request.Headers["X-Remote-Extra-a%2fb"] = "1";
        request.Request.Headers["X-Remote-Extra-a/b"] = "2";

        Assert.Equal(["1", "2"], Success(request).Extra["a/b"].Order());
    }

    [Fact]
    public void The_uid_is_the_first_value_of_its_headers_or_nothing()
    {
        HttpContext request = Request(FrontProxy);
        Assert.Null(Success(request).Uid);

        request = Request(FrontProxy);
        request.Request.Headers["X-Remote-Uid"] = new string[] { "", "4f1c", "other" };
        Assert.Equal("4f1c", Success(request).Uid);
    }

    [Theory]
    [InlineData("the front proxy")]
    [InlineData("a stranger")]
    [InlineData("nobody")]
    public void Identity_headers_are_gone_afterwards(string peer)
    {
        HttpContext request = Request(peer switch
        {
            "the front proxy" => FrontProxy,
            "a stranger" => Foreign.Issue("CN=stranger", Usage),
            _ => null,
        });
        IHeaderDictionary headers = request.Request.Headers;
        headers["X-Other-User"] = "x";
        headers["X-Remote-Group"] = "g";
        headers["x-remote-extra-one"] = "1";
        headers["X-Remote-Extra-Two"] = "2";
        headers["X-Remote-Uid"] = "u";
        headers["X-Remote-Extr"] = "not one of them";
        headers["Accept"] = "application/json";

        _authenticator.Authenticate(request);

        Assert.Equal(["Accept", "X-Remote-Extr"], headers.Keys.Order());
    }

    [Fact]
    public void A_connection_is_judged_once_for_each_generation_of_trust()
    {
        HttpContext request = Request(FrontProxy);
        PresentedCertificates connection = request.Features.Get<PresentedCertificates>()!;
        Success(request);
        CertificateVerdict first = connection.AsFrontProxy!;

        Success(Again(request));
        Assert.Same(first, connection.AsFrontProxy);

        Trust(["front-proxy-client"], Foreign.Pem);
        Error(Again(request));
        Assert.NotSame(first, connection.AsFrontProxy);

        Trust(["front-proxy-client"], Authority.Pem + Foreign.Pem);
        Success(Again(request));
    }

    [Fact]
    public void A_verdict_ends_with_the_first_certificate_of_its_chain()
    {
        TestAuthority intermediate = Authority.Intermediate("intermediate");
        X509Certificate2 leaf = intermediate.Issue("CN=front-proxy-client", TestAuthority.Now.AddHours(-1), TestAuthority.Now.AddYears(20), Usage);
        HttpContext request = Request(leaf, intermediate.Certificate);
        Success(request);
        Assert.Equal(intermediate.Certificate.NotAfter.ToUniversalTime(), request.Features.Get<PresentedCertificates>()!.AsFrontProxy!.Until.UtcDateTime);

        request = Request(FrontProxy);
        Success(request);
        _time.SetUtcNow(new DateTimeOffset(FrontProxy.NotAfter).AddSeconds(1));

        Assert.Contains("expired or not yet valid", Error(Again(request)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_connection_is_looked_at_again_after_a_minute()
    {
        X509Certificate2 leaf = Authority.Issue("CN=front-proxy-client", TestAuthority.Now.AddSeconds(30), TestAuthority.Now.AddHours(2), Usage);
        HttpContext request = Request(leaf);
        Error(request);

        _time.Advance(TimeSpan.FromSeconds(59));
        Error(Again(request));

        _time.Advance(TimeSpan.FromSeconds(2));
        Success(Again(request));
    }

    [Fact]
    public void A_malformed_name_is_no_name()
    {
        // The CN is an IA5String with a byte beyond ASCII: OpenSSL lets it pass, .NET throws when asked for the text.
        X500DistinguishedName subject = new(Convert.FromHexString("300C310A300806035504031601FF"));
        X509Certificate2 leaf = Authority.Issue(subject, TestAuthority.Now.AddHours(-1), TestAuthority.Now.AddHours(1), Usage);

        Assert.Equal("client certificate cn=: not in the list of allowed names", Error(Request(leaf)));
    }

    [Fact]
    public void Malformed_usages_are_an_error()
    {
        Trust([], Authority.Pem);
        X509Certificate2 leaf = Authority.Issue("CN=x", new X509Extension("2.5.29.37", [0x04, 0x01, 0x00], critical: false));

        Assert.StartsWith("client certificate cn=x: ", Error(Request(leaf)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_from_a_stranger_cannot_forge_a_line_of_the_log()
    {
        X509Certificate2 leaf = Foreign.Issue($"CN=\"x\ny{new string('z', 200)}\"", Usage);

        string error = Error(Request(leaf));

        Assert.DoesNotContain('\n', error);
        Assert.True(error.Length < 150, error);
    }

    private void Trust(string[] names, string bundle) => _trust.Apply(new Dictionary<string, string>
    {
        ["requestheader-client-ca-file"] = bundle,
        ["requestheader-allowed-names"] = JsonSerializer.Serialize(names),
        ["requestheader-username-headers"] = """["X-Remote-User","X-Other-User"]""",
        ["requestheader-group-headers"] = """["X-Remote-Group"]""",
        ["requestheader-extra-headers-prefix"] = """["X-Remote-Extra-"]""",
        ["requestheader-uid-headers"] = """["X-Remote-Uid"]""",
    });

    private static DefaultHttpContext Request(X509Certificate2? leaf, params X509Certificate2[] presented)
    {
        DefaultHttpContext context = new();
        context.Connection.ClientCertificate = leaf;
        context.Features.Set(new PresentedCertificates { Intermediates = [.. presented.Select(certificate => certificate.RawData)] });
        context.Request.Headers["X-Remote-User"] = "alice";
        return context;
    }

    /// <summary>The next request of the same connection.</summary>
    private static DefaultHttpContext Again(HttpContext earlier)
    {
        DefaultHttpContext context = Request(earlier.Connection.ClientCertificate);
        context.Features.Set(earlier.Features.Get<PresentedCertificates>());
        return context;
    }

    private RequestUser Success(HttpContext request) => Assert.IsType<AuthenticationResult.Success>(_authenticator.Authenticate(request)).User;

    private string Error(HttpContext request) => Assert.IsType<AuthenticationResult.Error>(_authenticator.Authenticate(request)).Why;

    private string NoOpinion(HttpContext request) => Assert.IsType<AuthenticationResult.NoOpinion>(_authenticator.Authenticate(request)).Why;
}
