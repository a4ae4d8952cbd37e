namespace SmiMetrics.Meshes;

/// <summary>The meshes to look for. The list is never changed but swapped whole, when a descriptor has changed.</summary>
/// <param name="auto">Whether all known meshes are looked for, so that a missing one is nothing to wonder at.</param>
internal sealed class ConfiguredMeshes(IReadOnlyList<MeshDescriptor> meshes, bool auto)
{
    private volatile IReadOnlyList<MeshDescriptor> _current = meshes;
    private volatile IReadOnlyList<string> _mistakes = [];
    private volatile TaskCompletionSource _changed = NewSignal();

    /// <summary>Whether all known meshes are looked for, rather than some that somebody named.</summary>
    public bool Auto => auto;

    /// <summary>In order of preference.</summary>
    public IReadOnlyList<MeshDescriptor> Current => _current;

    /// <summary>Why the newest descriptors were not taken; empty when they were.</summary>
    public IReadOnlyList<string> Mistakes => _mistakes;

    /// <summary>Completes when <see cref="Current"/> is another. To be taken before it is read.</summary>
    public Task Changed => _changed.Task;

    public void Replace(IReadOnlyList<MeshDescriptor> meshes)
    {
        _current = meshes;
        _mistakes = [];
        TaskCompletionSource changed = _changed;
        _changed = NewSignal();
        changed.SetResult();
    }

    /// <summary>Keeps the list, and says what is wrong with the one that should have taken its place.</summary>
    public void Refuse(IReadOnlyList<string> mistakes) => _mistakes = mistakes;

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
