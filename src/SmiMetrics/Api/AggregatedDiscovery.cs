namespace SmiMetrics.Api;

/// <summary>
/// Discovery in one document, as kube-apiserver 1.26 and later fetches it from <c>/apis</c> of every aggregated server, and kubectl from
/// kube-apiserver (api <c>apidiscovery/v2/types.go</c>). Both versions of it have the same fields.
/// </summary>
internal sealed record GroupDiscoveryList(string Kind, string ApiVersion, GroupDiscoveryList.ListMetadata Metadata, IReadOnlyList<GroupDiscovery> Items)
{
    public const string Name = "APIGroupDiscoveryList";
    public const string Group = "apidiscovery.k8s.io";

    /// <summary>All versions, the one that callers would rather have first.</summary>
    public static readonly IReadOnlyList<string> Versions = ["v2", "v2beta1"];

    /// <summary>What this server offers.</summary>
    /// <param name="version">Of the document.</param>
    public static GroupDiscoveryList Own(string version) => new(
        Name,
        $"{Group}/{version}",
        new ListMetadata(),
        [new GroupDiscovery(new GroupDiscovery.GroupMetadata(TrafficApi.Group), [.. TrafficApi.Versions.Select(VersionDiscovery.Of)])]);

    internal sealed record ListMetadata;
}

internal sealed record GroupDiscovery(GroupDiscovery.GroupMetadata Metadata, IReadOnlyList<VersionDiscovery> Versions)
{
    internal sealed record GroupMetadata(string Name);
}

/// <param name="Freshness"><c>Current</c>: whoever answers for himself is.</param>
internal sealed record VersionDiscovery(string Version, IReadOnlyList<ResourceDiscovery> Resources, string Freshness)
{
    public static VersionDiscovery Of(string version) =>
        new(version, [.. TrafficResource.All.Select(resource => ResourceDiscovery.Of(resource, version))], "Current");
}

/// <param name="ResponseKind">Never absent: kubectl 1.26 ends with a panic over that.</param>
internal sealed record ResourceDiscovery(
    string Resource,
    ResponseKind ResponseKind,
    string Scope,
    string SingularResource,
    IReadOnlyList<string> Verbs,
    IReadOnlyList<string>? ShortNames,
    IReadOnlyList<string>? Categories,
    IReadOnlyList<SubresourceDiscovery>? Subresources)
{
    public static ResourceDiscovery Of(TrafficResource resource, string version) => new(
        resource.Name,
        new ResponseKind(TrafficApi.Group, version, resource.Kind),
        resource.Namespaced ? "Namespaced" : "Cluster",
        resource.Singular,
        resource.Verbs,
        Discovery.UnlessEmpty(resource.ShortNames),
        Discovery.UnlessEmpty(resource.Categories),
        resource.HasEdges
            ? [new SubresourceDiscovery(Wire.Edges, new ResponseKind(TrafficApi.Group, version, Discovery.ListKind(resource)), ["get"])]
            : null);
}

internal sealed record SubresourceDiscovery(string Subresource, ResponseKind ResponseKind, IReadOnlyList<string> Verbs);

internal sealed record ResponseKind(string Group, string Version, string Kind);
