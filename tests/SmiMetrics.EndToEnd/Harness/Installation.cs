using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>
/// What a user installs, <c>apiservice/certificate.sh &amp;&amp; kubectl apply -k apiservice</c>, on a copy of that folder and with three
/// things that a cluster without a network needs otherwise: the Service leads to localhost, the APIServices to the server's port,
/// and there is no PodDisruptionBudget, whose API version kube-apiserver 1.20 does not know.
/// </summary>
internal sealed class Installation
{
    public static readonly IReadOnlyList<string> Versions = ["v1alpha1", "v1alpha2"];

    /// <summary>The name by which kube-apiserver verifies the server.</summary>
    public const string ServerName = "smi-metrics.smi-metrics.svc";

    private readonly ControlPlane _controlPlane;
    private readonly string _folder;

    private Installation(ControlPlane controlPlane, string folder)
    {
        _controlPlane = controlPlane;
        _folder = folder;
    }

    public string CertificateFile => Path.Combine(_folder, "tls", "tls.crt");

    public string KeyFile => Path.Combine(_folder, "tls", "tls.key");

    /// <summary>The authority that the APIServices trust.</summary>
    public string Authority => File.ReadAllText(Path.Combine(_folder, "tls", "ca.crt"));

    public static async Task<Installation> ApplyAsync(Workspace workspace, ControlPlane controlPlane, Kubectl kubectl, CancellationToken cancellationToken)
    {
        string folder = workspace.Folder("install/apiservice");
        string source = Path.Combine(Workspace.Repository, "apiservice");
        foreach (string file in Directory.EnumerateFiles(source))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        await MakeCertificateAsync(folder, cancellationToken);
        workspace.Write("install/overlay/kustomization.yaml", """
            apiVersion: kustomize.config.k8s.io/v1beta1
            kind: Kustomization
            resources: [../apiservice]
            patches:
            - patch: |-
                apiVersion: v1
                kind: Service
                metadata: {name: smi-metrics, namespace: smi-metrics}
                spec: {$patch: replace, type: ExternalName, externalName: localhost}
            - patch: |-
                apiVersion: policy/v1
                kind: PodDisruptionBudget
                metadata: {name: smi-metrics, namespace: smi-metrics}
                $patch: delete
            """);
        Outcome outcome = await kubectl.RunAsync(cancellationToken, "apply", "-k", workspace.PathOf("install/overlay"));
        _ = outcome.Text;
        return new Installation(controlPlane, folder);
    }

    /// <summary>Makes or renews what lies in the folder's <c>tls</c>.</summary>
    public static async Task MakeCertificateAsync(string folder, CancellationToken cancellationToken) =>
        _ = (await Command.RunAsync(Path.Combine(folder, "certificate.sh"), [], cancellationToken)).Text;

    /// <summary>Points both APIServices to this port.</summary>
    /// <param name="authority">Whose serving certificate is there; null for the one of <see cref="CertificateFile"/>.</param>
    public async Task RouteToAsync(int port, string? authority, CancellationToken cancellationToken)
    {
        string bundle = Convert.ToBase64String(Encoding.ASCII.GetBytes(authority ?? Authority));
        foreach (string version in Versions)
        {
            JsonObject patch = new() { ["spec"] = new JsonObject { ["caBundle"] = bundle, ["service"] = new JsonObject { ["port"] = port } } };
            await _controlPlane.Api.MergeAsync(PathOf(version), patch, cancellationToken);
        }
    }

    /// <summary>Waits until kube-apiserver has found the server usable, and discovery passes through it.</summary>
    /// <param name="explain">Adds what is known when it does not.</param>
    public async Task AvailableAsync(Func<string> explain, CancellationToken cancellationToken)
    {
        foreach (string version in Versions)
        {
            await Eventually.TrueAsync(
                $"APIService {version} is available",
                async token =>
                {
                    JsonNode apiService = await _controlPlane.Api.GetAsync(PathOf(version), token);
                    JsonNode? available = apiService["status"]?["conditions"]?.AsArray().SingleOrDefault(condition => condition!["type"]!.GetValue<string>() == "Available");
                    if (available?["status"]!.GetValue<string>() != "True")
                    {
                        // After a failure kube-apiserver looks again in up to half a minute, or when the object changes.
                        await _controlPlane.Api.MergeAsync(PathOf(version), Touched(), token);
                        return false;
                    }

                    return (await _controlPlane.Api.SendAsync(HttpMethod.Get, $"/apis/metrics.smi-spec.io/{version}", null, [], token)).Code == HttpStatusCode.OK;
                },
                explain,
                cancellationToken);
        }
    }

    private static JsonObject Touched() => new()
    {
        ["metadata"] = new JsonObject { ["annotations"] = new JsonObject { ["looked-at"] = $"{TimeProvider.System.GetUtcNow():O}" } },
    };

    private static string PathOf(string version) => $"/apis/apiregistration.k8s.io/v1/apiservices/{version}.metrics.smi-spec.io";
}
