using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class KubernetesNameTests
{
    [Theory]
    [InlineData("shop", true, true)]
    [InlineData("a", true, true)]
    [InlineData("0", true, true)]
    [InlineData("web-v2", true, true)]
    [InlineData("web.v2", false, true)]
    [InlineData("db.0", false, true)]
    [InlineData("", false, false)]
    [InlineData("-web", false, false)]
    [InlineData("web-", false, false)]
    [InlineData("web-.v2", false, false)]
    [InlineData(".web", false, false)]
    [InlineData("web.", false, false)]
    [InlineData("a..b", false, false)]
    [InlineData("Web", false, false)]
    [InlineData("we_b", false, false)]
    [InlineData("wéb", false, false)]
    [InlineData("web\n", false, false)]
    [InlineData("x|.+", false, false)]
    [InlineData("x\"}[30s])) or sum(increase(y{a=\"b", false, false)]
    public void A_name_is_a_label_or_a_subdomain_or_neither(string text, bool label, bool subdomain)
    {
        Assert.Equal(label, KubernetesName.IsLabel(text));
        Assert.Equal(subdomain, KubernetesName.IsSubdomain(text));
    }

    [Fact]
    public void Names_have_a_longest_length()
    {
        Assert.True(KubernetesName.IsLabel(new string('a', 63)));
        Assert.False(KubernetesName.IsLabel(new string('a', 64)));
        Assert.True(KubernetesName.IsSubdomain(string.Join('.', Enumerable.Repeat(new string('a', 62), 4))));
        Assert.False(KubernetesName.IsSubdomain(string.Join('.', Enumerable.Repeat(new string('a', 62), 4)) + ".ab"));
    }
}
