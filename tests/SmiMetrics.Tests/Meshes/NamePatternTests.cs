using CsCheck;
using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

public sealed class NamePatternTests
{
    private const string Kuma = "{services}_{namespaces}_svc_{*}[-{hex}]";

    [Theory]
    [InlineData(Kuma, "backend_kuma-demo_svc_3001", "services=backend namespaces=kuma-demo")]
    [InlineData(Kuma, "backend_kuma-demo_svc_3001-0382aaf295add2eb", "services=backend namespaces=kuma-demo")]
    [InlineData(Kuma, "backend_kuma-demo_svc_", "services=backend namespaces=kuma-demo")]
    [InlineData(Kuma, "kuma_envoy_admin", "")]
    [InlineData(Kuma, "localhost_8080", "")]
    [InlineData(Kuma, "", "")]
    [InlineData(Kuma, "_kuma-demo_svc_80", "")]
    [InlineData(Kuma, "Backend_kuma-demo_svc_80", "")]
    [InlineData(Kuma, "-b_kuma-demo_svc_80", "")]
    [InlineData(Kuma, "b-_kuma-demo_svc_80", "")]
    [InlineData(Kuma, "b.c_kuma-demo_svc_80", "")]
    [InlineData("kri_msvc_{*}_{*}_{namespaces}_{services}_{*}", "kri_msvc_default__shop_web_http", "namespaces=shop services=web")]
    [InlineData("{namespaces}-{services}-{*}@http", "shop-web-80@http", "namespaces=shop services=web")]
    [InlineData(
        "{namespaces}-{services}-{*}@http",
        "my-shop-web-80@http",
        "namespaces=my services=shop; namespaces=my services=shop-web; namespaces=my-shop services=web")]
    [InlineData("{namespaces}-{services}-{*}@http", "readiness@http", "")]
    [InlineData("kubernetes://{pods}.{namespaces}", "kubernetes://web-1.shop", "pods=web-1 namespaces=shop")]
    [InlineData("kubernetes://{pods}.{namespaces}", "kubernetes://web.v2.shop", "pods=web.v2 namespaces=shop")]
    [InlineData(
        "kubernetes://apis/apps/v1/namespaces/{namespaces}/deployments/{deployments}",
        "kubernetes://apis/apps/v1/namespaces/shop/deployments/web",
        "namespaces=shop deployments=web")]
    [InlineData("{nodes}", "ip-10-0-0-1.ec2.internal", "nodes=ip-10-0-0-1.ec2.internal")]
    [InlineData("{*}_{services}_{*}", "_a_a_", "services=a")]
    [InlineData("{services}[-v{*}]", "a-v1", "services=a; services=a-v1")]
    [InlineData("[x-]{services}", "x-a", "services=a; services=x-a")]
    [InlineData("{services}:{hex}", "a:0123456789abcdef", "services=a")]
    [InlineData("{services}:{hex}", "a:0123456789abcde", "")]
    [InlineData("{services}:{hex}", "a:0123456789ABCDEF", "")]
    [InlineData("{services}:{hex}", "a:0123456789abcdef0", "")]
    [InlineData("{services}:{port}", "a:8", "services=a")]
    [InlineData("{services}:{port}", "a:65535", "services=a")]
    [InlineData("{services}:{port}", "a:123456", "")]
    [InlineData("{services}:{port}", "a:", "")]
    [InlineData("{services}:{port}", "a:http", "")]
    [InlineData("{services}:{port}", "a:8o", "")]
    [InlineData("{services}:{port}", "a:\u0668", "")]
    [InlineData("{services}-{port}", "a-1-2", "services=a-1")]
    [InlineData("{namespaces}-{services}-{port}@http", "shop-web-80-81@http", "namespaces=shop services=web-80; namespaces=shop-web services=80")]
    [InlineData("{namespaces}-{services}-{port}@http", "shop-web-http@http", "")]
    [InlineData("{services}_{port}[-{hex}]", "a_80-0123456789abcdef", "services=a")]
    [InlineData("{services}_{port}[-{hex}]", "a_80-x", "")]
    public void Every_way_to_read_names_is_found_once(string pattern, string value, string expected) =>
        Assert.Equal(
            expected.Split("; ", StringSplitOptions.RemoveEmptyEntries),
            NamePattern.Parse(pattern).Match(value).Select(names => string.Join(' ', names.Select(pair => $"{pair.Key}={pair.Value}"))));

    [Theory]
    [InlineData("", "", "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?_[a-z0-9](?:[-a-z0-9]*[a-z0-9])?_svc_.*(?:-[0-9a-f]{16})?")]
    [InlineData("", "shop", "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?_shop_svc_.*(?:-[0-9a-f]{16})?")]
    [InlineData("web", "shop", "web_shop_svc_.*(?:-[0-9a-f]{16})?")]
    public void Known_names_restrict_the_expression(string service, string @namespace, string expected) =>
        Assert.Equal(expected, NamePattern.Parse(Kuma).ToRegex(Known(("services", service), ("namespaces", @namespace))));

    [Fact]
    public void Dots_in_names_and_in_the_text_are_escaped() =>
        Assert.Equal(@"k://a\.b\.shop", NamePattern.Parse("k://{pods}.{namespaces}").ToRegex(Known(("pods", "a.b"), ("namespaces", "shop"))));

    [Fact]
    public void The_expression_of_a_port_takes_up_to_five_digits()
    {
        string expression = NamePattern.Parse("{services}:{port}").ToRegex(Known(("services", "web")));
        Assert.Equal("web:[0-9]{1,5}", expression);
        AnchoredRegex regex = AnchoredRegex.Compile(expression);
        Assert.All(["web:8", "web:65535"], value => Assert.True(regex.IsMatch(value)));
        Assert.All(["web:", "web:123456", "web:http", "web-2:80"], value => Assert.False(regex.IsMatch(value)));
    }

    [Theory]
    // The label holds the name and nothing else: a plain value, which any source can look up.
    [InlineData("{services}", "web", "l=\"web\"")]
    [InlineData("{pods}", "a.b", "l=\"a.b\"")]
    [InlineData("{services}", "", "l=~\"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?\"")]
    [InlineData("{services}:{port}", "web", "l=~\"web:[0-9]{1,5}\"")]
    [InlineData("{pods}!", "a.b", "l=~\"a\\\\.b!\"")]
    [InlineData("x-{services}", "web", "l=~\"x-web\"")]
    public void A_label_is_matched_for_the_names_that_are_known(string pattern, string name, string expected)
    {
        NamePattern parsed = NamePattern.Parse(pattern);
        Assert.Equal(expected, parsed.ToMatcher("l", Known((parsed.Kinds[0], name))).ToString());
    }

    [Fact]
    public void A_matcher_that_would_not_restrict_is_refused() =>
        Assert.Throws<ArgumentException>(() => NamePattern.Parse("{services}-x").ToMatcher("l", Known(("namespaces", "shop"))));

    [Fact]
    public void A_pattern_of_a_split_has_names_of_its_own()
    {
        NamePattern pattern = NamePattern.Parse("{namespaces}-{apex}-{trafficsplits}-{port}-{backend}", SplitNames.All);
        Assert.Equal(["namespaces", "apex", "trafficsplits", "backend"], pattern.Kinds);
        Assert.Equal(
            "shop-web-a\\.b-[0-9]{1,5}-web-v1",
            pattern.ToRegex(Known(("namespaces", "shop"), ("apex", "web"), ("trafficsplits", "a.b"), ("backend", "web-v1"))));
        // Services have no dots in their names, splits may.
        Assert.Single(NamePattern.Parse("{apex}/{trafficsplits}/{backend}", SplitNames.All).Match("web/a.b/web-v1"));
        Assert.Empty(NamePattern.Parse("{apex}/{trafficsplits}/{backend}", SplitNames.All).Match("web/a/web.v1"));
        Assert.Empty(NamePattern.Parse("{apex}/{trafficsplits}/{backend}", SplitNames.All).Match("w.eb/a/web-v1"));
        Assert.Throws<FormatException>(() => NamePattern.Parse("{backend}"));
        Assert.Throws<FormatException>(() => NamePattern.Parse("{services}", SplitNames.All));
    }

    [Fact]
    public void Only_kinds_that_may_have_dots_get_them()
    {
        string[] dotless = ["namespaces", "services"];
        Assert.All(KindNames.All, kind => Assert.Equal(
            !dotless.Contains(kind),
            AnchoredRegex.Compile(NamePattern.Parse($"{{{kind}}}").ToRegex(Known())).IsMatch("a.b")));
    }

    [Fact]
    public void A_restriction_that_would_not_restrict_is_refused() =>
        Assert.Throws<ArgumentException>(() => NamePattern.Parse("{services}").ToRegex(Known(("namespaces", "shop"))));

    [Theory]
    [InlineData("", "it names nothing: it has no placeholder of a name")]
    [InlineData("abc-{*}", "it names nothing: it has no placeholder of a name")]
    [InlineData("{services", "'{' is not closed")]
    [InlineData("services}", "'}' closes nothing")]
    [InlineData("{services}[-{*}", "'[' is not closed")]
    [InlineData("{services}]", "']' closes nothing")]
    [InlineData("{services}[]", "there is nothing within []")]
    [InlineData("{services}[a[b]]", "there are brackets within brackets")]
    [InlineData("{services}[-{namespaces}]", "{namespaces} is in brackets, but a name must not be missing")]
    [InlineData("{services}-{services}", "it has {services} twice")]
    [InlineData("{services}{namespaces}", "two placeholders stand together, with nothing that ends the first")]
    [InlineData("{port}:{*}", "it names nothing: it has no placeholder of a name")]
    [InlineData("{services}{port}", "two placeholders stand together, with nothing that ends the first")]
    [InlineData("{services}[{*}]", "two placeholders stand together, with nothing that ends the first")]
    [InlineData("{services}[-]{namespaces}", "two placeholders stand together, with nothing that ends the first")]
    [InlineData("{services}[-{*}]{namespaces}", "two placeholders stand together, with nothing that ends the first")]
    [InlineData(
        "{service}",
        "{service} is no placeholder; there are {*}, {port}, {hex} and the names: namespaces, nodes, pods, services, deployments, statefulsets, "
        + "daemonsets, replicasets, replicationcontrollers, jobs, cronjobs")]
    public void A_mistake_in_a_pattern_is_refused_with_the_reason(string pattern, string reason) =>
        Assert.Equal(reason, Assert.Throws<FormatException>(() => NamePattern.Parse(pattern)).Message);

    [Fact]
    public void What_was_built_from_names_yields_them_and_is_matched_by_their_expression()
    {
        Gen<string> labels = Gen.Char["ab0-"].Array[1, 8].Select(characters => new string(characters).Trim('-')).Where(name => name.Length > 0);
        Gen<string> separators = OneOf("_", "-", ".", "--", "_svc_", "a");
        Gen.Select(labels, labels, separators, separators, OneOf("", "x", "80-80"), Gen.Bool).Sample(
            (service, @namespace, first, second, tail, suffix) =>
            {
                NamePattern pattern = NamePattern.Parse($"{{services}}{first}{{namespaces}}{second}{{*}}[.{{hex}}]");
                string value = $"{service}{first}{@namespace}{second}{tail}{(suffix ? ".0123456789abcdef" : "")}";
                IReadOnlyDictionary<string, string> names = Known(("services", service), ("namespaces", @namespace));

                List<IReadOnlyDictionary<string, string>> readings = [.. pattern.Match(value)];
                Assert.Contains(readings, reading => Same(reading, names));
                Assert.Equal(readings.Count, readings.Select(reading => $"{reading["services"]} {reading["namespaces"]}").Distinct().Count());

                // Each reading's expression finds the value, and no other pair of names does.
                Assert.All(readings, reading => Assert.True(AnchoredRegex.Compile(pattern.ToRegex(reading)).IsMatch(value)));
                Assert.True(AnchoredRegex.Compile(pattern.ToRegex(Known())).IsMatch(value));
                IReadOnlyDictionary<string, string> others = Known(("services", service + "x"), ("namespaces", @namespace));
                Assert.Equal(readings.Exists(reading => Same(reading, others)), AnchoredRegex.Compile(pattern.ToRegex(others)).IsMatch(value));
            });
    }

    [Fact]
    public void A_hostile_value_ends()
    {
        // Without a bound on the work these would not end.
        NamePattern pattern = NamePattern.Parse("{*}-{pods}-{*}-{deployments}-{*}-{jobs}-{*}");
        Assert.Equal(NamePattern.MaxAssignments, pattern.Match(string.Concat(Enumerable.Repeat("a-", 256))).Count());
        Assert.Empty(pattern.Match(new string('-', 512)));
        Assert.Empty(NamePattern.Parse("{pods}.{*}.{deployments}.{*}.{jobs}!").Match(string.Concat(Enumerable.Repeat("a.", 256))));
        Assert.Empty(pattern.Match(string.Concat(Enumerable.Repeat("a-", 500_000))));
    }

    [Fact]
    public void A_pattern_cut_off_anywhere_is_read_or_refused()
    {
        for (int length = 0; length < Kuma.Length; length++)
        {
            try
            {
                Assert.NotEmpty(NamePattern.Parse(Kuma[..length]).Kinds);
            }
            catch (FormatException)
            {
            }
        }
    }

    [Fact]
    public void A_pattern_writes_itself() => Assert.Equal(Kuma, NamePattern.Parse(Kuma).ToString());

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(index => texts[index]);

    private static bool Same(IReadOnlyDictionary<string, string> one, IReadOnlyDictionary<string, string> other) =>
        one.Count == other.Count && one.All(pair => other.TryGetValue(pair.Key, out string? name) && name == pair.Value);

    private static Dictionary<string, string> Known(params (string Kind, string Name)[] names) =>
        names.Where(pair => pair.Name.Length > 0).ToDictionary(pair => pair.Kind, pair => pair.Name);
}
