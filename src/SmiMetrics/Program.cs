using SmiMetrics;

return await CommandLine.RunAsync(
    args,
    Environment.GetEnvironmentVariable,
    (options, cancellationToken) => Server.RunAsync(options, Doors.Real, TimeProvider.System, cancellationToken),
    Console.Out,
    Console.Error,
    CancellationToken.None);
