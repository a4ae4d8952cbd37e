namespace SmiMetrics.EndToEnd.Harness;

/// <summary>The real kubectl, as one user.</summary>
internal sealed class Kubectl(string program, string kubeconfig, string home)
{
    public Task<Outcome> RunAsync(CancellationToken cancellationToken, params string[] arguments) => Command.RunAsync(
        program,
        arguments,
        cancellationToken,
        ("KUBECONFIG", kubeconfig),
        // Keeps kubectl's discovery cache of one run from the next, and from the user's own.
        ("HOME", home));

    /// <summary><c>kubectl get --raw</c>.</summary>
    public Task<Outcome> GetRawAsync(string path, CancellationToken cancellationToken) => RunAsync(cancellationToken, "get", "--raw", path);
}
