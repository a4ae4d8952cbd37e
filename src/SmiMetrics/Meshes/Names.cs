namespace SmiMetrics.Meshes;

/// <summary>What Prometheus and Kubernetes accept as names.</summary>
internal static class Names
{
    /// <summary>A label name (prometheus <c>model/labels</c>, without the quoted UTF-8 names of Prometheus 3).</summary>
    public static bool IsLabel(string text) => IsIdentifier(text, colons: false);

    /// <summary>A metric name: as a label's, with colons.</summary>
    public static bool IsMetric(string text) => IsIdentifier(text, colons: true);

    /// <summary>RFC 1123's label, as Kubernetes demands of names.</summary>
    public static bool IsDnsLabel(string text) => text.Length <= 63 && IsDnsWord(text);

    /// <summary>The name of a container's port: RFC 6335's service name in lower case (apimachinery <c>pkg/util/validation</c>, IsValidPortName).</summary>
    public static bool IsPortName(string text) =>
        text.Length <= 15 && IsDnsWord(text) && text.Any(char.IsAsciiLetterLower) && !text.Contains("--", StringComparison.Ordinal);

    /// <summary>The key of a pod's label: a name, perhaps with a DNS subdomain and a slash before it (apimachinery, IsQualifiedName).</summary>
    public static bool IsPodLabel(string text)
    {
        int slash = text.IndexOf('/');
        return IsPodLabelWord(text[(slash + 1)..]) && (slash < 0 || (slash <= 253 && text[..slash].Split('.').All(IsDnsWord)));
    }

    /// <summary>The value of a pod's label, which may be empty (apimachinery, IsValidLabelValue).</summary>
    public static bool IsPodLabelValue(string text) => text.Length == 0 || IsPodLabelWord(text);

    public static bool IsLowerAlphanumeric(char character) => char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character);

    private static bool IsDnsWord(string text) =>
        text.Length > 0
        && text.All(character => IsLowerAlphanumeric(character) || character == '-')
        && text[0] != '-'
        && text[^1] != '-';

    private static bool IsPodLabelWord(string text) =>
        text.Length is > 0 and <= 63
        && text.All(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_' or '.')
        && char.IsAsciiLetterOrDigit(text[0])
        && char.IsAsciiLetterOrDigit(text[^1]);

    private static bool IsIdentifier(string text, bool colons) =>
        text.Length > 0
        && !char.IsAsciiDigit(text[0])
        && text.All(character => char.IsAsciiLetterOrDigit(character) || character == '_' || (colons && character == ':'));
}

/// <summary>
/// The kinds that a descriptor may speak of, by their plural names. Meshes know of no Kubernetes types, so the names stand here
/// again; a test compares the two lists.
/// </summary>
internal static class KindNames
{
    public const string Namespaces = "namespaces";
    public const string Nodes = "nodes";
    public const string Pods = "pods";
    public const string Services = "services";
    public const string ReplicaSets = "replicasets";

    /// <summary>What owns pods.</summary>
    public static readonly IReadOnlyList<string> Workloads =
        ["deployments", "statefulsets", "daemonsets", ReplicaSets, "replicationcontrollers", "jobs", "cronjobs"];

    public static readonly IReadOnlyList<string> All = [Namespaces, Nodes, Pods, Services, .. Workloads];

    public static bool IsNamespaced(string kind) => kind is not (Namespaces or Nodes);
}

/// <summary>What the names of a traffic split may be called in a pattern.</summary>
internal static class SplitNames
{
    /// <summary>The Service whose traffic is split.</summary>
    public const string Apex = "apex";

    /// <summary>A Service that gets a share of it.</summary>
    public const string Backend = "backend";

    /// <summary>The split itself, a TrafficSplit or an HTTPRoute.</summary>
    public const string Split = "trafficsplits";

    public static readonly IReadOnlyList<string> All = [KindNames.Namespaces, Apex, Split, Backend];
}
