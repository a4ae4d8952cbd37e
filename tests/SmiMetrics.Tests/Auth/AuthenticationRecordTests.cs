using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class AuthenticationRecordTests
{
    private readonly FakeTimeProvider _time = new(TestAuthority.Now);
    private readonly LogRecorder<AuthenticationRecord> _log = new();
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    [Fact]
    public void A_thousand_strangers_are_one_line_in_ten_seconds_and_a_count()
    {
        AuthenticationRecord record = new(_time, _services.GetRequiredService<IMeterFactory>(), _log);
        for (int i = 0; i < 1_000; i++)
        {
            record.Attempt(new AuthenticationResult.Error($"stranger {i}"));
        }

        Assert.Equal(["Request refused: stranger 0 (0 more since the last such line)"], _log.Lines);

        _time.Advance(TimeSpan.FromSeconds(10));
        record.Attempt(new AuthenticationResult.NoOpinion("no client certificate"));

        Assert.Equal("Request refused: no client certificate (999 more since the last such line)", _log.Lines[^1]);
    }

    [Fact]
    public void Each_outcome_is_counted_as_itself()
    {
        Dictionary<string, long> counts = [];
        using MeterListener listener = new();
        IMeterFactory meters = _services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Scope == meters)
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            string result = (string)tags.ToArray().Single(tag => tag.Key == "result").Value!;
            counts[result] = counts.GetValueOrDefault(result) + value;
        });
        listener.Start();
        AuthenticationRecord record = new(_time, meters, _log);

        record.Attempt(new AuthenticationResult.Success(new RequestUser("alice", null, [], new Dictionary<string, IReadOnlyList<string>>())));
        record.Attempt(new AuthenticationResult.NoOpinion("x"));
        record.Attempt(new AuthenticationResult.NoOpinion("x"));
        record.Attempt(new AuthenticationResult.Error("x"));

        Assert.Equal(new Dictionary<string, long> { ["success"] = 1, ["failure"] = 2, ["error"] = 1 }, counts);
    }
}
