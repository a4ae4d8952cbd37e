using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace SmiMetrics.Diagnostics;

/// <summary>Which build this is.</summary>
/// <param name="Version">Semantic version, such as <c>0.1.0</c> or <c>1.2.0-rc.1</c>.</param>
/// <param name="Commit">The commit's hash; empty if the build did not know it.</param>
internal sealed partial record BuildVersion(string Version, string Commit)
{
    /// <summary>This program's, from the version that the build stamped on the assembly.</summary>
    public static BuildVersion Own { get; } = Parse(
        typeof(BuildVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0");

    /// <summary>Splits an informational version, <c>VERSION</c> or <c>VERSION+COMMIT</c>.</summary>
    public static BuildVersion Parse(string informational)
    {
        int plus = informational.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? new BuildVersion(informational, "") : new BuildVersion(informational[..plus], informational[(plus + 1)..]);
    }

    /// <summary>
    /// The document at <c>/version</c> (apimachinery <c>pkg/version/types.go</c>). Clients decode it into a structure of strings, so every
    /// key is there; <c>goVersion</c> and <c>compiler</c> tell the .NET runtime and how the program was compiled. The build date is
    /// Kubernetes' own for builds that do not know theirs: ours are reproducible.
    /// </summary>
    public byte[] ToJson()
    {
        string[] numbers = Version.Split('.', '-');
        string system = OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => "amd64",
            Architecture.X86 => "386",
            Architecture other => other.ToString().ToLowerInvariant(),
        };
        Document document = new(
            Major: numbers[0],
            Minor: numbers.Length > 1 ? numbers[1] : "",
            GitVersion: $"v{Version}",
            GitCommit: Commit,
            GitTreeState: "",
            BuildDate: "1970-01-01T00:00:00Z",
            GoVersion: RuntimeInformation.FrameworkDescription,
            Compiler: RuntimeFeature.IsDynamicCodeSupported ? "dotnet" : "nativeaot",
            Platform: $"{system}/{architecture}");
        return JsonSerializer.SerializeToUtf8Bytes(document, VersionJson.Default.Document);
    }

    private sealed record Document(
        string Major,
        string Minor,
        string GitVersion,
        string GitCommit,
        string GitTreeState,
        string BuildDate,
        string GoVersion,
        string Compiler,
        string Platform);

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
    [JsonSerializable(typeof(Document))]
    private sealed partial class VersionJson : JsonSerializerContext;
}
