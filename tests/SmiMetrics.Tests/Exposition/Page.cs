using System.Runtime.CompilerServices;
using System.Text;
using SmiMetrics.Exposition;

namespace SmiMetrics.Tests.Exposition;

/// <summary>A page that was read to its end.</summary>
internal sealed record Page(IReadOnlyList<Sample> Samples, int BadLines, bool Ended)
{
    public static Page Read(string text, ExpositionFormat format) => Read(Encoding.UTF8.GetBytes(text), format);

    public static Page Read(ReadOnlySpan<byte> text, ExpositionFormat format)
    {
        List<Sample> samples = [];
        ExpositionReader reader = new(text, format);
        while (reader.ReadName())
        {
            string name = Encoding.UTF8.GetString(reader.Name);
            if (reader.ReadSample(out ReadOnlySpan<byte> series, out double value, out long? timestamp))
            {
                samples.Add(new Sample(name, Encoding.UTF8.GetString(series), value, timestamp, ReadLabels(series)));
            }
        }

        return new Page(samples, reader.BadLines, reader.Ended);
    }

    /// <summary>Labels as <see cref="Sample.Labels"/> has them.</summary>
    public static string Show(IEnumerable<(string Name, string Value)> labels) =>
        string.Concat(labels.Select(label => $"{label.Name}={label.Value}|"));

    /// <summary>A page of a real proxy; the <c>.source</c> file beside it says whose.</summary>
    public static byte[] Capture(string name) => File.ReadAllBytes(Path.Combine(Folder(), name + ".txt"));

    public static string Folder() => Path.Combine(Path.GetDirectoryName(Here())!, "..", "testdata", "exposition");

    private static string Here([CallerFilePath] string here = "") => here;

    private static string ReadLabels(ReadOnlySpan<byte> series)
    {
        List<(string, string)> pairs = [];
        LabelReader labels = new(series);
        while (labels.Read())
        {
            pairs.Add((Resolve(labels.Name), Resolve(labels.Value)));
        }

        return labels.Malformed ? Sample.Malformed : Show(pairs);

        static string Resolve(ReadOnlySpan<byte> escaped) => Encoding.UTF8.GetString(LabelReader.Unescape(escaped, new byte[escaped.Length]));
    }
}

/// <summary>A sample as the reader gave it.</summary>
/// <param name="Labels">Each as name, equals sign, value and bar, escapes resolved; or <see cref="Malformed"/>.</param>
internal sealed record Sample(string Name, string Series, double Value, long? Timestamp, string Labels)
{
    public const string Malformed = "malformed";
}
