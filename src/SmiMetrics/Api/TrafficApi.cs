using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json.Serialization.Metadata;
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
internal sealed class TrafficApi(TrafficAggregator traffic, MeshMonitor meshes, Cluster cluster, LatencyUnit latencyUnit)
{
    public const string Group = "metrics.smi-spec.io";

    private const string ListKind = "TrafficMetricsList";

    /// <summary>All versions, the preferred one first. They differ in name only.</summary>
    public static IReadOnlyList<string> Versions { get; } = ["v1alpha2", "v1alpha1"];

    /// <summary>Answers any request below <c>/apis</c>.</summary>
    /// <exception cref="StatusException">The request cannot be answered as it is.</exception>
    /// <exception cref="SourceUnavailableException">Nor could a better one, at the moment.</exception>
    public Task AnswerAsync(HttpContext context)
    {
        string[] segments = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        return segments switch
        {
            ["apis"] => AnswerDocumentAsync(context, Discovery.Groups, ApiJson.Default.ApiGroupList),
            ["apis", Group] => AnswerDocumentAsync(context, Discovery.Group, ApiJson.Default.ApiGroup),
            ["apis", Group, var version] when Versions.Contains(version) =>
                AnswerDocumentAsync(context, Discovery.Resources(version), ApiJson.Default.ApiResourceList),
            ["apis", Group, var version, .. var rest] when Versions.Contains(version) && ResourcePath.Parse(version, rest) is { } path =>
                AnswerTrafficAsync(context, path),
            _ => throw new StatusException(Status.NoSuchResource()),
        };
    }

    private static Task AnswerDocumentAsync<T>(HttpContext context, T document, JsonTypeInfo<T> type)
    {
        CheckMethodAndAccept(context.Request);
        return Answer.WriteAsync(context, StatusCodes.Status200OK, document, type);
    }

    private async Task AnswerTrafficAsync(HttpContext context, ResourcePath path)
    {
        HttpRequest request = context.Request;
        CheckMethodAndAccept(request);
        CheckNames(path);
        if (Answer.IsTrue(request.Query["watch"]) && path.Name is null)
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
        Refuse(context.Request.Query, "fieldSelector", "not supported yet; ask for the object by its path");
        Refuse(context.Request.Query, "labelSelector", "meshes have no labels");
        await meshes.FirstLook.WaitAsync(context.RequestAborted);
        IReadOnlyList<MeshStatus> statuses = meshes.Statuses;
        if (path.Name is { } name)
        {
            MeshStatus status = statuses.FirstOrDefault(status => status.Mesh.Name == name) ?? throw NotFound(path);
            await Answer.WriteAsync(context, StatusCodes.Status200OK, Mesh.Of(status, path.Version), ApiJson.Default.Mesh);
            return;
        }

        MeshList list = new(
            Mesh.ObjectKind + "List",
            $"{Group}/{path.Version}",
            new ListMeta(path.SelfLink),
            meshes.Mistakes is { Count: > 0 } mistakes ? mistakes : null,
            [.. statuses.Select(status => Mesh.Of(status, path.Version))]);
        await Answer.WriteAsync(context, StatusCodes.Status200OK, list, ApiJson.Default.MeshList);
    }

    private async Task AnswerGraphAsync(HttpContext context, ResourcePath path, TimeSpan? window)
    {
        Side? side = ReadChoice<Side>(context.Request.Query, "side");
        Refuse(context.Request.Query, "direction", "of one object's edges only; here each edge is there once");
        Refuse(context.Request.Query, "fieldSelector", "edges have none");
        Refuse(context.Request.Query, "labelSelector", "edges have none");
        IReadOnlyList<TrafficItem> edges = await traffic.GetGraphAsync(path.Namespace, window, side, context.RequestAborted);
        await WriteListAsync(context, path, new(path.Resource.Kind, path.Namespace, null, $"{Group}/{path.Version}"), edges);
    }

    private async Task AnswerSplitsAsync(HttpContext context, ResourcePath path, TimeSpan? window)
    {
        Predicate<ObjectRef> selected = ReadSelectors(context.Request.Query);
        ObjectScope scope = new(path.Resource.Kinds, path.Namespace, path.Name);
        IReadOnlyList<TrafficItem> shares = await traffic.GetSplitsAsync(scope, window, context.RequestAborted) ?? throw NotFound(path);
        ResourceKind kind = path.Resource.Kinds[0];
        await WriteListAsync(context, path, new(kind.Kind, path.Namespace, path.Name, kind.ApiVersion), shares.Where(share => selected(share.Resource)));
    }

    private async Task AnswerObjectAsync(HttpContext context, ResourcePath path, ObjectRef of, TimeSpan? window)
    {
        IReadOnlyList<TrafficItem> found = await traffic.GetResourcesAsync(ObjectScope.Of(of), window, context.RequestAborted);
        TrafficItem item = found.Count > 0 ? found[0] : throw NotFound(path);
        await Answer.WriteAsync(context, StatusCodes.Status200OK, Write(item, path), ApiJson.Default.TrafficMetrics);
    }

    private async Task AnswerListAsync(HttpContext context, ResourcePath path, TimeSpan? window)
    {
        Predicate<ObjectRef> selected = ReadSelectors(context.Request.Query);
        ObjectScope scope = new(path.Resource.Kinds, path.Namespace, null);
        IReadOnlyList<TrafficItem> items = await traffic.GetResourcesAsync(scope, window, context.RequestAborted);
        ObjectReference resource = path.Resource.Kinds is [var kind]
            ? new(kind.Kind, path.Namespace, null, kind.ApiVersion)
            : new(path.Resource.Kind, path.Namespace, null, $"{Group}/{path.Version}");
        await WriteListAsync(context, path, resource, items.Where(item => selected(item.Resource)));
    }

    private async Task AnswerEdgesAsync(HttpContext context, ResourcePath path, ObjectRef of, TimeSpan? window)
    {
        Direction? direction = ReadChoice<Direction>(context.Request.Query, "direction");
        Side? side = ReadChoice<Side>(context.Request.Query, "side");
        Refuse(context.Request.Query, "fieldSelector", "edges have none");
        Refuse(context.Request.Query, "labelSelector", "edges have none");
        IReadOnlyList<TrafficItem> edges =
            await traffic.GetEdgesAsync(of, window, direction, side, context.RequestAborted) ?? throw NotFound(path);
        await WriteListAsync(context, path, Reference(of), edges);
    }

    private static ObjectRef Resolve(ResourcePath path) => path.Resource.Resolve(path.Namespace, path.Name!) ?? throw NotFound(path);

    private static StatusException NotFound(ResourcePath path) => new(Status.NotFound(path.Resource.Name, path.Name!));

    private Task WriteListAsync(HttpContext context, ResourcePath path, ObjectReference resource, IEnumerable<TrafficItem> items)
    {
        string apiVersion = $"{Group}/{path.Version}";
        TrafficMetricsList list = new(
            ListKind, apiVersion, new ListMeta(path.SelfLink), resource, [.. items.Select(item => Write(item, path))]);
        return Answer.WriteAsync(context, StatusCodes.Status200OK, list, ApiJson.Default.TrafficMetricsList);
    }

    /// <summary>Always all five metrics in this order: existing clients index them (nginx-meshctl <c>top</c>).</summary>
    private TrafficMetrics Write(TrafficItem item, ResourcePath path)
    {
        ObjectRef resource = item.Resource;
        string? @namespace = resource.Kind.Namespaced ? resource.Namespace : null;
        string timestamp = item.Timestamp.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        Dictionary<string, string> annotations = new()
        {
            [$"{Group}/state"] = Lower(item.State),
            [$"{Group}/side"] = Lower(item.Side),
        };
        if (item.Mesh is not null)
        {
            annotations[$"{Group}/mesh"] = item.Mesh;
        }

        if (item.Reason is not null)
        {
            annotations[$"{Group}/reason"] = item.Reason;
        }

        ResourcePath own = path with { Namespace = @namespace, Name = path.Resource.NameOf(resource) };
        if (path.Resource == TrafficResource.Graph)
        {
            // No edge has a path of its own, but each has a name that no other in the list has.
            own = path with { Name = null };
        }

        string name = own.Name ?? $"{TrafficResource.Workloads.NameOf(resource)}.{Lower(item.Edge!.Direction)}.{item.Edge.Peer.Namespace}.{TrafficResource.Workloads.NameOf(item.Edge.Peer)}";
        return new TrafficMetrics(
            TrafficResource.ObjectKind,
            $"{Group}/{path.Version}",
            new ObjectMeta(name, @namespace, own.SelfLink, timestamp, annotations),
            timestamp,
            GoDuration.Format(item.Window),
            Reference(resource),
            item.Edge is { } edge ? new Edge(Lower(edge.Direction), Lower(item.Side), Reference(edge.Peer))
                // As the SMI specification has it: what the apex received, from whomever.
                : item.Backend is not null ? new Edge(Lower(Direction.From), Lower(item.Side), ObjectReference.Anybody)
                : null,
            item.Backend is { } backend ? new Backend(backend.Apex, backend.Name, backend.Weight) : null,
            [
                Latency("p99_response_latency", item.P99),
                Latency("p90_response_latency", item.P90),
                Latency("p50_response_latency", item.P50),
                new Metric("success_count", null, Quantity.Format(item.Success)),
                new Metric("failure_count", null, Quantity.Format(item.Failure)),
            ]);
    }

    private Metric Latency(string name, double? milliseconds) =>
        new(name, latencyUnit.Unit, Quantity.Format((milliseconds ?? 0) * latencyUnit.PerMillisecond));

    private static ObjectReference Reference(ObjectRef of) =>
        new(of.Kind.Kind, of.Kind.Namespaced ? of.Namespace : null, of.Name, of.Kind.ApiVersion);

    private static string Lower<T>(T value) where T : struct, Enum => Enum.GetName(value)!.ToLowerInvariant();

    private static void CheckMethodAndAccept(HttpRequest request)
    {
        if (!HttpMethods.IsGet(request.Method))
        {
            throw new StatusException(Status.MethodNotAllowed());
        }

        if (!Negotiation.AcceptsJson(request))
        {
            throw new StatusException(Status.NotAcceptable());
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
        return ReadOne(query, name) is not { } text ? null
            : GoDuration.TryParse(text, out TimeSpan window) ? window
            : throw new StatusException(Status.BadRequest($"{name}: \"{text}\" is not a duration such as 30s, 5m or 1h30m"));
    }

    private static T? ReadChoice<T>(IQueryCollection query, string name) where T : struct, Enum
    {
        if (ReadOne(query, name) is not { } text)
        {
            return null;
        }

        foreach (T value in Enum.GetValues<T>())
        {
            if (Lower(value) == text)
            {
                return value;
            }
        }

        throw new StatusException(Status.BadRequest($"{name}: \"{text}\" is none of {string.Join(", ", Enum.GetValues<T>().Select(Lower))}"));
    }

    private static string? ReadOne(IQueryCollection query, string name) => query[name] switch
    {
        { Count: 0 } => null,
        [{ } value] => value,
        _ => throw new StatusException(Status.BadRequest($"{name}: given more than once")),
    };

    private static void Refuse(IQueryCollection query, string name, string because)
    {
        if (ReadOne(query, name) is { Length: > 0 })
        {
            throw new StatusException(Status.BadRequest($"{name}: {because}"));
        }
    }

    private Predicate<ObjectRef> ReadSelectors(IQueryCollection query)
    {
        Refuse(query, "fieldSelector", "not supported yet; ask for the object by its path");

        if (ReadOne(query, "labelSelector") is not { Length: > 0 } text)
        {
            return _ => true;
        }

        if (cluster.Synced && !cluster.Snapshot.HasCluster)
        {
            throw new StatusException(Status.BadRequest("labelSelector: this server knows no labels, it runs without a cluster (--kubernetes none)"));
        }

        try
        {
            LabelSelector selector = LabelSelector.Parse(text);
            return reference => selector.Matches(cluster.Snapshot.Find(reference)?.Labels ?? FrozenDictionary<string, string>.Empty);
        }
        catch (LabelSelectorException e)
        {
            throw new StatusException(Status.BadRequest(e.Message));
        }
    }
}
