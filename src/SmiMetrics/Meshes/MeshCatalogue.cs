namespace SmiMetrics.Meshes;

/// <summary>All meshes that the server knows: those built in, and those of <c>--mesh-config</c>. Never changed once loaded.</summary>
internal sealed class MeshCatalogue
{
    // Names in the assembly, as SmiMetrics.csproj gives them.
    private const string ResourcePrefix = "catalogue/";
    private const string Extension = ".yaml";

    // In order of preference, for where several are found: meshes before those who watch beneath or beside them.
    private static readonly string[] Order =
    [
        "linkerd", "istio", "istio-ambient", "consul", "osm", "osm-edge", "kuma", "kuma-3", "traefik-mesh", "nginx-service-mesh", "appmesh", "gloo-mesh",
        "cilium", "otel-beyla", "otel-servicegraph", "otel-servicegraph-beyla", "gateway-api",
    ];

    private readonly IReadOnlyDictionary<string, string> _files;

    private MeshCatalogue(IReadOnlyList<MeshDescriptor> meshes, IReadOnlyDictionary<string, string> files)
    {
        All = meshes;
        _files = files;
    }

    /// <summary>
    /// The built-in meshes in order of preference, then those added, in the order of paths and files. A mesh that overrides a built-in one
    /// takes its place.
    /// </summary>
    public IReadOnlyList<MeshDescriptor> All { get; }

    /// <param name="paths">
    /// Files, or folders of <c>*.yaml</c> and <c>*.yml</c> files, whose descriptors are added or override built-in ones of the same name.
    /// </param>
    /// <exception cref="DescriptorException">With the mistakes of all files, and what cannot be read.</exception>
    public static MeshCatalogue Load(params IReadOnlyList<string> paths)
    {
        List<string> mistakes = [];
        List<MeshDescriptor> meshes = [];
        Dictionary<string, string> files = [];
        foreach (string name in Order)
        {
            Add(ResourcePrefix + name + Extension, () => BuiltIn(name)!, added: false);
        }

        foreach (string file in Files(paths, mistakes))
        {
            Add(file, () => File.ReadAllText(file), added: true);
        }

        return mistakes.Count == 0 ? new MeshCatalogue(meshes, files) : throw new DescriptorException(mistakes);

        void Add(string file, Func<string> read, bool added)
        {
            try
            {
                MeshDescriptor mesh = DescriptorReader.Read(read(), file, BuiltIn);
                if (added && !files.TryAdd(mesh.Name, file))
                {
                    mistakes.Add($"{file}:1: the mesh '{mesh.Name}' is already in {files[mesh.Name]}");
                    return;
                }

                int overridden = meshes.FindIndex(other => other.Name == mesh.Name);
                if (overridden < 0)
                {
                    meshes.Add(mesh);
                }
                else
                {
                    meshes[overridden] = mesh;
                }
            }
            catch (DescriptorException exception)
            {
                mistakes.AddRange(exception.Mistakes);
            }
            catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
            {
                mistakes.Add($"{file}: no such file or folder");
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                mistakes.Add($"{file}: it cannot be read: {exception.Message}");
            }
        }
    }

    /// <summary>The file that a mesh's descriptor is from; null for one that is built in, or unknown.</summary>
    public string? FileOf(string name) => _files.GetValueOrDefault(name);

    /// <exception cref="UnknownMeshException">There is no such mesh; the message lists those that there are.</exception>
    public MeshDescriptor Find(string name) =>
        All.FirstOrDefault(mesh => mesh.Name == name) ?? throw new UnknownMeshException(name, [.. All.Select(mesh => mesh.Name)]);

    /// <summary>The text of a built-in descriptor; null when there is none of that name.</summary>
    public static string? BuiltIn(string name)
    {
        using Stream? resource = typeof(MeshCatalogue).Assembly.GetManifestResourceStream(ResourcePrefix + name + Extension);
        if (resource is null)
        {
            return null;
        }

        using StreamReader reader = new(resource);
        return reader.ReadToEnd();
    }

    /// <summary>The descriptor files that these paths are or contain.</summary>
    /// <param name="mistakes">Receives a line for each path that cannot be read.</param>
    public static IReadOnlyList<string> Files(IReadOnlyList<string> paths, List<string> mistakes)
    {
        List<string> files = [];
        foreach (string path in paths)
        {
            try
            {
                // A mounted ConfigMap has its files as links beside folders of links; only the former end like this.
                files.AddRange(Directory.Exists(path)
                    ? Directory.EnumerateFiles(path).Where(file => Path.GetExtension(file) is ".yaml" or ".yml").Order(StringComparer.Ordinal)
                    : [path]);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                mistakes.Add($"{path}: it cannot be read: {exception.Message}");
            }
        }

        return files;
    }
}

/// <summary>A mesh that no descriptor describes.</summary>
internal sealed class UnknownMeshException(string name, IReadOnlyList<string> known)
    : Exception($"there is no mesh '{name}'; there are {string.Join(", ", known)}");
