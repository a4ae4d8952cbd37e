using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace SmiMetrics.Prometheus;

/// <summary>
/// Reads the JSON of Prometheus' HTTP API for instant queries (Prometheus <c>docs/querying/api.md</c>, "Format overview") as it
/// arrives: the body is never held whole, keys may come in any order, unknown ones are passed over. Hot: one answer about pods has
/// tens of thousands of series, so nothing is allocated per token.
/// </summary>
internal sealed class QueryResponseReader
{
    private const int FirstBufferBytes = 64 * 1024;

    /// <summary>The longest single JSON token. No label value comes near; a body that is one endless string must not become one endless buffer.</summary>
    private const int MaxBufferBytes = 4 * 1024 * 1024;

    private readonly QueryResult _into;
    private JsonReaderState _json;
    private byte[] _unescaped = [];

    // Where the last token left us: in which container, under which key, and inside which value that nobody wants (by its depth).
    private At _at = At.Start;
    private Key _key;
    private int _skipping = -1;

    private bool _messagesAreWarnings;
    private bool _sampleIsOneOfMany;
    private int _sampleParts;
    private double _timestamp;
    private double _value;

    private string? _status;
    private string? _errorType;
    private string? _error;
    private string? _resultType;
    private bool _sawResult;

    private QueryResponseReader(QueryResult into) => _into = into;

    /// <summary>The containers that are read.</summary>
    private enum At
    {
        Start,
        Envelope,
        Messages,
        Data,
        Result,
        Series,
        Metric,
        Samples,
        Sample,
        End,
    }

    /// <summary>The keys that are read, wherever they stand; which of them means something depends on the container.</summary>
    private enum Key
    {
        Unknown,
        Status,
        ErrorType,
        Error,
        Warnings,
        Infos,
        IsPartial,
        Data,
        ResultType,
        Result,
        Metric,
        WantedLabel,
        Value,
        Values,
    }

    /// <param name="body">The body, decompressed. Its length is found by reading, not believed.</param>
    /// <param name="into">Takes the series and the warnings.</param>
    /// <param name="maxBytes">A longer body is an <see cref="UpstreamFailure.Unreadable"/> one.</param>
    /// <exception cref="UpstreamException">The body is not a whole answer, or it is one that reports an error.</exception>
    public static async Task ReadAsync(Stream body, QueryResult into, long maxBytes, CancellationToken cancellationToken)
    {
        QueryResponseReader reader = new(into);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        try
        {
            long total = 0;
            int filled = 0;
            bool ended = false;
            while (!ended)
            {
                int read = await body.ReadAsync(buffer.AsMemory(filled), cancellationToken);
                ended = read == 0;
                filled += read;
                total += read;
                if (total > maxBytes)
                {
                    throw new UpstreamException(UpstreamFailure.Unreadable, $"the body is longer than {maxBytes} bytes");
                }

                int consumed = reader.Consume(buffer.AsSpan(0, filled), ended);
                filled -= consumed;
                buffer.AsSpan(consumed, filled).CopyTo(buffer);
                if (filled == buffer.Length)
                {
                    buffer = Grow(buffer);
                }
            }

            reader.Finish();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static byte[] Grow(byte[] buffer)
    {
        if (buffer.Length >= MaxBufferBytes)
        {
            throw new UpstreamException(UpstreamFailure.Unreadable, $"a text in the body is longer than {MaxBufferBytes} bytes");
        }

        byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
        buffer.CopyTo(larger.AsSpan());
        ArrayPool<byte>.Shared.Return(buffer);
        return larger;
    }

    /// <summary>Takes all whole tokens and says how many bytes they were.</summary>
    private int Consume(ReadOnlySpan<byte> bytes, bool final)
    {
        try
        {
            Utf8JsonReader reader = new(bytes, final, _json);
            while (reader.Read())
            {
                Take(ref reader);
            }

            _json = reader.CurrentState;
            return (int)reader.BytesConsumed;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // Utf8JsonReader says the latter of texts that are not UTF-8 and of escapes that are half a character.
            throw new UpstreamException(UpstreamFailure.Unreadable, "the body is not JSON", e);
        }
    }

    private void Finish()
    {
        if (_status == "error")
        {
            throw UpstreamException.OfErrorType(_errorType ?? "unknown", _error ?? "no message");
        }

        if (_status != "success" || !_sawResult || _resultType != _into.ResultType)
        {
            throw new UpstreamException(
                UpstreamFailure.Unreadable, $"the body is no answer with a {_into.ResultType} (status {_status}, resultType {_resultType})");
        }
    }

    private void Take(ref Utf8JsonReader reader)
    {
        JsonTokenType token = reader.TokenType;
        if (_skipping >= 0)
        {
            if (reader.CurrentDepth == _skipping && token is JsonTokenType.EndObject or JsonTokenType.EndArray)
            {
                _skipping = -1;
            }

            return;
        }

        if (token == JsonTokenType.PropertyName)
        {
            _key = KeyOf(ref reader);
            return;
        }

        switch (_at)
        {
            case At.Start when token == JsonTokenType.StartObject:
                _at = At.Envelope;
                break;
            case At.Envelope:
                TakeInEnvelope(ref reader, token);
                break;
            case At.Messages:
                TakeMessage(ref reader, token);
                break;
            case At.Data:
                TakeInData(ref reader, token);
                break;
            case At.Result when token == JsonTokenType.StartObject:
                _into.BeginSeries();
                _at = At.Series;
                break;
            case At.Result when token == JsonTokenType.EndArray:
                _at = At.Data;
                break;
            case At.Series:
                TakeInSeries(ref reader, token);
                break;
            case At.Metric:
                TakeInMetric(ref reader, token);
                break;
            case At.Samples when token == JsonTokenType.StartArray:
                BeginSample(oneOfMany: true);
                break;
            case At.Samples when token == JsonTokenType.EndArray:
                _at = At.Series;
                break;
            case At.Sample:
                TakeInSample(ref reader, token);
                break;
            default:
                throw Unexpected(token);
        }
    }

    private Key KeyOf(ref Utf8JsonReader name) => _at switch
    {
        At.Metric => _into.WantsLabel(ref name) ? Key.WantedLabel : Key.Unknown,
        At.Series =>
            name.ValueTextEquals("metric"u8) ? Key.Metric :
            name.ValueTextEquals("value"u8) ? Key.Value :
            name.ValueTextEquals("values"u8) ? Key.Values : Key.Unknown,
        At.Data =>
            name.ValueTextEquals("resultType"u8) ? Key.ResultType :
            name.ValueTextEquals("result"u8) ? Key.Result : Key.Unknown,
        At.Envelope =>
            name.ValueTextEquals("status"u8) ? Key.Status :
            name.ValueTextEquals("data"u8) ? Key.Data :
            name.ValueTextEquals("errorType"u8) ? Key.ErrorType :
            name.ValueTextEquals("error"u8) ? Key.Error :
            name.ValueTextEquals("warnings"u8) ? Key.Warnings :
            name.ValueTextEquals("infos"u8) ? Key.Infos :
            name.ValueTextEquals("isPartial"u8) ? Key.IsPartial : Key.Unknown,
        _ => Key.Unknown,
    };

    private void TakeInEnvelope(ref Utf8JsonReader reader, JsonTokenType token)
    {
        switch (_key)
        {
            case var _ when token == JsonTokenType.EndObject:
                _at = At.End;
                break;
            case Key.Status:
                _status = String(ref reader, token);
                break;
            case Key.ErrorType:
                _errorType = String(ref reader, token);
                break;
            case Key.Error:
                _error = String(ref reader, token);
                break;
            case Key.Data when token == JsonTokenType.StartObject:
                _at = At.Data;
                break;
            case Key.Warnings or Key.Infos when token == JsonTokenType.StartArray:
                _messagesAreWarnings = _key == Key.Warnings;
                _at = At.Messages;
                break;
            case Key.IsPartial when token == JsonTokenType.True:
                _into.AddWarning("the answer is partial"); // VictoriaMetrics' cluster version, in place of a warning
                break;
            case Key.Data or Key.Warnings or Key.Infos when token != JsonTokenType.Null:
                throw Unexpected(token);
            default:
                PassOver(ref reader, token);
                break;
        }
    }

    private void TakeMessage(ref Utf8JsonReader reader, JsonTokenType token)
    {
        if (token == JsonTokenType.EndArray)
        {
            _at = At.Envelope;
        }
        else if (_messagesAreWarnings)
        {
            _into.AddWarning(String(ref reader, token));
        }
        else
        {
            _into.AddInfo(String(ref reader, token));
        }
    }

    private void TakeInData(ref Utf8JsonReader reader, JsonTokenType token)
    {
        switch (_key)
        {
            case var _ when token == JsonTokenType.EndObject:
                _at = At.Envelope;
                break;
            case Key.ResultType:
                _resultType = String(ref reader, token);
                break;
            case Key.Result when token == JsonTokenType.StartArray:
                _sawResult = true;
                _at = At.Result;
                break;
            case Key.Result:
                throw Unexpected(token);
            default:
                PassOver(ref reader, token);
                break;
        }
    }

    private void TakeInSeries(ref Utf8JsonReader reader, JsonTokenType token)
    {
        switch (_key)
        {
            case var _ when token == JsonTokenType.EndObject:
                _into.EndSeries();
                _at = At.Result;
                break;
            case Key.Metric when token == JsonTokenType.StartObject:
                _at = At.Metric;
                break;
            case Key.Value when token == JsonTokenType.StartArray:
                BeginSample(oneOfMany: false);
                break;
            case Key.Values when token == JsonTokenType.StartArray:
                _at = At.Samples;
                break;
            case Key.Metric or Key.Value or Key.Values:
                throw Unexpected(token);
            default:
                PassOver(ref reader, token);
                break;
        }
    }

    private void TakeInMetric(ref Utf8JsonReader reader, JsonTokenType token)
    {
        if (token == JsonTokenType.EndObject)
        {
            _at = At.Series;
        }
        else if (token != JsonTokenType.String)
        {
            throw Unexpected(token);
        }
        else if (_key == Key.WantedLabel)
        {
            _into.TakeLabel(Text(ref reader));
        }
    }

    private void BeginSample(bool oneOfMany)
    {
        _sampleIsOneOfMany = oneOfMany;
        _sampleParts = 0;
        _at = At.Sample;
    }

    /// <summary><c>[1435781451.781, "1"]</c></summary>
    private void TakeInSample(ref Utf8JsonReader reader, JsonTokenType token)
    {
        switch (_sampleParts++, token)
        {
            case (0, JsonTokenType.Number):
                _timestamp = reader.GetDouble();
                break;
            case (1, JsonTokenType.String):
                // Prometheus' "+Inf" is no number to .NET, which serves: what is not finite is not wanted.
                _value = double.TryParse(Text(ref reader), NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : double.NaN;
                break;
            case (2, JsonTokenType.EndArray):
                _into.TakeSample(_timestamp, _value);
                _at = _sampleIsOneOfMany ? At.Samples : At.Series;
                break;
            default:
                throw Unexpected(token);
        }
    }

    private void PassOver(ref Utf8JsonReader reader, JsonTokenType token)
    {
        if (token is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            _skipping = reader.CurrentDepth;
        }
    }

    private string String(ref Utf8JsonReader reader, JsonTokenType token) =>
        token == JsonTokenType.String ? Encoding.UTF8.GetString(Text(ref reader)) : throw Unexpected(token);

    /// <summary>The current string, unescaped; valid until the next token.</summary>
    private ReadOnlySpan<byte> Text(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped)
        {
            return reader.ValueSpan;
        }

        if (_unescaped.Length < reader.ValueSpan.Length)
        {
            _unescaped = new byte[reader.ValueSpan.Length];
        }

        return _unescaped.AsSpan(0, reader.CopyString(_unescaped));
    }

    private UpstreamException Unexpected(JsonTokenType token) => new(UpstreamFailure.Unreadable, $"the body has {token} where none belongs (in {_at})");
}
