using SmiMetrics;

return await CommandLine.RunAsync(
    args,
    Environment.GetEnvironmentVariable,
    new Commands
    {
        Serve = (options, cancellationToken) => Server.RunAsync(options, Doors.Real, TimeProvider.System, cancellationToken),
        Check = (options, cancellationToken) => CheckCommand.RunAsync(options, Doors.Real, Console.Out, Console.Error, TimeProvider.System, cancellationToken),
        Demo = (options, cancellationToken) => DemoCommand.RunAsync(
            options, DemoCommand.DetectScreen(Environment.GetEnvironmentVariable), Console.Out, Console.Error, TimeProvider.System, cancellationToken),
    },
    Console.Out,
    Console.Error,
    CancellationToken.None);
