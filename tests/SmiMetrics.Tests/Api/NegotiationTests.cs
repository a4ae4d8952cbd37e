using Microsoft.AspNetCore.Http;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class NegotiationTests
{
    [Theory]
    [InlineData("", true)]
    [InlineData("*/*", true)]
    [InlineData("application/*", true)]
    [InlineData("application/json", true)]
    [InlineData("application/json; charset=utf-8", true)]
    [InlineData("application/json, */*", true)]
    [InlineData("application/vnd.kubernetes.protobuf, */*", true)]
    [InlineData("application/vnd.kubernetes.protobuf,application/json", true)]
    [InlineData("application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", true)]
    [InlineData("application/vnd.kubernetes.protobuf", false)]
    [InlineData("application/cbor", false)]
    [InlineData("application/yaml", false)]
    [InlineData("text/html", false)]
    [InlineData("application/json;q=0", false)]
    [InlineData("application/json;as=Table;v=v1;g=meta.k8s.io", false)]
    [InlineData("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", false)]
    public void Plain_JSON_is_given_to_who_takes_it(string accept, bool accepted)
    {
        DefaultHttpContext context = new();
        if (accept.Length > 0)
        {
            context.Request.Headers.Accept = accept;
        }

        Assert.Equal(accepted, Negotiation.AcceptsJson(context.Request));
    }
}
