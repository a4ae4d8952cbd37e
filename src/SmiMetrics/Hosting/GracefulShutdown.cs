using System.Runtime.InteropServices;

namespace SmiMetrics.Hosting;

/// <summary>
/// The time between being told to end and accepting no more: <c>/readyz</c> fails already (see <see cref="Diagnostics.Health"/>), and all else
/// goes on, informers and scrapes too, until nobody is sent here any more. Then the host stops what serves first (connections are told
/// to close and drained), what works in the background last.
/// </summary>
internal sealed partial class ShutdownDelay(HostingOptions options, TimeProvider clock, ILogger<ShutdownDelay> logger) : IHostedLifecycleService
{
    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        if (options.ShutdownDelay > TimeSpan.Zero)
        {
            Log.Delayed(logger, options.ShutdownDelay.TotalSeconds);
            await Task.Delay(options.ShutdownDelay, clock, cancellationToken);
        }

        Log.Draining(logger);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "told to end: not ready any more, and serving on for {Seconds} s")]
        public static partial void Delayed(ILogger logger, double seconds);

        [LoggerMessage(LogLevel.Information, "ending: no further connections are accepted, and what is in flight is answered")]
        public static partial void Draining(ILogger logger);
    }
}

/// <summary>The first signal to end is the host's; whoever sends a second one does not want to wait.</summary>
internal sealed class SecondSignal : IDisposable
{
    private readonly Action _impatient;
    private readonly PosixSignalRegistration[] _registrations;
    private int _signals;

    /// <param name="impatient">Called upon every signal but the first.</param>
    public SecondSignal(Action impatient)
    {
        _impatient = impatient;
        _registrations = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, Count), PosixSignalRegistration.Create(PosixSignal.SIGINT, Count)];
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void Count(PosixSignalContext context)
    {
        context.Cancel = true;
        if (Interlocked.Increment(ref _signals) > 1)
        {
            _impatient();
        }
    }
}
