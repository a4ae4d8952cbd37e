using CsCheck;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class AnchoredRegexTests
{
    // What RE2 answers, by its syntax page; each row is one where .NET, left to itself, may answer otherwise or differently anchored.
    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "a\n", false)]
    [InlineData("a$", "a\n", false)]
    [InlineData("^a$", "a", true)]
    [InlineData("^5..$|^0$", "503", true)]
    [InlineData("^5..$|^0$", "0", true)]
    [InlineData("^5..$|^0$", "00", false)]
    [InlineData("a|b$", "ab", false)]
    [InlineData(".", "\n", true)]
    [InlineData("(?:a|b)c", "bc", true)]
    [InlineData("(a|b)c", "bc", true)]
    [InlineData("(?i)aB", "Ab", true)]
    [InlineData("(?i:a)B", "AB", true)]
    [InlineData("(?i:a)B", "Ab", false)]
    [InlineData("(?s)a.b", "a\nb", true)]
    [InlineData("(?is)a", "A", true)]
    [InlineData(@"\d+", "123", true)]
    [InlineData(@"\d", "٣", false)]
    [InlineData(@"\D", "٣", true)]
    [InlineData(@"\D", "3", false)]
    [InlineData(@"\w+", "aZ_9", true)]
    [InlineData(@"\w", "é", false)]
    [InlineData(@"\W", "é", true)]
    [InlineData(@"\W", "_", false)]
    [InlineData(@"\s+", "\t\n\f\r ", true)]
    [InlineData(@"\s", "\v", false)]
    [InlineData(@"\s", "\u00a0", false)]
    [InlineData(@"\S", "\v", true)]
    [InlineData(@"\S", " ", false)]
    [InlineData(@"[\d_]+", "1_2", true)]
    [InlineData(@"[\d_]", "٣", false)]
    [InlineData(@"[\w]+", "aZ_9", true)]
    [InlineData(@"[^\w]", "é", true)]
    [InlineData(@"[\s]", "\v", false)]
    [InlineData("[a-c-e]", "-", true)]
    [InlineData("[a-c-e]", "d", false)]
    [InlineData("[]a]", "]", true)]
    [InlineData("[^]a]", "]", false)]
    [InlineData("[^]a]", "b", true)]
    [InlineData("[a^]", "^", true)]
    [InlineData("[-a]", "-", true)]
    [InlineData("[a-]", "-", true)]
    [InlineData(@"[\]\[\-\\]+", @"][-\", true)]
    [InlineData(@"[a\-z]", "m", false)]
    [InlineData(@"[\d-]", "-", true)]
    [InlineData("[|]", "|", true)]
    [InlineData("[.]", "x", false)]
    [InlineData(@"a\.b", "a.b", true)]
    [InlineData(@"a\.b", "axb", false)]
    [InlineData(@"a\.b|c\|d", "c|d", true)]
    [InlineData(@"a\-b", "a-b", true)]
    [InlineData(@"\x41", "A", true)]
    [InlineData(@"\x2e", ".", true)]
    [InlineData(@"\x2e", "x", false)]
    [InlineData(@"\a\f\n\r\t\v", "\a\f\n\r\t\v", true)]
    [InlineData(@"\Aa\z", "a", true)]
    [InlineData("a{2}", "aa", true)]
    [InlineData("a{2,}", "aaa", true)]
    [InlineData("a{2,3}", "aaaa", false)]
    [InlineData("a{0}", "", true)]
    [InlineData("a{,2}", "a{,2}", true)]
    [InlineData("a{b}", "a{b}", true)]
    [InlineData("a{", "a{", true)]
    [InlineData("a}", "a}", true)]
    [InlineData("a]", "a]", true)]
    [InlineData("a+?b*?c??d{1,2}?", "aabcd", true)]
    [InlineData("a b#c", "a b#c", true)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    [InlineData("a||b", "", true)]
    [InlineData("()", "", true)]
    [InlineData("é", "é", true)]
    public void A_value_matches_as_RE2_says(string pattern, string value, bool expected) =>
        Assert.Equal(expected, AnchoredRegex.Compile(pattern).IsMatch(value));

    [Theory]
    [InlineData("(", "'(' is not closed")]
    [InlineData("a(b(c)", "'(' is not closed")]
    [InlineData("a)", "')' closes nothing")]
    [InlineData("[", "'[' is not closed")]
    [InlineData("[]", "'[' is not closed")]
    [InlineData("[^]", "'[' is not closed")]
    [InlineData(@"[\", "'[' is not closed")]
    [InlineData(@"\", @"'\' stands at the end")]
    [InlineData("*", "'*' has nothing to repeat")]
    [InlineData("a|+", "'+' has nothing to repeat")]
    [InlineData("(?)", "'(?)' is not supported")]
    [InlineData("(?:?a)", "'?' has nothing to repeat")]
    [InlineData("^*", "'*' has nothing to repeat")]
    [InlineData("{2}", "'{2}' has nothing to repeat")]
    [InlineData("a**", "'*' repeats a repetition")]
    [InlineData("a++", "'+' repeats a repetition")]
    [InlineData("a+??", "'?' repeats a repetition")]
    [InlineData("a{2}{3}", "'{3}' repeats a repetition")]
    [InlineData("a{3,2}", "'{3,2}' ends before it begins")]
    [InlineData("a{1001}", "it repeats something more than 1000 times")]
    [InlineData("a{0,99999999999999999999}", "it repeats something more than 1000 times")]
    [InlineData("(a{100}){11}", "it repeats something more than 1000 times")]
    [InlineData("((a{10}){10}b){11}", "it repeats something more than 1000 times")]
    [InlineData("(?=a)", "'(?=' is not supported")]
    [InlineData("(?!a)", "'(?!' is not supported")]
    [InlineData("(?<=a)", "'(?<' is not supported")]
    [InlineData("(?<n>a)", "'(?<' is not supported")]
    [InlineData("(?P<n>a)", "'(?P' is not supported")]
    [InlineData("(?>a)", "'(?>' is not supported")]
    [InlineData("(?#a)", "'(?#' is not supported")]
    [InlineData("(?x)a", "'(?x' is not supported")]
    [InlineData("(?m)a", "'(?m' is not supported")]
    [InlineData("(?U)a", "'(?U' is not supported")]
    [InlineData("(?i", "'(?i' is not supported")]
    [InlineData(@"(a)\1", @"'\1' is not supported")]
    [InlineData(@"\k<n>", @"'\k' is not supported")]
    [InlineData(@"\b", @"'\b' is not supported")]
    [InlineData(@"[\b]", @"'\b' is not supported")]
    [InlineData(@"\B", @"'\B' is not supported")]
    [InlineData(@"\Z", @"'\Z' is not supported")]
    [InlineData(@"\G", @"'\G' is not supported")]
    [InlineData(@"\Qa\E", @"'\Q' is not supported")]
    [InlineData(@"\pL", @"'\p' is not supported")]
    [InlineData(@"\p{Lu}", @"'\p' is not supported")]
    [InlineData(@"\P{Lu}", @"'\P' is not supported")]
    [InlineData(@"\u0041", @"'\u' is not supported")]
    [InlineData(@"\x{41}", @"'\x' is not supported")]
    [InlineData(@"\cA", @"'\c' is not supported")]
    [InlineData(@"\e", @"'\e' is not supported")]
    [InlineData(@"\012", @"'\0' is not supported")]
    [InlineData(@"\é", @"'\é' is not supported")]
    [InlineData(@"[\D]", @"'\D' is not supported")]
    [InlineData(@"[[:alpha:]]", @"'[' within [] must be written '\['")]
    [InlineData(@"[a-z-[aeiou]]", @"'[' within [] must be written '\['")]
    [InlineData(@"[a-\d]", @"'\d' cannot be an end of a range")]
    [InlineData(@"[\s-z]", @"'\s' cannot be an end of a range")]
    [InlineData("😀", "characters beyond U+FFFF are not supported")]
    [InlineData("[😀]", "characters beyond U+FFFF are not supported")]
    public void What_is_not_RE2_or_cannot_be_followed_is_refused(string pattern, string reason) =>
        Assert.Equal(
            $"'{pattern}' is not a regular expression that we can follow: {reason}",
            Assert.Throws<FormatException>(() => AnchoredRegex.Compile(pattern)).Message);

    [Fact]
    public void A_range_backwards_is_refused() =>
        Assert.Equal("'[z-a]' is not a regular expression", Assert.Throws<FormatException>(() => AnchoredRegex.Compile("[z-a]")).Message);

    [Fact]
    public void Any_text_compiles_or_is_refused_and_nothing_else_happens()
    {
        Gen.Char["abdswxAz019.*+?()[]{}|^$\\-,:=!<>P iQ\n\ud83d"].Array[0, 14].Select(characters => new string(characters)).Sample(
            pattern =>
            {
                try
                {
                    AnchoredRegex.Compile(pattern).IsMatch("a1 b-");
                }
                catch (FormatException)
                {
                }
            },
            iter: 20_000);
    }

    [Fact]
    public void An_escaped_text_matches_itself_alone()
    {
        Gen<string> texts = Gen.Char["a1.-_|()[]{}^$*+?\\/#\n é"].Array[0, 6].Select(characters => new string(characters));
        Gen.Select(texts, texts).Sample((text, other) =>
        {
            // In company, so that it goes through the expression and not through the set of texts.
            AnchoredRegex regex = AnchoredRegex.Compile($"(?:{AnchoredRegex.Escape(text)})");
            Assert.True(regex.IsMatch(text));
            Assert.Equal(text == other, regex.IsMatch(other));
            Assert.Equal(text == other, AnchoredRegex.Compile(AnchoredRegex.Escape(text)).IsMatch(other));
        });
    }

    [Fact]
    public void Thousands_of_names_are_a_set()
    {
        string[] names = [.. Enumerable.Range(0, 5000).Select(index => $"web-7d4b9c.{index}")];
        AnchoredRegex regex = AnchoredRegex.Compile(string.Join('|', names.Select(AnchoredRegex.Escape)));
        Assert.All(names, name => Assert.True(regex.IsMatch(name)));
        Assert.False(regex.IsMatch("web-7d4b9cx17"));
        Assert.False(regex.IsMatch("web-7d4b9c.5000"));
    }

    [Fact]
    public void An_expression_made_to_backtrack_is_answered()
    {
        // Backtracking would take longer than the universe has; there is nothing to time.
        Assert.False(AnchoredRegex.Compile("(a*)*(a|aa)+b").IsMatch(new string('a', 10_000)));
    }
}
