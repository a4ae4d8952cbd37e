using System.Diagnostics;
using System.Text.Json.Nodes;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>What a run of a program left.</summary>
internal sealed record Outcome(string CommandLine, int Status, string Output, string Error)
{
    /// <summary>The output of a run that must have succeeded.</summary>
    public string Text => Status == 0 ? Output : throw new InvalidOperationException($"{CommandLine}: status {Status}\n{Error}{Output}");

    public JsonNode Json => JsonNode.Parse(Text)!;
}

/// <summary>Programs that end by themselves.</summary>
internal static class Command
{
    public static async Task<Outcome> RunAsync(
        string program, IEnumerable<string> arguments, CancellationToken cancellationToken, params (string Name, string Value)[] environment)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        using CancellationTokenSource deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Patience.Limit);
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(deadline.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(deadline.Token);
            await process.WaitForExitAsync(deadline.Token);
            return new Outcome($"{Path.GetFileName(program)} {string.Join(' ', start.ArgumentList)}", process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }
}
