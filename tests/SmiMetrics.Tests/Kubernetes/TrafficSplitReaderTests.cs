using System.Text.Json;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Tests.Kubernetes;

public sealed class TrafficSplitReaderTests
{
    // smi-spec apis/traffic-split, each version's form of a weight; and what people write although it is none.
    [Theory]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":90},{"service":"b","weight":10}]}""", "web: a=90 b=10")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":"900m"},{"service":"b","weight":"100m"}]}""", "web: a=900 b=100")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":"1"},{"service":"b","weight":"500m"}]}""", "web: a=1000 b=500")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":0.5},{"service":"b","weight":0.5}]}""", "web: a=500 b=500")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":1},{"service":"b"}]}""", "web: a=1 b=0")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":"much"}]}""", "web: a=0")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":-5},{"service":"b","weight":99999999999}]}""", "web: a=0 b=2147483647")]
    [InlineData("""{"service":"web.shop.svc.cluster.local","backends":[{"service":"a.shop","weight":1}]}""", "web: a=1")]
    [InlineData("""{"service":"web.victim.svc.cluster.local","backends":[{"service":"a","weight":1}]}""", null)]
    [InlineData("""{"service":"web","backends":[{"service":"a.victim","weight":1},{"service":"b","weight":2}]}""", "web: b=2")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":1},{"service":"a","weight":2}]}""", "web: a=1")]
    [InlineData("""{"service":"web","backends":[{"service":"a","weight":7e28},{"service":"b","weight":0.25}]}""", "web: a=2147483647 b=250")]
    [InlineData("""{"service":"web","backends":[{"service":".*","weight":1},{"service":"-a","weight":1},{"service":"b/c","weight":1},{"service":"d","weight":1}]}""", "web: d=1")]
    [InlineData("""{"service":"Web|x","backends":[{"service":"a","weight":1}]}""", null)]
    [InlineData("""{"service":"web","backends":[]}""", null)]
    [InlineData("""{"service":"web"}""", null)]
    [InlineData("""{"service":"","backends":[{"service":"a","weight":1}]}""", null)]
    [InlineData("""{}""", null)]
    public void A_TrafficSplit_is_read_in_every_version(string spec, string? expected) => Assert.Equal(expected, Read(ResourceKind.TrafficSplit, spec));

    // gateway-api apis/v1: group and kind default to a Service's for backends, and to a Gateway's for parents; weights to 1.
    [Theory]
    [InlineData("""{"parentRefs":[{"kind":"Service","group":"","name":"web"}],"rules":[{"backendRefs":[{"name":"a","weight":90},{"name":"b","weight":10}]}]}""", "web: a=90 b=10")]
    [InlineData("""{"parentRefs":[{"kind":"Service","group":"core","name":"web"}],"rules":[{"backendRefs":[{"name":"a"},{"name":"b","weight":0}]}]}""", "web: a=1 b=0")]
    [InlineData("""{"parentRefs":[{"name":"gateway"},{"kind":"Service","name":"web"}],"rules":[{"backendRefs":[{"name":"a"}]}]}""", "web: a=1")]
    [InlineData("""{"parentRefs":[{"name":"gateway"}],"rules":[{"backendRefs":[{"name":"a"}]}]}""", null)]
    [InlineData("""{"parentRefs":[{"kind":"Service","name":"web","namespace":"victim"}],"rules":[{"backendRefs":[{"name":"a"}]}]}""", null)]
    [InlineData("""{"parentRefs":[{"kind":"Service","name":"web"}],"rules":[{"backendRefs":[{"name":"a","namespace":"other"},{"kind":"ServiceImport","name":"c"}]}]}""", "web: other/a=1")]
    [InlineData("""{"parentRefs":[{"kind":"Service","name":"web"}],"rules":[{"backendRefs":[{"name":"a","weight":3}]},{"backendRefs":[{"name":"b","weight":4},{"name":"a","weight":5}]}]}""", "web: a=3 b=4")]
    [InlineData("""{"parentRefs":[{"kind":"Service","name":"web"}],"rules":[{}]}""", null)]
    [InlineData("""{"parentRefs":[{"kind":"Service","name":"web"}]}""", null)]
    [InlineData("""{}""", null)]
    public void An_HTTPRoute_of_a_Service_is_a_split(string spec, string? expected) => Assert.Equal(expected, Read(ResourceKind.HttpRoute, spec));

    private static string? Read(ResourceKind kind, string spec)
    {
        KubeObject item = JsonSerializer.Deserialize($$"""{"spec":{{spec}}}""", KubeJson.Default.KubeObject)!;
        return TrafficSplitReader.Read(kind, new ObjectKey("shop", "canary"), LabelSet.Empty, item.Spec) is { } split
            ? $"{split.Apex}: {string.Join(' ', split.Backends.Select(backend => $"{(backend.Namespace == "shop" ? "" : backend.Namespace + "/")}{backend.Name}={backend.Weight}"))}"
            : null;
    }
}
