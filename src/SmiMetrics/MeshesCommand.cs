using SmiMetrics.Meshes;

namespace SmiMetrics;

/// <summary><c>smi-metrics meshes</c>: which meshes there are descriptors of, and the text of one to begin one's own with.</summary>
internal static class MeshesCommand
{
    /// <param name="name">The mesh whose descriptor is wanted; null for the list of all.</param>
    /// <param name="paths">Files and folders of further descriptors.</param>
    /// <returns>The exit status.</returns>
    public static int Run(string? name, IReadOnlyList<string> paths, TextWriter output, TextWriter error)
    {
        MeshCatalogue catalogue;
        try
        {
            catalogue = MeshCatalogue.Load(paths);
        }
        catch (DescriptorException e)
        {
            foreach (string mistake in e.Mistakes)
            {
                error.WriteLine($"smi-metrics: {mistake}");
            }

            return CommandLine.UsageError;
        }

        if (name is not null)
        {
            string? text = catalogue.FileOf(name) is { } file ? File.ReadAllText(file) : MeshCatalogue.BuiltIn(name);
            if (text is null)
            {
                error.WriteLine($"smi-metrics: there is no mesh '{name}'; smi-metrics meshes lists them");
                return CommandLine.UsageError;
            }

            output.Write(text);
            return CommandLine.Success;
        }

        int width = catalogue.All.Max(mesh => mesh.Name.Length);
        output.WriteLine($"{"NAME".PadRight(width)}  SIDES          SCRAPED  SPLITS  MESH");
        foreach (MeshDescriptor mesh in catalogue.All)
        {
            string sides = mesh switch
            {
                { Server: not null, Client: not null } => "server,client",
                { Server: not null } => "server",
                _ => "client",
            };
            output.WriteLine($"{mesh.Name.PadRight(width)}  {sides,-13}  {(mesh.Scrape is null ? "no" : "yes"),-7}  {(mesh.Splits.Count == 0 ? "no" : "yes"),-6}  {mesh.Title}{(catalogue.FileOf(mesh.Name) is { } file ? $", from {file}" : "")}");
        }

        return CommandLine.Success;
    }
}
