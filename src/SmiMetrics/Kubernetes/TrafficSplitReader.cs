using System.Globalization;
using System.Text.Json;

namespace SmiMetrics.Kubernetes;

/// <summary>
/// Makes a <see cref="TrafficSplit"/> of an SMI TrafficSplit (smi-sdk-go <c>pkg/apis/split</c>, v1alpha1 to v1alpha4) or a Gateway API HTTPRoute
/// (gateway-api <c>apis/v1/httproute_types.go</c>).
/// </summary>
internal static class TrafficSplitReader
{
    /// <summary>Of split.smi-spec.io, the newest first. No one of them is served everywhere.</summary>
    public static readonly IReadOnlyList<string> Versions = ["v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1"];

    private const string ServiceKind = "Service";

    /// <returns>Null where no Service's requests are shared out.</returns>
    public static TrafficSplit? Read(ResourceKind kind, ObjectKey key, IReadOnlyDictionary<string, string> labels, KubeSpec? spec) =>
        kind == ResourceKind.TrafficSplit ? ReadTrafficSplit(key, labels, spec) : ReadHttpRoute(key, labels, spec);

    // Its Services are those of its own namespace, and both are given by their bare names; some write them out.
    private static TrafficSplit? ReadTrafficSplit(ObjectKey key, IReadOnlyDictionary<string, string> labels, KubeSpec? spec)
    {
        if (BareName(spec?.Service, key.Namespace) is not { } apex)
        {
            return null;
        }

        KubeBackend[] named = [.. (spec?.Backends ?? []).Where(backend => BareName(backend.Service, key.Namespace) is not null)];
        int[] weights = Weights([.. named.Select(backend => backend.Weight)], unsaid: 0);
        return Split(
            ResourceKind.TrafficSplit,
            key,
            labels,
            apex,
            named.Select((backend, at) => new SplitBackend(apex, key.Namespace, BareName(backend.Service, key.Namespace)!, weights[at])));
    }

    // A rule's backends share out what the rule matches. No mesh tells the rules apart, so a backend stands here once, with the weight of the
    // first rule that has it. Routes of Gateways alone have no apex that anybody in the mesh could call.
    private static TrafficSplit? ReadHttpRoute(ObjectKey key, IReadOnlyDictionary<string, string> labels, KubeSpec? spec)
    {
        KubeReference? parent = (spec?.ParentRefs ?? []).Find(reference => reference is { Kind: ServiceKind } && IsService(reference.Name) && (reference.Namespace ?? key.Namespace) == key.Namespace);
        return parent is null
            ? null
            : Split(ResourceKind.HttpRoute, key, labels, parent.Name!, (spec!.Rules ?? []).SelectMany(rule =>
            {
                KubeBackend[] backends = [.. (rule.BackendRefs ?? []).Where(backend => backend is { Kind: null or ServiceKind } && IsService(backend.Name))];
                int[] weights = Weights([.. backends.Select(backend => backend.Weight)], unsaid: 1);
                return backends.Select((backend, at) => new SplitBackend(parent.Name!, backend.Namespace ?? key.Namespace, backend.Name!, weights[at]));
            }));
    }

    private static TrafficSplit? Split(ResourceKind kind, ObjectKey key, IReadOnlyDictionary<string, string> labels, string apex, IEnumerable<SplitBackend> backends)
    {
        SplitBackend[] each = [.. backends.DistinctBy(backend => (backend.Namespace, backend.Name))];
        return each.Length == 0 ? null : new TrafficSplit(key, labels, kind, apex, each);
    }

    private static string? BareName(string? service, string @namespace) => service?.Split('.') switch
    {
        [var name] when IsService(name) => name,
        [var name, var within, ..] when within == @namespace && IsService(name) => name,
        _ => null,
    };

    // Nothing keeps other names out of these objects, and no Service has them.
    private static bool IsService(string? name) => name is not null && KubernetesName.IsLabel(name);

    /// <summary>
    /// Whole numbers, as clients read them. Where one is a fraction (v1alpha1 has quantities such as <c>500m</c>) all are counted in
    /// thousandths, so that their shares stay what they are.
    /// </summary>
    private static int[] Weights(JsonElement[] written, int unsaid)
    {
        decimal[] weights = [.. written.Select(weight => Math.Clamp(Weight(weight) ?? unsaid, 0, int.MaxValue))];
        decimal unit = Array.TrueForAll(weights, decimal.IsInteger) ? 1 : 1000;
        return [.. weights.Select(weight => (int)Math.Clamp(Math.Round(weight * unit), 0, int.MaxValue))];
    }

    private static decimal? Weight(JsonElement weight) => weight.ValueKind switch
    {
        JsonValueKind.Number when weight.TryGetDecimal(out decimal number) => number,
        JsonValueKind.String when weight.GetString() is { } text => text.EndsWith('m')
            ? Number(text[..^1]) / 1000
            : Number(text),
        _ => null,
    };

    private static decimal? Number(string text) => decimal.TryParse(text, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal number) ? number : null;
}
