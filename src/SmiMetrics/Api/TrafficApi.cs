using Microsoft.AspNetCore.Http.Features;
using SmiMetrics.Kubernetes;
using SmiMetrics.Traffic;

namespace SmiMetrics.Api;

/// <summary>The unit in which latencies are written (<c>--latency-unit</c>).</summary>
/// <param name="Unit">As clients read it: <c>ms</c>, as the SMI SDK has it, or <c>seconds</c>, as the SMI specification's examples have it.</param>
/// <param name="PerMillisecond">How many of it make a millisecond.</param>
internal sealed record LatencyUnit(string Unit, double PerMillisecond)
{
    public static readonly LatencyUnit Milliseconds = new("ms", 1);
    public static readonly LatencyUnit Seconds = new("seconds", 0.001);
}

/// <summary>
/// The API <c>metrics.smi-spec.io</c>: reads a request, asks the aggregator, writes the answer. Everything that goes wrong leaves through
/// <see cref="StatusErrors"/>.
/// </summary>
internal sealed class TrafficApi(TrafficAggregator traffic, MeshMonitor meshes, Cluster cluster, LatencyUnit latencyUnit, ListPages pages)
{
    public const string Group = "metrics.smi-spec.io";

    private static readonly string[] OfPageOrForm = ["limit", "continue", "includeObject", "pretty", "timeout", "timeoutSeconds", "resourceVersion", "resourceVersionMatch"];

    /// <summary>All versions, the preferred one first. They differ in name only.</summary>
    public static IReadOnlyList<string> Versions { get; } = ["v1alpha2", "v1alpha1"];

    /// <summary>Answers any request below <c>/apis</c> and <c>/openapi</c>, and for one namespace of <c>/api/v1</c>.</summary>
    /// <exception cref="StatusException">The request cannot be answered as it is.</exception>
    /// <exception cref="SourceUnavailableException">Nor could a better one, at the moment.</exception>
    public Task AnswerAsync(HttpContext context)
    {
        RequestInfo info = context.Features.GetRequiredFeature<RequestInfo>();
        if (info is { Group: "", Version: "v1", Resource: "namespaces", Subresource: "", Verb: "get" })
        {
            return AnswerNamespace(context, info.Name);
        }

        if (info.IsResourceRequest)
        {
            return AnswerTrafficAsync(context, info, context.Features.Get<ResourcePath>() ?? throw new StatusException(Status.NoSuchResource()));
        }

        return info.Path.Trim('/').Split('/') switch
        {
            ["apis"] => ConstantDocuments.AnswerGroupsAsync(context),
            ["openapi", .. var document] => ConstantDocuments.AnswerOpenApiAsync(context, document),
            ["apis", Group] => AnswerDocumentAsync(context, Discovery.Group),
            ["apis", Group, var version] when Versions.Contains(version) =>
                AnswerDocumentAsync(context, Discovery.Resources(version)),
            _ => throw new StatusException(Status.NoSuchResource()),
        };
    }

    /// <summary>
    /// Of Kubernetes' own API no more than this: kubectl, which asks us alone where there is no kube-apiserver before us (the demo), looks after each 404
    /// whether the namespace is there, and only then says what was not found.
    /// </summary>
    private Task AnswerNamespace(HttpContext context, string name)
    {
        ClusterSnapshot snapshot = cluster.Snapshot;
        bool listed = snapshot.HasCluster && !snapshot.Unread.Contains(ResourceKind.Namespace);
        if (!KubernetesName.IsLabel(name) || (listed && !snapshot.Contains(new ObjectRef(ResourceKind.Namespace, "", name))))
        {
            throw new StatusException(Status.NamespaceNotFound(name));
        }

        return AnswerDocumentAsync(context, new PartialObjectMetadata("Namespace", "v1", new ObjectMeta(name, null, $"/api/v1/namespaces/{name}", null, null, null)));
    }

    private static Task AnswerDocumentAsync(HttpContext context, object document)
    {
        CheckMethod(context.Request);
        string? mediaType = Negotiation.Clauses(context.Request).Where(clause => clause.IsPlain).Select(Answer.MediaTypeFor).FirstOrDefault(type => type is not null);
        return Answer.WriteAsync(context, StatusCodes.Status200OK, mediaType ?? throw new StatusException(Status.NotAcceptable()), document);
    }

    private async Task AnswerTrafficAsync(HttpContext context, RequestInfo info, ResourcePath path)
    {
        HttpRequest request = context.Request;
        CheckMethod(request);
        CheckNames(path);
        if (info.Verb == "watch")
        {
            throw new StatusException(Status.WatchNotSupported(path.Resource.Name));
        }

        TimeSpan? window = ReadWindow(request.Query);
        try
        {
            await (path switch
            {
                _ when path.Resource == TrafficResource.Meshes => AnswerMeshesAsync(context, path),
                _ when path.Resource == TrafficResource.Graph => AnswerGraphAsync(context, path, window),
                _ when path.Resource.IsSplit => AnswerSplitsAsync(context, path, window),
                { Name: null } => AnswerListAsync(context, path, window),
                { Edges: true } => AnswerEdgesAsync(context, path, Resolve(path), window),
                _ => AnswerObjectAsync(context, path, Resolve(path), window),
            });
        }
        catch (WindowException e)
        {
            throw new StatusException(Status.BadRequest(
                $"window {GoDuration.Format(window.GetValueOrDefault())}: {e.Message}{(e.Limit is { } limit ? " " + GoDuration.Format(limit) : "")}"));
        }
        catch (NotTellableException e)
        {
            throw new StatusException(Status.NoSuchResource(e.Message));
        }
    }

    private async Task AnswerMeshesAsync(HttpContext context, ResourcePath path)
    {
        await meshes.FirstLook.WaitAsync(context.RequestAborted);
        IReadOnlyList<MeshStatus> statuses = meshes.Statuses;
        Forms<Mesh> forms = Mesh.Forms(path.Version, meshes.Mistakes is { Count: > 0 } mistakes ? mistakes : null);
        if (path.Name is { } name)
        {
            MeshStatus status = statuses.FirstOrDefault(status => status.Mesh.Name == name) ?? throw NotFound(path);
            await WriteAsync(context, Representation.Of(context.Request, isList: false), forms, Mesh.Of(status, path.Version));
            return;
        }

        await WriteListAsync(context, path, forms, () => Task.FromResult(statuses.Select(status => Mesh.Of(status, path.Version))));
    }

    private Task AnswerGraphAsync(HttpContext context, ResourcePath path, TimeSpan? window)
    {
        Side? side = ReadChoice<Side>(context.Request.Query, "side");
        Refuse(context.Request.Query, "direction", "of one object's edges only; here each edge is there once");
        return WriteListAsync(context, path, new(path.Resource.Kind, path.Namespace, null, $"{Group}/{path.Version}"), () =>
            traffic.GetGraphAsync(path.Namespace, window, side, context.RequestAborted));
    }

    private Task AnswerSplitsAsync(HttpContext context, ResourcePath path, TimeSpan? window)
    {
        ObjectScope scope = new(path.Resource.Kinds, path.Namespace, path.Name);
        ResourceKind kind = path.Resource.Kinds[0];
        return WriteListAsync(context, path, new(kind.Kind, path.Namespace, path.Name, kind.ApiVersion), async () =>
            await traffic.GetSplitsAsync(scope, window, context.RequestAborted) ?? throw NotFound(path));
    }

    private async Task AnswerObjectAsync(HttpContext context, ResourcePath path, ObjectRef of, TimeSpan? window)
    {
        Representation representation = Representation.Of(context.Request, isList: false);
        IReadOnlyList<TrafficItem> found = await traffic.GetResourcesAsync(ObjectScope.Of(of), window, context.RequestAborted);
        TrafficForms forms = new(path, latencyUnit, cluster.Snapshot);
        await WriteAsync(context, representation, forms.Forms(TrafficForms.Reference(of)), forms.Of(found.Count > 0 ? found[0] : throw NotFound(path)));
    }

    private Task AnswerListAsync(HttpContext context, ResourcePath path, TimeSpan? window)
    {
        ObjectScope scope = new(path.Resource.Kinds, path.Namespace, null);
        ObjectReference resource = path.Resource.Kinds is [var kind]
            ? new(kind.Kind, path.Namespace, null, kind.ApiVersion)
            : new(path.Resource.Kind, path.Namespace, null, $"{Group}/{path.Version}");
        return WriteListAsync(context, path, resource, () => traffic.GetResourcesAsync(scope, window, context.RequestAborted));
    }

    private Task AnswerEdgesAsync(HttpContext context, ResourcePath path, ObjectRef of, TimeSpan? window)
    {
        Direction? direction = ReadChoice<Direction>(context.Request.Query, "direction");
        Side? side = ReadChoice<Side>(context.Request.Query, "side");
        return WriteListAsync(context, path, TrafficForms.Reference(of), async () =>
            await traffic.GetEdgesAsync(of, window, direction, side, context.RequestAborted) ?? throw NotFound(path));
    }

    /// <summary>
    /// The object in the path. A workload may go without its kind where only one has the name: people leave it out, and so does kubectl, which takes the
    /// name of whatever it listed for one of trafficmetrics, as all objects have that kind (<c>describe</c> without a name).
    /// </summary>
    private ObjectRef Resolve(ResourcePath path)
    {
        if (path.Resource.Resolve(path.Namespace, path.Name!) is { } named)
        {
            return named;
        }

        bool synced = cluster.Synced;
        ObjectRef[] found = [.. path.Resource.Kinds.Select(kind => new ObjectRef(kind, path.Namespace ?? "", path.Name!)).Where(cluster.Snapshot.Knew)];
        return found switch
        {
            // Until the cluster has been read nothing can be found, and whoever asks for anything is told just that.
            [] => synced ? throw NotFound(path) : new ObjectRef(path.Resource.Kinds[0], path.Namespace ?? "", path.Name!),
            [var only] => only,
            _ => throw new StatusException(Status.BadRequest(
                $"there are several workloads \"{path.Name}\": ask for one of {string.Join(", ", found.Select(path.Resource.NameOf))}")),
        };
    }

    private static StatusException NotFound(ResourcePath path) => new(Status.NotFound(path.Resource.Name, path.Name!));

    private static Task WriteAsync<T>(HttpContext context, Representation representation, Forms<T> forms, T item)
    {
        Answer.Warn(context.Response, forms.Warnings([item]));
        return Answer.WriteAsync(context, StatusCodes.Status200OK, representation.MediaType, forms.Of(item, representation));
    }

    private Task WriteListAsync(HttpContext context, ResourcePath path, ObjectReference resource, Func<Task<IReadOnlyList<TrafficItem>>> ask)
    {
        TrafficForms forms = new(path, latencyUnit, cluster.Snapshot);
        return WriteListAsync(context, path, forms.Forms(resource), async () => (await ask()).Select(forms.Of));
    }

    /// <param name="ask">Not called for a further page of a list that was asked for before.</param>
    private async Task WriteListAsync<T>(HttpContext context, ResourcePath path, Forms<T> forms, Func<Task<IEnumerable<T>>> ask)
    {
        HttpRequest request = context.Request;
        Representation representation = Representation.Of(request, isList: true);
        ListOptions options = ListOptions.Read(request.Query, path.Name is null ? context.Features.GetRequiredFeature<RequestInfo>().Name : "");
        if (options.Labels is not null && cluster.Synced && !cluster.Snapshot.HasCluster)
        {
            throw new StatusException(Status.BadRequest("labelSelector: this server knows no labels, it runs without a cluster (--kubernetes none)"));
        }

        string question = QuestionOf(request, path);
        Page<T> page = options.Continue is { } token
            ? pages.Continue<T>(question, token, options.Limit)
            : pages.Begin(question, [.. (await ask()).Where(item => options.Selects(forms.Metadata(item)))], options.Limit);
        int? remaining = page.Remaining > 0 && options.SelectsAll ? page.Remaining : null;
        Answer.Warn(context.Response, forms.Warnings(page.Items));
        await Answer.WriteAsync(context, StatusCodes.Status200OK, representation.MediaType, forms.Of(new ListMeta(path.SelfLink, page.Continue, remaining), page.Items, representation));
    }

    /// <summary>What was asked, apart from how much of it at once and in which form: whatever else is added to the parameters one day is part of it.</summary>
    private static string QuestionOf(HttpRequest request, ResourcePath path) => path.SelfLink + QueryString.Create(
        request.Query.Where(parameter => !OfPageOrForm.Contains(parameter.Key)).OrderBy(parameter => parameter.Key, StringComparer.Ordinal));

    /// <exception cref="StatusException">405: there is nothing here but to be read.</exception>
    public static void CheckMethod(HttpRequest request)
    {
        if (!HttpMethods.IsGet(request.Method))
        {
            throw new StatusException(Status.MethodNotAllowed());
        }
    }

    private static void CheckNames(ResourcePath path)
    {
        if (path.Namespace is not null && !KubernetesName.IsLabel(path.Namespace))
        {
            throw new StatusException(Status.BadRequest($"namespace \"{path.Namespace}\" is not a DNS-1123 label"));
        }

        bool isLabel = path.Resource.Kinds is [var kind] && (kind == ResourceKind.Namespace || kind == ResourceKind.Service);
        if (path.Name is not null && !(isLabel ? KubernetesName.IsLabel(path.Name) : KubernetesName.IsSubdomain(path.Name)))
        {
            throw new StatusException(Status.BadRequest(
                $"{path.Resource.Name} name \"{path.Name}\" is not a DNS-1123 {(isLabel ? "label" : "subdomain")}"));
        }
    }

    /// <summary>The window is <c>window</c>, or <c>t</c> as the reference server called it.</summary>
    private static TimeSpan? ReadWindow(IQueryCollection query)
    {
        string name = query.ContainsKey("window") ? "window" : "t";
        return Parameters.One(query, name) is not { } text ? null
            : GoDuration.TryParse(text, out TimeSpan window) ? window
            : throw new StatusException(Status.BadRequest($"{name}: \"{text}\" is not a duration such as 30s, 5m or 1h30m"));
    }

    private static T? ReadChoice<T>(IQueryCollection query, string name) where T : struct, Enum
    {
        if (Parameters.One(query, name) is not { } text)
        {
            return null;
        }

        foreach (T value in Enum.GetValues<T>())
        {
            if (Wire.Word(value) == text)
            {
                return value;
            }
        }

        throw new StatusException(Status.BadRequest($"{name}: \"{text}\" is none of {string.Join(", ", Enum.GetValues<T>().Select(Wire.Word))}"));
    }

    private static void Refuse(IQueryCollection query, string name, string because)
    {
        if (Parameters.One(query, name) is { Length: > 0 })
        {
            throw new StatusException(Status.BadRequest($"{name}: {because}"));
        }
    }
}
