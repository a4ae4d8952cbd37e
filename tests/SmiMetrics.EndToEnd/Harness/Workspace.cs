using SmiMetrics.Tests;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>A temporary folder for one run, gone when the run ends, and the few facts about the machine that all parts need.</summary>
internal sealed class Workspace : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("smi-metrics-end-to-end-");

    /// <summary>The folder of SmiMetrics.sln.</summary>
    public static string Repository => Golden.Repository;

    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public string Folder(string name) => _folder.CreateSubdirectory(name).FullName;

    public string Write(string name, string text)
    {
        string path = PathOf(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }

    public void Dispose()
    {
        try
        {
            _folder.Delete(recursive: true);
        }
        catch (IOException)
        {
            // A process that has just been killed may still be writing; a folder left in /tmp is no reason to fail a test.
        }
    }
}
