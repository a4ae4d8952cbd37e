using System.Security.Cryptography.X509Certificates;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class AuthenticationTrustTests
{
    private static readonly TestAuthority Old = TestAuthority.Root("front-proxy-ca");
    private static readonly TestAuthority New = TestAuthority.Root("front-proxy-ca");

    private static readonly TestAuthority Users = TestAuthority.Root("ca");

    private readonly LogRecorder<AuthenticationTrust> _log = new();

    // As kube-apiserver 1.33 writes it, with the bundle of a rotation.
    private static Dictionary<string, string> Complete() => new()
    {
        ["client-ca-file"] = Users.Pem,
        ["requestheader-client-ca-file"] = Old.Pem + "\n" + New.Pem,
        ["requestheader-allowed-names"] = """["front-proxy-client","aggregator"]""",
        ["requestheader-username-headers"] = """["X-Remote-User","X-Other-User"]""",
        ["requestheader-group-headers"] = """["X-Remote-Group"]""",
        ["requestheader-extra-headers-prefix"] = """["X-Remote-Extra-"]""",
        ["requestheader-uid-headers"] = """["X-Remote-Uid"]""",
    };

    [Fact]
    public void A_complete_configmap_is_read_key_by_key()
    {
        AuthenticationTrust trust = Waiting();
        Assert.False(trust.Ready);

        trust.Apply(Complete());

        Assert.True(trust.Ready);
        FrontProxyConfiguration configuration = trust.FrontProxy!;
        Assert.Equal([Old.Certificate.Thumbprint, New.Certificate.Thumbprint], configuration.Bundle.Select(certificate => certificate.Thumbprint));
        Assert.Equal(["aggregator", "front-proxy-client"], configuration.AllowedNames.Order());
        Assert.Equal(["X-Remote-User", "X-Other-User"], configuration.UsernameHeaders);
        Assert.Equal(["X-Remote-Group"], configuration.GroupHeaders);
        Assert.Equal(["X-Remote-Extra-"], configuration.ExtraPrefixes);
        Assert.Equal(["X-Remote-Uid"], configuration.UidHeaders);
        Assert.Equal([Users.Certificate.Thumbprint], trust.Clients!.Bundle.Select(certificate => certificate.Thumbprint));
    }

    [Theory]
    [InlineData("requestheader-allowed-names", null)]
    [InlineData("requestheader-allowed-names", "")]
    [InlineData("requestheader-allowed-names", "[]")]
    [InlineData("requestheader-allowed-names", "null")]
    [InlineData("requestheader-group-headers", null)]
    [InlineData("requestheader-group-headers", "[]")]
    [InlineData("requestheader-extra-headers-prefix", null)]
    [InlineData("requestheader-extra-headers-prefix", "")]
    [InlineData("requestheader-uid-headers", null)]
    [InlineData("requestheader-uid-headers", "[]")]
    [InlineData("client-ca-file", null)]
    public void What_may_be_missing_or_empty_is_accepted(string key, string? value)
    {
        AuthenticationTrust trust = Waiting();

        trust.Apply(With(key, value));

        FrontProxyConfiguration configuration = trust.FrontProxy!;
        Assert.Equal(key != "requestheader-allowed-names", configuration.AllowedNames.Count > 0);
        Assert.Equal(key != "requestheader-group-headers", configuration.GroupHeaders.Count > 0);
        Assert.Equal(key != "requestheader-extra-headers-prefix", configuration.ExtraPrefixes.Count > 0);
        Assert.Equal(key != "requestheader-uid-headers", configuration.UidHeaders.Count > 0);
    }

    [Theory]
    [InlineData("requestheader-client-ca-file", "no certificate", "requestheader-client-ca-file: no PEM certificate in it")]
    [InlineData("requestheader-client-ca-file", "-----BEGIN CERTIFICATE-----\nMIIB", "requestheader-client-ca-file: only 0 of 1 certificates are complete")]
    [InlineData("requestheader-client-ca-file", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "requestheader-client-ca-file: ")]
    [InlineData("requestheader-allowed-names", "front-proxy-client", "requestheader-allowed-names is not a JSON array of strings")]
    [InlineData("requestheader-allowed-names", """["front-proxy-client",""", "requestheader-allowed-names is not a JSON array of strings")]
    [InlineData("requestheader-allowed-names", """{"front-proxy-client":1}""", "requestheader-allowed-names is not a JSON array of strings")]
    [InlineData("requestheader-allowed-names", "[1]", "requestheader-allowed-names is not a JSON array of strings")]
    [InlineData("requestheader-allowed-names", "[null]", "requestheader-allowed-names has a null in it")]
    [InlineData("requestheader-username-headers", null, "requestheader-username-headers names no header")]
    [InlineData("requestheader-username-headers", "[]", "requestheader-username-headers names no header")]
    [InlineData("requestheader-username-headers", """["X-Remote-User",""]""", "requestheader-username-headers has an empty header name")]
    [InlineData("requestheader-group-headers", "{", "requestheader-group-headers is not a JSON array of strings")]
    [InlineData("requestheader-extra-headers-prefix", """[""]""", "requestheader-extra-headers-prefix has an empty header name")]
    [InlineData("requestheader-uid-headers", "x", "requestheader-uid-headers is not a JSON array of strings")]
    public void A_bad_update_keeps_the_last_good_state_and_says_why(string key, string? value, string reason)
    {
        AuthenticationTrust fresh = Waiting();
        fresh.Apply(With(key, value));
        Assert.Null(fresh.FrontProxy);
        Assert.Contains(_log.Lines, line => line.Contains(reason, StringComparison.Ordinal) && line.EndsWith("there is none yet", StringComparison.Ordinal));

        AuthenticationTrust trust = Waiting();
        trust.Apply(Complete());
        FrontProxyConfiguration good = trust.FrontProxy!;
        trust.Apply(With(key, value));
        Assert.Same(good, trust.FrontProxy);
        Assert.Contains(_log.Lines, line => line.Contains(reason, StringComparison.Ordinal) && line.EndsWith("the last good one stays", StringComparison.Ordinal));
    }

    [Fact]
    public void An_absent_or_empty_configmap_keeps_the_last_good_state()
    {
        AuthenticationTrust trust = Waiting();
        trust.Apply(null);
        Assert.False(trust.Ready);

        trust.Apply(Complete());
        FrontProxyConfiguration good = trust.FrontProxy!;
        trust.Apply(null);
        trust.Apply(new Dictionary<string, string>());

        Assert.Same(good, trust.FrontProxy);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(" \n")]
    public void A_cluster_without_aggregation_has_no_front_proxy_but_users(string? bundle)
    {
        AuthenticationTrust trust = Waiting();
        trust.Apply(With("requestheader-client-ca-file", bundle));

        Assert.True(trust.Ready);
        Assert.Null(trust.FrontProxy);
        Assert.NotNull(trust.Clients);
        Assert.DoesNotContain(_log.Lines, line => line.Contains("unusable", StringComparison.Ordinal));
    }

    [Fact]
    public void The_two_trusts_fail_and_change_without_each_other()
    {
        AuthenticationTrust trust = Waiting();
        trust.Apply(With("client-ca-file", "no certificate"));
        Assert.True(trust.Ready);
        Assert.NotNull(trust.FrontProxy);
        Assert.Null(trust.Clients);
        Assert.Contains(_log.Lines, line => line.Contains("client-ca-file: no PEM certificate in it", StringComparison.Ordinal));

        trust.Apply(Complete());
        FrontProxyConfiguration frontProxy = trust.FrontProxy!;
        ClientAuthorities clients = trust.Clients!;
        trust.Apply(With("client-ca-file", New.Pem));
        Assert.Same(frontProxy, trust.FrontProxy);
        Assert.True(trust.Clients!.Generation > clients.Generation);
    }

    [Fact]
    public void A_configmap_of_which_nothing_can_be_used_is_not_ready()
    {
        AuthenticationTrust trust = Waiting();
        Dictionary<string, string> data = With("client-ca-file", "x");
        data["requestheader-client-ca-file"] = "y";
        trust.Apply(data);
        Assert.False(trust.Ready);
    }

    [Fact]
    public void Flags_with_a_client_bundle_override_that_of_the_configmap()
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, New.Pem);
        using AuthenticationTrust trust = Trust(new AuthenticationOptions { ClientCaFile = file });
        Assert.NotNull(trust.Clients);
        // The front proxy is still unknown.
        Assert.False(trust.Ready);

        trust.Apply(Complete());
        Assert.True(trust.Ready);
        Assert.Equal(New.Certificate.Thumbprint, Assert.Single(trust.Clients!.Bundle).Thumbprint);

        File.WriteAllText(file, Old.Pem);
        trust.Refresh();
        Assert.Equal(Old.Certificate.Thumbprint, Assert.Single(trust.Clients!.Bundle).Thumbprint);

        using AuthenticationTrust alone = Trust(new AuthenticationOptions { ClientCaFile = file, HasCluster = false });
        Assert.True(alone.Ready);
        File.Delete(file);
        InvalidDataException exception = Assert.Throws<InvalidDataException>(() => Trust(new AuthenticationOptions { ClientCaFile = file }));
        Assert.StartsWith($"--client-ca-file: {file} cannot be read", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_generation_grows_with_a_change_and_not_with_a_repetition()
    {
        AuthenticationTrust trust = Waiting();
        trust.Apply(Complete());
        FrontProxyConfiguration first = trust.FrontProxy!;

        trust.Apply(Complete());
        Assert.Same(first, trust.FrontProxy);

        trust.Apply(With("requestheader-client-ca-file", New.Pem));
        Assert.True(trust.FrontProxy!.Generation > first.Generation);
        Assert.Single(trust.FrontProxy.Bundle);
    }

    [Fact]
    public void A_lasting_fault_is_logged_once_and_again_after_a_recovery()
    {
        AuthenticationTrust trust = Waiting();
        trust.Apply(null);
        trust.Apply(null);
        Assert.Single(_log.Lines);

        trust.Apply(Complete());
        trust.Apply(null);

        // What was wrong, the two trusts, what is wrong again.
        Assert.Equal(4, _log.Lines.Count);
    }

    [Fact]
    public void Flags_with_a_bundle_override_the_configmap_as_a_whole()
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, New.Pem);
        using AuthenticationTrust trust = Trust(new AuthenticationOptions { FrontProxy = new() { RequestHeaderClientCaFile = file } });

        // Users' certificates are still the ConfigMap's.
        Assert.False(trust.Ready);
        trust.Apply(Complete());
        Assert.True(trust.Ready);

        FrontProxyConfiguration configuration = trust.FrontProxy!;
        Assert.Equal(New.Certificate.Thumbprint, Assert.Single(configuration.Bundle).Thumbprint);
        Assert.Empty(configuration.AllowedNames);
        Assert.Equal(["x-remote-user"], configuration.UsernameHeaders);
        Assert.Equal(["x-remote-group"], configuration.GroupHeaders);
        Assert.Equal(["x-remote-extra-"], configuration.ExtraPrefixes);
        Assert.Empty(configuration.UidHeaders);
        File.Delete(file);
    }

    [Fact]
    public void Flags_without_a_bundle_change_nothing()
    {
        AuthenticationTrust trust = Trust(new AuthenticationOptions { FrontProxy = new() { AllowedNames = ["somebody"], UsernameHeaders = ["x-user"] } });

        trust.Apply(Complete());

        Assert.Equal(["X-Remote-User", "X-Other-User"], trust.FrontProxy!.UsernameHeaders);
        Assert.Equal(2, trust.FrontProxy.AllowedNames.Count);
    }

    [Fact]
    public async Task The_flags_file_is_looked_at_once_a_minute()
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, Old.Pem);
        WatchedTime time = new(TestAuthority.Now);
        using AuthenticationTrust trust = new(new AuthenticationOptions { FrontProxy = new() { RequestHeaderClientCaFile = file } }, time, _log);
        await trust.StartAsync(TestContext.Current.CancellationToken);
        await time.TimerSet;

        Task fault = _log.Next("only 0 of 1");
        File.WriteAllText(file, New.Pem[..200]);
        time.Advance(TimeSpan.FromMinutes(1));
        await fault;
        Assert.Equal(Old.Certificate.Thumbprint, Assert.Single(trust.FrontProxy!.Bundle).Thumbprint);

        Task change = _log.Next("Front-proxy trust from the flags: 1 ");
        File.WriteAllText(file, New.Pem);
        time.Advance(TimeSpan.FromMinutes(1));
        await change;
        Assert.Equal(New.Certificate.Thumbprint, Assert.Single(trust.FrontProxy!.Bundle).Thumbprint);

        await trust.StopAsync(TestContext.Current.CancellationToken);
        File.Delete(file);
    }

    [Fact]
    public void A_flags_file_that_cannot_be_used_is_named_with_its_flag()
    {
        string missing = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString());
        InvalidDataException exception = Assert.Throws<InvalidDataException>(() => Trust(new AuthenticationOptions { FrontProxy = new() { RequestHeaderClientCaFile = missing } }));
        Assert.StartsWith($"--requestheader-client-ca-file: {missing} cannot be read", exception.Message, StringComparison.Ordinal);

        string empty = Path.GetTempFileName();
        exception = Assert.Throws<InvalidDataException>(() => Trust(new AuthenticationOptions { FrontProxy = new() { RequestHeaderClientCaFile = empty } }));
        Assert.StartsWith($"--requestheader-client-ca-file: {empty}", exception.Message, StringComparison.Ordinal);
        File.Delete(empty);
    }

    private static Dictionary<string, string> With(string key, string? value)
    {
        Dictionary<string, string> data = Complete();
        if (value is null)
        {
            data.Remove(key);
        }
        else
        {
            data[key] = value;
        }

        return data;
    }

    private AuthenticationTrust Waiting() => Trust(new AuthenticationOptions());

    private AuthenticationTrust Trust(AuthenticationOptions options) => new(options, TimeProvider.System, _log);
}
