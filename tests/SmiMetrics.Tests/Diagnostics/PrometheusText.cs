using System.Globalization;
using System.Text;

namespace SmiMetrics.Tests.Diagnostics;

/// <summary>
/// A small strict reader of the text format, written from its description and knowing nothing of our writer. A series is named
/// <c>name{label=value,…}</c> with its labels sorted; seeing one twice, or a sample outside its family, is an error.
/// </summary>
internal sealed class PrometheusText
{
    public Dictionary<string, double> Samples { get; } = [];
    public Dictionary<string, string> Types { get; } = [];

    public static PrometheusText Parse(string text)
    {
        Assert.EndsWith("\n", text);
        PrometheusText parsed = new();
        string family = "";
        foreach (string line in text[..^1].Split('\n'))
        {
            string[] words = line.Split(' ', 4);
            if (words is ["#", "HELP", ..])
            {
                continue;
            }

            if (words is ["#", "TYPE", string name, string type])
            {
                family = name;
                parsed.Types.Add(name, type);
                continue;
            }

            int position = 0;
            string sample = Name(line, ref position);
            Assert.True(
                sample == family || (parsed.Types[family] == "histogram" && sample[..sample.LastIndexOf('_')] == family), $"{sample} is not of {family}");
            SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
            if (line[position] == '{')
            {
                do
                {
                    position++;
                    string label = Name(line, ref position);
                    Assert.Equal('=', line[position++]);
                    labels.Add(label, Quoted(line, ref position));
                }
                while (line[position] == ',');
                Assert.Equal('}', line[position++]);
            }

            Assert.Equal(' ', line[position++]);
            string rest = line[position..];
            double value = rest switch
            {
                "+Inf" => double.PositiveInfinity,
                "-Inf" => double.NegativeInfinity,
                _ => double.Parse(rest, NumberStyles.Float, CultureInfo.InvariantCulture),
            };
            parsed.Samples.Add(labels.Count == 0 ? sample : $"{sample}{{{string.Join(',', labels.Select(pair => $"{pair.Key}={pair.Value}"))}}}", value);
        }

        return parsed;
    }

    private static string Name(string line, ref int position)
    {
        int start = position;
        while (position < line.Length && (char.IsAsciiLetterOrDigit(line[position]) || line[position] is '_' or ':'))
        {
            position++;
        }

        Assert.True(position > start && !char.IsAsciiDigit(line[start]), $"no name at {start} of {line}");
        return line[start..position];
    }

    private static string Quoted(string line, ref int position)
    {
        Assert.Equal('"', line[position++]);
        StringBuilder value = new();
        while (line[position] != '"')
        {
            char c = line[position++];
            value.Append(c != '\\' ? c : line[position++] switch
            {
                'n' => '\n',
                '\\' => '\\',
                '"' => '"',
                char other => throw new FormatException($"\\{other} in {line}"),
            });
        }

        position++;
        return value.ToString();
    }
}
