using System.Diagnostics.Metrics;
using SmiMetrics.Meshes;
using SmiMetrics.Transport;

namespace SmiMetrics;

/// <summary>
/// Reads the descriptors of <c>--mesh-config</c> again when their text has changed. A mistake in any of them leaves all as they were, and is
/// told in the log, by the resource <c>meshes</c> and by a metric.
/// </summary>
internal sealed partial class MeshConfigWatcher : PolledFiles
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    private readonly MeshConfiguration _configuration;
    private readonly ConfiguredMeshes _meshes;
    private readonly ILogger _logger;
    private readonly Counter<long> _failures;
    private string _seen;

    public MeshConfigWatcher(
        MeshConfiguration configuration, ConfiguredMeshes meshes, IMeterFactory meters, TimeProvider clock, ILogger<MeshConfigWatcher> logger)
        : base(clock, Period)
    {
        _configuration = configuration;
        _meshes = meshes;
        _logger = logger;
        _seen = Text();
        Meter meter = meters.Create("SmiMetrics.Meshes");
        _failures = meter.CreateCounter<long>("smi_metrics_mesh_config_reload_failures_total", description: "Changed descriptors of --mesh-config that were not taken, for their mistakes.");
        meter.CreateObservableGauge(
            "smi_metrics_mesh_config_valid", () => _meshes.Mistakes.Count == 0 ? 1 : 0, description: "Whether the descriptors of --mesh-config are in use as they are: 0 while they have mistakes.");
    }

    public override void Refresh()
    {
        string text = Text();
        if (text == _seen)
        {
            return;
        }

        _seen = text;
        List<string> mistakes = [];
        IReadOnlyList<MeshDescriptor> meshes = _configuration.Read(mistakes, mistake => mistakes.Add($"{ServeOptions.Flags.Mesh.Option}: {mistake}"));
        if (mistakes.Count == 0)
        {
            _meshes.Replace(meshes);
            Log.Reloaded(_logger, string.Join(", ", meshes.Select(mesh => mesh.Name)));
        }
        else
        {
            _meshes.Refuse(mistakes);
            _failures.Add(1);
            foreach (string mistake in mistakes)
            {
                Log.Refused(_logger, mistake);
            }
        }
    }

    /// <summary>All files in one, so that any change shows. What cannot be read is a mistake, which is told when it comes to be.</summary>
    private string Text() => string.Join('\0', MeshCatalogue.Files(_configuration.Paths, []).Select(file =>
    {
        try
        {
            return file + '\0' + File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return file + '\0' + e.Message;
        }
    }));

    private static partial class Log
    {
        [LoggerMessage(LogLevel.Information, "the descriptors of --mesh-config have changed; looking for {Meshes}")]
        public static partial void Reloaded(ILogger logger, string meshes);

        [LoggerMessage(LogLevel.Error, "the descriptors of --mesh-config have changed, but those before stay: {Mistake}")]
        public static partial void Refused(ILogger logger, string mistake);
    }
}
