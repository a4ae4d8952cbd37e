using System.Text;

namespace SmiMetrics.Meshes;

/// <summary>
/// A text with placeholders, such as <c>{services}_{namespaces}_svc_{*}[-{hex}]</c>, that serves both ways: with names put in it
/// becomes a regular expression for a matcher, and held against a label value it yields the names. A placeholder is the plural
/// name of a kind, <c>namespaces</c>, <c>*</c> (anything), <c>port</c> (a port's number) or <c>hex</c> (16 hexadecimal digits); square
/// brackets enclose what may be missing.
/// </summary>
internal sealed class NamePattern
{
    /// <summary>Longer values match nothing: no two Kubernetes names with their separators come to this.</summary>
    public const int MaxValueLength = 512;

    /// <summary>How many assignments <see cref="Match"/> yields at most; ten hyphens in each of two names give 231.</summary>
    public const int MaxAssignments = 1000;

    private readonly string _text;
    private readonly IReadOnlyList<Part> _parts;

    private NamePattern(string text, IReadOnlyList<Part> parts)
    {
        _text = text;
        _parts = parts;
        Kinds = [.. parts.OfType<Name>().Select(name => name.Kind)];
    }

    /// <summary>The kinds whose names are in it, in the order of the text, each once.</summary>
    public IReadOnlyList<string> Kinds { get; }

    /// <summary>Reads a pattern of objects' names.</summary>
    /// <exception cref="FormatException">With the reason.</exception>
    public static NamePattern Parse(string text) => Parse(text, KindNames.All);

    /// <param name="kinds">What a placeholder may stand for, beside <c>*</c>, <c>port</c> and <c>hex</c>.</param>
    /// <inheritdoc cref="Parse(string)"/>
    public static NamePattern Parse(string text, IReadOnlyList<string> kinds)
    {
        int at = 0;
        IReadOnlyList<Part> parts = ReadParts(text, ref at, optional: false, kinds);
        RefuseNeighbours(parts, canStart: true);
        NamePattern pattern = new(text, parts);
        if (pattern.Kinds.Count == 0)
        {
            throw new FormatException("it names nothing: it has no placeholder of a name");
        }

        return pattern.Kinds.GroupBy(kind => kind).FirstOrDefault(kind => kind.Count() > 1) is { } twice
            ? throw new FormatException($"it has {{{twice.Key}}} twice")
            : pattern;
    }

    /// <summary>
    /// Every way to read names out of a value, without duplicates, shorter names first. Where a separator can also be part of a name
    /// there are several, of which the right one is that whose objects exist. Lazy, and bounded in work whatever the value.
    /// </summary>
    /// <returns>Dictionaries from each of <see cref="Kinds"/> to its name; none when the value does not fit.</returns>
    public IEnumerable<IReadOnlyDictionary<string, string>> Match(string value)
    {
        if (value.Length > MaxValueLength)
        {
            return [];
        }

        // From which positions the rest of the pattern can still reach the end of the value. Following only those, every path
        // leads to an assignment, so that no value can make us search long for nothing.
        bool[][] alive = new bool[_parts.Count + 1][];
        alive[^1] = new bool[value.Length + 1];
        alive[^1][^1] = true;
        for (int part = _parts.Count - 1; part >= 0; part--)
        {
            alive[part] = _parts[part].Before(value, alive[part + 1]);
        }

        bool[] start = new bool[value.Length + 1];
        start[0] = alive[0][0];
        return Assignments(value, alive, 0, start, []).Take(MaxAssignments);
    }

    /// <summary>
    /// The RE2 text of the values that hold these names, whatever the others. It is not anchored; matchers are.
    /// </summary>
    /// <param name="known">Names by kind; all of them kinds of this pattern.</param>
    /// <exception cref="ArgumentException">
    /// A name of a kind that is not in the pattern: left out silently it would be a restriction that does not restrict.
    /// </exception>
    public string ToRegex(IReadOnlyDictionary<string, string> known)
    {
        if (known.Keys.FirstOrDefault(kind => !Kinds.Contains(kind)) is { } stranger)
        {
            throw new ArgumentException($"{_text} does not name {stranger}", nameof(known));
        }

        return string.Concat(_parts.Select(part => part.Regex(known)));
    }

    /// <summary>The matcher of a label for the values that hold these names, whatever the others.</summary>
    /// <inheritdoc cref="ToRegex"/>
    public Matcher ToMatcher(string label, IReadOnlyDictionary<string, string> known) =>
        _parts is [Name only] && known.TryGetValue(only.Kind, out string? name)
            ? new Matcher(label, MatchOperator.Equal, name)
            : new Matcher(label, MatchOperator.Matches, ToRegex(known));

    public override string ToString() => _text;

    // All positions are followed at once, except that different names go different ways: so no assignment comes twice.
    private IEnumerable<IReadOnlyDictionary<string, string>> Assignments(
        string value, bool[][] alive, int part, bool[] positions, string[] names)
    {
        for (; part < _parts.Count && _parts[part] is not Name; part++)
        {
            positions = Both(_parts[part].After(value, positions), alive[part + 1]);
        }

        if (!positions.Contains(true))
        {
            yield break;
        }

        if (part == _parts.Count)
        {
            yield return Kinds.Zip(names).ToDictionary(pair => pair.First, pair => pair.Second);
            yield break;
        }

        foreach ((string name, bool[] ends) in ((Name)_parts[part]).Readings(value, positions, alive[part + 1]))
        {
            foreach (IReadOnlyDictionary<string, string> assignment in Assignments(value, alive, part + 1, ends, [.. names, name]))
            {
                yield return assignment;
            }
        }
    }

    private static bool[] Both(bool[] one, bool[] other) => [.. one.Zip(other, (left, right) => left && right)];

    private static List<Part> ReadParts(string text, ref int at, bool optional, IReadOnlyList<string> kinds)
    {
        List<Part> parts = [];
        while (at < text.Length)
        {
            int next = text.AsSpan(at).IndexOfAny("{}[]");
            if (next != 0)
            {
                int end = next < 0 ? text.Length : at + next;
                parts.Add(new Literal(text[at..end]));
                at = end;
                continue;
            }

            switch (text[at++])
            {
                case '{':
                    parts.Add(ReadPlaceholder(text, ref at, optional, kinds));
                    break;
                case '[' when optional:
                    throw new FormatException("there are brackets within brackets");
                case '[':
                    parts.Add(new Optional(ReadParts(text, ref at, optional: true, kinds)));
                    break;
                case ']' when optional && parts.Count > 0:
                    return parts;
                case ']':
                    throw new FormatException(optional ? "there is nothing within []" : "']' closes nothing");
                default:
                    throw new FormatException("'}' closes nothing");
            }
        }

        return optional ? throw new FormatException("'[' is not closed") : parts;
    }

    private static Part ReadPlaceholder(string text, ref int at, bool optional, IReadOnlyList<string> kinds)
    {
        int close = text.IndexOf('}', at);
        if (close < 0)
        {
            throw new FormatException("'{' is not closed");
        }

        string name = text[at..close];
        at = close + 1;
        return name switch
        {
            "*" => new Anything(),
            "hex" => Digits.Hexadecimal,
            "port" => Digits.Port,
            _ when !kinds.Contains(name) => throw new FormatException(
                $"{{{name}}} is no placeholder; there are {{*}}, {{port}}, {{hex}} and the names: {string.Join(", ", kinds)}"),
            _ when optional => throw new FormatException($"{{{name}}} is in brackets, but a name must not be missing"),
            _ => new Name(name),
        };
    }

    // Returns whether what follows may begin with a placeholder.
    private static bool RefuseNeighbours(IReadOnlyList<Part> parts, bool canStart)
    {
        foreach (Part part in parts)
        {
            switch (part)
            {
                case Literal:
                    canStart = true;
                    break;
                case Optional group:
                    canStart &= RefuseNeighbours(group.Parts, canStart);
                    break;
                case var _ when !canStart:
                    throw new FormatException("two placeholders stand together, with nothing that ends the first");
                default:
                    canStart = false;
                    break;
            }
        }

        return canStart;
    }

    private abstract record Part
    {
        /// <summary>Where this part may end when it begins at one of these positions.</summary>
        public abstract bool[] After(string value, bool[] starts);

        /// <summary>Where this part may begin when it ends at one of these positions.</summary>
        public abstract bool[] Before(string value, bool[] ends);

        public abstract string Regex(IReadOnlyDictionary<string, string> known);

        protected static bool[] Positions(string value, Func<int, bool> at) => [.. Enumerable.Range(0, value.Length + 1).Select(at)];
    }

    private sealed record Literal(string Text) : Part
    {
        public override bool[] After(string value, bool[] starts) =>
            Positions(value, end => end >= Text.Length && starts[end - Text.Length] && IsAt(value, end - Text.Length));

        public override bool[] Before(string value, bool[] ends) =>
            Positions(value, start => IsAt(value, start) && ends[start + Text.Length]);

        public override string Regex(IReadOnlyDictionary<string, string> known) => AnchoredRegex.Escape(Text);

        private bool IsAt(string value, int start) => value.AsSpan(start).StartsWith(Text, StringComparison.Ordinal);
    }

    private sealed record Anything : Part
    {
        public override bool[] After(string value, bool[] starts)
        {
            int first = Array.IndexOf(starts, true);
            return Positions(value, end => first >= 0 && end >= first);
        }

        public override bool[] Before(string value, bool[] ends)
        {
            int last = Array.LastIndexOf(ends, true);
            return Positions(value, start => start <= last);
        }

        public override string Regex(IReadOnlyDictionary<string, string> known) => ".*";
    }

    /// <summary>A number of digits that no name is told by.</summary>
    private sealed record Digits(int Least, int Most, Func<char, bool> IsDigit, string Expression) : Part
    {
        public static readonly Digits Hexadecimal = new(16, 16, char.IsAsciiHexDigitLower, "[0-9a-f]{16}");

        public static readonly Digits Port = new(1, 5, char.IsAsciiDigit, "[0-9]{1,5}");

        public override bool[] After(string value, bool[] starts) =>
            Positions(value, end => Lengths.Any(length => end >= length && starts[end - length] && IsAt(value, end - length, length)));

        public override bool[] Before(string value, bool[] ends) =>
            Positions(value, start => Lengths.Any(length => IsAt(value, start, length) && ends[start + length]));

        public override string Regex(IReadOnlyDictionary<string, string> known) => Expression;

        private IEnumerable<int> Lengths => Enumerable.Range(Least, Most - Least + 1);

        private bool IsAt(string value, int start, int length) => start + length <= value.Length && value.Skip(start).Take(length).All(IsDigit);
    }

    private sealed record Optional(IReadOnlyList<Part> Parts) : Part
    {
        public override bool[] After(string value, bool[] starts) =>
            Either(starts, Parts.Aggregate(starts, (positions, part) => part.After(value, positions)));

        public override bool[] Before(string value, bool[] ends) =>
            Either(ends, Parts.Reverse().Aggregate(ends, (positions, part) => part.Before(value, positions)));

        public override string Regex(IReadOnlyDictionary<string, string> known) =>
            $"(?:{string.Concat(Parts.Select(part => part.Regex(known)))})?";

        private static bool[] Either(bool[] one, bool[] other) => [.. one.Zip(other, (left, right) => left || right)];
    }

    /// <summary>A name as Kubernetes allows it: namespaces and Services have DNS labels, everything else may have dots and be longer.</summary>
    private sealed record Name(string Kind) : Part
    {
        private readonly bool _dots = Kind is not (KindNames.Namespaces or KindNames.Services or SplitNames.Apex or SplitNames.Backend);

        public override bool[] After(string value, bool[] starts)
        {
            bool[] ends = new bool[value.Length + 1];
            foreach ((_, int end) in Spans(value, starts))
            {
                ends[end] = true;
            }

            return ends;
        }

        public override bool[] Before(string value, bool[] ends)
        {
            bool[] starts = new bool[value.Length + 1];
            foreach ((int start, int end) in Spans(value, Positions(value, _ => true)))
            {
                starts[start] |= ends[end];
            }

            return starts;
        }

        /// <summary>The different names that stand at these positions, each with the positions where it may end.</summary>
        public IEnumerable<(string Text, bool[] Ends)> Readings(string value, bool[] starts, bool[] ends)
        {
            Dictionary<string, bool[]> readings = [];
            foreach ((int start, int end) in Spans(value, starts))
            {
                if (!ends[end])
                {
                    continue;
                }

                string text = value[start..end];
                if (!readings.TryGetValue(text, out bool[]? positions))
                {
                    if (readings.Count == MaxAssignments)
                    {
                        // More would not be yielded anyway: each leads to an assignment of its own.
                        continue;
                    }

                    readings.Add(text, positions = new bool[value.Length + 1]);
                }

                positions[end] = true;
            }

            return readings.OrderBy(reading => reading.Key.Length).Select(reading => (reading.Key, reading.Value));
        }

        public override string Regex(IReadOnlyDictionary<string, string> known) =>
            known.TryGetValue(Kind, out string? name)
                ? AnchoredRegex.Escape(name)
                : _dots ? "[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?" : "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?";

        private IEnumerable<(int Start, int End)> Spans(string value, bool[] starts)
        {
            int longest = _dots ? 253 : 63;
            for (int start = 0; start < value.Length; start++)
            {
                if (!starts[start] || !Names.IsLowerAlphanumeric(value[start]))
                {
                    continue;
                }

                for (int end = start + 1; end <= value.Length && end - start <= longest && IsNameCharacter(value[end - 1]); end++)
                {
                    if (Names.IsLowerAlphanumeric(value[end - 1]))
                    {
                        yield return (start, end);
                    }
                }
            }
        }

        private bool IsNameCharacter(char character) => Names.IsLowerAlphanumeric(character) || character == '-' || (_dots && character == '.');
    }
}
