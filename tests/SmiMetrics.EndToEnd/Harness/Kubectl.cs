using System.Diagnostics;
using System.Text.Json.Nodes;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>What a run of kubectl left.</summary>
internal sealed record KubectlOutcome(string CommandLine, int Status, string Output, string Error)
{
    /// <summary>The output of a run that must have succeeded.</summary>
    public string Text => Status == 0 ? Output : throw new InvalidOperationException($"{CommandLine}: status {Status}\n{Error}{Output}");

    public JsonNode Json => JsonNode.Parse(Text)!;
}

/// <summary>The real kubectl, as one user.</summary>
internal sealed class Kubectl(string program, string kubeconfig, string home)
{
    public async Task<KubectlOutcome> RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        ProcessStartInfo start = new(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["KUBECONFIG"] = kubeconfig;
        // Keeps kubectl's discovery cache of one run from the next, and from the user's own.
        start.Environment["HOME"] = home;
        using Process process = Process.Start(start)!;
        try
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            Task<string> error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return new KubectlOutcome($"kubectl {string.Join(' ', arguments)}", process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    /// <summary><c>kubectl get --raw</c>.</summary>
    public Task<KubectlOutcome> GetRawAsync(string path, CancellationToken cancellationToken) => RunAsync(cancellationToken, "get", "--raw", path);
}
