using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace SmiMetrics;

/// <summary>A flag of the command line, which is also an environment variable and a key of the <c>--config</c> file.</summary>
/// <param name="Name">Without the dashes: <c>prometheus-url</c>.</param>
/// <param name="Value">What its value is, for <c>--help</c>: <c>URL</c>.</param>
/// <param name="Default">The value when none is given; null for none.</param>
/// <param name="Repeatable">Whether it may be given several times (in the file: a list).</param>
internal sealed record Flag(string Name, string Value, string? Default, string Help, bool Repeatable = false)
{
    public string Option => "--" + Name;

    public string EnvironmentVariable => "SMI_METRICS_" + Name.Replace('-', '_').ToUpperInvariant();
}

/// <summary>
/// The values of flags: from the command line, else the environment, else the file, else the default. Collects every mistake
/// under the name of the place it was made in, so that all can be reported together.
/// </summary>
internal sealed class FlagValues
{
    private readonly Dictionary<Flag, (string Origin, IReadOnlyList<string> Values)> _given = [];
    private readonly List<string> _errors;

    /// <param name="commandLine">The values that the command line gives a flag; empty when it does not mention it.</param>
    /// <param name="environment">The value of an environment variable; null when it is not set.</param>
    /// <param name="errors">Receives one line per mistake.</param>
    public FlagValues(
        IReadOnlyList<Flag> flags,
        Flag configFile,
        Func<Flag, IReadOnlyList<string>> commandLine,
        Func<string, string?> environment,
        List<string> errors)
    {
        _errors = errors;
        foreach (Flag flag in flags)
        {
            if (commandLine(flag) is { Count: > 0 } values)
            {
                _given[flag] = (flag.Option, values);
            }
            else if (environment(flag.EnvironmentVariable) is { Length: > 0 } value)
            {
                _given[flag] = (flag.EnvironmentVariable, flag.Repeatable ? value.Split(',', StringSplitOptions.TrimEntries) : [value]);
            }
        }

        if (Text(configFile) is { } path)
        {
            ReadFile(path, flags.Where(flag => flag != configFile).ToDictionary(flag => flag.Name));
        }
    }

    /// <summary>Whether anybody gave the flag a value.</summary>
    public bool IsGiven(Flag flag) => _given.ContainsKey(flag);

    /// <summary>Records a mistake in a flag's value, in words that follow the flag's name.</summary>
    public void Fail(Flag flag, string reason) => _errors.Add($"{(_given.TryGetValue(flag, out var given) ? given.Origin : flag.Option)}: {reason}");

    /// <summary>The value, or the default.</summary>
    public string? Text(Flag flag) => Texts(flag) is [.., var last] ? last : null;

    public IReadOnlyList<string> Texts(Flag flag) =>
        _given.TryGetValue(flag, out var given) ? given.Values : flag.Default is null ? [] : [flag.Default];

    /// <summary>The value as <paramref name="parse"/> reads it.</summary>
    /// <param name="parse">Null for a text that it cannot read.</param>
    /// <param name="expected">What the text should have been, for the error.</param>
    /// <returns>The fallback where the flag has no value or a wrong one, which is then an error.</returns>
    public T Read<T>(Flag flag, Func<string, T?> parse, string expected, T fallback) where T : struct
    {
        if (Text(flag) is not { } text)
        {
            return fallback;
        }

        if (parse(text) is { } value)
        {
            return value;
        }

        Fail(flag, $"\"{text}\" is not {expected}");
        return fallback;
    }

    private void ReadFile(string path, Dictionary<string, Flag> flags)
    {
        YamlStream yaml = new();
        try
        {
            using StreamReader reader = File.OpenText(path);
            yaml.Load(reader);
        }
        catch (YamlException e)
        {
            _errors.Add($"{path}:{e.Start.Line}: {e.InnerException?.Message ?? e.Message}");
            return;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _errors.Add($"--config: {e.Message}");
            return;
        }

        if (yaml.Documents.Count == 0)
        {
            return;
        }

        if (yaml.Documents[0].RootNode is not YamlMappingNode root)
        {
            _errors.Add($"{path}: expected a mapping of flag names to values");
            return;
        }

        foreach ((YamlNode key, YamlNode value) in root.Children)
        {
            string name = (key as YamlScalarNode)?.Value ?? "";
            string origin = $"{path}:{key.Start.Line}: {name}";
            if (!flags.TryGetValue(name, out Flag? flag))
            {
                _errors.Add($"{origin}: there is no such flag");
            }
            else if (Scalars(value, flag.Repeatable) is not { } values)
            {
                _errors.Add($"{origin}: expected {(flag.Repeatable ? "a value or a list of values" : "one value")}");
            }
            else
            {
                _given.TryAdd(flag, (origin, values));
            }
        }
    }

    private static string[]? Scalars(YamlNode node, bool repeatable) => node switch
    {
        YamlScalarNode { Value: { } text } => [text],
        YamlSequenceNode list when repeatable && list.Children.All(child => child is YamlScalarNode { Value: not null }) =>
            [.. list.Children.Select(child => ((YamlScalarNode)child).Value!)],
        _ => null,
    };
}
