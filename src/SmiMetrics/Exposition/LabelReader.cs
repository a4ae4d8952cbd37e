using System.Buffers;
using System.Text.Unicode;

namespace SmiMetrics.Exposition;

/// <summary>Takes the labels of a series apart, as <see cref="ExpositionReader.ReadSample"/> returned it.</summary>
/// <remarks>
/// Strict: names of legal characters or quoted, values in quotes, both valid UTF-8, nothing else but blanks and commas, up to the brace that
/// is the last byte. A comma may follow the last label and, as in Prometheus' <c>promparse.go</c>, be missing between two; a series of
/// OpenMetrics, which is stricter about blanks and commas, is taken no less kindly. Whether a name comes twice is left to the caller.
/// </remarks>
internal ref struct LabelReader
{
    /// <summary>What an unquoted metric name is made of; it does not start with a digit.</summary>
    public static readonly SearchValues<byte> MetricNameBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:"u8);

    private static readonly SearchValues<byte> LabelNameBytes =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"u8);

    // Without the closing brace: empty at the end.
    private ReadOnlySpan<byte> _rest;

    // The bytes that part names and values are ASCII, so every part is valid UTF-8 if the whole is.
    public LabelReader(ReadOnlySpan<byte> series) => Malformed = !Utf8.IsValid(series) || !FindLabels(series);

    /// <summary>The label's name, unquoted; a quoted one still with its escapes.</summary>
    public ReadOnlySpan<byte> Name { readonly get; private set; }

    /// <summary>The value between its quotes, still with its escapes; see <see cref="Unescape"/>.</summary>
    public ReadOnlySpan<byte> Value { readonly get; private set; }

    public bool Malformed { readonly get; private set; }

    /// <returns>False at the end, and at the first malformed byte: see <see cref="Malformed"/>.</returns>
    public bool Read()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (ReadLabel())
        {
            return true;
        }

        Malformed = true;
        _rest = Name = Value = default;
        return false;
    }

    /// <summary>
    /// Resolves <c>\\</c>, <c>\"</c> and <c>\n</c>. A backslash before anything else stays, as in Prometheus.
    /// </summary>
    /// <param name="target">At least as long as <paramref name="escaped"/>.</param>
    /// <returns>The part of <paramref name="target"/> that was written.</returns>
    public static ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> escaped, Span<byte> target)
    {
        int written = 0;
        int backslash;
        while ((backslash = escaped.IndexOf((byte)'\\')) >= 0 && backslash + 1 < escaped.Length)
        {
            escaped[..backslash].CopyTo(target[written..]);
            written += backslash;
            byte next = escaped[backslash + 1];
            if (next is not ((byte)'\\' or (byte)'"' or (byte)'n'))
            {
                target[written++] = (byte)'\\';
            }

            target[written++] = next == 'n' ? (byte)'\n' : next;
            escaped = escaped[(backslash + 2)..];
        }

        escaped.CopyTo(target[written..]);
        return target[..(written + escaped.Length)];
    }

    /// <summary>How far a quoted string goes that is the first thing in <paramref name="text"/>.</summary>
    /// <returns>Its length with both quotes; 0 if there is none or it does not end.</returns>
    internal static int QuotedLength(ReadOnlySpan<byte> text)
    {
        if (text is not [(byte)'"', ..])
        {
            return 0;
        }

        int position = 1;
        int next;
        while ((next = text[position..].IndexOfAny((byte)'"', (byte)'\\')) >= 0)
        {
            position += next;
            if (text[position] == '"')
            {
                return position + 1;
            }

            position += 2;
            if (position >= text.Length)
            {
                return 0;
            }
        }

        return 0;
    }

    /// <summary>Where <paramref name="wanted"/> is first found outside of quotes.</summary>
    /// <returns>-1 if it is not.</returns>
    internal static int FindUnquoted(ReadOnlySpan<byte> text, byte wanted)
    {
        int position = 0;
        int next;
        while ((next = text[position..].IndexOfAny(wanted, (byte)'"')) >= 0)
        {
            position += next;
            if (text[position] == wanted)
            {
                return position;
            }

            int quoted = QuotedLength(text[position..]);
            if (quoted == 0)
            {
                return -1;
            }

            position += quoted;
        }

        return -1;
    }

    /// <summary>Passes over blanks in front.</summary>
    internal static ReadOnlySpan<byte> SkipBlanks(ReadOnlySpan<byte> text) =>
        text is [(byte)' ' or (byte)'\t', ..] ? text.TrimStart(" \t"u8) : text;

    /// <summary>Passes over the metric's name and the opening brace.</summary>
    private bool FindLabels(ReadOnlySpan<byte> series)
    {
        if (series is [(byte)'{', .. ReadOnlySpan<byte> named, (byte)'}'])
        {
            named = SkipBlanks(named);
            int length = QuotedLength(named);
            ReadOnlySpan<byte> behind = SkipBlanks(named[length..]);
            if (length <= 2 || behind is not ([] or [(byte)',', ..]))
            {
                return false;
            }

            _rest = behind.IsEmpty ? default : SkipBlanks(behind[1..]);
            return true;
        }

        int nameLength = series.IndexOfAnyExcept(MetricNameBytes);
        if (nameLength == 0 || series.IsEmpty || char.IsAsciiDigit((char)series[0]))
        {
            return false;
        }

        if (nameLength < 0)
        {
            return true;
        }

        if (SkipBlanks(series[nameLength..]) is [(byte)'{', .. ReadOnlySpan<byte> labels, (byte)'}'])
        {
            _rest = SkipBlanks(labels);
            return true;
        }

        return false;
    }

    private bool ReadLabel()
    {
        ReadOnlySpan<byte> rest = _rest;
        int length;
        if (rest[0] == '"')
        {
            length = QuotedLength(rest);
            if (length <= 2)
            {
                return false;
            }

            Name = rest[1..(length - 1)];
        }
        else
        {
            length = rest.IndexOfAnyExcept(LabelNameBytes);
            if (length <= 0 || char.IsAsciiDigit((char)rest[0]))
            {
                return false;
            }

            Name = rest[..length];
        }

        rest = SkipBlanks(rest[length..]);
        if (rest is not [(byte)'=', ..])
        {
            return false;
        }

        rest = SkipBlanks(rest[1..]);
        length = QuotedLength(rest);
        if (length == 0)
        {
            return false;
        }

        Value = rest[1..(length - 1)];
        rest = SkipBlanks(rest[length..]);
        _rest = rest is [(byte)',', ..] ? SkipBlanks(rest[1..]) : rest;
        return true;
    }
}
