using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class ExtendsTests
{
    private const string Base = """
        name: base
        title: Base
        outcome:
          failure: ['code="5"']
        unknown: [nobody]
        server:
          requests: r_total
          destination: {namespace: ns, kinds: {pods: pod}}
        cannot:
          nodes: "no label for nodes"

        """;

    [Fact]
    public void What_is_given_replaces_the_whole_key_and_all_else_is_taken_over()
    {
        MeshDescriptor mesh = Read("""
            name: mine
            extends: base
            outcome: {success: ['ok="1"']}
            """);
        Assert.Equal(("mine", "Base"), (mesh.Name, mesh.Title));
        Assert.Null(mesh.Outcome.Failure);
        Assert.Equal(["ok"], mesh.Outcome.Labels);
        Assert.Equal("r_total", mesh.Server!.Requests);
        Assert.Equal(["nobody"], mesh.Unknown);
        Assert.Equal(["nodes"], mesh.Cannot.Keys);
    }

    [Fact]
    public void What_extends_may_be_extended()
    {
        MeshDescriptor mesh = DescriptorReader.Read("extends: middle\nname: mine", "mine.yaml", name => name switch
        {
            "base" => Base,
            "middle" => "name: middle\ntitle: Middle\nextends: base",
            _ => null,
        });
        Assert.Equal(("mine", "Middle", "r_total"), (mesh.Name, mesh.Title, mesh.Server!.Requests));
    }

    [Fact]
    public void What_is_wrong_together_has_the_line_of_extends_and_what_is_wrong_here_its_own()
    {
        Assert.Equal(
            [
                "mine.yaml:2: 'nodes' is told by a 'destination', so it is nothing that the mesh cannot tell",
                "mine.yaml:4: 'r-total' is not a metric name",
            ],
            Mistakes("""
                name: mine
                extends: base
                server:
                  requests: r-total
                  destination: {namespace: ns, kinds: {pods: pod, nodes: node}}
                """));
    }

    [Theory]
    [InlineData("name: mine\nextends: other", "mine.yaml:2: there is no built-in mesh 'other' to extend")]
    [InlineData("name: mine\nextends: [base]", "mine.yaml:2: 'extends' must be a text, not a list")]
    [InlineData("name: mine\nextends:", "mine.yaml:2: 'extends' must be a text, not nothing")]
    // It names itself without end.
    [InlineData("name: mine\nextends: circle", "mine.yaml:2: there is no built-in mesh 'circle' to extend")]
    public void What_cannot_be_extended_is_said_in_its_line_and_nothing_else_is_missed(string text, string mistake) => Assert.Equal([mistake], Mistakes(text));

    [Fact]
    public void A_file_with_the_name_of_the_mesh_that_it_extends_takes_its_place()
    {
        string file = Path.Combine(Path.GetTempPath(), $"smi-metrics-{Guid.NewGuid()}.yaml");
        File.WriteAllText(file, "name: nginx-service-mesh\nextends: nginx-service-mesh\noutcome: {failure: ['code=\"5xx\"']}\n");
        try
        {
            MeshDescriptor built = MeshCatalogue.Load().Find("nginx-service-mesh");
            MeshDescriptor mine = MeshCatalogue.Load(file).Find("nginx-service-mesh");
            Assert.NotNull(built.Outcome.Success);
            Assert.Null(mine.Outcome.Success);
            Assert.Equal(built.Server!.Where, mine.Server!.Where);
            Assert.Equal(MeshCatalogue.Load().All.Count, MeshCatalogue.Load(file).All.Count);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static MeshDescriptor Read(string text) => DescriptorReader.Read(text, "mine.yaml", Texts);

    private static IReadOnlyList<string> Mistakes(string text) => Assert.Throws<DescriptorException>(() => Read(text)).Mistakes;

    private static string? Texts(string name) => name switch
    {
        "base" => Base,
        "circle" => "name: circle\nextends: circle",
        _ => null,
    };
}
