namespace SmiMetrics.EndToEnd.Harness;

/// <summary>The control plane's programs.</summary>
internal sealed record ControlPlanePrograms(string Etcd, string ApiServer, string ControllerManager);

/// <summary>
/// The programs that the tests run, none of them ours but the server. <c>$KUBEBUILDER_ASSETS</c> is searched first, then
/// <c>artifacts/tools</c>, which test.sh fills, then <c>$PATH</c>.
/// </summary>
/// <param name="Kubectl">The newest that there is.</param>
/// <param name="OldKubectl">As old as kube-apiserver here.</param>
internal sealed record Programs(ControlPlanePrograms ControlPlane, string Prometheus, string Promtool, string Kubectl, string OldKubectl, string Server)
{
    /// <returns>The programs, or the names of those that are missing.</returns>
    public static (Programs? Found, IReadOnlyList<string> Missing) Find()
    {
        List<string> missing = [];
        string Locate(string name)
        {
            string? path = Folders().Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
            if (path is null)
            {
                missing.Add(name);
            }

            return path ?? name;
        }

        ControlPlanePrograms controlPlane = new(Locate("etcd"), Locate("kube-apiserver"), Locate("kube-controller-manager"));
        string prometheus = Locate("prometheus");
        string promtool = Locate("promtool");
        string kubectl = Locate("kubectl");
        string oldKubectl = Locate("kubectl-1.20");
        string server = Environment.GetEnvironmentVariable("SMI_METRICS_SERVER") is { Length: > 0 } named
            ? Path.GetFullPath(named, Workspace.Repository)
            : Path.Combine(Workspace.Repository, "artifacts", "bin", "SmiMetrics", "release", "smi-metrics");
        return (missing.Count == 0 ? new Programs(controlPlane, prometheus, promtool, kubectl, oldKubectl, server) : null, missing);
    }

    private static IEnumerable<string> Folders()
    {
        string? assets = Environment.GetEnvironmentVariable("KUBEBUILDER_ASSETS");
        return (assets is { Length: > 0 } ? (string[])[assets] : [])
            .Append(Path.Combine(Workspace.Repository, "artifacts", "tools"))
            .Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries));
    }
}
