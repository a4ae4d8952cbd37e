using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace SmiMetrics.Meshes;

/// <summary>
/// YAML as a tree that remembers its lines, so that whoever reads it can say where a mistake is. Everything is text: a descriptor has
/// no numbers. Anchors, tags and further documents are mistakes, because nothing here needs them and each has a surprise in it.
/// </summary>
/// <param name="Line">Counted from 1; of a mapping or list, that of the key or dash before it.</param>
internal abstract record YamlNode(int Line)
{
    /// <summary>What a reader should call it.</summary>
    public abstract string Sort { get; }

    /// <param name="IsNull">Written as nothing, <c>~</c> or <c>null</c>, without quotes.</param>
    public sealed record Scalar(int Line, string Text, bool IsNull) : YamlNode(Line)
    {
        public override string Sort => IsNull ? "nothing" : "a text";
    }

    public sealed record Sequence(int Line, IReadOnlyList<YamlNode> Items) : YamlNode(Line)
    {
        public override string Sort => "a list";
    }

    /// <param name="Entries">In their order; no key twice.</param>
    public sealed record Mapping(int Line, IReadOnlyList<YamlEntry> Entries) : YamlNode(Line)
    {
        public override string Sort => "a mapping";
    }
}

/// <summary>A key of a mapping, with its line, and what stands under it.</summary>
internal sealed record YamlEntry(string Key, int Line, YamlNode Value);

/// <summary>Reads one document from parser events.</summary>
internal sealed class YamlTree
{
    // Descriptors are six levels deep. The reader recurses, and must not run out of stack for a file of brackets.
    private const int MaxDepth = 32;

    private readonly Parser _parser;
    private readonly Mistakes _mistakes;

    private YamlTree(string text, Mistakes mistakes)
    {
        _parser = new Parser(new StringReader(text));
        _mistakes = mistakes;
    }

    /// <returns>The document; null, and a mistake noted, when the text is not YAML at all.</returns>
    public static YamlNode? Read(string text, Mistakes mistakes)
    {
        if (text.Length > DescriptorReader.MaxLength)
        {
            mistakes.Add(1, $"it is longer than {DescriptorReader.MaxLength} characters");
            return null;
        }

        try
        {
            return new YamlTree(text, mistakes).ReadDocument();
        }
        catch (YamlException exception)
        {
            // What is missing at the end is missing, says the scanner, in the line after the last.
            int lines = text.AsSpan().TrimEnd('\n').Count('\n') + 1;
            mistakes.Add((int)Math.Clamp(exception.Start.Line, 1, lines), $"it is not YAML: {exception.Message}");
            return null;
        }
    }

    private YamlNode? ReadDocument()
    {
        Next();
        Next();
        if (_parser.Current is not DocumentStart)
        {
            _mistakes.Add(1, "it is empty");
            return null;
        }

        Next();
        YamlNode document = ReadNode(line: 1, depth: 0);
        Next();
        if (_parser.Current is DocumentStart second)
        {
            _mistakes.Add((int)second.Start.Line, "a second document begins; a file describes one mesh");
        }

        return document;
    }

    // Called with the node's first event as the current one; returns with the event after its last.
    private YamlNode ReadNode(int line, int depth)
    {
        ParsingEvent start = _parser.Current!;
        if (depth > MaxDepth)
        {
            throw new YamlException(start.Start, start.End, $"it is nested more than {MaxDepth} levels deep");
        }

        if (start is NodeEvent { Tag.IsEmpty: false } tagged)
        {
            _mistakes.Add((int)start.Start.Line, $"the tag '{tagged.Tag}' is not supported");
        }

        Next();
        switch (start)
        {
            case Scalar scalar:
                return new YamlNode.Scalar(
                    (int)scalar.Start.Line,
                    scalar.Value,
                    IsNull: scalar is { Style: ScalarStyle.Plain, Value: "" or "~" or "null" });
            case SequenceStart:
                List<YamlNode> items = [];
                while (_parser.Current is not SequenceEnd)
                {
                    items.Add(ReadNode((int)_parser.Current!.Start.Line, depth + 1));
                }

                Next();
                return new YamlNode.Sequence(line, items);
            case MappingStart:
                return ReadMapping(line, depth);
            case AnchorAlias alias:
                _mistakes.Add((int)alias.Start.Line, $"the alias '*{alias.Value}' is not supported");
                return new YamlNode.Scalar((int)alias.Start.Line, "", IsNull: true);
            default:
                throw new YamlException(start.Start, start.End, "it ends where a value should be");
        }
    }

    private YamlNode.Mapping ReadMapping(int line, int depth)
    {
        List<YamlEntry> entries = [];
        while (_parser.Current is not MappingEnd)
        {
            int keyLine = (int)_parser.Current!.Start.Line;
            YamlNode key = ReadNode(keyLine, depth + 1);
            YamlNode value = ReadNode(keyLine, depth + 1);
            if (key is not YamlNode.Scalar { Text: var name })
            {
                _mistakes.Add(keyLine, $"a key must be a text, not {key.Sort}");
            }
            else if (entries.Find(entry => entry.Key == name) is { } first)
            {
                _mistakes.Add(keyLine, $"'{name}' is given twice, first in line {first.Line}");
            }
            else
            {
                entries.Add(new YamlEntry(name, keyLine, value));
            }
        }

        Next();
        return new YamlNode.Mapping(line, entries);
    }

    private void Next()
    {
        Mark before = _parser.Current?.End ?? Mark.Empty;
        try
        {
            if (!_parser.MoveNext())
            {
                throw new YamlException(before, before, "it ends too early");
            }
        }
        catch (InvalidOperationException exception)
        {
            // YamlDotNet 18.1's scanner has this, without a place, where a text within brackets runs on into a colon.
            throw new YamlException(before, before, "within brackets a comma, the closing bracket or a quote is missing", exception);
        }
        catch (ArgumentException exception)
        {
            // And this where a tag is no URI (YamlDotNet.Core.TagName).
            throw new YamlException(before, before, "a tag is not one", exception);
        }
    }
}
