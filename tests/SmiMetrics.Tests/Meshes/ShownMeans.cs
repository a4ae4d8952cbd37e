using SmiMetrics.Meshes;

namespace SmiMetrics.Tests.Meshes;

/// <summary>Means of naming as one line of text, which a table can hold.</summary>
internal static class ShownMeans
{
    public static string Show(this IdentityMeans means) => means switch
    {
        IdentityMeans.Label { NamespaceLabel: null } label => label.Name,
        IdentityMeans.Label label => $"{label.Name} in {label.NamespaceLabel}",
        IdentityMeans.NameOnly name => $"name {name.NameLabel} in {name.NamespaceLabel}{(name.ElseThroughPods ? " or through pods" : "")}",
        IdentityMeans.KindAndName both => $"kind {both.KindLabel} and name {both.NameLabel} in {both.NamespaceLabel}",
        IdentityMeans.Packed packed => $"{packed.LabelName} as {string.Join(" or ", packed.Patterns)}",
        IdentityMeans.UniqueName unique => $"unique {unique.LabelName}",
        IdentityMeans.ThroughPods => "through pods",
        _ => throw new InvalidOperationException($"no words for {means.GetType().Name}"),
    };

    /// <summary>All means of an identity, as <c>kind: means</c>, in order of kinds.</summary>
    public static IEnumerable<string> Show(this Identity identity) =>
        identity.Means.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}: {pair.Value.Show()}");
}
