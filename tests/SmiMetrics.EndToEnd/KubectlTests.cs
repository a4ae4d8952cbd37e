using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using SmiMetrics.EndToEnd.Harness;
using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd;

/// <summary>What people see: real kubectls, the newest and one from 2021, through the real kube-apiserver. Each command's output is a golden file.</summary>
[Trait(Runs.Trait, Runs.Published)]
public sealed partial class KubectlTests(World world, KubectlWorld kubectl) : ProgramTest(world), IClassFixture<KubectlWorld>
{
    private const int TerminalWidth = 120;

    public override async ValueTask InitializeAsync()
    {
        Assert.SkipWhen(World.Unable is not null, World.Unable ?? "");
        await kubectl.RouteToAsync(kubectl.Server, Token);
    }

    /// <summary>The commands by which people meet this API, and what is asked of them: to be read in a terminal of 120 columns.</summary>
    public static readonly TheoryData<string, string> Narrow = new()
    {
        { "trafficmetrics", "get trafficmetrics -n shop" },
        { "trafficedges", "get trafficedges -n shop" },
        { "deployments", "get deployments.metrics.smi-spec.io -A" },
        { "meshes", "get meshes.metrics.smi-spec.io" },
    };

    public static readonly TheoryData<string, string> Others = new()
    {
        { "trafficmetrics-all", "get trafficmetrics -A" },
        { "trafficmetrics-wide", "get trafficmetrics -n shop -o wide" },
        { "trafficmetrics-label-column", "get trafficmetrics -n shop -L app -L team" },
        { "trafficmetrics-labels", "get trafficmetrics -n shop --show-labels" },
        { "trafficmetrics-selected", "get trafficmetrics -A -l team=shop,app!=web" },
        { "trafficmetrics-set-selected", "get trafficmetrics -A -l app in (web,checkout)" },
        { "trafficmetrics-by-name", "get trafficmetrics -n shop --sort-by=.metadata.name" },
        { "trafficmetrics-by-failures", "get trafficmetrics -n shop --sort-by={.metrics[4].value} -o wide" },
        { "trafficmetrics-one", "get trafficmetrics deployment.web -n shop" },
        { "trafficmetrics-field", "get trafficmetrics -A --field-selector metadata.namespace=payments" },
        { "trafficmetrics-chunks", "get trafficmetrics -A --chunk-size=3" },
        { "trafficmetrics-no-headers", "get trafficmetrics -n shop --no-headers" },
        { "trafficmetrics-names", "get trafficmetrics -n shop -o name" },
        { "trafficmetrics-none", "get trafficmetrics -n nosuch" },
        { "trafficedges-all", "get trafficedges -A" },
        { "trafficedges-wide", "get trafficedges -n payments -o wide" },
        { "trafficedges-selected", "get trafficedges -A -l app=checkout" },
        { "deployment-one", "get deployments.metrics.smi-spec.io web -n shop" },
        { "deployment-singular", "get deployment.metrics.smi-spec.io/web -n shop" },
        { "deployment-versioned", "get deployments.v1alpha1.metrics.smi-spec.io -n payments" },
        { "deployment-yaml", "get deployments.metrics.smi-spec.io web -n shop -o yaml" },
        { "deployment-json", "get deployments.metrics.smi-spec.io web -n shop -o json" },
        { "deployment-columns", "get deployments.metrics.smi-spec.io -n shop -o custom-columns=NAME:.metadata.name,P99:.metrics[0].value" },
        { "deployment-described", "describe deployments.metrics.smi-spec.io web -n shop" },
        { "api-resources", "api-resources --api-group=metrics.smi-spec.io" },
        { "deployments-described", "describe deployments.metrics.smi-spec.io -n payments" },
        { "trafficmetrics-bare", "get tm web -n shop" },
        { "both", "get traffic -n payments" },
        { "short", "get te -n payments" },
        { "nodes", "get nodes.metrics.smi-spec.io" },
        { "trafficsplits", "get trafficsplits.metrics.smi-spec.io -n shop" },
        { "pods", "get pods.metrics.smi-spec.io -n shop" },
        { "namespaces", "get namespaces.metrics.smi-spec.io" },
        { "meshes-wide", "get meshes.metrics.smi-spec.io -o wide" },
        { "mesh-described", "describe mesh.metrics.smi-spec.io linkerd" },
    };

    /// <summary>What kubectl learnt since 2021.</summary>
    public static readonly TheoryData<string, string> New = new()
    {
        { "deployment-edges", "get deployments.metrics.smi-spec.io web -n shop --subresource=edges" },
        { "deployment-awaited", "wait deployments.metrics.smi-spec.io/web -n shop --for=jsonpath={.window}=1m0s --timeout=5s" },
    };

    public static readonly TheoryData<string, string> Refused = new()
    {
        { "error-not-found", "get deployments.metrics.smi-spec.io nosuch -n shop" },
        { "error-label-selector", "get trafficmetrics -n shop -l app===web" },
        { "error-field-selector", "get trafficmetrics -n shop --field-selector status.phase=Running" },
        { "error-window", "get --raw /apis/metrics.smi-spec.io/v1alpha2/namespaces/shop/deployments?window=9h" },
        { "error-delete", "delete deployments.metrics.smi-spec.io web -n shop" },
        { "error-delete-all", "delete trafficmetrics --all -n shop" },
        { "error-watch", "get trafficmetrics -n shop -w" },
        { "error-not-shop", "get trafficmetrics -n shop --as=pat" },
        { "error-nodes", "get nodes.metrics.smi-spec.io --as=pat --as-group=ops,emea" },
    };

    [Theory]
    [MemberData(nameof(Narrow))]
    public async Task A_table_reads_well_in_a_terminal(string golden, string command)
    {
        string text = await VerifyAsync(golden, command);
        Assert.All(text.Split('\n'), line => Assert.True(line.Length <= TerminalWidth, $"{line.Length} columns: {line}"));
    }

    [Theory]
    [MemberData(nameof(Others))]
    public Task A_command_prints_this(string golden, string command) => VerifyAsync(golden, command);

    [Theory]
    [MemberData(nameof(New))]
    public async Task A_new_command_prints_this(string golden, string command)
    {
        Outcome outcome = await RunAsync(old: false, command);
        Verify(golden, old: false, command, outcome.Text);
    }

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_command_fails_like_this(string golden, string command)
    {
        foreach (bool old in new[] { false, true })
        {
            double before = await kubectl.Server.Requests.ErrorsAsync(Token);
            Outcome outcome = await RunAsync(old, command);
            Assert.Equal(1, outcome.Status);
            // One for each object. kubectl repeats ten times what it is told to repeat.
            Assert.InRange(await kubectl.Server.Requests.ErrorsAsync(Token) - before, 0, 9);
            Verify(golden, old, command, outcome.Output + WithoutClientLogs(outcome.Error));
        }
    }

    [Fact]
    public async Task Who_may_view_a_namespace_sees_that_namespace_and_nothing_else()
    {
        JsonObject binding = new()
        {
            ["metadata"] = new JsonObject { ["name"] = "tess-views-shop" },
            ["roleRef"] = new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "ClusterRole", ["name"] = "view" },
            ["subjects"] = new JsonArray(
                new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "User", ["name"] = "tess" },
                new JsonObject { ["apiGroup"] = "rbac.authorization.k8s.io", ["kind"] = "Group", ["name"] = "team,shop" }),
        };
        await kubectl.ControlPlane.Api.CreateAsync("/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings", binding, Token);
        Kubectl tess = kubectl.As("tess");
        await kubectl.ControlPlane.AllowsAsync("tess", [], "list", "trafficmetrics", "shop", Token);
        string table = (await tess.RunAsync(Token, "get", "trafficmetrics", "-n", "shop")).Text;
        Assert.Equal((await RunAsync(false, "get trafficmetrics -n shop")).Text, table);
        // A comma in the name of a group separates nothing.
        Assert.Equal(table, (await RunAsync(false, "get trafficmetrics -n shop --as=sam --as-group=team,shop")).Text);
        Assert.Contains("Forbidden", (await RunAsync(false, "get trafficmetrics -n shop --as=sam --as-group=team --as-group=shop")).Error, StringComparison.Ordinal);

        foreach ((string may, string[] question) in new (string, string[])[]
        {
            ("yes", ["list", "trafficmetrics.metrics.smi-spec.io", "-n", "shop"]),
            ("yes", ["get", "deployments.metrics.smi-spec.io/web", "-n", "shop"]),
            ("yes", ["get", "deployments.metrics.smi-spec.io/web", "--subresource=edges", "-n", "shop"]),
            ("no", ["list", "trafficmetrics.metrics.smi-spec.io", "-n", "payments"]),
            ("no", ["list", "trafficmetrics.metrics.smi-spec.io", "-A"]),
            ("no", ["delete", "trafficmetrics.metrics.smi-spec.io", "-n", "shop"]),
            ("no", ["watch", "trafficmetrics.metrics.smi-spec.io", "-n", "shop"]),
            ("no", ["get", "meshes.metrics.smi-spec.io/linkerd"]),
        })
        {
            Outcome answer = await tess.RunAsync(Token, ["auth", "can-i", .. question]);
            Assert.True(answer.Output.Trim() == may, $"{string.Join(' ', question)}: {answer.Output}{answer.Error}");
        }

        foreach (string[] elsewhere in new string[][] { ["trafficmetrics", "-n", "payments"], ["trafficmetrics", "-A"], ["namespaces.metrics.smi-spec.io"], ["meshes.metrics.smi-spec.io"] })
        {
            Outcome refused = await tess.RunAsync(Token, ["get", .. elsewhere]);
            Assert.Equal((1, ""), (refused.Status, refused.Output));
            Assert.Contains("(Forbidden)", refused.Error, StringComparison.Ordinal);
        }
    }

    /// <summary>An API that is not available makes every deletion of a namespace in the cluster hang.</summary>
    [Fact]
    public async Task A_namespace_is_deleted_while_Prometheus_is_down()
    {
        await kubectl.RouteToAsync(kubectl.Blind, Token);
        Outcome traffic = await RunAsync(false, "get trafficmetrics -n shop");
        Assert.Contains("(ServiceUnavailable)", traffic.Error, StringComparison.Ordinal);
        _ = (await RunAsync(false, "create namespace short-lived")).Text;
        _ = (await RunAsync(false, "create configmap something -n short-lived")).Text;
        _ = (await RunAsync(false, "delete namespace short-lived --timeout=60s")).Text;
        Outcome gone = await RunAsync(false, "get namespace short-lived");
        Assert.Contains("(NotFound)", gone.Error, StringComparison.Ordinal);
    }

    private async Task<string> VerifyAsync(string golden, string command)
    {
        string text = "";
        foreach (bool old in new[] { false, true })
        {
            Outcome outcome = await RunAsync(old, command);
            text = outcome.Text;
            Verify(golden, old, command, text + outcome.Error);
        }

        return text;
    }

    /// <summary>Most output is the same whatever the version; where it is not, the old one has a file of its own.</summary>
    private static void Verify(string golden, bool old, string command, string output)
    {
        string shared = $"tests/SmiMetrics.EndToEnd/testdata/kubectl/{golden}.golden";
        string ofOld = Path.ChangeExtension(shared, ".old.golden");
        string actual = $"$ kubectl {command}\n{Time().Replace(output, "2026-11-22T12:00:00Z")}";
        bool differs = old && (Golden.Updating
            ? actual != File.ReadAllText(Path.Combine(Workspace.Repository, shared))
            : File.Exists(Path.Combine(Workspace.Repository, ofOld)));
        Golden.VerifyFile(differs ? ofOld : shared, actual);
    }

    private Task<Outcome> RunAsync(bool old, string command) => kubectl.Admin(old).RunAsync(Token, Words(command));

    /// <summary>A selector may have a blank after an operator.</summary>
    private static string[] Words(string command) => [.. Word().Matches(command).Select(match => match.Value)];

    /// <summary>kubectl's own log lines have times and process ids in them.</summary>
    private static string WithoutClientLogs(string error) => string.Join('\n', error.Split('\n').Where(line => !ClientLog().IsMatch(line)));

    [GeneratedRegex(@"\S+ in \([^)]*\)|\S+")]
    private static partial Regex Word();

    [GeneratedRegex(@"^[EWI]\d{4} ")]
    private static partial Regex ClientLog();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")]
    private static partial Regex Time();
}
