using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class OutcomeTests
{
    private static readonly MeshCatalogue Catalogue = MeshCatalogue.Load();

    // The classification is what linkerd2-proxy's classify.rs makes of the codes beside it; ServiceProfiles may make it another.
    [Theory]
    [InlineData("200", "", "success", RequestOutcome.Success)]
    [InlineData("204", "", "success", RequestOutcome.Success)]
    [InlineData("404", "", "success", RequestOutcome.Success)]
    [InlineData("500", "", "failure", RequestOutcome.Failure)]
    [InlineData("503", "", "failure", RequestOutcome.Failure)]
    [InlineData("", "", "failure", RequestOutcome.Failure)]
    [InlineData("404", "", "failure", RequestOutcome.Failure)]
    [InlineData("200", "0", "success", RequestOutcome.Success)]
    [InlineData("200", "1", "success", RequestOutcome.Success)]
    [InlineData("200", "2", "failure", RequestOutcome.Failure)]
    [InlineData("200", "3", "success", RequestOutcome.Success)]
    [InlineData("200", "4", "failure", RequestOutcome.Failure)]
    [InlineData("200", "5", "success", RequestOutcome.Success)]
    [InlineData("200", "6", "success", RequestOutcome.Success)]
    [InlineData("200", "7", "failure", RequestOutcome.Failure)]
    [InlineData("200", "8", "success", RequestOutcome.Success)]
    [InlineData("200", "9", "success", RequestOutcome.Success)]
    [InlineData("200", "10", "success", RequestOutcome.Success)]
    [InlineData("200", "11", "success", RequestOutcome.Success)]
    [InlineData("200", "12", "success", RequestOutcome.Success)]
    [InlineData("200", "13", "failure", RequestOutcome.Failure)]
    [InlineData("200", "14", "failure", RequestOutcome.Failure)]
    [InlineData("200", "15", "failure", RequestOutcome.Failure)]
    [InlineData("200", "16", "success", RequestOutcome.Success)]
    [InlineData("503", "14", "failure", RequestOutcome.Failure)]
    [InlineData("200", "", "", RequestOutcome.Uncounted)]
    [InlineData("200", "", "Success", RequestOutcome.Uncounted)]
    internal void Linkerd_says_itself_what_succeeded(string code, string grpc, string classification, RequestOutcome expected) =>
        Assert.Equal(expected, Classify("linkerd", ("status_code", code), ("classification", classification), ("grpc_status", grpc)));

    // HTTP without gRPC; then gRPC over 200 (codes of grpc/status.h); then both, where either one fails the request.
    [Theory]
    [InlineData("200", "", RequestOutcome.Success)]
    [InlineData("204", "", RequestOutcome.Success)]
    [InlineData("301", "", RequestOutcome.Success)]
    [InlineData("404", "", RequestOutcome.Success)]
    [InlineData("429", "", RequestOutcome.Success)]
    [InlineData("500", "", RequestOutcome.Failure)]
    [InlineData("503", "", RequestOutcome.Failure)]
    [InlineData("0", "", RequestOutcome.Failure)]
    [InlineData("", "", RequestOutcome.Success)]
    [InlineData("50", "", RequestOutcome.Success)]
    [InlineData("200", "0", RequestOutcome.Success)]
    [InlineData("200", "1", RequestOutcome.Success)]
    [InlineData("200", "2", RequestOutcome.Failure)]
    [InlineData("200", "3", RequestOutcome.Success)]
    [InlineData("200", "4", RequestOutcome.Failure)]
    [InlineData("200", "5", RequestOutcome.Success)]
    [InlineData("200", "6", RequestOutcome.Success)]
    [InlineData("200", "7", RequestOutcome.Failure)]
    [InlineData("200", "8", RequestOutcome.Success)]
    [InlineData("200", "9", RequestOutcome.Success)]
    [InlineData("200", "10", RequestOutcome.Success)]
    [InlineData("200", "11", RequestOutcome.Success)]
    [InlineData("200", "12", RequestOutcome.Success)]
    [InlineData("200", "13", RequestOutcome.Failure)]
    [InlineData("200", "14", RequestOutcome.Failure)]
    [InlineData("200", "15", RequestOutcome.Failure)]
    [InlineData("200", "16", RequestOutcome.Success)]
    [InlineData("503", "0", RequestOutcome.Failure)]
    [InlineData("503", "14", RequestOutcome.Failure)]
    [InlineData("0", "14", RequestOutcome.Failure)]
    [InlineData("404", "5", RequestOutcome.Success)]
    internal void Istio_is_judged_as_Linkerd_judges(string code, string grpc, RequestOutcome expected) =>
        Assert.Equal(expected, Classify("istio", ("response_code", code), ("grpc_response_status", grpc)));

    [Theory]
    [InlineData("1", "1", RequestOutcome.Failure)]
    [InlineData("1", "", RequestOutcome.Success)]
    [InlineData("", "1", RequestOutcome.Failure)]
    [InlineData("", "", RequestOutcome.Uncounted)]
    internal void With_both_given_failure_wins_and_the_rest_does_not_count(string ok, string bad, RequestOutcome expected) =>
        Assert.Equal(expected, Classify(new Outcome(One("ok=\"1\""), One("bad=\"1\"")), ("ok", ok), ("bad", bad)));

    [Theory]
    [InlineData("1xx", RequestOutcome.Success)]
    [InlineData("2xx", RequestOutcome.Success)]
    [InlineData("3xx", RequestOutcome.Failure)]
    [InlineData("", RequestOutcome.Failure)]
    internal void With_success_alone_all_else_is_failure(string code, RequestOutcome expected) =>
        Assert.Equal(expected, Classify(new Outcome(One("code=~\"1xx|2xx\""), null), ("code", code)));

    [Theory]
    [InlineData("5xx", RequestOutcome.Failure)]
    [InlineData("2xx", RequestOutcome.Success)]
    [InlineData("", RequestOutcome.Success)]
    internal void With_failure_alone_all_else_is_success(string code, RequestOutcome expected) =>
        Assert.Equal(expected, Classify(new Outcome(null, One("code=\"5xx\"")), ("code", code)));

    [Fact]
    public void With_neither_given_requests_are_successes_until_failures_are_subtracted() =>
        Assert.Equal(RequestOutcome.Success, Classify(new Outcome(null, null), ("code", "500")));

    [Theory]
    [InlineData("grpc", "2", RequestOutcome.Failure)]
    [InlineData("http", "2", RequestOutcome.Success)]
    [InlineData("grpc", "0", RequestOutcome.Success)]
    internal void All_matchers_of_an_alternative_must_hold(string protocol, string status, RequestOutcome expected) =>
        Assert.Equal(
            expected,
            Classify(new Outcome(null, [[Matcher.Parse("protocol=\"grpc\""), Matcher.Parse("status!=\"0\"")]]), ("protocol", protocol), ("status", status)));

    [Fact]
    public void Labels_are_those_of_all_matchers_each_once()
    {
        Outcome outcome = new(
            [[Matcher.Parse("a=\"1\""), Matcher.Parse("b=\"1\"")], [Matcher.Parse("a=\"2\"")]],
            [[Matcher.Parse("c=\"1\""), Matcher.Parse("b!=\"1\"")]]);
        Assert.Equal(["a", "b", "c"], outcome.Labels);
        Assert.Empty(new Outcome(null, null).Labels);
    }

    [Fact]
    public void Rows_may_have_other_labels_in_any_order()
    {
        OutcomeClassifier classifier = new Outcome(null, One("code=~\"5..\"")).Bind(["pod", "code", "namespace"]);
        Assert.Equal(RequestOutcome.Failure, classifier.Classify(["200", "500", "200"]));
        Assert.Equal(RequestOutcome.Success, classifier.Classify(["500", "200", "500"]));
    }

    [Fact]
    public void A_query_that_does_not_group_by_the_outcome_is_refused() =>
        Assert.Throws<ArgumentException>(() => new Outcome(null, One("code=~\"5..\"")).Bind(["pod"]));

    private static IReadOnlyList<IReadOnlyList<Matcher>> One(string matcher) => [[Matcher.Parse(matcher)]];

    private static RequestOutcome Classify(string mesh, params (string Label, string Value)[] row) => Classify(Catalogue.Find(mesh).Outcome, row);

    private static RequestOutcome Classify(Outcome outcome, params (string Label, string Value)[] row) =>
        outcome.Bind([.. row.Select(pair => pair.Label)]).Classify([.. row.Select(pair => pair.Value)]);
}
