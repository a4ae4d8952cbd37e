using System.Text;
using System.Text.Json;
using SmiMetrics.Traffic;

namespace SmiMetrics.Prometheus;

/// <summary>Collects what one answer of Prometheus' query API says, series by series, as <see cref="QueryResponseReader"/> meets it.</summary>
internal abstract class QueryResult
{
    private const int MaxMessages = 20;

    private readonly List<string> _warnings = [];
    private readonly List<string> _infos = [];

    /// <summary>What Prometheus (or Thanos, Mimir, VictoriaMetrics) says about the answer's completeness.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Remarks on the query's style, such as "might not be a counter". They say nothing about the answer.</summary>
    public IReadOnlyList<string> Infos => _infos;

    /// <summary>The <c>resultType</c> that is asked for: <c>vector</c> or <c>matrix</c>.</summary>
    public abstract string ResultType { get; }

    public void AddWarning(string warning) => Add(_warnings, warning);

    public void AddInfo(string info) => Add(_infos, info);

    public abstract void BeginSeries();

    /// <summary>Meets a label's name; true asks for its value through <see cref="TakeLabel"/>.</summary>
    public abstract bool WantsLabel(ref Utf8JsonReader name);

    public abstract void TakeLabel(ReadOnlySpan<byte> value);

    /// <summary>One sample: Unix seconds, and a value that is NaN also where the text is not a number.</summary>
    public abstract void TakeSample(double timestamp, double value);

    public abstract void EndSeries();

    private static void Add(List<string> messages, string message)
    {
        if (messages.Count < MaxMessages)
        {
            messages.Add(message);
        }
    }
}

/// <summary>The rows of an <see cref="IncreaseQuery"/>, which come as an instant vector.</summary>
internal sealed class IncreaseRows(IReadOnlyList<string> by) : QueryResult
{
    private readonly byte[][] _names = [.. by.Select(Encoding.UTF8.GetBytes)];
    private readonly LabelPool _pool = new();
    private readonly List<IncreaseRow> _rows = [];
    private string[] _labels = [];
    private int _column;
    private double _value;

    public IReadOnlyList<IncreaseRow> Rows => _rows;

    /// <summary>Series without a finite value that is not negative.</summary>
    public int Dropped { get; private set; }

    public override string ResultType => "vector";

    public override void BeginSeries()
    {
        _labels = _names.Length == 0 ? [] : new string[_names.Length];
        Array.Fill(_labels, "");
        _value = double.NaN;
    }

    public override bool WantsLabel(ref Utf8JsonReader name)
    {
        for (int i = 0; i < _names.Length; i++)
        {
            if (name.ValueTextEquals(_names[i]))
            {
                _column = i;
                return true;
            }
        }

        return false;
    }

    public override void TakeLabel(ReadOnlySpan<byte> value) => _labels[_column] = _pool.Get(value);

    public override void TakeSample(double timestamp, double value) => _value = value;

    public override void EndSeries()
    {
        if (double.IsFinite(_value) && _value >= 0)
        {
            _rows.Add(new IncreaseRow(_labels, _value));
        }
        else
        {
            Dropped++;
        }
    }
}

/// <summary>A series with all its labels and the times (Unix seconds) of its samples.</summary>
internal sealed record SampledSeries(IReadOnlyDictionary<string, string> Labels, IReadOnlyList<double> Timestamps);

/// <summary>What a probe asks for: few series, whole labels, no values.</summary>
internal sealed class SampledSeriesList(string resultType) : QueryResult
{
    private readonly List<SampledSeries> _series = [];
    private Dictionary<string, string> _labels = [];
    private List<double> _timestamps = [];
    private string _name = "";

    public IReadOnlyList<SampledSeries> Series => _series;

    public override string ResultType => resultType;

    public override void BeginSeries()
    {
        _labels = [];
        _timestamps = [];
    }

    public override bool WantsLabel(ref Utf8JsonReader name)
    {
        _name = name.GetString() ?? "";
        return true;
    }

    public override void TakeLabel(ReadOnlySpan<byte> value) => _labels[_name] = Encoding.UTF8.GetString(value);

    public override void TakeSample(double timestamp, double value) => _timestamps.Add(timestamp);

    public override void EndSeries() => _series.Add(new SampledSeries(_labels, _timestamps));
}
