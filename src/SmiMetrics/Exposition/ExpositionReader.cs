using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

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
/// <remarks>
/// What is a sample is what Prometheus' own lexers and parsers take for one (<c>model/textparse</c>: <c>promlex.l</c>, <c>promparse.go</c>,
/// <c>openmetricslex.l</c>, <c>openmetricsparse.go</c>), with these differences. One bad line spoils itself, not the page. Lines may end in
/// CR LF, and OpenMetrics may have blank lines and any comment. A blank is required between a name and its value. A timestamp may be
/// negative, as the format's description has it and the lexer has not. A quoted metric name must come first in its braces, as the
/// format's grammar has it. What an exemplar says is not looked at. A line feed ends the line even between quotes.
/// </remarks>
internal ref struct ExpositionReader
{
    private static readonly SearchValues<byte> NumberBytes = SearchValues.Create("0123456789+-.eE"u8);

    private readonly ExpositionFormat _format;
    private ReadOnlySpan<byte> _rest;

    // The line of the name, from the name's first byte, or its opening brace, up to but not including the line's end.
    private ReadOnlySpan<byte> _line;
    private int _nameStart;
    private int _nameEnd;

    /// <param name="lines">
    /// Whole lines; what follows the last line feed counts as a bad line, as it may be half of one. Only OpenMetrics' <c># EOF</c> is whole
    /// without.
    /// </param>
    public ExpositionReader(ReadOnlySpan<byte> lines, ExpositionFormat format)
    {
        _rest = lines;
        _format = format;
    }

    /// <summary>The metric's name, in UTF-8, as printed: a quoted one with its escapes, without its quotes.</summary>
    public readonly ReadOnlySpan<byte> Name => _line[_nameStart.._nameEnd];

    /// <summary>
    /// Lines so far that were neither sample, comment nor blank. A line whose name was read but not its sample has not been looked at
    /// further. A caller that finds malformed labels adds its own.
    /// </summary>
    public int BadLines { readonly get; private set; }

    /// <summary>Whether OpenMetrics' <c># EOF</c> was read. Lines after it are bad. To the other format it is a comment like any.</summary>
    public bool Ended { readonly get; private set; }

    /// <summary>Moves to the next line that looks like a sample; comments and blank lines are passed over.</summary>
    /// <returns>False at the end.</returns>
    public bool ReadName()
    {
        int length;
        while ((length = _rest.IndexOf((byte)'\n')) >= 0)
        {
            ReadOnlySpan<byte> line = _rest[..length];
            _rest = _rest[(length + 1)..];
            if (StartLine(line))
            {
                return true;
            }
        }

        // Half a line may look whole, as half a number does. Only nothing legal goes on from OpenMetrics' last word.
        if (_rest.SequenceEqual("# EOF"u8) && _format == ExpositionFormat.OpenMetrics && !Ended)
        {
            Ended = true;
        }
        else if (!_rest.IsEmpty)
        {
            BadLines++;
        }

        _rest = _line = default;
        _nameStart = _nameEnd = 0;
        return false;
    }

    /// <summary>
    /// Reads the rest of the line. The labels are not taken apart yet, so a series with malformed ones may still be returned here;
    /// <see cref="LabelReader"/> will tell.
    /// </summary>
    /// <param name="series">The series as printed, from its name to the closing brace: equal bytes are the same series.</param>
    /// <param name="timestamp">In milliseconds since 1970; null when the line has none.</param>
    /// <returns>False when the line is bad, which has been counted.</returns>
    public bool ReadSample(out ReadOnlySpan<byte> series, out double value, out long? timestamp)
    {
        int end = FindSeriesEnd();
        if (end > 0)
        {
            ReadOnlySpan<byte> numbers = _line[end..];
            if (TryReadCount(numbers, out value))
            {
                series = _line[..end];
                timestamp = null;
                return true;
            }

            bool read = _format == ExpositionFormat.Text
                ? TryReadText(numbers, out value, out timestamp)
                : TryReadOpenMetrics(numbers, out value, out timestamp);
            if (read)
            {
                series = _line[..end];
                return true;
            }
        }

        BadLines++;
        series = default;
        value = 0;
        timestamp = null;
        return false;
    }

    /// <summary>Takes a line as the current one if it starts with a name; counts it if it is bad.</summary>
    private bool StartLine(ReadOnlySpan<byte> line)
    {
        if (line is [.., (byte)'\r'])
        {
            line = line[..^1];
        }

        ReadOnlySpan<byte> trimmed = LabelReader.SkipBlanks(line);
        if (trimmed.IsEmpty)
        {
            return false;
        }

        // To OpenMetrics, blanks in front of a name make a bad line: left in place, they are no name.
        if (_format == ExpositionFormat.Text)
        {
            line = trimmed;
        }

        if (line[0] == '#' && !Ended)
        {
            Ended = _format == ExpositionFormat.OpenMetrics && line.SequenceEqual("# EOF"u8);
            return false;
        }

        if (Ended || !FindName(line))
        {
            BadLines++;
            return false;
        }

        _line = line;
        return true;
    }

    private bool FindName(ReadOnlySpan<byte> line)
    {
        if (line[0] == '{')
        {
            return FindQuotedName(line);
        }

        _nameStart = 0;
        _nameEnd = line.IndexOfAnyExcept(LabelReader.MetricNameBytes);
        return _nameEnd > 0 && !char.IsAsciiDigit((char)line[0]);
    }

    private bool FindQuotedName(ReadOnlySpan<byte> line)
    {
        ReadOnlySpan<byte> inner = LabelReader.SkipBlanks(line[1..]);
        int length = LabelReader.QuotedLength(inner);
        if (length <= 2)
        {
            return false;
        }

        // With an equals sign behind it, it is a label's name.
        _nameStart = line.Length - inner.Length + 1;
        _nameEnd = _nameStart + length - 2;
        return LabelReader.SkipBlanks(inner[length..]) is [(byte)',' or (byte)'}', ..] && Utf8.IsValid(line[_nameStart.._nameEnd]);
    }

    /// <returns>The length of name and labels; 0 if they do not end.</returns>
    private readonly int FindSeriesEnd()
    {
        ReadOnlySpan<byte> behind = _line[_nameEnd..];
        if (_nameStart > 0)
        {
            behind = behind[1..]; // the quote
        }
        else if (behind is [(byte)' ' or (byte)'\t', ..])
        {
            // A brace may stand apart from its name, though not in OpenMetrics, where the two are then taken for name and value.
            if (_format != ExpositionFormat.Text || LabelReader.SkipBlanks(behind) is not [(byte)'{', ..])
            {
                return _nameEnd;
            }
        }
        else if (behind is not [(byte)'{', ..])
        {
            return 0;
        }

        // No number has a brace, so the last one closes the labels, and where it does not, as quotes are amiss, the label reader refuses
        // what is in front of it. Only an exemplar has braces of its own: a line that may have one is searched quote by quote.
        int brace = _format == ExpositionFormat.OpenMetrics && behind.Contains((byte)'#')
            ? LabelReader.FindUnquoted(behind, (byte)'}')
            : behind.LastIndexOf((byte)'}');
        return brace < 0 ? 0 : _line.Length - behind.Length + brace + 1;
    }

    /// <summary>Most of all lines end in one blank and a few digits.</summary>
    private static bool TryReadCount(ReadOnlySpan<byte> numbers, out double value)
    {
        // Eighteen digits fit a long, and to convert a long rounds as to parse its digits does.
        if (numbers.Length is >= 2 and <= 19 && numbers[0] == ' ')
        {
            long count = 0;
            for (int i = 1; i < numbers.Length; i++)
            {
                uint digit = (uint)numbers[i] - '0';
                if (digit > 9)
                {
                    value = 0;
                    return false;
                }

                count = (count * 10) + digit;
            }

            value = count;
            return true;
        }

        value = 0;
        return false;
    }

    private static bool TryReadText(ReadOnlySpan<byte> numbers, out double value, out long? timestamp)
    {
        timestamp = null;
        numbers = numbers.Trim(" \t"u8);
        int length = numbers.IndexOfAny((byte)' ', (byte)'\t');
        if (length < 0)
        {
            return TryReadFloat(numbers, out value);
        }

        ReadOnlySpan<byte> integer = LabelReader.SkipBlanks(numbers[length..]);
        if (!TryReadFloat(numbers[..length], out value)
            || integer[0] == '+'
            || !Utf8Parser.TryParse(integer, out long milliseconds, out int consumed)
            || consumed != integer.Length)
        {
            return false;
        }

        timestamp = milliseconds;
        return true;
    }

    private static bool TryReadOpenMetrics(ReadOnlySpan<byte> numbers, out double value, out long? timestamp)
    {
        value = 0;
        timestamp = null;
        int exemplar = numbers.IndexOf(" # {"u8);
        if (exemplar >= 0)
        {
            numbers = numbers[..exemplar];
        }

        if (numbers is not [(byte)' ', ..])
        {
            return false;
        }

        // One space and no more: a second one is left in front of a number and spoils it.
        numbers = numbers[1..];
        int length = numbers.IndexOf((byte)' ');
        if (length < 0)
        {
            return TryReadFloat(numbers, out value);
        }

        if (!TryReadFloat(numbers[..length], out value) || !TryReadFloat(numbers[(length + 1)..], out double seconds))
        {
            return false;
        }

        // Cut, not rounded, after the multiplication, as Prometheus does it. NaN compares false.
        double milliseconds = seconds * 1000;
        if (!(Math.Abs(milliseconds) < long.MaxValue))
        {
            return false;
        }

        timestamp = (long)milliseconds;
        return true;
    }

    /// <summary>
    /// What Go's <c>strconv.ParseFloat</c> takes, but for hexadecimal digits and underscores, which Prometheus refuses. Too large a magnitude
    /// is an error, too small a one is zero.
    /// </summary>
    private static bool TryReadFloat(ReadOnlySpan<byte> text, out double value)
    {
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        if (!text.ContainsAnyExcept(NumberBytes))
        {
            return double.TryParse(text, Style, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
        }

        if (Ascii.EqualsIgnoreCase(text, "NaN"u8))
        {
            value = double.NaN;
            return true;
        }

        value = text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        ReadOnlySpan<byte> magnitude = text[0] is (byte)'-' or (byte)'+' ? text[1..] : text;
        return Ascii.EqualsIgnoreCase(magnitude, "Inf"u8) || Ascii.EqualsIgnoreCase(magnitude, "Infinity"u8);
    }
}
