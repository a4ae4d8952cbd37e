using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using SmiMetrics.Kubernetes;
using SmiMetrics.Meshes;
using SmiMetrics.Tests.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Traffic;

/// <summary>
/// Runs a <c>.traffic</c> file, which a person who knows meshes can write. It has three commands, each with indented lines:
/// <code>
/// mesh linkerd                       which descriptors to use (default linkerd); FILE.yaml is one beside the script
/// pods                               what the cluster holds, each pod with the proxies of all meshes, but for "proxy=none"; "none": run without a cluster
///   shop/web-1 ReplicaSet/web-abc Deployment/web node=n1 service=web label=app=web
///   shop/- Deployment/idle           objects without a pod
/// load                               what every series increased by
///   response_total{direction="inbound",namespace="shop",deployment="web",classification="success"} 90
///   warning: a store did not answer      what the source says of its answers from here on
///   stale: Prometheus is down
/// eval deployments shop/web          or "eval deployments shop", "eval deployments", "eval edges deployments shop/web side=client"
///   shop/web success=90 failure=10 p50=7.5 p99=- state=ok      in order and complete; only the keys given are compared
///   shop/db state=partial reason=not_the_only_one              a part of the reason, with "_" for blanks
/// eval nodes n1
///   fails: cannot tell
/// eval deployments,statefulsets shop
///   Deployment/shop/web success=90
/// </code>
/// </summary>
internal sealed class TrafficScript(string folder, bool scraped)
{
    private readonly List<MeshDescriptor> _meshes = [];
    private readonly Dictionary<ObjectRef, ClusterObject> _objects = [];
    private readonly Dictionary<ObjectKey, List<string>> _services = [];
    private readonly ScriptedSource _source = new();
    private readonly List<string> _series = [];
    private bool _hasCluster = true;
    private int _evaluations;
    private bool _several;

    /// <param name="scraped">Whether the series go through the embedded scraper's store instead of being answered as they are.</param>
    public static async Task RunAsync(string file, bool scraped)
    {
        TrafficScript script = new(Path.GetDirectoryName(file)!, scraped);
        string[] lines = await File.ReadAllLinesAsync(file);
        for (int i = 0; i < lines.Length;)
        {
            int first = i++;
            string command = Clean(lines[first]);
            if (command.Length == 0)
            {
                continue;
            }

            Assert.False(char.IsWhiteSpace(lines[first][0]), $"{file}:{first + 1}: a command begins at the margin");
            List<string> body = [];
            for (; i < lines.Length && (lines[i].Length == 0 || char.IsWhiteSpace(lines[i][0]) || lines[i][0] == '#'); i++)
            {
                if (Clean(lines[i]) is { Length: > 0 } line)
                {
                    body.Add(line);
                }
            }

            try
            {
                await script.RunAsync(command.Split(' ', StringSplitOptions.RemoveEmptyEntries), body);
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{Path.GetFileName(file)}:{first + 1}: {command}\n{e.Message}", e);
            }
        }

        Assert.True(script._evaluations > 0, $"{file} evaluates nothing");
    }

    private static string Clean(string line) => line.Split(" #")[0].Trim() is var text && text.StartsWith('#') ? "" : text;

    private async Task RunAsync(string[] command, List<string> body)
    {
        switch (command)
        {
            case ["mesh", .. var names]:
                _meshes.AddRange(names.Select(Mesh));
                break;
            case ["pods", "none"]:
                _hasCluster = false;
                break;
            case ["pods"]:
                body.ForEach(AddPod);
                break;
            case ["load"]:
                body.ForEach(Load);
                break;
            case ["eval", .. var question]:
                _evaluations++;
                await EvaluateAsync(question, body);
                break;
            default:
                Assert.Fail("no such command");
                break;
        }
    }

    private MeshDescriptor Mesh(string name) => name.EndsWith(".yaml", StringComparison.Ordinal)
        ? DescriptorReader.Read(File.ReadAllText(Path.Combine(folder, name)), name, MeshCatalogue.BuiltIn)
        : MeshCatalogue.Load().Find(name);

    private void Load(string line)
    {
        switch (line.Split(": ", 2))
        {
            case ["warning", var text]:
                _source.Warnings.Add(text);
                break;
            case ["stale", var because]:
                _source.StaleBecause = because;
                break;
            default:
                _source.Load(line);
                _series.Add(line);
                break;
        }
    }

    private void AddPod(string line)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] name = words[0].Split('/');
        string @namespace = name[0];
        Put(new(ResourceKind.Namespace, "", @namespace), null);
        string[] owners = [.. words[1..].Where(word => word.Contains('/') && !word.Contains('='))];
        for (int i = 0; i < owners.Length; i++)
        {
            string[] owner = owners[i].Split('/');
            if (ResourceKind.FromKind(owner[0]) is { } kind)
            {
                Put(new(kind, @namespace, owner[1]), i + 1 < owners.Length ? Owner(owners[i + 1]) : null);
            }
        }

        Dictionary<string, string> options = words[1..].Where(word => word.Contains('=')).ToDictionary(word => word.Split('=')[0], word => word.Split('=', 2)[1]);
        if (options.GetValueOrDefault("node") is { } node)
        {
            Put(new(ResourceKind.Node, "", node), null);
        }

        if (options.GetValueOrDefault("service") is { } service)
        {
            Put(new(ResourceKind.Service, @namespace, service), null);
            _services.TryAdd(new(@namespace, service), []);
            _services[new(@namespace, service)].Add(name[1]);
        }

        if (name[1] != "-")
        {
            ObjectKey key = new(@namespace, name[1]);
            _objects[new(ResourceKind.Pod, key)] =
                Meshed(new Pod(key, Labels, owners.Length > 0 ? Owner(owners[0]) : null, options.GetValueOrDefault("node", ""), Pod.Running, "10.0.0.1"), options);
        }
    }

    private Pod Meshed(Pod pod, Dictionary<string, string> options)
    {
        ProxyEndpoint[] proxies = options.GetValueOrDefault("proxy") == "none" ? [] : [.. Meshes().Select(mesh => mesh.Scrape).OfType<ProxyEndpoint>()];
        return pod with
        {
            Labels = proxies.SelectMany(proxy => proxy.PodLabels).DistinctBy(label => label.Key).ToDictionary(),
            Containers = new PodContainers([.. proxies.Select(proxy => new PodContainer(proxy.Container ?? "proxy", []))]),
        };
    }

    private MeshDescriptor[] Meshes() => _meshes.Count == 0 ? [Mesh("linkerd")] : [.. _meshes];

    private static readonly Dictionary<string, string> Labels = [];

    private static ObjectOwner Owner(string text) => new(text.Split('/')[0], text.Split('/')[1]);

    private void Put(ObjectRef reference, ObjectOwner? owner) => _objects[reference] = new ClusterObject(reference.Key, Labels, owner);

    private ClusterSnapshot Snapshot() => new(
        _objects.GroupBy(pair => pair.Key.Kind).ToDictionary(group => group.Key, group => (IReadOnlyCollection<ClusterObject>)[.. group.Select(pair => pair.Value)]),
        [.. _services.Select(pair => new EndpointSlice(new(pair.Key.Namespace, pair.Key.Name + "-x"), pair.Key.Name, pair.Value))]);

    private async Task EvaluateAsync(string[] question, List<string> expected)
    {
        MeshDescriptor[] meshes = Meshes();
        ITrafficSource source = scraped ? ScrapedScripts.Source(_series, meshes, _source.Instant) : _source;
        Cluster cluster = _hasCluster ? Cluster.Fixed(Snapshot()) : Cluster.Absent();
        WindowOptions windows = new(WindowOptions.DefaultWindow, WindowOptions.MaxWindow);
        using MeshMonitor monitor = new(new ConfiguredMeshes(meshes, auto: false), source, cluster, windows, TimeProvider.System, NullLogger<MeshMonitor>.Instance);
        await monitor.StartAsync(CancellationToken.None);
        TrafficAggregator aggregator = new(source, monitor, cluster, windows);

        bool edges = question[0] == "edges";
        string[] words = edges ? question[1..] : question;
        ResourceKind[] kinds = [.. words[0].Split(',').Select(word => ResourceKind.FromResource(word)!)];
        ResourceKind kind = kinds[0];
        _several = kinds.Length > 1;
        string[] of = words.Skip(1).FirstOrDefault(word => !word.Contains('='))?.Split('/') ?? [];
        Dictionary<string, string> options = words.Where(word => word.Contains('=')).ToDictionary(word => word.Split('=')[0], word => word.Split('=')[1]);
        string? @namespace = kind.Namespaced && of.Length > 0 ? of[0] : null;
        string? name = kind.Namespaced ? of.ElementAtOrDefault(1) : of.ElementAtOrDefault(0);

        IReadOnlyList<TrafficItem>? items;
        try
        {
            items = edges
                ? await aggregator.GetEdgesAsync(
                    new ObjectRef(kind, @namespace ?? "", name!),
                    null,
                    options.TryGetValue("direction", out string? direction) ? Enum.Parse<Direction>(direction, ignoreCase: true) : null,
                    options.TryGetValue("side", out string? side) ? Enum.Parse<Side>(side, ignoreCase: true) : null,
                    CancellationToken.None)
                : await aggregator.GetResourcesAsync(new ObjectScope(kinds, @namespace, name), null, CancellationToken.None);
        }
        catch (Exception e) when (e is NotTellableException or SourceUnavailableException && expected is [var only] && only.StartsWith("fails: ", StringComparison.Ordinal))
        {
            Assert.Contains(expected[0]["fails: ".Length..], e.Message);
            return;
        }
        finally
        {
            await monitor.StopAsync(CancellationToken.None);
        }

        if (expected is ["unknown"])
        {
            Assert.True(items is null or { Count: 0 }, "something is known of it");
            return;
        }

        Assert.NotNull(items);
        string actual = string.Join('\n', items.Select(Describe));
        Assert.True(expected.Count == items.Count, $"expected {expected.Count} items, got {items.Count}:\n{actual}");
        for (int i = 0; i < items.Count; i++)
        {
            Compare(expected[i], items[i], actual);
        }
    }

    private string Subject(TrafficItem item) => item.Edge is { } edge
        ? $"{edge.Direction.ToString().ToLowerInvariant()} {edge.Peer.Kind}/{Join(edge.Peer)}"
        : (_several ? item.Resource.Kind + "/" : "") + Join(item.Resource);

    private static string Join(ObjectRef reference) => reference.Namespace.Length == 0 ? reference.Name : $"{reference.Namespace}/{reference.Name}";

    private string Describe(TrafficItem item) =>
        $"  {Subject(item)} success={item.Success} failure={item.Failure} p50={item.P50?.ToString(CultureInfo.InvariantCulture) ?? "-"} p90={item.P90} p99={item.P99} "
        + $"state={item.State.ToString().ToLowerInvariant()} side={item.Side.ToString().ToLowerInvariant()} mesh={item.Mesh} ({item.Reason})";

    private void Compare(string expected, TrafficItem item, string actual)
    {
        string[] words = expected.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(string.Join(' ', words.TakeWhile(word => !word.Contains('='))) == Subject(item), $"expected {expected}\ngot\n{actual}");
        foreach (string word in words.Where(word => word.Contains('=')))
        {
            string value = word.Split('=')[1];
            bool holds = word.Split('=')[0] switch
            {
                "success" => Near(item.Success, value),
                "failure" => Near(item.Failure, value),
                "p50" => Near(item.P50, value),
                "p90" => Near(item.P90, value),
                "p99" => Near(item.P99, value),
                "state" => item.State.ToString().Equals(value, StringComparison.OrdinalIgnoreCase),
                "side" => item.Side.ToString().Equals(value, StringComparison.OrdinalIgnoreCase),
                "mesh" => (item.Mesh ?? "-") == value,
                "reason" => item.Reason?.Contains(value.Replace('_', ' '), StringComparison.Ordinal) == true,
                _ => throw new InvalidOperationException($"no such key: {word}"),
            };
            Assert.True(holds, $"expected {word} of\n  {expected}\ngot\n{actual}");
        }
    }

    private static bool Near(double? actual, string expected) => expected == "-"
        ? actual is null
        : actual is { } value && Math.Abs(value - double.Parse(expected, CultureInfo.InvariantCulture)) < 1e-9;
}
