using System.Globalization;
using System.Text;

namespace SmiMetrics.Meshes;

/// <summary>The four operators of a Prometheus label matcher.</summary>
internal enum MatchOperator
{
    Equal,
    NotEqual,
    Matches,
    NotMatches,
}

/// <summary>
/// One Prometheus label matcher, <c>label="value"</c>. As in Prometheus, an absent label is the empty string and a regular
/// expression must match the whole value.
/// </summary>
internal sealed record Matcher(string Label, MatchOperator Operator, string Value)
{
    private AnchoredRegex? _regex;

    // A copy made by `with` may be given another value, so it does not inherit what was compiled from this one.
    private Matcher(Matcher original) => (Label, Operator, Value) = (original.Label, original.Operator, original.Value);

    /// <summary>
    /// Reads one matcher as PromQL writes it: any of <c>= != =~ !~</c>, blanks around it, and a value in double or single quotes with
    /// Go's escapes or in backquotes without (prometheus <c>util/strutil/quote.go</c>).
    /// </summary>
    /// <exception cref="FormatException">With the reason. Regular expressions are checked too.</exception>
    public static Matcher Parse(string text)
    {
        int end = text.AsSpan().IndexOfAny('=', '!');
        if (end < 0)
        {
            throw new FormatException("it is not a matcher, such as label=\"value\"");
        }

        string label = text[..end].Trim();
        if (!Names.IsLabel(label))
        {
            throw new FormatException($"'{label}' is not a label name");
        }

        (MatchOperator @operator, int length) = text.AsSpan(end) switch
        {
            ['=', '~', ..] => (MatchOperator.Matches, 2),
            ['=', ..] => (MatchOperator.Equal, 1),
            ['!', '=', ..] => (MatchOperator.NotEqual, 2),
            ['!', '~', ..] => (MatchOperator.NotMatches, 2),
            _ => throw new FormatException("after '!' comes '=' or '~'"),
        };
        Matcher matcher = new(label, @operator, QuotedText.Read(text[(end + length)..].Trim()));
        if (matcher.Operator is MatchOperator.Matches or MatchOperator.NotMatches)
        {
            matcher._regex = AnchoredRegex.Compile(matcher.Value);
        }

        return matcher;
    }

    /// <summary>Whether a series with this value of the label satisfies the matcher; an absent label has the empty value.</summary>
    /// <exception cref="FormatException">The matcher was not made by <see cref="Parse"/> and its expression is not one.</exception>
    public bool Matches(string value) => Operator switch
    {
        MatchOperator.Equal => value == Value,
        MatchOperator.NotEqual => value != Value,
        MatchOperator.Matches => Regex.IsMatch(value),
        _ => !Regex.IsMatch(value),
    };

    // Two threads may both compile it: they get equals, and one of them stays.
    private AnchoredRegex Regex => _regex ??= AnchoredRegex.Compile(Value);

    public bool Equals(Matcher? other) => other is not null && Operator == other.Operator && Label == other.Label && Value == other.Value;

    public override int GetHashCode() => HashCode.Combine(Operator, Label, Value);

    /// <summary>The matcher as PromQL writes it; <see cref="Parse"/> reads it back.</summary>
    public override string ToString() => string.Concat(
        Label,
        Operator switch
        {
            MatchOperator.Equal => "=",
            MatchOperator.NotEqual => "!=",
            MatchOperator.Matches => "=~",
            _ => "!~",
        },
        QuotedText.Write(Value));
}

/// <summary>A PromQL string: Go's, except that single quotes enclose any number of characters.</summary>
file static class QuotedText
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Read(string text)
    {
        if (text is not ['"' or '\'' or '`', ..])
        {
            throw new FormatException("the value must be in quotes");
        }

        try
        {
            return text[0] == '`' ? ReadRaw(text) : ReadEscaped(text, text[0]);
        }
        catch (ArgumentException exception)
        {
            // \xff and \377 are single bytes, and a label value is UTF-8 as a whole.
            throw new FormatException("the value is not UTF-8", exception);
        }
    }

    public static string Write(string value)
    {
        StringBuilder text = new("\"");
        foreach (char character in value)
        {
            _ = character switch
            {
                '"' or '\\' => text.Append('\\').Append(character),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' or '\x7f' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => text.Append(character),
            };
        }

        return text.Append('"').ToString();
    }

    private static string ReadRaw(string text)
    {
        int close = text.IndexOf('`', 1);
        NothingFollows(text, close < 0 ? throw NotClosed() : close);
        return text[1..close];
    }

    private static string ReadEscaped(string text, char quote)
    {
        // Bytes, because escapes are: "\xc3\xa9" is one character.
        using MemoryStream bytes = new();
        int at = 1;
        while (true)
        {
            if (at == text.Length)
            {
                throw NotClosed();
            }

            char character = text[at];
            if (character == quote)
            {
                NothingFollows(text, at);
                return StrictUtf8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
            }

            switch (character)
            {
                case '\n':
                    throw new FormatException("a line break in the value must be written '\\n'");
                case '\\':
                    bytes.Write(ReadEscape(text, quote, ref at));
                    break;
                default:
                    int length = char.IsHighSurrogate(character) && at + 1 < text.Length ? 2 : 1;
                    bytes.Write(StrictUtf8.GetBytes(text, at, length));
                    at += length;
                    break;
            }
        }
    }

    private static byte[] ReadEscape(string text, char quote, ref int at)
    {
        int start = at;
        char kind = at + 1 < text.Length ? text[at + 1] : throw NotClosed();
        at += 2;
        switch (kind)
        {
            case 'a':
                return "\a"u8.ToArray();
            case 'b':
                return "\b"u8.ToArray();
            case 'f':
                return "\f"u8.ToArray();
            case 'n':
                return "\n"u8.ToArray();
            case 'r':
                return "\r"u8.ToArray();
            case 't':
                return "\t"u8.ToArray();
            case 'v':
                return "\v"u8.ToArray();
            case '\\':
                return "\\"u8.ToArray();
            case 'x' when Number(text, at, digits: 2, radix: 16) is { } value:
                at += 2;
                return [(byte)value];
            case >= '0' and <= '7' when Number(text, at - 1, digits: 3, radix: 8) is { } value and <= byte.MaxValue:
                at += 2;
                return [(byte)value];
            case 'u' when Number(text, at, digits: 4, radix: 16) is { } value && Rune.IsValid(value):
                at += 4;
                return StrictUtf8.GetBytes(new Rune(value).ToString());
            case 'U' when Number(text, at, digits: 8, radix: 16) is { } value && Rune.IsValid(value):
                at += 8;
                return StrictUtf8.GetBytes(new Rune(value).ToString());
            case '"' or '\'' when kind == quote:
                return [(byte)kind];
            default:
                int length = kind is 'x' ? 4 : kind is 'u' ? 6 : kind is 'U' ? 10 : char.IsAsciiDigit(kind) ? 4 : 2;
                throw new FormatException($"'{text.AsSpan(start, Math.Min(length, text.Length - start))}' is not an escape");
        }
    }

    private static uint? Number(string text, int at, int digits, int radix)
    {
        if (at + digits > text.Length)
        {
            return null;
        }

        uint value = 0;
        foreach (char character in text.AsSpan(at, digits))
        {
            if (!char.IsAsciiHexDigit(character) || Convert.ToInt32(character.ToString(), 16) is var digit && digit >= radix)
            {
                return null;
            }

            value = (value * (uint)radix) + (uint)Convert.ToInt32(character.ToString(), 16);
        }

        return value;
    }

    private static void NothingFollows(string text, int close)
    {
        if (close + 1 < text.Length)
        {
            throw new FormatException($"'{text[(close + 1)..].TrimStart()}' follows the value");
        }
    }

    private static FormatException NotClosed() => new("the value's quote is not closed");
}
