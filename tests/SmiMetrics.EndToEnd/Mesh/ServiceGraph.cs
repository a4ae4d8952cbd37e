namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>What all emitters of service graphs have in common.</summary>
internal static class ServiceGraph
{
    public const string Total = "traces_service_graph_request_total";
    public const string Failed = "traces_service_graph_request_failed_total";
    public const string ServerSeconds = "traces_service_graph_request_server_seconds";
    public const string ClientSeconds = "traces_service_graph_request_client_seconds";

    /// <summary>The kinds that services are named after.</summary>
    public static readonly IReadOnlyList<string> Kinds =
        ["namespaces", "deployments", "statefulsets", "daemonsets", "replicationcontrollers", "jobs", "cronjobs"];

    /// <param name="end"><c>client</c> or <c>server</c>.</param>
    public static string Selector(string end, End of) => of.Kind == "Namespace"
        ? $"{end}_k8s_namespace_name=\"{of.Name}\""
        : $"{end}_k8s_namespace_name=\"{of.Namespace}\",{end}=\"{of.Name}\"";
}
