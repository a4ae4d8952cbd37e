using System.Net.Security;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

[UnsupportedOSPlatform("windows")]
public sealed class ServingCertificateTests : IDisposable
{
    private static readonly TestAuthority Authority = TestAuthority.Root("serving-ca");

    private readonly string _directory = Directory.CreateTempSubdirectory("smi-metrics-").FullName;
    private readonly WatchedTime _time = new(TestAuthority.Now);
    private readonly LogRecorder<ServingCertificate> _log = new();

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("EC PRIVATE KEY")]
    [InlineData("EC PKCS8")]
    [InlineData("RSA PRIVATE KEY")]
    [InlineData("RSA PKCS8")]
    public void Keys_of_both_kinds_and_in_both_forms_are_read(string form)
    {
        using AsymmetricAlgorithm key = form.StartsWith("EC", StringComparison.Ordinal) ? ECDsa.Create(ECCurve.NamedCurves.nistP256) : RSA.Create(2048);
        X509Certificate2 leaf = Authority.IssueServing(key);
        string pem = (form, key) switch
        {
            ("EC PRIVATE KEY", ECDsa ec) => ec.ExportECPrivateKeyPem(),
            ("RSA PRIVATE KEY", RSA rsa) => rsa.ExportRSAPrivateKeyPem(),
            _ => key.ExportPkcs8PrivateKeyPem(),
        };

        ServingCertificate certificate = FromFiles(leaf.ExportCertificatePem(), pem);

        Assert.Equal(leaf.Thumbprint, certificate.Context.TargetCertificate.Thumbprint);
        Assert.True(certificate.Context.TargetCertificate.HasPrivateKey);
    }

    [Fact]
    public void The_file_may_have_the_whole_chain()
    {
        TestAuthority intermediate = Authority.Intermediate("intermediate");
        (string leaf, string key) = Pair(intermediate);

        ServingCertificate certificate = FromFiles(leaf + "\n" + intermediate.Pem + "\n" + Authority.Pem, key);

        Assert.Contains(certificate.Context.IntermediateCertificates, sent => sent.Thumbprint == intermediate.Certificate.Thumbprint);
    }

    [Fact]
    public void A_changed_pair_is_seen_within_a_minute()
    {
        (string leaf, string key) = Pair(Authority);
        ServingCertificate certificate = FromFiles(leaf, key);
        SslStreamCertificateContext before = certificate.Context;

        certificate.Refresh();
        Assert.Same(before, certificate.Context);

        (leaf, key) = Pair(Authority);
        Write(leaf, key);
        certificate.Refresh();
        Assert.Equal(X509Certificate2.CreateFromPem(leaf).Thumbprint, certificate.Context.TargetCertificate.Thumbprint);
    }

    [Fact]
    public async Task The_files_are_looked_at_by_the_clock()
    {
        (string leaf, string key) = Pair(Authority);
        using ServingCertificate certificate = FromFiles(leaf, key);
        await certificate.StartAsync(TestContext.Current.CancellationToken);
        await _time.TimerSet;
        Task reloaded = _log.Next("Serving certificate reloaded");
        (leaf, key) = Pair(Authority);
        Write(leaf, key);

        _time.Advance(TimeSpan.FromMinutes(1));
        await reloaded;

        Assert.Equal(X509Certificate2.CreateFromPem(leaf).Thumbprint, certificate.Context.TargetCertificate.Thumbprint);
        await certificate.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public void A_swapped_link_of_a_mounted_secret_is_seen()
    {
        // As kubelet lays a Secret out: names link into ..data, and ..data links to the directory of the moment.
        (string first, string second) = (Path.Combine(_directory, "..1"), Path.Combine(_directory, "..2"));
        Directory.CreateDirectory(first);
        Directory.CreateDirectory(second);
        (string leaf, string key) = Pair(Authority);
        File.WriteAllText(Path.Combine(first, "tls.crt"), leaf);
        File.WriteAllText(Path.Combine(first, "tls.key"), key);
        (leaf, key) = Pair(Authority);
        File.WriteAllText(Path.Combine(second, "tls.crt"), leaf);
        File.WriteAllText(Path.Combine(second, "tls.key"), key);
        string data = Path.Combine(_directory, "..data");
        Directory.CreateSymbolicLink(data, "..1");
        File.CreateSymbolicLink(CertificateFile, Path.Combine("..data", "tls.crt"));
        File.CreateSymbolicLink(KeyFile, Path.Combine("..data", "tls.key"));
        ServingCertificate certificate = FromFiles();

        Directory.Delete(data);
        Directory.CreateSymbolicLink(data, "..2");
        certificate.Refresh();

        Assert.Equal(X509Certificate2.CreateFromPem(leaf).Thumbprint, certificate.Context.TargetCertificate.Thumbprint);
    }

    [Fact]
    public void A_half_written_or_mismatching_pair_keeps_the_last_good_one()
    {
        (string oldLeaf, string oldKey) = Pair(Authority);
        (string newLeaf, string newKey) = Pair(Authority);
        string chain = newLeaf + "\n" + Authority.Pem + "\n";
        ServingCertificate certificate = FromFiles(oldLeaf, oldKey);
        SslStreamCertificateContext before = certificate.Context;

        (string Leaf, string Key)[] bad =
        [
            (chain, oldKey),
            (oldLeaf, newKey),
            ("", newKey),
            (chain, ""),
            (chain, newKey[..^40]),
            (newLeaf[..200], newKey),
            (chain[..(newLeaf.Length + 100)], newKey),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", newKey),
        ];
        foreach ((string leaf, string key) in bad)
        {
            Write(leaf, key);
            certificate.Refresh();
            Assert.Same(before, certificate.Context);
        }

        File.Delete(KeyFile);
        certificate.Refresh();
        Assert.Same(before, certificate.Context);
        Assert.Contains(_log.Lines, line => line.Contains($"--tls-private-key-file: {KeyFile} cannot be read", StringComparison.Ordinal));

        Write(chain, newKey);
        certificate.Refresh();
        Assert.NotSame(before, certificate.Context);
        Assert.DoesNotContain(_log.Lines, line => line.Contains("PRIVATE KEY-----", StringComparison.Ordinal));
    }

    [Fact]
    public void A_chain_cut_at_any_byte_is_never_served()
    {
        (string leaf, string key) = Pair(Authority);
        string chain = leaf + "\n" + Authority.Pem.TrimEnd();
        for (int length = 0; length < chain.Length; length++)
        {
            // Cut after its first certificate, and before the next begins, a chain is a whole and shorter chain.
            bool whole = length >= leaf.Length && chain.AsSpan(leaf.Length, length - leaf.Length).IndexOf("-----BEGIN CERTIFICATE-----") < 0;
            Write(chain[..length], key);
            Assert.Equal(whole, Record.Exception(() => FromFiles()) is null);
        }
    }

    [Fact]
    public void A_lasting_fault_is_logged_once()
    {
        (string leaf, string key) = Pair(Authority);
        ServingCertificate certificate = FromFiles(leaf, key);
        Write(leaf, "nonsense");

        certificate.Refresh();
        certificate.Refresh();

        Assert.Single(_log.Lines);
    }

    [Fact]
    public void Faults_at_the_start_name_flag_and_file()
    {
        (string leaf, string key) = Pair(Authority);

        Assert.StartsWith($"--tls-cert-file: {CertificateFile} cannot be read", Fault(null, key), StringComparison.Ordinal);
        Assert.StartsWith($"--tls-private-key-file: {KeyFile} cannot be read", Fault(leaf, null), StringComparison.Ordinal);
        Assert.StartsWith($"--tls-cert-file: {CertificateFile}: no PEM certificate", Fault("x", key), StringComparison.Ordinal);
        Assert.StartsWith($"--tls-private-key-file: {KeyFile} does not fit {CertificateFile}", Fault(leaf, Pair(Authority).Key), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_files_a_certificate_is_made_for_the_names_that_callers_use()
    {
        string directory = Path.Combine(_directory, "made", "here");

        X509Certificate2 leaf = SelfSigned(directory).Context.TargetCertificate;

        X509SubjectAlternativeNameExtension names = leaf.Extensions.OfType<X509SubjectAlternativeNameExtension>().Single();
        Assert.Equal(["localhost", "smi-metrics.smi-metrics.svc", System.Net.Dns.GetHostName()], names.EnumerateDnsNames());
        Assert.Equal(["127.0.0.1", "::1"], names.EnumerateIPAddresses().Select(address => address.ToString()));
        Assert.Equal(TestAuthority.Now.AddDays(365).UtcDateTime, leaf.NotAfter.ToUniversalTime());
        Assert.True(leaf.NotBefore.ToUniversalTime() <= TestAuthority.Now.UtcDateTime);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(directory, "apiserver.key")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(directory));
        Assert.Equal(["apiserver.crt", "apiserver.key"], Directory.GetFiles(directory).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(357, true)]
    [InlineData(359, false)]
    [InlineData(400, false)]
    [InlineData(-1, false)]
    public void A_made_certificate_is_reused_while_it_is_good_for_more_than_a_week(int days, bool reused)
    {
        string first = SelfSigned(_directory).Context.TargetCertificate.Thumbprint;
        WatchedTime later = new(TestAuthority.Now.AddDays(days));

        string second = new ServingCertificate(new ServingOptions { CertDir = _directory }, later, _log).Context.TargetCertificate.Thumbprint;

        Assert.Equal(reused, first == second);
    }

    [Fact]
    public void A_made_certificate_is_renewed_at_run_time()
    {
        ServingCertificate certificate = SelfSigned(_directory);
        string first = certificate.Context.TargetCertificate.Thumbprint;

        _time.Advance(TimeSpan.FromDays(357));
        certificate.Refresh();
        Assert.Equal(first, certificate.Context.TargetCertificate.Thumbprint);

        _time.Advance(TimeSpan.FromDays(1.5));
        certificate.Refresh();
        Assert.NotEqual(first, certificate.Context.TargetCertificate.Thumbprint);
    }

    [Fact]
    public void Broken_remains_of_an_earlier_run_are_replaced()
    {
        File.WriteAllText(Path.Combine(_directory, "apiserver.crt"), Authority.Pem);
        File.WriteAllText(Path.Combine(_directory, "apiserver.key"), "half a k");
        File.WriteAllText(Path.Combine(_directory, "apiserver.key.new"), "left behind by a crash, for all to read");

        SelfSigned(_directory);

        Assert.Contains(_log.Lines, line => line.Contains("is replaced", StringComparison.Ordinal));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_directory, "apiserver.key")));
    }

    [Fact]
    public void A_directory_that_cannot_be_made_is_named_with_its_flag()
    {
        string file = Path.Combine(_directory, "file");
        File.WriteAllText(file, "");
        string directory = Path.Combine(file, "certificates");

        ServingCertificateException exception = Assert.Throws<ServingCertificateException>(() => SelfSigned(directory));

        Assert.StartsWith($"--cert-dir: no certificate can be made in {directory}", exception.Message, StringComparison.Ordinal);
    }

    private string CertificateFile => Path.Combine(_directory, "tls.crt");

    private string KeyFile => Path.Combine(_directory, "tls.key");

    private static (string Leaf, string Key) Pair(TestAuthority authority)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 leaf = authority.IssueServing(key);
        return (leaf.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    private void Write(string leaf, string key)
    {
        File.WriteAllText(CertificateFile, leaf);
        File.WriteAllText(KeyFile, key);
    }

    private string Fault(string? leaf, string? key)
    {
        Write(leaf ?? "", key ?? "");
        if (leaf is null)
        {
            File.Delete(CertificateFile);
        }

        if (key is null)
        {
            File.Delete(KeyFile);
        }

        return Assert.Throws<ServingCertificateException>(() => FromFiles()).Message;
    }

    private ServingCertificate FromFiles(string leaf, string key)
    {
        Write(leaf, key);
        return FromFiles();
    }

    private ServingCertificate FromFiles() => new(new ServingOptions { TlsCertFile = CertificateFile, TlsPrivateKeyFile = KeyFile }, _time, _log);

    private ServingCertificate SelfSigned(string directory) => new(new ServingOptions { CertDir = directory }, _time, _log);
}
