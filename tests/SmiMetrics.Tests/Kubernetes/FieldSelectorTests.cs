using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class FieldSelectorTests
{
    [Theory]
    [InlineData("", true)]
    [InlineData("metadata.name=web", true)]
    [InlineData("metadata.name==web", true)]
    [InlineData("metadata.name!=web", false)]
    [InlineData("metadata.name=other", false)]
    [InlineData("metadata.name!=other", true)]
    [InlineData("metadata.namespace=shop", true)]
    [InlineData("metadata.namespace!=shop", false)]
    [InlineData("metadata.name=web,metadata.namespace=shop", true)]
    [InlineData("metadata.name=web,metadata.namespace=other", false)]
    [InlineData("metadata.name=web,,metadata.namespace=shop,", true)]
    [InlineData("metadata.name=", false)]
    [InlineData("metadata.name!=", true)]
    [InlineData(@"metadata.name=we\\b", false)]
    public void All_terms_must_hold(string text, bool matches) => Assert.Equal(matches, FieldSelector.Parse(text).Matches("shop", "web"));

    [Theory]
    [InlineData(@"metadata.name=a\,b", "a,b")]
    [InlineData(@"metadata.name=a\=b", "a=b")]
    [InlineData(@"metadata.name=a\\b", @"a\b")]
    public void Backslashes_make_signs_part_of_a_value(string text, string name) => Assert.True(FieldSelector.Parse(text).Matches("", name));

    [Theory]
    [InlineData("spec.nodeName=n1", "\"spec.nodeName\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")]
    [InlineData("=web", "\"\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")]
    [InlineData("foo", "invalid selector: 'foo'; can't understand 'foo'")]
    [InlineData("metadata.name=web,foo", "invalid selector: 'metadata.name=web,foo'; can't understand 'foo'")]
    [InlineData(@"metadata.name=a\b", @"invalid field selector: invalid escape sequence in 'a\b'")]
    [InlineData(@"metadata.name=a\", @"invalid field selector: invalid escape sequence in 'a\'")]
    [InlineData("metadata.name=a=b", "invalid field selector: unescaped '=' in 'a=b'")]
    public void What_is_no_selector_of_these_two_fields_is_refused(string text, string message) =>
        Assert.Equal(message, Assert.Throws<FieldSelectorException>(() => FieldSelector.Parse(text)).Message);
}
