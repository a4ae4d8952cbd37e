using System.Reflection;

namespace SmiMetrics.Meshes;

/// <summary>All meshes that the server knows: those built in, and those of <c>--mesh-config</c>. Never changed once loaded.</summary>
internal sealed class MeshCatalogue
{
    // Names in the assembly, as SmiMetrics.csproj gives them.
    private const string ResourcePrefix = "catalogue/";

    private MeshCatalogue(IReadOnlyList<MeshDescriptor> meshes) => All = meshes;

    /// <summary>
    /// The built-in meshes by name, then those added, in the order of paths and files. A mesh that overrides a built-in one takes its place.
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
        Dictionary<string, string> origins = [];
        foreach ((string file, Func<string> read) in BuiltIn())
        {
            Add(file, read, origin: "");
        }

        foreach (string file in Files(paths, mistakes))
        {
            Add(file, () => File.ReadAllText(file), origin: file);
        }

        return mistakes.Count == 0 ? new MeshCatalogue(meshes) : throw new DescriptorException(mistakes);

        void Add(string file, Func<string> read, string origin)
        {
            try
            {
                MeshDescriptor mesh = DescriptorReader.Read(read(), file);
                string first = origins.GetValueOrDefault(mesh.Name, "");
                if (first.Length > 0)
                {
                    mistakes.Add($"{file}:1: the mesh '{mesh.Name}' is already in {first}");
                    return;
                }

                origins[mesh.Name] = origin;
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
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                mistakes.Add($"{file}:1: it cannot be read: {exception.Message}");
            }
        }
    }

    /// <exception cref="UnknownMeshException">There is no such mesh; the message lists those that there are.</exception>
    public MeshDescriptor Find(string name) =>
        All.FirstOrDefault(mesh => mesh.Name == name) ?? throw new UnknownMeshException(name, [.. All.Select(mesh => mesh.Name)]);

    private static IEnumerable<(string File, Func<string> Read)> BuiltIn()
    {
        Assembly assembly = typeof(MeshCatalogue).Assembly;
        return assembly.GetManifestResourceNames()
            .Where(resource => resource.StartsWith(ResourcePrefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(resource => (resource, (Func<string>)(() =>
            {
                using StreamReader reader = new(assembly.GetManifestResourceStream(resource)!);
                return reader.ReadToEnd();
            })));
    }

    private static List<string> Files(IReadOnlyList<string> paths, List<string> mistakes)
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
                mistakes.Add($"{path}:1: it cannot be read: {exception.Message}");
            }
        }

        return files;
    }
}

/// <summary>A mesh that no descriptor describes.</summary>
internal sealed class UnknownMeshException(string name, IReadOnlyList<string> known)
    : Exception($"there is no mesh '{name}'; there are {string.Join(", ", known)}");
