using SmiMetrics.Meshes;

namespace SmiMetrics;

/// <summary>What <c>--mesh</c> and <c>--mesh-config</c> say.</summary>
/// <param name="Names">In order of preference; <c>auto</c> alone for all.</param>
/// <param name="Paths">Files and folders of descriptors beside the built-in ones.</param>
internal sealed record MeshConfiguration(IReadOnlyList<string> Names, IReadOnlyList<string> Paths)
{
    public const string AutoName = "auto";

    public bool Auto => Names is [AutoName];

    /// <summary>Reads the descriptors.</summary>
    /// <param name="errors">Receives what is wrong with descriptors, a line each.</param>
    /// <param name="fail">Told of names that no descriptor has.</param>
    /// <returns>The meshes that are named and could be read.</returns>
    public IReadOnlyList<MeshDescriptor> Read(List<string> errors, Action<string> fail)
    {
        MeshCatalogue catalogue;
        bool whole = true;
        try
        {
            catalogue = MeshCatalogue.Load(Paths);
        }
        catch (DescriptorException e)
        {
            errors.AddRange(e.Mistakes);
            catalogue = MeshCatalogue.Load();
            whole = false;
        }

        List<MeshDescriptor> meshes = [.. Auto ? catalogue.All : []];
        foreach (string name in Names.Where(name => name != AutoName))
        {
            try
            {
                meshes.Add(catalogue.Find(name));
            }
            catch (UnknownMeshException) when (!whole)
            {
                // It may well be in the file that could not be read, and one mistake is told once.
            }
            catch (UnknownMeshException e)
            {
                fail(e.Message);
            }
        }

        return meshes;
    }
}
