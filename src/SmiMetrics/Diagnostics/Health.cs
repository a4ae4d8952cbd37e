using System.Text;
using Microsoft.Extensions.Primitives;

namespace SmiMetrics.Diagnostics;

/// <summary>Something that must hold before this server is sent requests.</summary>
/// <param name="Name">As in <c>/readyz/NAME</c>.</param>
/// <param name="Fault">Null while it holds; else why not, fit for anyone. Quick, and throws nothing.</param>
internal sealed record ReadinessCheck(string Name, Func<string?> Fault);

/// <summary>What a probe is told.</summary>
internal readonly record struct HealthAnswer(int Code, string Text);

/// <summary>
/// <c>/livez</c>, <c>/readyz</c> and <c>/healthz</c> as Kubernetes' generic server answers them (apiserver <c>pkg/server/healthz/healthz.go</c>).
/// All three check <c>ping</c>; <c>/readyz</c> also the given checks and <c>shutdown</c>, which fails from the moment the host begins to
/// stop, while the last requests are served.
/// </summary>
internal sealed partial class Health
{
    private readonly ILogger<Health> _logger;
    private readonly Dictionary<string, ReadinessCheck[]> _probes;
    private readonly Dictionary<string, string?> _lastFaults = [];

    /// <param name="readiness">Asked in this order. Not whether a source of traffic is up: an unready API makes namespace deletion hang.</param>
    public Health(IHostApplicationLifetime lifetime, IEnumerable<ReadinessCheck> readiness, ILogger<Health> logger)
    {
        _logger = logger;
        ReadinessCheck ping = new("ping", () => null);
        ReadinessCheck shutdown = new("shutdown", () => lifetime.ApplicationStopping.IsCancellationRequested ? "process is shutting down" : null);
        _probes = new Dictionary<string, ReadinessCheck[]>
        {
            ["healthz"] = [ping],
            ["livez"] = [ping],
            ["readyz"] = [ping, .. readiness, shutdown],
        };
    }

    /// <summary>Answers <c>/PROBE?verbose&amp;exclude=NAME</c>; null if there is no such probe.</summary>
    public HealthAnswer? Ask(string probe, bool verbose, StringValues exclude)
    {
        if (!_probes.TryGetValue(probe, out ReadinessCheck[]? checks))
        {
            return null;
        }

        HashSet<string> excluded = [.. exclude.OfType<string>()];
        StringBuilder report = new();
        bool failed = false;
        foreach (ReadinessCheck check in checks)
        {
            if (excluded.Remove(check.Name))
            {
                report.Append($"[+]{check.Name} excluded: ok\n");
            }
            else if (FaultOf(probe, check) is null)
            {
                report.Append($"[+]{check.Name} ok\n");
            }
            else
            {
                failed = true;
                report.Append($"[-]{check.Name} failed: reason withheld\n");
            }
        }

        if (excluded.Count > 0)
        {
            string unknown = string.Join(", ", excluded.Order(StringComparer.Ordinal).Select(name => $"\"{name}\""));
            report.Append($"warn: some health checks cannot be excluded: no matches for {unknown}\n");
        }

        return failed ? new HealthAnswer(StatusCodes.Status500InternalServerError, $"{report}{probe} check failed\n")
            : new HealthAnswer(StatusCodes.Status200OK, verbose ? $"{report}{probe} check passed\n" : "ok");
    }

    /// <summary>Answers <c>/PROBE/CHECK</c>; null if there is no such probe or check.</summary>
    public HealthAnswer? Ask(string probe, string name)
    {
        ReadinessCheck? check = _probes.GetValueOrDefault(probe)?.FirstOrDefault(check => check.Name == name);
        if (check is null)
        {
            return null;
        }

        return FaultOf(probe, check) is string fault
            ? new HealthAnswer(StatusCodes.Status500InternalServerError, $"internal server error: {fault}\n")
            : new HealthAnswer(StatusCodes.Status200OK, "ok");
    }

    // Probes come every few seconds: a line tells of a change, not of a probe.
    private string? FaultOf(string probe, ReadinessCheck check)
    {
        string? fault = check.Fault();
        string? before;
        lock (_lastFaults)
        {
            before = _lastFaults.GetValueOrDefault(check.Name);
            _lastFaults[check.Name] = fault;
        }

        if (fault is not null && fault != before)
        {
            Log.Failing(_logger, probe, check.Name, fault);
        }
        else if (fault is null && before is not null)
        {
            Log.Passing(_logger, probe, check.Name);
        }

        return fault;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Probe} check {Check} fails: {Fault}")]
        public static partial void Failing(ILogger logger, string probe, string check, string fault);

        [LoggerMessage(Level = LogLevel.Information, Message = "{Probe} check {Check} passes again")]
        public static partial void Passing(ILogger logger, string probe, string check);
    }
}
