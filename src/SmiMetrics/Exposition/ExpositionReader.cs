namespace SmiMetrics.Exposition;

/// <summary>Which of the two text formats a page is in, by its content type.</summary>
internal enum ExpositionFormat
{
    /// <summary>Prometheus' text format 0.0.4 or 1.0.0; timestamps are milliseconds.</summary>
    Text,

    /// <summary>OpenMetrics 1.0; timestamps are seconds with a fraction, the page ends with <c># EOF</c>, samples may have exemplars.</summary>
    OpenMetrics,
}

/// <summary>
/// Reads samples from lines of the Prometheus text format or OpenMetrics, line by line, without copying or allocating. A line that is
/// none is skipped and counted. The caller looks at <see cref="Name"/> first: what it does not want costs no more than finding the next line.
/// </summary>
internal ref struct ExpositionReader
{
    /// <param name="lines">Whole lines; what follows the last line feed counts as a bad line.</param>
    public ExpositionReader(ReadOnlySpan<byte> lines, ExpositionFormat format) => throw new NotImplementedException();

    /// <summary>Moves to the next line that looks like a sample; comments and blank lines are passed over.</summary>
    /// <returns>False at the end.</returns>
    public bool ReadName() => throw new NotImplementedException();

    /// <summary>The metric's name, in UTF-8, as printed: a quoted one with its escapes.</summary>
    public ReadOnlySpan<byte> Name => throw new NotImplementedException();

    /// <summary>
    /// Reads the rest of the line. The labels are not taken apart yet, so a series with malformed ones may still be returned here;
    /// <see cref="LabelReader"/> will tell.
    /// </summary>
    /// <param name="series">The series as printed, from its name to the closing brace: equal bytes are the same series.</param>
    /// <param name="timestamp">In milliseconds since 1970; null when the line has none.</param>
    /// <returns>False when the line is bad, which has been counted.</returns>
    public bool ReadSample(out ReadOnlySpan<byte> series, out double value, out long? timestamp) => throw new NotImplementedException();

    /// <summary>Lines so far that were neither sample, comment nor blank. A caller that finds malformed labels adds its own.</summary>
    public readonly int BadLines => throw new NotImplementedException();

    /// <summary>Whether <c># EOF</c> was read. Lines after it are bad.</summary>
    public readonly bool Ended => throw new NotImplementedException();
}

/// <summary>Takes the labels of a series apart, as <see cref="ExpositionReader.ReadSample"/> returned it.</summary>
internal ref struct LabelReader
{
    public LabelReader(ReadOnlySpan<byte> series) => throw new NotImplementedException();

    /// <returns>False at the end, and at the first malformed byte: see <see cref="Malformed"/>.</returns>
    public bool Read() => throw new NotImplementedException();

    /// <summary>The label's name, unquoted; a quoted one still with its escapes.</summary>
    public readonly ReadOnlySpan<byte> Name => throw new NotImplementedException();

    /// <summary>The value between its quotes, still with its escapes; see <see cref="Unescape"/>.</summary>
    public readonly ReadOnlySpan<byte> Value => throw new NotImplementedException();

    public readonly bool Malformed => throw new NotImplementedException();

    /// <summary>Resolves <c>\\</c>, <c>\"</c> and <c>\n</c>.</summary>
    /// <param name="target">At least as long as <paramref name="escaped"/>.</param>
    /// <returns>The part of <paramref name="target"/> that was written.</returns>
    public static ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> escaped, Span<byte> target) => throw new NotImplementedException();
}
