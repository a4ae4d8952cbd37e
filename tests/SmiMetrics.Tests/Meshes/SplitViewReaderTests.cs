using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class SplitViewReaderTests
{
    private const string Mesh = """
        name: m
        title: M
        outcome: {failure: ['code="5"']}
        server:
          requests: s_total
          failures: s_failed_total
          where: ['side="server"']
          latency: {histogram: s_ms, unit: ms}
          destination: {namespace: ns}
        client:
          requests: [c_total, c]
          where: ['side="client"']
          latency: {histogram: c_seconds, unit: s}
          source: {namespace: ns}
        splits:

        """;

    [Fact]
    public void A_way_has_the_series_of_its_side()
    {
        SplitView way = Read("""  - {side: client, names: {l: "{backend}.{namespaces}"}}""");
        Assert.True(way.ByClient);
        Assert.Equal("c_total", way.Series.Requests);
        Assert.Equal(["c"], way.Series.OtherNames);
        Assert.Null(way.Series.Failures);
        Assert.Equal(["side=\"client\""], way.Series.Where.Select(matcher => matcher.ToString()));
        Assert.Equal(("c_seconds", 1000), (way.Series.Latency!.Series, way.Series.Latency.MillisecondsPerUnit));
        Assert.Equal(way.Series.Where, way.Series.Latency.Where);
        Assert.Equal(["code"], way.Outcome.Labels);
        Assert.Empty(way.Series.Destination.Means);
        Assert.Null(way.Series.Source);
        Assert.Equal(["l: {backend}.{namespaces}"], way.Names.Select(name => $"{name.Label}: {name.Pattern}"));
        Assert.Equal((true, false), (way.NamesNamespace, way.NamesApex));
    }

    [Fact]
    public void A_way_by_the_server_has_its_counter_of_failures_too()
    {
        SplitView way = Read("""  - {side: server, names: {l: "{apex}-{backend}"}}""");
        Assert.False(way.ByClient);
        Assert.Equal(("s_total", "s_failed_total", "s_ms"), (way.Series.Requests, way.Series.Failures, way.Series.Latency!.Series));
        Assert.Equal((false, true), (way.NamesNamespace, way.NamesApex));
    }

    [Fact]
    public void Matchers_of_its_own_hold_for_the_histogram_of_the_side_too()
    {
        SplitView way = Read("""  - {side: server, where: ['split="yes"'], names: {l: "{backend}"}}""");
        Assert.Equal(["split=\"yes\""], way.Series.Where.Select(matcher => matcher.ToString()));
        Assert.Equal("s_ms", way.Series.Latency!.Series);
        Assert.Equal(way.Series.Where, way.Series.Latency.Where);
    }

    [Fact]
    public void Another_counter_takes_neither_failures_nor_latency_from_the_side()
    {
        SplitView way = Read("""  - {side: server, requests: q_total, names: {l: "{backend}"}}""");
        Assert.Equal(("q_total", null, null), (way.Series.Requests, way.Series.Failures, way.Series.Latency));
        Assert.Empty(way.Series.OtherNames);
        Assert.Equal(["side=\"server\""], way.Series.Where.Select(matcher => matcher.ToString()));
    }

    [Fact]
    public void An_outcome_of_its_own_is_not_overruled_by_the_counter_of_failures_of_the_side()
    {
        SplitView way = Read("""  - {side: server, outcome: {success: ['ok="1"']}, names: {l: "{backend}"}}""");
        Assert.Equal(["ok"], way.Outcome.Labels);
        Assert.Null(way.Series.Failures);
    }

    [Fact]
    public void Ways_stand_in_their_order()
    {
        MeshDescriptor mesh = DescriptorReader.Read(Mesh + """
              - side: client
                requests: q_total
                failures: q_failed_total
                latency: {histogram: q_ms, unit: ms, where: ['q="1"']}
                names: {a: "{trafficsplits}", b: "{backend}:{port}"}
              - {side: server, names: {l: "{backend}"}}
            """, "m.yaml");
        Assert.Equal(["q_total", "s_total"], mesh.Splits.Select(way => way.Series.Requests));
        SplitView first = mesh.Splits[0];
        Assert.Equal(("q_failed_total", "q_ms"), (first.Series.Failures, first.Series.Latency!.Series));
        Assert.Equal(["q=\"1\""], first.Series.Latency.Where.Select(matcher => matcher.ToString()));
        Assert.Equal(["a", "b"], first.Names.Select(name => name.Label));
    }

    private static SplitView Read(string way) => Assert.Single(DescriptorReader.Read(Mesh + way + "\n", "m.yaml").Splits);
}
