using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

/// <summary>docs/adding-a-mesh.md, so that it cannot say what the code does not do.</summary>
public sealed class DocumentationTests
{
    [Fact]
    public void The_worked_example_is_read()
    {
        MeshDescriptor ferry = DescriptorReader.Read(WorkedExample(), "ferry.yaml");
        Assert.Equal("ferry", ferry.Name);
        Assert.Equal(["code", "protocol", "grpc_code"], ferry.Outcome.Labels);
        Assert.Single(ferry.Client!.Latency!.Where);
        Assert.Equal(2, ferry.Server!.Latency!.Where.Count);
        Assert.Equal(
            ["cronjobs", "daemonsets", "deployments", "jobs", "namespaces", "pods", "replicasets", "replicationcontrollers", "services", "statefulsets"],
            ferry.Client.Destination.Means.Keys.Order());
        Assert.IsType<IdentityMeans.Packed>(ferry.Client.Destination.Means["services"]);
        Assert.IsType<IdentityMeans.KindAndName>(ferry.Client.Destination.Means["deployments"]);
        Assert.Equal(("ferry-proxy", "ferry-metrics", "/metrics"), (ferry.Scrape!.Container, ferry.Scrape.Port, ferry.Scrape.Path));
        Assert.Equal(["namespace", "pod", "version"], ferry.Scrape.Labels.Keys.Order());
        Assert.True(Assert.Single(ferry.Splits).ByClient);
        Assert.Equal("nodes/edges", Assert.Single(ferry.Cannot).Key);
        Assert.NotNull(ferry.Advice.Series);
        Assert.NotNull(ferry.Advice.Labels);
    }

    [Theory]
    [InlineData("pods: L")]
    [InlineData("services: {label: L, namespace: N}")]
    [InlineData("services: {unique: L}")]
    [InlineData("nodes: {through: pods}")]
    [InlineData("jobs: {label: L, pattern: P}")]
    [InlineData("workload: L")]
    [InlineData("workload: {name: L, namespace: N}")]
    [InlineData("workload: [L, {through: pods}]")]
    [InlineData("workload: {kind: K, name: L, namespace: N}")]
    public void Every_form_in_the_table_is_read(string form)
    {
        Assert.Contains($"`{form}`", Page(), StringComparison.Ordinal);
        string kind = form.Split(':')[0];
        string inKinds = kind == "workload" ? "" : form.Replace(" P}", " '{jobs}'}", StringComparison.Ordinal);
        MeshDescriptor mesh = DescriptorReader.Read(
            $$"""
            name: form
            title: Form
            outcome: {success: ['ok="1"']}
            server:
              requests: r_total
              destination:
                namespace: NS
                {{(kind == "workload" ? form : "workload: W")}}
                kinds:
                  {{(kind == "pods" ? "" : "pods: L")}}
                  {{inKinds}}
            """,
            "form.yaml");
        Assert.Contains(kind == "workload" ? "statefulsets" : kind, mesh.Server!.Destination.Means);
    }

    [Theory]
    [InlineData("L: namespace")]
    [InlineData("L: pod")]
    [InlineData("L: node")]
    [InlineData("L: {podLabel: K}")]
    public void Every_label_of_a_scrape_in_the_table_is_read(string form)
    {
        Assert.Contains($"| `{form}` |", Page(), StringComparison.Ordinal);
        MeshDescriptor mesh = DescriptorReader.Read(
            $$"""
            name: form
            title: Form
            server:
              requests: r_total
              failures: f_total
              destination: {namespace: ns}
            scrape:
              pods: {app: ferry-node}
              port: 9090
              path: /metrics
              labels:
                {{form}}
            """,
            "form.yaml");
        Assert.Equal("L", Assert.Single(mesh.Scrape!.Labels).Key);
    }

    [Theory]
    [InlineData("The mesh", "the descriptor", "")]
    [InlineData("A side", "'server'", "server: {_: _}")]
    [InlineData("Who: `destination` and `source`", "'source'", "server: {source: {_: _}}")]
    [InlineData("A side", "'latency'", "server: {latency: {_: _}}", 1)]
    [InlineData("Splits", "a way in 'splits'", "splits: [{_: _}]")]
    [InlineData("Where: `scrape`", "'scrape'", "scrape: {_: _}")]
    public void Every_key_is_in_the_table_of_its_section(string heading, string section, string text, int table = 0)
    {
        // The reader, asked for a key that it does not know, says which it knows.
        string mistake = Assert.Throws<DescriptorException>(() => DescriptorReader.Read(text + "\n_: _", "keys.yaml")).Mistakes
            .Single(mistake => mistake.Contains($"unknown key '_' in {section}; there are ", StringComparison.Ordinal));
        string[] keys = mistake[(mistake.IndexOf("there are ", StringComparison.Ordinal) + "there are ".Length)..].Split(", ");
        string[] tables = [.. Section(heading).Split("\n\n").Where(part => part.StartsWith('|'))];
        Assert.Equal(keys, tables[table].Split('\n').Skip(2).Select(row => row.Split('`')[1]));
    }

    [Fact]
    public void Every_name_in_the_pattern_of_a_split_is_told() =>
        Assert.All([.. SplitNames.All, "port", "*", "hex"], name => Assert.Contains($"`{{{name}}}`", Section("Splits"), StringComparison.Ordinal));

    [Fact]
    public void Every_kind_is_listed() => Assert.Contains($"`{string.Join(' ', KindNames.All.Except(["namespaces"]))}`", Page(), StringComparison.Ordinal);

    internal static string WorkedExample()
    {
        const string fence = "```yaml\n";
        string page = Page();
        int start = page.IndexOf(fence, StringComparison.Ordinal) + fence.Length;
        return page[start..page.IndexOf("```", start, StringComparison.Ordinal)];
    }

    private static string Section(string heading) =>
        Page().Split("\n## ").Single(part => part.StartsWith(heading + "\n", StringComparison.Ordinal));

    private static string Page()
    {
        DirectoryInfo folder = new(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "SmiMetrics.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("The tests run outside the repository.");
        }

        return File.ReadAllText(Path.Combine(folder.FullName, "docs", "adding-a-mesh.md"));
    }
}
