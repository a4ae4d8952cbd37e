namespace SmiMetrics.Kubernetes;

/// <summary>
/// What a request asks for, in the words in which Kubernetes judges it. Taken from method, path and query exactly as kube-apiserver takes it
/// (apiserver <c>pkg/endpoints/request/requestinfo.go</c>), which has judged the request by the same words before it passes it on. Whoever answers
/// goes by this, never by the path itself: then nothing is answered but what was judged.
/// </summary>
/// <param name="IsResourceRequest">Else only <paramref name="Path"/> and <paramref name="Verb"/> mean anything, and the rest is empty.</param>
/// <param name="Path">As requested.</param>
/// <param name="Verb">
/// Of a resource: get, list, watch, create, update, patch, delete, deletecollection, or empty for a method without a meaning (OPTIONS). Else the
/// method in lower case.
/// </param>
/// <param name="Namespace">Empty for none. A namespace's own is its name.</param>
/// <param name="Name">
/// Empty for none. A list has one when its field selector is for one name: it is a list all the same, and <paramref name="Parts"/> has no name.
/// </param>
/// <param name="Parts">Resource, name, subresource and whatever follows, as far as the path has them.</param>
/// <param name="VerbInPath">The path itself named the verb, as in the deprecated <c>.../watch/pods</c>.</param>
internal sealed record RequestInfo(
    bool IsResourceRequest,
    string Path,
    string Verb,
    string Group,
    string Version,
    string Namespace,
    string Resource,
    string Subresource,
    string Name,
    IReadOnlyList<string> Parts,
    bool VerbInPath)
{
    private const string GroupPrefix = "apis";
    private const string CorePrefix = "api";

    /// <summary>
    /// The field selector of a list, watch or deletecollection, in the order of its terms' texts. Empty where there is none or it cannot be read: then
    /// the request is judged as one for everything.
    /// </summary>
    public IReadOnlyList<FieldTerm> FieldTerms { get; private init; } = [];

    /// <summary>The label selector likewise, in the order of keys.</summary>
    public IReadOnlyList<LabelRequirement> LabelRequirements { get; private init; } = [];

    /// <param name="method">As sent: methods are case-sensitive, and <c>get</c> is none.</param>
    /// <param name="path">Decoded.</param>
    /// <param name="query">As sent, with or without its question mark; null for none.</param>
    public static RequestInfo Of(string method, string path, string? query) => Read(method, path, OrdinalQuery.Of(query));

    /// <param name="request">Whose query is an <see cref="OrdinalQuery"/>.</param>
    public static RequestInfo Of(HttpRequest request) => Read(request.Method, request.Path.Value!, request.Query);

    private static RequestInfo Read(string method, string path, IQueryCollection query)
    {
        string trimmed = path.Trim('/');
        ReadOnlySpan<string> parts = trimmed.Length == 0 ? [] : trimmed.Split('/');
        (string group, string version) = ("", "");
        switch (parts)
        {
            case [CorePrefix, var coreVersion, _, ..]:
                version = coreVersion;
                parts = parts[2..];
                break;
            case [GroupPrefix, var apiGroup, var apiVersion, _, ..]:
                (group, version) = (apiGroup, apiVersion);
                parts = parts[3..];
                break;
            default:
                return new(IsResourceRequest: false, path, method.ToLowerInvariant(), "", "", "", "", "", "", [], VerbInPath: false);
        }

        bool verbInPath = parts is ["watch" or "proxy", _, ..];
        string verb = verbInPath ? parts[0] : VerbOf(method);
        parts = verbInPath ? parts[1..] : parts;
        string @namespace = "";
        if (parts is ["namespaces", var inNamespace, ..])
        {
            @namespace = inNamespace;
            // Below a namespace's name stands a resource of the namespace, unless it is one of the two subresources that namespaces have.
            if (parts is [_, _, not ("status" or "finalize"), ..])
            {
                parts = parts[2..];
            }
        }

        string name = parts.Length > 1 ? parts[1] : "";
        string subresource = parts.Length > 2 && verb != "proxy" ? parts[2] : "";
        if (name.Length == 0 && verb == "get")
        {
            (bool watch, string? selected) = ReadListOptions(query);
            verb = watch ? "watch" : "list";
            name = selected ?? "";
        }
        else if (name.Length == 0 && verb == "delete")
        {
            verb = "deletecollection";
        }

        // A verb in the path takes selectors or not, depending on what follows: Kubernetes judges by none then.
        bool selects = !verbInPath && (verb is "list" or "watch" or "deletecollection");
        return new(IsResourceRequest: true, path, verb, group, version, @namespace, parts[0], subresource, name, parts.ToArray(), verbInPath)
        {
            FieldTerms = selects ? ReadFields(query) : [],
            LabelRequirements = selects ? ReadLabels(query) : [],
        };
    }

    private static string VerbOf(string method) => method switch
    {
        "GET" or "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "",
    };

    /// <summary>Of several values the first counts. Where any option cannot be read, Kubernetes reads none of them but <c>watch</c>.</summary>
    private static (bool Watch, string? Name) ReadListOptions(IQueryCollection options)
    {
        // Anything else is true, even nothing.
        bool watch = options["watch"] is [{ } value, ..] && value.ToLowerInvariant() is not ("false" or "0");
        return (watch, IsReadable(options) ? SelectedName(options) : null);
    }

    private static string First(IQueryCollection options, string name) => options[name] is [{ } value, ..] ? value : "";

    private static bool IsReadable(IQueryCollection options)
    {
        foreach (string number in (ReadOnlySpan<string>)["limit", "timeoutSeconds"])
        {
            if (options[number] is [{ } text, ..] && !GoInteger.TryParse(text, out _, out _))
            {
                return false;
            }
        }

        return TryReadLabels(options, out _);
    }

    /// <summary>The one name that the field selector is for; null if it is for none, or cannot be read.</summary>
    private static string? SelectedName(IQueryCollection options)
    {
        string? selected = ReadFields(options).FirstOrDefault(term => term is { Field: FieldSelector.NameField, Equal: true }).Value;
        return selected is null or "." or ".." || selected.Contains('/', StringComparison.Ordinal) || selected.Contains('%', StringComparison.Ordinal)
            ? null
            : selected;
    }

    private static IReadOnlyList<FieldTerm> ReadFields(IQueryCollection options)
    {
        try
        {
            return FieldSelector.ReadTerms(First(options, "fieldSelector"));
        }
        catch (FieldSelectorException)
        {
            return [];
        }
    }

    private static IReadOnlyList<LabelRequirement> ReadLabels(IQueryCollection options) => TryReadLabels(options, out LabelSelector labels) ? labels.Requirements : [];

    private static bool TryReadLabels(IQueryCollection options, out LabelSelector labels)
    {
        try
        {
            labels = LabelSelector.Parse(First(options, "labelSelector"));
            return true;
        }
        catch (LabelSelectorException)
        {
            labels = LabelSelector.Everything;
            return false;
        }
    }
}
