using System.Collections.Frozen;
using System.Text;
using System.Text.RegularExpressions;

namespace SmiMetrics.Meshes;

/// <summary>
/// A regular expression as Prometheus reads it: RE2 syntax, held against the whole value, <c>.</c> matching line breaks too
/// (<c>^(?s:...)$</c>, prometheus <c>model/labels/regexp.go</c>). .NET's syntax is a different one, so the text is translated where
/// the two mean different things by the same characters, and refused where only one of them has a meaning.
/// </summary>
/// <remarks>
/// One difference stays: <c>.</c> and negated classes match a UTF-16 unit, RE2's a code point, which shows only when such an
/// expression counts characters beyond U+FFFF.
/// </remarks>
internal sealed class AnchoredRegex
{
    // RE2 refuses more than this, repetitions within repetitions multiplied (Go's regexp/syntax, maxRepeat).
    private const int MaxRepeat = 1000;

    private const string Metacharacters = @"\.+*?()|[]{}^$";

    // "a|b|c" is by far the most frequent expression, with up to thousands of pod names: a set answers it at once.
    private readonly FrozenSet<string>? _literals;
    private readonly Regex? _regex;

    private AnchoredRegex(FrozenSet<string>? literals, Regex? regex)
    {
        _literals = literals;
        _regex = regex;
    }

    /// <exception cref="FormatException">With the reason: not RE2, or RE2 that we cannot follow exactly.</exception>
    public static AnchoredRegex Compile(string pattern)
    {
        Translator translator = new(pattern);
        string translated = translator.Translate();
        if (translator.Literals is { } literals)
        {
            return new AnchoredRegex(literals.ToFrozenSet(StringComparer.Ordinal), regex: null);
        }

        try
        {
            return new AnchoredRegex(
                literals: null,
                new Regex($@"\A(?:{translated})\z", RegexOptions.NonBacktracking | RegexOptions.Singleline | RegexOptions.CultureInvariant));
        }
        catch (Exception exception) when (exception is ArgumentException or NotSupportedException)
        {
            throw new FormatException($"'{pattern}' is not a regular expression", exception);
        }
    }

    public bool IsMatch(string value) => _literals?.Contains(value) ?? _regex!.IsMatch(value);

    /// <summary>The RE2 text that matches exactly this text.</summary>
    public static string Escape(string text)
    {
        StringBuilder escaped = new(text.Length);
        foreach (char character in text)
        {
            if (Metacharacters.Contains(character))
            {
                escaped.Append('\\');
            }

            escaped.Append(character);
        }

        return escaped.ToString();
    }

    private sealed class Translator(string pattern)
    {
        private readonly StringBuilder _output = new();

        // For every open group, the largest repetition that it holds so far.
        private readonly Stack<int> _open = new();
        private int _largest = 1;

        // The repetitions within what was read last; 0 when there is nothing that could be repeated.
        private int _last;
        private bool _quantified;

        private List<string>? _alternatives = [];
        private readonly StringBuilder _alternative = new();
        private int _at;

        /// <summary>The alternatives, if there is nothing but literal ones.</summary>
        public IReadOnlyList<string>? Literals => _alternatives;

        public string Translate()
        {
            while (_at < pattern.Length)
            {
                char character = pattern[_at++];
                switch (character)
                {
                    case '\\':
                        Escaped();
                        break;
                    case '[':
                        Class();
                        break;
                    case '(':
                        Open();
                        break;
                    case ')':
                        Close();
                        break;
                    case '|':
                        _alternatives?.Add(_alternative.ToString());
                        _alternative.Clear();
                        _output.Append('|');
                        _last = 0;
                        break;
                    case '^':
                        Assertion(@"\A");
                        break;
                    case '$':
                        // .NET's $ would also match before a final line break.
                        Assertion(@"\z");
                        break;
                    case '.':
                        Atom(".");
                        break;
                    case '*' or '+' or '?':
                        Quantifier(character.ToString(), repeats: 1);
                        break;
                    case '{' when Repetition() is { } repetition:
                        Quantifier(repetition.Text, repetition.Most);
                        break;
                    default:
                        Literal(character);
                        break;
                }
            }

            if (_open.Count > 0)
            {
                throw Refuse("'(' is not closed");
            }

            _alternatives?.Add(_alternative.ToString());
            return _output.ToString();
        }

        private void Literal(char character)
        {
            RefuseSurrogate(character);
            _output.Append(Regex.Escape(character.ToString()));
            _alternative.Append(character);
            _last = 1;
            _quantified = false;
        }

        private void Atom(string translated)
        {
            _output.Append(translated);
            _alternatives = null;
            _last = 1;
            _quantified = false;
        }

        private void Assertion(string translated)
        {
            Atom(translated);
            _last = 0;
        }

        private void Escaped()
        {
            if (_at == pattern.Length)
            {
                throw Refuse(@"'\' stands at the end");
            }

            char character = pattern[_at++];
            switch (character)
            {
                // .NET's \d, \w and \s know all of Unicode, RE2's ASCII only.
                case 'd':
                    Atom("[0-9]");
                    break;
                case 'D':
                    Atom("[^0-9]");
                    break;
                case 'w':
                    Atom("[0-9A-Za-z_]");
                    break;
                case 'W':
                    Atom("[^0-9A-Za-z_]");
                    break;
                case 's':
                    Atom(@"[\t\n\f\r ]");
                    break;
                case 'S':
                    Atom(@"[^\t\n\f\r ]");
                    break;
                case 'A' or 'z':
                    Assertion($@"\{character}");
                    break;
                default:
                    Literal(Unescape(character));
                    break;
            }
        }

        /// <summary>The character that an escape stands for, within a class or outside.</summary>
        private char Unescape(char character)
        {
            switch (character)
            {
                case 'a':
                    return '\a';
                case 'f':
                    return '\f';
                case 'n':
                    return '\n';
                case 'r':
                    return '\r';
                case 't':
                    return '\t';
                case 'v':
                    return '\v';
                case 'x' when _at + 2 <= pattern.Length && char.IsAsciiHexDigit(pattern[_at]) && char.IsAsciiHexDigit(pattern[_at + 1]):
                    _at += 2;
                    return (char)Convert.ToByte(pattern.Substring(_at - 2, 2), 16);
                case < '\x80' when !char.IsAsciiLetterOrDigit(character):
                    return character;
                default:
                    // Back-references, octal numbers, \b, \p, \Q and others: one side lacks them or means something else.
                    throw Refuse($@"'\{character}' is not supported");
            }
        }

        private void Class()
        {
            bool negated = _at < pattern.Length && pattern[_at] == '^';
            if (negated)
            {
                _at++;
            }

            StringBuilder members = new(negated ? "[^" : "[");
            int first = _at;
            bool afterDash = false;
            while (true)
            {
                if (_at == pattern.Length)
                {
                    throw Refuse("'[' is not closed");
                }

                char character = pattern[_at++];
                if (character == ']' && _at - 1 > first)
                {
                    break;
                }

                RefuseSurrogate(character);
                string? set = null;
                switch (character)
                {
                    case '[':
                        // RE2 may mean [[:alpha:]], .NET [a-z-[aeiou]].
                        throw Refuse(@"'[' within [] must be written '\['");
                    case '\\' when _at < pattern.Length && pattern[_at] is 'd' or 'w' or 's':
                        set = pattern[_at++] switch { 'd' => "0-9", 'w' => "0-9A-Za-z_", _ => @"\t\n\f\r " };
                        members.Append(set);
                        break;
                    case '\\' when _at < pattern.Length:
                        members.Append(Member(Unescape(pattern[_at++])));
                        break;
                    case '-':
                        members.Append('-');
                        break;
                    default:
                        members.Append(Member(character));
                        break;
                }

                bool beforeDash = _at + 1 < pattern.Length && pattern[_at] == '-' && pattern[_at + 1] != ']';
                if (set is not null && (afterDash || beforeDash))
                {
                    throw Refuse($@"'{pattern[(_at - 2).._at]}' cannot be an end of a range");
                }

                afterDash = character == '-' && _at - 1 > first;
            }

            Atom(members.Append(']').ToString());
        }

        private static string Member(char character) => character is '\\' or ']' or '[' or '^' or '-' ? $@"\{character}" : character.ToString();

        private void Open()
        {
            _alternatives = null;
            if (_at < pattern.Length && pattern[_at] == '?')
            {
                int end = pattern.AsSpan(_at).IndexOfAny(':', ')');
                string flags = end < 0 ? pattern[_at..] : pattern[_at..(_at + end + 1)];
                if (flags is not ("?:" or "?i:" or "?s:" or "?is:" or "?si:" or "?i)" or "?s)" or "?is)" or "?si)"))
                {
                    throw Refuse($"'({flags[..Math.Min(flags.Length, 2)]}' is not supported");
                }

                _at += flags.Length;
                _output.Append('(').Append(flags);
                if (flags[^1] == ')')
                {
                    _last = 0;
                    return;
                }
            }
            else
            {
                _output.Append("(?:");
            }

            _open.Push(_largest);
            _largest = 1;
            _last = 0;
        }

        private void Close()
        {
            if (!_open.TryPop(out int outer))
            {
                throw Refuse("')' closes nothing");
            }

            _output.Append(')');
            _last = _largest;
            _largest = Math.Max(outer, _largest);
            _quantified = false;
        }

        private void Quantifier(string text, int repeats)
        {
            if (_last == 0)
            {
                throw Refuse($"'{text}' has nothing to repeat");
            }

            if (_quantified)
            {
                throw Refuse($"'{text}' repeats a repetition");
            }

            _last *= Math.Max(repeats, 1);
            if (_last > MaxRepeat)
            {
                throw Refuse($"it repeats something more than {MaxRepeat} times");
            }

            _largest = Math.Max(_largest, _last);
            _output.Append(text);
            _alternatives = null;
            _quantified = true;
            if (_at < pattern.Length && pattern[_at] == '?')
            {
                _at++;
                _output.Append('?');
            }
        }

        /// <summary><c>{n}</c>, <c>{n,}</c> or <c>{n,m}</c>; null for any other brace, which both dialects take literally.</summary>
        private (string Text, int Most)? Repetition()
        {
            int close = pattern.IndexOf('}', _at);
            if (close < 0)
            {
                return null;
            }

            string[] bounds = pattern[_at..close].Split(',');
            if (bounds.Length > 2 || !IsNumber(bounds[0]) || !(bounds.Length == 1 || bounds[1].Length == 0 || IsNumber(bounds[1])))
            {
                return null;
            }

            string text = pattern[(_at - 1)..(close + 1)];
            int least = Bound(bounds[0]);
            int most = bounds.Length == 2 && bounds[1].Length > 0 ? Bound(bounds[1]) : least;
            if (most < least)
            {
                throw Refuse($"'{text}' ends before it begins");
            }

            _at = close + 1;
            return (text, most);
        }

        private static bool IsNumber(string text) => text.Length > 0 && text.All(char.IsAsciiDigit);

        // A number too long to be read is certainly too large.
        private static int Bound(string digits) => int.TryParse(digits, out int bound) && bound <= MaxRepeat ? bound : MaxRepeat + 1;

        private void RefuseSurrogate(char character)
        {
            if (char.IsSurrogate(character))
            {
                throw Refuse("characters beyond U+FFFF are not supported");
            }
        }

        private FormatException Refuse(string reason) => new($"'{pattern}' is not a regular expression that we can follow: {reason}");
    }
}
