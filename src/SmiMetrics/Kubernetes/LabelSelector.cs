using System.Globalization;

namespace SmiMetrics.Kubernetes;

/// <summary>What a requirement asks of the label that its key names.</summary>
internal enum LabelOperator
{
    Exists,
    DoesNotExist,
    Equals,
    DoubleEquals,
    NotEquals,
    In,
    NotIn,
    GreaterThan,
    LessThan,
}

/// <summary>A text is not a label selector. The message is the one that kube-apiserver gives.</summary>
internal sealed class LabelSelectorException(string message) : FormatException(message);

/// <summary>
/// A label selector, as <c>labelSelector=</c> carries it: requirements that must all hold. Grammar, meaning and messages are those
/// of k8s.io/apimachinery <c>pkg/labels/selector.go</c>:
/// <code>
/// selector    = "" | requirement { "," requirement }
/// requirement = [ "!" ] KEY | KEY op VALUE | KEY ( "in" | "notin" ) "(" [VALUE] { "," [VALUE] } ")"
/// op          = "=" | "==" | "!=" | ">" | "&lt;"
/// </code>
/// </summary>
internal sealed class LabelSelector
{
    /// <summary>Selects everything.</summary>
    public static readonly LabelSelector Everything = new([]);

    private readonly LabelRequirement[] _requirements;

    private LabelSelector(LabelRequirement[] requirements) => _requirements = requirements;

    /// <summary>In the order of their keys.</summary>
    public IReadOnlyList<LabelRequirement> Requirements => _requirements;

    /// <exception cref="LabelSelectorException">The text is not a selector.</exception>
    public static LabelSelector Parse(string text)
    {
        List<LabelRequirement> requirements = new Parser(text).Parse();
        return requirements.Count == 0 ? Everything : new LabelSelector([.. requirements.OrderBy(requirement => requirement.Key, StringComparer.Ordinal)]);
    }

    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        foreach (LabelRequirement requirement in _requirements)
        {
            if (!requirement.Matches(labels))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The canonical text, which an autoscaler sends: requirements in the order of keys, values sorted. Parses to an equal selector.</summary>
    public override string ToString() => string.Join(',', (object[])_requirements);

    /// <summary>Recursive descent over <see cref="Lexer"/>, one method a rule.</summary>
    private sealed class Parser(string text)
    {
        private readonly Lexer _lexer = new(text);

        public List<LabelRequirement> Parse()
        {
            List<LabelRequirement> requirements = [];
            if (_lexer.Peek().Kind == TokenKind.End)
            {
                return requirements;
            }

            Token first = _lexer.Peek();
            if (!StartsRequirement(first))
            {
                throw new LabelSelectorException($"found '{first.Text}', expected: !, identifier, or 'end of string'");
            }

            while (true)
            {
                requirements.Add(ParseRequirement());
                Token separator = _lexer.Next();
                if (separator.Kind == TokenKind.End)
                {
                    return requirements;
                }

                if (separator.Text != ",")
                {
                    throw new LabelSelectorException($"found '{separator.Text}', expected: ',' or 'end of string'");
                }

                Token next = _lexer.Peek();
                if (!StartsRequirement(next))
                {
                    throw new LabelSelectorException($"found '{next.Text}', expected: identifier after ','");
                }
            }
        }

        private static bool StartsRequirement(Token token) => token.Kind == TokenKind.Word || token.Text == "!";

        private LabelRequirement ParseRequirement()
        {
            bool negated = _lexer.Peek().Text == "!";
            if (negated)
            {
                _lexer.Next();
            }

            string key = Word();
            if (LabelSyntax.ProblemOfKey(key) is { } problem)
            {
                throw Unparseable($"invalid label key \"{key}\": {problem}");
            }

            if (negated)
            {
                return new LabelRequirement(key, LabelOperator.DoesNotExist, []);
            }

            if (_lexer.Peek() is { Kind: TokenKind.End } or { Text: "," })
            {
                return new LabelRequirement(key, LabelOperator.Exists, []);
            }

            Token found = _lexer.Next();
            LabelOperator @operator = found.Text switch
            {
                "=" => LabelOperator.Equals,
                "==" => LabelOperator.DoubleEquals,
                "!=" => LabelOperator.NotEquals,
                ">" => LabelOperator.GreaterThan,
                "<" => LabelOperator.LessThan,
                "in" => LabelOperator.In,
                "notin" => LabelOperator.NotIn,
                _ => throw Unparseable($"found '{found.Text}', expected: in, notin, =, ==, !=, gt, lt"),
            };
            string[] values = @operator is LabelOperator.In or LabelOperator.NotIn ? ParseSet() : [ParseValue()];
            Validate(key, @operator, values);
            return new LabelRequirement(key, @operator, values);
        }

        private static void Validate(string key, LabelOperator @operator, string[] values)
        {
            if (@operator is LabelOperator.GreaterThan or LabelOperator.LessThan && !LabelRequirement.TryReadInteger(values[0], out _))
            {
                throw Unparseable("for 'Gt', 'Lt' operators, the value must be an integer");
            }

            foreach (string value in values)
            {
                if (LabelSyntax.ProblemOfValue(value) is { } problem)
                {
                    throw Unparseable($"invalid label value: \"{value}\": at key: \"{key}\": {problem}");
                }
            }
        }

        private string ParseValue() => _lexer.Peek() is { Kind: TokenKind.End } or { Text: "," } ? "" : Word();

        // Every comma separates two values, either of which may be missing, which is the empty value: (), (a,), (,a), (,).
        private string[] ParseSet()
        {
            Token open = _lexer.Next();
            if (open.Text != "(")
            {
                throw Unparseable($"found '{open.Text}' expected: '('");
            }

            SortedSet<string> values = new(StringComparer.Ordinal);
            Token first = _lexer.Peek();
            if (first.Kind != TokenKind.Word && first.Text is not ("," or ")"))
            {
                throw Unparseable($"found '{first.Text}', expected: ',', ')' or identifier");
            }

            while (true)
            {
                values.Add(_lexer.Peek().Kind == TokenKind.Word ? _lexer.Next().Text : "");
                Token separator = _lexer.Next();
                if (separator.Text == ")")
                {
                    return [.. values];
                }

                if (separator.Text != ",")
                {
                    throw Unparseable($"found '{separator.Text}', expected: ',' or ')'");
                }
            }
        }

        private string Word()
        {
            Token token = _lexer.Next();
            return token.Kind == TokenKind.Word ? token.Text : throw Unparseable($"found '{token.Text}', expected: identifier");
        }

        private static LabelSelectorException Unparseable(string problem) => new("unable to parse requirement: " + problem);
    }

    private enum TokenKind
    {
        End,
        Symbol,
        Word,
    }

    private readonly record struct Token(TokenKind Kind, string Text);

    /// <summary><c>in</c> and <c>notin</c> are words; only where an operator is expected do they mean something else.</summary>
    private sealed class Lexer(string text)
    {
        private int _position;
        private Token? _peeked;

        public Token Peek() => _peeked ??= Read();

        public Token Next()
        {
            Token token = Peek();
            _peeked = null;
            return token;
        }

        private Token Read()
        {
            while (_position < text.Length && IsBlank(text[_position]))
            {
                _position++;
            }

            if (_position == text.Length)
            {
                return new Token(TokenKind.End, "");
            }

            int start = _position++;
            if (!IsSymbol(text[start]))
            {
                while (_position < text.Length && !IsBlank(text[_position]) && !IsSymbol(text[_position]))
                {
                    _position++;
                }

                return new Token(TokenKind.Word, text[start.._position]);
            }

            if (text[start] is '=' or '!' && _position < text.Length && text[_position] == '=')
            {
                _position++;
            }

            return new Token(TokenKind.Symbol, text[start.._position]);
        }

        private static bool IsBlank(char c) => c is ' ' or '\t' or '\r' or '\n';

        private static bool IsSymbol(char c) => c is '=' or '!' or '(' or ')' or ',' or '>' or '<';
    }
}

/// <summary>One condition of a <see cref="LabelSelector"/>. <paramref name="Values"/> are sorted and distinct; none for existence.</summary>
internal sealed record LabelRequirement(string Key, LabelOperator Operator, IReadOnlyList<string> Values)
{
    /// <summary><c>!=</c> and <c>notin</c> hold when the label is absent; all others but <c>!</c> need it.</summary>
    public bool Matches(IReadOnlyDictionary<string, string> labels)
    {
        bool present = labels.TryGetValue(Key, out string? value);
        return Operator switch
        {
            LabelOperator.Exists => present,
            LabelOperator.DoesNotExist => !present,
            LabelOperator.Equals or LabelOperator.DoubleEquals or LabelOperator.In => present && Values.Contains(value!),
            LabelOperator.NotEquals or LabelOperator.NotIn => !present || !Values.Contains(value!),
            LabelOperator.GreaterThan => present && Compare(value!) > 0,
            LabelOperator.LessThan => present && Compare(value!) < 0,
            _ => throw new InvalidOperationException($"no such operator: {Operator}"),
        };
    }

    public override string ToString() => Operator switch
    {
        LabelOperator.Exists => Key,
        LabelOperator.DoesNotExist => "!" + Key,
        LabelOperator.Equals => $"{Key}={Values[0]}",
        LabelOperator.DoubleEquals => $"{Key}=={Values[0]}",
        LabelOperator.NotEquals => $"{Key}!={Values[0]}",
        LabelOperator.In => $"{Key} in ({string.Join(',', Values)})",
        LabelOperator.NotIn => $"{Key} notin ({string.Join(',', Values)})",
        LabelOperator.GreaterThan => $"{Key}>{Values[0]}",
        LabelOperator.LessThan => $"{Key}<{Values[0]}",
        _ => throw new InvalidOperationException($"no such operator: {Operator}"),
    };

    internal static bool TryReadInteger(string text, out long integer) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out integer);

    // A label that is no integer is neither greater nor less.
    private int Compare(string value) =>
        TryReadInteger(value, out long actual) && TryReadInteger(Values[0], out long asked) ? actual.CompareTo(asked) : 0;
}

/// <summary>What label keys and values look like: k8s.io/apimachinery <c>pkg/util/validation/validation.go</c>.</summary>
internal static class LabelSyntax
{
    private const int MaxName = 63;
    private const int MaxPrefix = 253;
    private const string Rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

    /// <returns>What is wrong with a key (<c>[DNS subdomain "/"] name</c>), or null.</returns>
    public static string? ProblemOfKey(string key)
    {
        string[] parts = key.Split('/');
        string name = parts[^1];
        return parts switch
        {
            { Length: > 2 } => $"a qualified name {Rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
            { Length: 2 } when parts[0].Length == 0 => "prefix part must be non-empty",
            { Length: 2 } when parts[0].Length > MaxPrefix => $"prefix part must be no more than {MaxPrefix} characters",
            { Length: 2 } when !IsSubdomain(parts[0]) =>
                "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
                + "and must start and end with an alphanumeric character",
            _ when name.Length == 0 => "name part must be non-empty",
            _ when name.Length > MaxName => $"name part must be no more than {MaxName} characters",
            _ when !IsName(name) => $"name part {Rule}",
            _ => null,
        };
    }

    /// <returns>What is wrong with a value, or null. The empty value is one.</returns>
    public static string? ProblemOfValue(string value) =>
        value.Length > MaxName ? $"must be no more than {MaxName} characters"
        : value.Length > 0 && !IsName(value) ? $"a valid label must be an empty string or {Rule["must ".Length..]}"
        : null;

    private static bool IsName(string text) =>
        char.IsAsciiLetterOrDigit(text[0]) && char.IsAsciiLetterOrDigit(text[^1])
        && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');

    private static bool IsSubdomain(string text) => text.Split('.').All(label =>
        label.Length > 0 && IsLowerOrDigit(label[0]) && IsLowerOrDigit(label[^1]) && label.All(c => IsLowerOrDigit(c) || c == '-'));

    private static bool IsLowerOrDigit(char c) => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c);
}
