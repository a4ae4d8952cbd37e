using System.Buffers;
using System.Globalization;
using System.Text;

namespace SmiMetrics.Exposition;

/// <summary>The <c>TYPE</c> of a metric family.</summary>
internal enum MetricType
{
    Untyped,
    Counter,
    Gauge,
    Histogram,
    Summary,
}

/// <summary>
/// Writes the Prometheus text format 0.0.4 (Prometheus <c>docs/instrumenting/exposition_formats.md</c>) straight into a buffer. A family is
/// <see cref="Family"/> followed by its samples; a sample is <see cref="Sample"/>, any number of labels, then <see cref="Value(double)"/>.
/// Names are the caller's duty: they are written as they are. Label values and help texts are escaped.
/// </summary>
internal sealed class ExpositionWriter(IBufferWriter<byte> output)
{
    /// <summary>The content type to announce for what this class writes.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    // Longest shortest-round-trip text of a double is 24 bytes; an inserted exponent adds four.
    private const int MaxNumberLength = 32;

    private static readonly SearchValues<char> EscapedInLabel = SearchValues.Create("\\\"\n");
    private static readonly SearchValues<char> EscapedInHelp = SearchValues.Create("\\\n");

    private bool _inLabels;

    /// <summary>Opens a family. <paramref name="help"/> null or empty leaves the HELP line out.</summary>
    public void Family(ReadOnlySpan<char> name, MetricType type, string? help)
    {
        if (!string.IsNullOrEmpty(help))
        {
            output.Write("# HELP "u8);
            Text(name);
            output.Write(" "u8);
            Escaped(help, EscapedInHelp);
            output.Write("\n"u8);
        }

        output.Write("# TYPE "u8);
        Text(name);
        output.Write(type switch
        {
            MetricType.Counter => " counter\n"u8,
            MetricType.Gauge => " gauge\n"u8,
            MetricType.Histogram => " histogram\n"u8,
            MetricType.Summary => " summary\n"u8,
            _ => " untyped\n"u8,
        });
    }

    /// <summary>Starts a sample line.</summary>
    /// <param name="name">The family's name.</param>
    /// <param name="suffix">What the sample adds to it: <c>_bucket</c>, <c>_sum</c>, <c>_count</c> or nothing.</param>
    public void Sample(ReadOnlySpan<char> name, ReadOnlySpan<char> suffix = default)
    {
        Text(name);
        Text(suffix);
        _inLabels = false;
    }

    /// <summary>Adds a label to the sample that was started.</summary>
    public void Label(ReadOnlySpan<char> name, ReadOnlySpan<char> value)
    {
        StartLabel(name);
        Escaped(value, EscapedInLabel);
        output.Write("\""u8);
    }

    /// <summary>Adds a label whose value is a number: <c>le</c> or <c>quantile</c>.</summary>
    public void Label(ReadOnlySpan<char> name, double value)
    {
        StartLabel(name);
        Number(value);
        output.Write("\""u8);
    }

    /// <summary>Ends the sample.</summary>
    public void Value(double value)
    {
        output.Write(_inLabels ? "} "u8 : " "u8);
        Number(value);
        output.Write("\n"u8);
    }

    /// <summary>Ends the sample with the moment that it is of, in milliseconds since 1970.</summary>
    public void Value(double value, long timestamp)
    {
        output.Write(_inLabels ? "} "u8 : " "u8);
        Number(value);
        output.Write(" "u8);
        Span<byte> target = output.GetSpan(MaxNumberLength);
        timestamp.TryFormat(target, out int written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
        output.Write("\n"u8);
    }

    private void StartLabel(ReadOnlySpan<char> name)
    {
        output.Write(_inLabels ? ","u8 : "{"u8);
        Text(name);
        output.Write("=\""u8);
        _inLabels = true;
    }

    private void Text(ReadOnlySpan<char> text) => Encoding.UTF8.GetBytes(text, output);

    private void Escaped(ReadOnlySpan<char> text, SearchValues<char> special)
    {
        int next;
        while ((next = text.IndexOfAny(special)) >= 0)
        {
            Text(text[..next]);
            output.Write(text[next] switch
            {
                '\n' => "\\n"u8,
                '"' => "\\\""u8,
                _ => @"\\"u8,
            });
            text = text[(next + 1)..];
        }

        Text(text);
    }

    private void Number(double value)
    {
        if (!double.IsFinite(value))
        {
            output.Write(double.IsNaN(value) ? "NaN"u8 : value > 0 ? "+Inf"u8 : "-Inf"u8);
            return;
        }

        Span<byte> target = output.GetSpan(MaxNumberLength);
        output.Advance(FormatAsGo(value, target));
    }

    /// <summary>
    /// The shortest text that reads back as the same number, in the notation of Go's <c>FormatFloat(v, 'g', -1, 64)</c>, which Prometheus
    /// and its clients use: an exponent below 1e-4 and from 1e6 on, with a small e and at least two digits.
    /// </summary>
    private static int FormatAsGo(double value, Span<byte> target)
    {
        value.TryFormat(target, out int length, default, CultureInfo.InvariantCulture);
        Span<byte> text = target[..length];
        int exponentMark = text.IndexOf((byte)'E');
        if (exponentMark >= 0)
        {
            text[exponentMark] = (byte)'e';
            return length;
        }

        double magnitude = Math.Abs(value);
        if (magnitude < 1e6)
        {
            return length;
        }

        // .NET writes plain digits up to 1e15; here they become one digit, a point, the rest, and the exponent.
        int first = value < 0 ? 1 : 0;
        int point = text.IndexOf((byte)'.');
        int integerDigits = (point < 0 ? length : point) - first;
        if (point >= 0)
        {
            text[(point + 1)..].CopyTo(text[point..]);
            length--;
        }

        while (target[length - 1] == '0')
        {
            length--;
        }

        if (length > first + 1)
        {
            target[(first + 1)..length].CopyTo(target[(first + 2)..]);
            target[first + 1] = (byte)'.';
            length++;
        }

        int exponent = integerDigits - 1;
        target[length++] = (byte)'e';
        target[length++] = (byte)'+';
        target[length++] = (byte)('0' + (exponent / 10));
        target[length++] = (byte)('0' + (exponent % 10));
        return length;
    }
}
