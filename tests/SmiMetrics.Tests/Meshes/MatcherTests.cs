using CsCheck;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class MatcherTests
{
    [Theory]
    [InlineData("a=\"b\"", "a", MatchOperator.Equal, "b")]
    [InlineData("a!=\"b\"", "a", MatchOperator.NotEqual, "b")]
    [InlineData("a=~\"b.*\"", "a", MatchOperator.Matches, "b.*")]
    [InlineData("a!~\"b|c\"", "a", MatchOperator.NotMatches, "b|c")]
    [InlineData("a='b'", "a", MatchOperator.Equal, "b")]
    [InlineData("a=`b\\n`", "a", MatchOperator.Equal, "b\\n")]
    [InlineData("  _A1 \t=~  \"\" \n", "_A1", MatchOperator.Matches, "")]
    [InlineData("a=\"b=~'c'\"", "a", MatchOperator.Equal, "b=~'c'")]
    [InlineData("a='\"'", "a", MatchOperator.Equal, "\"")]
    [InlineData("a=\" b \"", "a", MatchOperator.Equal, " b ")]
    internal void Label_operator_and_value_are_read(string text, string label, MatchOperator @operator, string value) =>
        Assert.Equal(new Matcher(label, @operator, value), Matcher.Parse(text));

    [Theory]
    [InlineData(@"\a", "\a")]
    [InlineData(@"\b", "\b")]
    [InlineData(@"\f", "\f")]
    [InlineData(@"\n", "\n")]
    [InlineData(@"\r", "\r")]
    [InlineData(@"\t", "\t")]
    [InlineData(@"\v", "\v")]
    [InlineData(@"\\", "\\")]
    [InlineData(@"\x41", "A")]
    [InlineData(@"\101", "A")]
    [InlineData(@"\xc3\xa9", "é")]
    [InlineData(@"\303\251", "é")]
    [InlineData(@"\u00e9", "é")]
    [InlineData(@"\U0001F600", "😀")]
    [InlineData("é😀", "é😀")]
    [InlineData(@"\u00e9\n\101.", "é\nA.")]
    public void Every_escape_of_Go_is_read_in_either_quotes(string escaped, string value)
    {
        Assert.Equal(value, Matcher.Parse($"a=\"{escaped}\"").Value);
        Assert.Equal(value, Matcher.Parse($"a='{escaped}'").Value);
    }

    [Fact]
    public void A_quote_is_escaped_only_within_its_own_kind()
    {
        Assert.Equal("\"", Matcher.Parse("a=\"\\\"\"").Value);
        Assert.Equal("'", Matcher.Parse("a='\\''").Value);
        Assert.Equal(@"'\'' is not an escape", Reason("a=\"\\'\""));
        Assert.Equal(@"'\""' is not an escape", Reason("a='\\\"'"));
    }

    [Theory]
    [InlineData("", "it is not a matcher, such as label=\"value\"")]
    [InlineData("abc", "it is not a matcher, such as label=\"value\"")]
    [InlineData("=\"b\"", "'' is not a label name")]
    [InlineData("1a=\"b\"", "'1a' is not a label name")]
    [InlineData("a-b=\"b\"", "'a-b' is not a label name")]
    [InlineData("a:b=\"b\"", "'a:b' is not a label name")]
    [InlineData("é=\"b\"", "'é' is not a label name")]
    [InlineData("a b=\"b\"", "'a b' is not a label name")]
    [InlineData("a!\"b\"", "after '!' comes '=' or '~'")]
    [InlineData("a!", "after '!' comes '=' or '~'")]
    [InlineData("a=", "the value must be in quotes")]
    [InlineData("a==\"b\"", "the value must be in quotes")]
    [InlineData("a=b", "the value must be in quotes")]
    [InlineData("a=\"b", "the value's quote is not closed")]
    [InlineData("a=\"", "the value's quote is not closed")]
    [InlineData("a='b\"", "the value's quote is not closed")]
    [InlineData("a=`b", "the value's quote is not closed")]
    [InlineData("a=\"b\\", "the value's quote is not closed")]
    [InlineData("a=\"b\\\"", "the value's quote is not closed")]
    [InlineData("a=\"b\" , c=\"d\"", "', c=\"d\"' follows the value")]
    [InlineData("a=`b`c`", "'c`' follows the value")]
    [InlineData("a=\"b\nc\"", "a line break in the value must be written '\\n'")]
    [InlineData(@"a=""\q""", @"'\q' is not an escape")]
    [InlineData(@"a=""\x4""", @"'\x4""' is not an escape")]
    [InlineData(@"a=""\xg0 ...""", @"'\xg0' is not an escape")]
    [InlineData(@"a=""\400""", @"'\400' is not an escape")]
    [InlineData(@"a=""\1a7""", @"'\1a7' is not an escape")]
    [InlineData(@"a=""\189""", @"'\189' is not an escape")]
    [InlineData(@"a=""\8""", @"'\8""' is not an escape")]
    [InlineData(@"a=""\ud800""", @"'\ud800' is not an escape")]
    [InlineData(@"a=""\U00110000""", @"'\U00110000' is not an escape")]
    [InlineData(@"a=""\xff""", "the value is not UTF-8")]
    [InlineData("a=~\"(\"", "'(' is not a regular expression that we can follow: '(' is not closed")]
    [InlineData("a!~\"*\"", "'*' is not a regular expression that we can follow: '*' has nothing to repeat")]
    public void What_is_not_a_matcher_is_refused_with_the_reason(string text, string reason) => Assert.Equal(reason, Reason(text));

    [Fact]
    public void Half_a_character_is_refused()
    {
        // Not rows of the table above: attributes are UTF-8, which cannot hold it.
        Assert.Equal("the value is not UTF-8", Reason("a=\"\ud83d\""));
        Assert.Equal("the value is not UTF-8", Reason("a=\"\ude00"));
    }

    [Fact]
    public void A_bad_expression_is_only_a_text_to_the_operators_that_compare()
    {
        Assert.True(Matcher.Parse("a=\"(\"").Matches("("));
        Assert.True(Matcher.Parse("a!=\"(\"").Matches(")"));
    }

    [Theory]
    [InlineData("a=\"b\"", "b", true)]
    [InlineData("a=\"b\"", "B", false)]
    [InlineData("a=\"b\"", "", false)]
    [InlineData("a=\"\"", "", true)]
    [InlineData("a!=\"b\"", "b", false)]
    [InlineData("a!=\"b\"", "", true)]
    [InlineData("a!=\"\"", "", false)]
    [InlineData("a=~\"5..\"", "503", true)]
    [InlineData("a=~\"5..\"", "5033", false)]
    [InlineData("a=~\"5..\"", "1503", false)]
    [InlineData("a=~\"a|b\"", "ab", false)]
    [InlineData("a=~\"a|b\"", "b", true)]
    [InlineData("a=~\"a|\"", "", true)]
    [InlineData("a=~\".*\"", "", true)]
    [InlineData("a=~\".+\"", "", false)]
    [InlineData("a!~\"5..\"", "503", false)]
    [InlineData("a!~\"5..\"", "200", true)]
    [InlineData("a!~\"5..\"", "", true)]
    [InlineData("a!~\".+\"", "", true)]
    public void A_value_matches_as_in_Prometheus(string matcher, string value, bool expected) =>
        Assert.Equal(expected, Matcher.Parse(matcher).Matches(value));

    [Fact]
    public void Matchers_are_equal_by_their_text_whether_compiled_or_not()
    {
        Matcher used = Matcher.Parse("a=~\"b.\"");
        Assert.True(used.Matches("bc"));
        Matcher fresh = new("a", MatchOperator.Matches, "b.");
        Assert.Equal(fresh, used);
        Assert.Equal(fresh.GetHashCode(), used.GetHashCode());
        Assert.NotEqual(fresh with { Operator = MatchOperator.NotMatches }, used);
        Assert.NotEqual(fresh with { Label = "b" }, used);
    }

    [Fact]
    public void A_copy_with_another_value_matches_by_that_value()
    {
        Matcher matcher = Matcher.Parse("a=~\"b.\"");
        Assert.True(matcher.Matches("bc"));
        Assert.False((matcher with { Value = "c." }).Matches("bc"));
    }

    [Fact]
    public void A_matcher_made_by_hand_is_checked_when_it_is_used() =>
        Assert.Throws<FormatException>(() => new Matcher("a", MatchOperator.Matches, "(").Matches(""));

    [Fact]
    public void What_is_written_is_read_back()
    {
        Gen<string> texts = Gen.Char["\0\a\n\r\t\x7f \"'`\\abx0159.|=~!{}é€"].Array[0, 12].Select(characters => new string(characters));
        Gen.Select(Gen.Enum<MatchOperator>(), texts).Sample((@operator, value) =>
        {
            // As a regular expression, the value's escaped form.
            string text = @operator is MatchOperator.Matches or MatchOperator.NotMatches ? AnchoredRegex.Escape(value) : value;
            Matcher matcher = new("label", @operator, text);
            Assert.Equal(matcher, Matcher.Parse(matcher.ToString()));
        });
    }

    [Fact]
    public void A_matcher_cut_off_anywhere_is_refused_and_nothing_worse()
    {
        const string whole = @"label=~""a\x41\u00e9\101[b-c]{2}(?:d|e)\""""";
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.Throws<FormatException>(() => Matcher.Parse(whole[..length]));
        }

        Assert.Equal(@"aAéA[b-c]{2}(?:d|e)""", Matcher.Parse(whole).Value);
    }

    private static string Reason(string text) => Assert.Throws<FormatException>(() => Matcher.Parse(text)).Message;
}
