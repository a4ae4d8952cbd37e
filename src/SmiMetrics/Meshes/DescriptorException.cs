namespace SmiMetrics.Meshes;

/// <summary>Mesh descriptors with mistakes in them.</summary>
/// <param name="mistakes">All of them, one line each, as <c>file:line: reason</c>.</param>
internal sealed class DescriptorException(IReadOnlyList<string> mistakes) : Exception(string.Join('\n', mistakes))
{
    public IReadOnlyList<string> Mistakes { get; } = mistakes;
}

/// <summary>Collects what is wrong with one file.</summary>
internal sealed class Mistakes(string file)
{
    private readonly List<(int Line, string Reason)> _found = [];

    public void Add(int line, string reason) => _found.Add((line, reason));

    /// <exception cref="DescriptorException">There are any; in the order of their lines.</exception>
    public void ThrowIfAny()
    {
        if (_found.Count > 0)
        {
            throw new DescriptorException(
                [.. _found.OrderBy(mistake => mistake.Line).Select(mistake => $"{file}:{mistake.Line}: {OneLine(mistake.Reason)}")]);
        }
    }

    // Reasons quote the file, where a text may go over several lines or ring the terminal's bell.
    private static string OneLine(string reason) => string.Concat(reason.Select(character => char.IsControl(character) ? ' ' : character));
}
