using CsCheck;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class LabelSelectorTests
{
    [Theory]
    // key present with that value | another value | absent
    [InlineData("a=x", true, false, false)]
    [InlineData("a==x", true, false, false)]
    [InlineData("a!=x", false, true, true)]
    [InlineData("a in (x,z)", true, false, false)]
    [InlineData("a notin (x,z)", false, true, true)]
    [InlineData("a", true, true, false)]
    [InlineData("!a", false, false, true)]
    [InlineData("", true, true, true)]
    [InlineData("  \t\r\n", true, true, true)]
    [InlineData("a=", false, false, false)]
    [InlineData("a!=", true, true, true)]
    [InlineData("a in ()", false, false, false)]
    [InlineData("a notin ()", true, true, true)]
    public void Each_operator_matches_as_in_Kubernetes(string selector, bool same, bool other, bool absent)
    {
        LabelSelector parsed = LabelSelector.Parse(selector);

        Assert.Equal(same, parsed.Matches(new Dictionary<string, string> { ["a"] = "x", ["b"] = "1" }));
        Assert.Equal(other, parsed.Matches(new Dictionary<string, string> { ["a"] = "y", ["b"] = "1" }));
        Assert.Equal(absent, parsed.Matches(new Dictionary<string, string> { ["b"] = "1" }));
    }

    [Theory]
    [InlineData("a=")]
    [InlineData("a==")]
    [InlineData("a in ()")]
    [InlineData("a in (x,)")]
    [InlineData("a in (,x)")]
    [InlineData("a in (,)")]
    [InlineData("a in (,,x)")]
    public void A_missing_value_is_the_empty_value(string selector)
    {
        Assert.True(LabelSelector.Parse(selector).Matches(new Dictionary<string, string> { ["a"] = "" }));
        Assert.False(LabelSelector.Parse(selector).Matches(new Dictionary<string, string> { ["b"] = "" }));
    }

    [Theory]
    [InlineData("v>5", "6", true)]
    [InlineData("v>5", "5", false)]
    [InlineData("v<5", "4", true)]
    [InlineData("v<5", "5", false)]
    [InlineData("v>10", "9", false)]
    [InlineData("v<10", "9", true)]
    [InlineData("v>5", "six", false)]
    [InlineData("v<5", "six", false)]
    [InlineData("v>5", "", false)]
    [InlineData("v>5", null, false)]
    [InlineData("v<5", null, false)]
    [InlineData("v<9223372036854775807", "9223372036854775806", true)]
    [InlineData("v<9223372036854775807", "9223372036854775808", false)]
    public void Greater_and_less_compare_integers_of_64_bits(string selector, string? label, bool matches) =>
        Assert.Equal(matches, LabelSelector.Parse(selector).Matches(label is null ? [] : new Dictionary<string, string> { ["v"] = label }));

    [Fact]
    public void All_requirements_must_hold()
    {
        LabelSelector selector = LabelSelector.Parse("app=web,tier in (front,edge),!legacy");

        Assert.True(selector.Matches(new Dictionary<string, string> { ["app"] = "web", ["tier"] = "edge" }));
        Assert.False(selector.Matches(new Dictionary<string, string> { ["app"] = "web", ["tier"] = "back" }));
        Assert.False(selector.Matches(new Dictionary<string, string> { ["app"] = "web", ["tier"] = "edge", ["legacy"] = "" }));
    }

    [Theory]
    [InlineData("c,a in (x,b)", "a in (b,x),c")]
    [InlineData(" a  in(x , b)\t,\n!c", "a in (b,x),!c")]
    [InlineData("b==2,a=1", "a=1,b==2")]
    [InlineData("a!=1", "a!=1")]
    [InlineData("a notin (z,z,y)", "a notin (y,z)")]
    [InlineData("a>1,b<2", "a>1,b<2")]
    [InlineData("a in ()", "a in ()")]
    [InlineData("a in (x,)", "a in (,x)")]
    [InlineData("a=in", "a=in")]
    [InlineData("a=notin,in,notin=in", "a=notin,in,notin=in")]
    [InlineData("in in (in,notin)", "in in (in,notin)")]
    [InlineData("! a", "!a")]
    [InlineData("app.kubernetes.io/name=web", "app.kubernetes.io/name=web")]
    [InlineData("B=1,a=1,A=1", "A=1,B=1,a=1")]
    [InlineData("", "")]
    public void The_canonical_text_is_sorted(string selector, string canonical) =>
        Assert.Equal(canonical, LabelSelector.Parse(selector).ToString());

    [Theory]
    [InlineData("a,", "found '', expected: identifier after ','")]
    [InlineData("a,,b", "found ',', expected: identifier after ','")]
    [InlineData(",", "found ',', expected: !, identifier, or 'end of string'")]
    [InlineData("=x", "found '=', expected: !, identifier, or 'end of string'")]
    [InlineData("a=b c", "found 'c', expected: ',' or 'end of string'")]
    [InlineData("!a=b", "found '=', expected: ',' or 'end of string'")]
    [InlineData("a in (b) c", "found 'c', expected: ',' or 'end of string'")]
    [InlineData("!", "unable to parse requirement: found '', expected: identifier")]
    [InlineData("!!a", "unable to parse requirement: found '!', expected: identifier")]
    [InlineData("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt")]
    [InlineData("a(b)", "unable to parse requirement: found '(', expected: in, notin, =, ==, !=, gt, lt")]
    [InlineData("a in b", "unable to parse requirement: found 'b' expected: '('")]
    [InlineData("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier")]
    [InlineData("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier")]
    [InlineData("a in (b", "unable to parse requirement: found '', expected: ',' or ')'")]
    [InlineData("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'")]
    [InlineData("a==(b)", "unable to parse requirement: found '(', expected: identifier")]
    [InlineData("a===b", "unable to parse requirement: found '=', expected: identifier")]
    [InlineData("a>x", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer")]
    [InlineData("a>", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer")]
    [InlineData("a<9223372036854775808", "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer")]
    public void What_is_no_selector_is_refused_in_the_words_of_Kubernetes(string selector, string message) =>
        Assert.Equal(message, Assert.Throws<LabelSelectorException>(() => LabelSelector.Parse(selector)).Message);

    [Theory]
    [InlineData("-a", "name part must consist of")]
    [InlineData("a_", "name part must consist of")]
    [InlineData("ä", "name part must consist of")]
    [InlineData("a\0", "name part must consist of")]
    [InlineData("/a", "prefix part must be non-empty")]
    [InlineData("example.com/", "name part must be non-empty")]
    [InlineData("Example.com/a", "lowercase RFC 1123 subdomain")]
    [InlineData("example..com/a", "lowercase RFC 1123 subdomain")]
    [InlineData("a/b/c", "a qualified name must consist of")]
    public void Keys_are_qualified_names(string key, string part)
    {
        Assert.Contains(part, Assert.Throws<LabelSelectorException>(() => LabelSelector.Parse(key)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_and_values_have_63_characters_and_prefixes_253()
    {
        string prefix = string.Join('.', Enumerable.Repeat(new string('p', 50), 5))[..253];
        LabelSelector.Parse($"{prefix}/{new string('n', 63)}={new string('v', 63)}");

        Assert.Throws<LabelSelectorException>(() => LabelSelector.Parse($"p{prefix}/n"));
        Assert.Throws<LabelSelectorException>(() => LabelSelector.Parse(new string('n', 64)));
        Assert.Throws<LabelSelectorException>(() => LabelSelector.Parse($"n={new string('v', 64)}"));
    }

    [Theory]
    [InlineData("a=-x")]
    [InlineData("a=x.")]
    [InlineData("a=x/y")]
    [InlineData("a in (x,-y)")]
    [InlineData("a>-5")]
    public void Values_begin_and_end_alphanumerically(string selector) =>
        Assert.Contains("a valid label must be an empty string or", Assert.Throws<LabelSelectorException>(() => LabelSelector.Parse(selector)).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_selector_survives_its_canonical_text()
    {
        Gen<string> name = Gen.OneOf(
            Gen.Const("in"), Gen.Const("notin"), Gen.Const("x"),
            Gen.Select(Gen.Char.AlphaNumeric, Gen.String[Gen.OneOf(Gen.Char.AlphaNumeric, Any('-', '_', '.')), 0, 8], Gen.Char.AlphaNumeric).Select((a, b, c) => $"{a}{b}{c}"));
        Gen<string> key = Gen.OneOf(name, name.Select(n => "example.com/" + n));
        Gen<string> value = Gen.OneOf(Gen.Const(""), name);
        Gen<string> integer = Gen.Long[0, long.MaxValue].Select(i => i.ToString());
        Gen<string> set = value.Array[1, 4].Select(values => string.Join(',', values));
        Gen<string> requirement = Gen.OneOf(
            key,
            key.Select(k => "!" + k),
            Gen.Select(key, Any("=", "==", "!="), value).Select((k, o, v) => k + o + v),
            Gen.Select(key, Any(">", "<"), integer).Select((k, o, v) => k + o + v),
            Gen.Select(key, Any("in", "notin"), set).Select((k, o, v) => $"{k} {o} ({v})"));

        requirement.Array[0, 5].Sample(requirements =>
        {
            LabelSelector selector = LabelSelector.Parse(string.Join(',', requirements));
            LabelSelector again = LabelSelector.Parse(selector.ToString());

            Assert.Equal(requirements.Length, selector.Requirements.Count);
            Assert.Equal(selector.Requirements.Count, again.Requirements.Count);
            foreach ((LabelRequirement left, LabelRequirement right) in selector.Requirements.Zip(again.Requirements))
            {
                Assert.Equal((left.Key, left.Operator), (right.Key, right.Operator));
                Assert.Equal(left.Values, right.Values);
            }

            Assert.Equal(selector.ToString(), again.ToString());
        });
    }

    [Fact]
    public void Any_text_is_a_selector_or_refused_as_one()
    {
        Gen<string> text = Gen.String[Gen.OneOf(Any('a', 'b', '1', '=', '!', '(', ')', ',', '<', '>', ' ', 'i', 'n', '/', '.'), Gen.Char), 0, 20];
        text.Sample(selector =>
        {
            try
            {
                LabelSelector.Parse(LabelSelector.Parse(selector).ToString());
            }
            catch (LabelSelectorException)
            {
            }
        });
    }

    private static Gen<T> Any<T>(params T[] choices) => Gen.Int[0, choices.Length - 1].Select(i => choices[i]);
}
