using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using SmiMetrics.Diagnostics;

namespace SmiMetrics.Tests.Diagnostics;

public sealed class HealthTests : IDisposable
{
    private readonly Lifetime _lifetime = new();
    private readonly Lines _log = new();
    private readonly Health _health;
    private string? _trustFault;
    private string? _syncFault;

    public HealthTests() => _health = new Health(
        _lifetime,
        [new ReadinessCheck("extension-authentication", () => _trustFault), new ReadinessCheck("informer-sync", () => _syncFault)],
        _log);

    public void Dispose() => _lifetime.Dispose();

    [Theory]
    [InlineData("livez")]
    [InlineData("readyz")]
    [InlineData("healthz")]
    public void All_is_well_in_two_letters(string probe) => Assert.Equal(new HealthAnswer(200, "ok"), _health.Ask(probe, verbose: false, default));

    [Theory]
    [InlineData("livez", "[+]ping ok\nlivez check passed\n")]
    [InlineData("healthz", "[+]ping ok\nhealthz check passed\n")]
    [InlineData("readyz", "[+]ping ok\n[+]extension-authentication ok\n[+]informer-sync ok\n[+]shutdown ok\nreadyz check passed\n")]
    public void Verbose_names_every_check(string probe, string text) => Assert.Equal(new HealthAnswer(200, text), _health.Ask(probe, verbose: true, default));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_failure_is_verbose_and_withholds_its_reason(bool verbose)
    {
        _syncFault = "pods are not listed yet";

        Assert.Equal(
            new HealthAnswer(
                500, "[+]ping ok\n[+]extension-authentication ok\n[-]informer-sync failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n"),
            _health.Ask("readyz", verbose, default));
        Assert.Equal(["readyz check informer-sync fails: pods are not listed yet"], _log);
        Assert.Equal(200, _health.Ask("livez", verbose: false, default)!.Value.Code);
        Assert.Equal(200, _health.Ask("healthz", verbose: false, default)!.Value.Code);
    }

    [Fact]
    public void Excluded_checks_are_not_asked()
    {
        _syncFault = "x";
        _trustFault = "y";

        Assert.Equal(
            new HealthAnswer(
                200, "[+]ping ok\n[+]extension-authentication excluded: ok\n[+]informer-sync excluded: ok\n[+]shutdown ok\nreadyz check passed\n"),
            _health.Ask("readyz", verbose: true, new StringValues(["informer-sync", "extension-authentication"])));
        Assert.Empty(_log);
    }

    [Fact]
    public void Excluding_what_does_not_exist_is_a_warning()
    {
        Assert.Equal(
            new HealthAnswer(200, "[+]ping ok\nwarn: some health checks cannot be excluded: no matches for \"b\", \"nosuch\"\nlivez check passed\n"),
            _health.Ask("livez", verbose: true, new StringValues(["nosuch", "b"])));
        Assert.Equal(new HealthAnswer(200, "ok"), _health.Ask("livez", verbose: false, new StringValues("nosuch")));
    }

    [Theory]
    [InlineData("livez", "ping")]
    [InlineData("readyz", "ping")]
    [InlineData("readyz", "extension-authentication")]
    [InlineData("readyz", "informer-sync")]
    [InlineData("readyz", "shutdown")]
    public void A_single_check_is_ok(string probe, string check) => Assert.Equal(new HealthAnswer(200, "ok"), _health.Ask(probe, check));

    [Fact]
    public void A_single_check_tells_its_reason()
    {
        _trustFault = "no front-proxy trust yet";

        Assert.Equal(new HealthAnswer(500, "internal server error: no front-proxy trust yet\n"), _health.Ask("readyz", "extension-authentication"));
    }

    [Theory]
    [InlineData("readyz", "nosuch")]
    [InlineData("readyz", "")]
    [InlineData("livez", "informer-sync")]
    [InlineData("startupz", "ping")]
    public void Unknown_checks_are_unknown(string probe, string check) => Assert.Null(_health.Ask(probe, check));

    [Fact]
    public void Readiness_ends_when_the_shutdown_begins_and_life_goes_on()
    {
        _lifetime.StopApplication();

        Assert.Equal(500, _health.Ask("readyz", verbose: false, default)!.Value.Code);
        Assert.Equal(new HealthAnswer(500, "internal server error: process is shutting down\n"), _health.Ask("readyz", "shutdown"));
        Assert.Equal(new HealthAnswer(200, "ok"), _health.Ask("livez", verbose: false, default));
        Assert.Equal(new HealthAnswer(200, "ok"), _health.Ask("healthz", verbose: false, default));
    }

    [Fact]
    public void The_log_tells_of_changes_not_of_probes()
    {
        foreach (string? fault in new[] { "a", "a", "b", null, null, "a" })
        {
            _syncFault = fault;
            _health.Ask("readyz", verbose: false, default);
        }

        Assert.Equal(
            [
                "readyz check informer-sync fails: a",
                "readyz check informer-sync fails: b",
                "readyz check informer-sync passes again",
                "readyz check informer-sync fails: a",
            ],
            _log);
    }

    private sealed class Lines : List<string>, ILogger<Health>
    {
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Add(formatter(state, exception));

        public bool IsEnabled(LogLevel logLevel) => true;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    }

    private sealed class Lifetime : IHostApplicationLifetime, IDisposable
    {
        private readonly CancellationTokenSource _stopping = new();

        public CancellationToken ApplicationStarted => default;

        public CancellationToken ApplicationStopping => _stopping.Token;

        public CancellationToken ApplicationStopped => default;

        public void StopApplication() => _stopping.Cancel();

        public void Dispose() => _stopping.Dispose();
    }
}
