using System.Text.RegularExpressions;

namespace SmiMetrics.Tests;

/// <summary>What would let a test pass that has seen a wrong answer.</summary>
public sealed partial class HonestTests
{
    /// <summary>
    /// A test that catches what its assertions throw, and tries again, hides an answer that is wrong now and then. So whatever may be a failed
    /// assertion is not caught, or is thrown on.
    /// </summary>
    [Fact]
    public void No_failed_assertion_is_caught()
    {
        string tests = Path.Combine(Golden.Repository, "tests");
        // But for this one, which has examples.
        string[] sources = [.. Directory.EnumerateFiles(tests, "*.cs", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != $"{nameof(HonestTests)}.cs")];
        Assert.True(sources.Length > 100, $"only {sources.Length} sources were found");
        string[] found = [.. sources.SelectMany(file => Catching(File.ReadAllText(file)).Select(clause => $"{Path.GetRelativePath(tests, file)}: {clause}"))];
        Assert.True(found.Length == 0, string.Join('\n', found));
    }

    [Theory]
    [InlineData("try { Check(); } catch { }", 1)]
    [InlineData("try { Check(); } catch (Exception) { Wait(); }", 1)]
    [InlineData("try { Check(); } catch (Exception e) when (attempt < 3) { Wait(); }", 1)]
    [InlineData("try { Check(); } catch (Exception e) when (e is IOException || attempt < 3) { Wait(); }", 1)]
    [InlineData("try { Check(); } catch (Xunit.Sdk.XunitException) when (attempt < 3) { Wait(); }", 1)]
    [InlineData("try { Check(); } catch (EqualException e) { Wait(); }", 1)]
    [InlineData("try { Check(); } catch (Exception e) when (e is IOException or EqualException) { Wait(); }", 1)]
    [InlineData("try { Check(); } catch (IOException) { }", 0)]
    [InlineData("try { Check(); } catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException) { Wait(); }", 0)]
    [InlineData("try { Check(); } catch (Exception e) when (e is IOException && ours) { Wait(); }", 0)]
    [InlineData("try { Check(); } catch { Clean(); throw; }", 0)]
    [InlineData("try { Check(); } catch (Exception e) { Clean(); throw new InvalidOperationException($\"line {line}: {e.Message}\", e); }", 0)]
    public void Such_a_catch_is_found(string source, int count) => Assert.Equal(count, Catching(source).Count());

    /// <summary>The heads of the clauses that may catch a failed assertion and do not throw it on.</summary>
    private static IEnumerable<string> Catching(string source) =>
        from clause in Catch().Matches(source)
        where MayBeAssertion(clause) && !ThrowsOn(source, clause.Index + clause.Length)
        select clause.Value.Trim();

    private static bool MayBeAssertion(Match clause)
    {
        string[] types = clause.Groups["only"].Success
            ? [.. clause.Groups["only"].Captures.Select(capture => capture.Value)]
            : [clause.Groups["type"].Value];
        // Nothing that .NET throws by itself is called after what it asserts.
        return types.Any(type => type.Split('.')[^1] is "" or "Exception" or "XunitException" or "TestPipelineException" || AssertionName().IsMatch(type));
    }

    /// <summary>Whether the block that begins here ends by throwing.</summary>
    private static bool ThrowsOn(string source, int brace)
    {
        int depth = 0;
        for (int i = brace - 1; i < source.Length; i++)
        {
            depth += source[i] switch { '{' => 1, '}' => -1, _ => 0 };
            if (depth == 0)
            {
                return LastThrow().IsMatch(source[brace..i]);
            }
        }

        return false;
    }

    // The head up to its brace. A filter counts only where it is a list of types, which may be narrowed further.
    [GeneratedRegex(@"\bcatch\b\s*(\(\s*(?<type>[\w.]+)(\s+(?<name>\w+))?\s*\))?\s*(when\s*\(\s*(\k<name>\s+is\s+(?<only>[\w.]+)(\s+or\s+(?<only>[\w.]+))*\s*(&&[^|{]*)?\)|[^{]*\)))?\s*\{", RegexOptions.ExplicitCapture)]
    private static partial Regex Catch();

    [GeneratedRegex(@"(?:^|\.)(?:Equal|NotEqual|True|False|Null|NotNull|Single|Empty|NotEmpty|Contains|DoesNotContain|All|InRange|Throws|Same|StartsWith|EndsWith|Matches|Collection|Superset|Fail)Exception$")]
    private static partial Regex AssertionName();

    [GeneratedRegex(@"\bthrow\b[^;]*;\s*$")]
    private static partial Regex LastThrow();
}
