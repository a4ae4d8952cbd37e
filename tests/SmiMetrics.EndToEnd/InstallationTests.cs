using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>What <c>kubectl apply -k apiservice</c> leaves in the cluster, tested without the server.</summary>
[Trait(Runs.Trait, Runs.Once)]
public sealed class InstallationTests(World world) : WorldTest(world)
{
    [Theory]
    [InlineData("list", "pods", true)]
    [InlineData("watch", "pods", true)]
    [InlineData("watch", "namespaces", true)]
    [InlineData("watch", "nodes", true)]
    [InlineData("watch", "services", true)]
    [InlineData("watch", "replicationcontrollers", true)]
    [InlineData("watch", "deployments.apps", true)]
    [InlineData("watch", "replicasets.apps", true)]
    [InlineData("watch", "statefulsets.apps", true)]
    [InlineData("watch", "daemonsets.apps", true)]
    [InlineData("watch", "jobs.batch", true)]
    [InlineData("watch", "cronjobs.batch", true)]
    [InlineData("watch", "trafficsplits.split.smi-spec.io", true)]
    [InlineData("list", "httproutes.gateway.networking.k8s.io", true)]
    [InlineData("watch", "endpointslices.discovery.k8s.io", true)]
    [InlineData("create", "tokenreviews.authentication.k8s.io", true)]
    [InlineData("create", "subjectaccessreviews.authorization.k8s.io", true)]
    [InlineData("get", "secrets", false)]
    [InlineData("list", "configmaps", false)]
    [InlineData("delete", "pods", false)]
    public async Task The_server_may_read_what_it_needs_and_nothing_else(string verb, string resource, bool may)
    {
        Outcome outcome = await World.KubectlWith(World.ServerKubeconfig).RunAsync(Token, "auth", "can-i", verb, resource, "--all-namespaces");
        Assert.Equal(may ? "yes" : "no", outcome.Output.Trim());
    }

    [Fact]
    public async Task The_server_may_read_how_kube_apiserver_proves_itself()
    {
        JsonNode trust = (await World.KubectlWith(World.ServerKubeconfig).GetRawAsync(
            "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication", Token)).Json;
        Assert.Contains("BEGIN CERTIFICATE", trust["data"]!["requestheader-client-ca-file"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Both_APIServices_verify_the_server_by_the_authority_that_certificate_sh_made()
    {
        foreach (string version in Installation.Versions)
        {
            JsonNode spec = (await World.Admin.GetRawAsync($"/apis/apiregistration.k8s.io/v1/apiservices/{version}.metrics.smi-spec.io", Token)).Json["spec"]!;
            Assert.Null(spec["insecureSkipTLSVerify"]);
            Assert.Equal(World.Installation.Authority, System.Text.Encoding.ASCII.GetString(Convert.FromBase64String(spec["caBundle"]!.GetValue<string>())));
            Assert.Equal((100, 100), (spec["groupPriorityMinimum"]!.GetValue<int>(), spec["versionPriority"]!.GetValue<int>()));
        }
    }

    /// <summary>For a minute or two after a renewal the servers still show the certificate before it.</summary>
    [Fact]
    public async Task A_renewal_leaves_the_certificate_before_it_trusted_and_no_older_one()
    {
        string folder = World.Workspace.Folder("renewal");
        File.Copy(Path.Combine(Workspace.Repository, "apiservice", "certificate.sh"), Path.Combine(folder, "certificate.sh"));
        List<X509Certificate2> made = [];
        X509Certificate2Collection trusted = [];
        for (int i = 0; i < 3; i++)
        {
            await Installation.MakeCertificateAsync(folder, Token);
            made.Add(X509Certificate2.CreateFromPem(await File.ReadAllTextAsync(Path.Combine(folder, "tls", "tls.crt"), Token)));
            trusted = [];
            trusted.ImportFromPemFile(Path.Combine(folder, "tls", "ca.crt"));
        }

        Assert.Equal([false, true, true], made.Select(certificate =>
        {
            using X509Chain chain = new();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.CustomTrustStore.AddRange(trusted);
            return chain.Build(certificate);
        }));
    }

    [Fact]
    public async Task The_key_of_the_authority_is_nowhere()
    {
        JsonNode secrets = (await World.Admin.GetRawAsync("/api/v1/namespaces/smi-metrics/secrets", Token)).Json;
        JsonNode secret = Assert.Single(secrets["items"]!.AsArray())!;
        Assert.Equal("smi-metrics-tls", secret["metadata"]!["name"]!.GetValue<string>());
        Assert.Equal(["tls.crt", "tls.key"], secret["data"]!.AsObject().Select(entry => entry.Key).Order());
    }

    [Fact]
    public async Task The_Deployment_is_confined()
    {
        JsonNode deployment = (await World.Admin.GetRawAsync("/apis/apps/v1/namespaces/smi-metrics/deployments/smi-metrics", Token)).Json;
        JsonNode pod = deployment["spec"]!["template"]!["spec"]!;
        JsonNode container = Assert.Single(pod["containers"]!.AsArray())!["securityContext"]!;
        Assert.True(pod["securityContext"]!["runAsNonRoot"]!.GetValue<bool>());
        Assert.Equal("RuntimeDefault", pod["securityContext"]!["seccompProfile"]!["type"]!.GetValue<string>());
        Assert.True(container["readOnlyRootFilesystem"]!.GetValue<bool>());
        Assert.False(container["allowPrivilegeEscalation"]!.GetValue<bool>());
        Assert.Equal("ALL", container["capabilities"]!["drop"]![0]!.GetValue<string>());
    }

    [Theory]
    [InlineData("view")]
    [InlineData("edit")]
    [InlineData("admin")]
    public async Task The_built_in_roles_gain_the_right_to_read_traffic(string role)
    {
        // kube-controller-manager aggregates roles in its own time.
        string aggregated = await Eventually.SomeAsync(
            $"{role} contains metrics.smi-spec.io",
            async token => await World.ControlPlane.Api.GetTextAsync($"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}", token) is var text
                && text.Contains("metrics.smi-spec.io", StringComparison.Ordinal) ? text : null,
            () => World.ControlPlane.Logs,
            Token);
        JsonNode rule = Assert.Single(JsonNode.Parse(aggregated)!["rules"]!.AsArray(), rule => rule!["apiGroups"]!.ToJsonString().Contains("metrics.smi-spec.io", StringComparison.Ordinal))!;
        Assert.Equal(["get", "list"], rule["verbs"]!.AsArray().Select(verb => verb!.GetValue<string>()).Order());
    }
}
