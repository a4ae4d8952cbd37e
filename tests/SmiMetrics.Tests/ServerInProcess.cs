using Microsoft.AspNetCore.Builder;

namespace SmiMetrics.Tests;

/// <summary>The server in the tests' own process, so that it can have a clock of theirs and doors of theirs.</summary>
internal static class ServerInProcess
{
    /// <summary>What <c>smi-metrics serve</c> makes of these flags.</summary>
    public static async Task<ServeOptions> OptionsAsync(params string[] flags)
    {
        ServeOptions? options = null;
        StringWriter errors = new();
        await CommandLine.RunAsync(flags, _ => null, new Commands { Serve = (read, _) => Task.FromResult((options = read) is null ? 1 : 0) }, TextWriter.Null, errors, CancellationToken.None);
        Assert.True(options is not null, errors.ToString());
        return options;
    }

    /// <summary>Puts the whole server together, as <c>smi-metrics serve</c> does from these flags.</summary>
    public static async Task<WebApplication> BuildAsync(Doors doors, TimeProvider clock, string[] flags) =>
        Server.Build(await OptionsAsync(flags), doors, clock);
}
