using SmiMetrics;

return await CommandLine.RunAsync(
    args,
    Environment.GetEnvironmentVariable,
    (options, cancellationToken) => Server.RunAsync(options, Doors.Real, TimeProvider.System, cancellationToken),
    (options, cancellationToken) => DemoCommand.RunAsync(
        options, DemoCommand.DetectScreen(Environment.GetEnvironmentVariable), Console.Out, Console.Error, TimeProvider.System, cancellationToken),
    Console.Out,
    Console.Error,
    CancellationToken.None);
