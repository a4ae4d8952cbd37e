using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization;
using SmiMetrics.Transport;

namespace SmiMetrics.Auth;

/// <summary>Whom to believe about users, and in which headers they say it. Immutable; a change is a new one with a higher generation.</summary>
/// <param name="Generation">Grows with every change; judgements made by an older one are void.</param>
/// <param name="Bundle">The certificate authorities; at least one.</param>
/// <param name="AllowedNames">Common names of front proxies; empty allows any.</param>
/// <param name="UsernameHeaders">In order of preference; at least one.</param>
/// <param name="ExtraPrefixes">Header names that begin so carry extra attributes.</param>
internal sealed record FrontProxyConfiguration(
    long Generation,
    IReadOnlyList<X509Certificate2> Bundle,
    FrozenSet<string> AllowedNames,
    IReadOnlyList<string> UsernameHeaders,
    IReadOnlyList<string> GroupHeaders,
    IReadOnlyList<string> ExtraPrefixes,
    IReadOnlyList<string> UidHeaders);

/// <summary>
/// Holds the front-proxy configuration of the moment: from the ConfigMap <c>kube-system/extension-apiserver-authentication</c>, or from
/// the flags with their file looked at once a minute. A bad or empty update leaves the last good one in force.
/// </summary>
/// <remarks>Keys and formats as apiserver <c>pkg/server/options/authentication_dynamic_request_header.go</c> reads them.</remarks>
internal sealed partial class FrontProxyTrust : PolledFiles
{
    private const string CaKey = "requestheader-client-ca-file";
    private const string AllowedNamesKey = "requestheader-allowed-names";
    private const string UsernameKey = "requestheader-username-headers";
    private const string GroupKey = "requestheader-group-headers";
    private const string ExtraPrefixKey = "requestheader-extra-headers-prefix";
    private const string UidKey = "requestheader-uid-headers";

    private readonly Lock _updating = new();
    private readonly FrontProxyOptions _options;
    private readonly ILogger<FrontProxyTrust> _logger;
    private readonly string _origin;
    private readonly string _ca;

    private volatile FrontProxyConfiguration? _current;
    private Source? _currentSource;
    private string? _lastFault;

    /// <summary>Reads the bundle at once if the flags name one; else waits for <see cref="Apply"/>.</summary>
    /// <exception cref="InvalidDataException">The flags' bundle cannot be read or used; the message names flag and file.</exception>
    public FrontProxyTrust(FrontProxyOptions options, TimeProvider time, ILogger<FrontProxyTrust> logger) : base(time, EveryMinute)
    {
        _options = options;
        _logger = logger;
        bool fromFlags = options.RequestHeaderClientCaFile is not null;
        _origin = fromFlags ? "the flags" : "ConfigMap kube-system/extension-apiserver-authentication";
        _ca = fromFlags ? $"--{CaKey}: {options.RequestHeaderClientCaFile}" : CaKey;
        if (fromFlags)
        {
            Install(FromOptions());
        }
    }

    /// <summary>Null until there has been one good configuration.</summary>
    public FrontProxyConfiguration? Current => _current;

    /// <summary>Whether front proxies can be told from strangers: until then nobody can authenticate.</summary>
    public bool Ready => _current is not null;

    /// <summary>
    /// Takes the ConfigMap's data; null if there is no such ConfigMap. Call it whenever the ConfigMap was read, changed or not. Ignored
    /// when the flags name a bundle. Never throws: what is wrong with an update is logged.
    /// </summary>
    public void Apply(IReadOnlyDictionary<string, string>? configMapData)
    {
        if (_options.RequestHeaderClientCaFile is null)
        {
            Update(() => FromConfigMap(configMapData));
        }
    }

    public override void Refresh()
    {
        if (_options.RequestHeaderClientCaFile is not null)
        {
            Update(FromOptions);
        }
    }

    private void Update(Func<Source> read)
    {
        lock (_updating)
        {
            try
            {
                Install(read());
                _lastFault = null;
            }
            catch (InvalidDataException e)
            {
                // The ConfigMap is read again every minute; a fault that lasts is one line.
                if (e.Message != _lastFault)
                {
                    _lastFault = e.Message;
                    Log.Refused(_logger, _origin, e.Message, _current is null ? "nobody can authenticate yet" : "the last good one stays");
                }
            }
        }
    }

    private void Install(Source source)
    {
        if (source == _currentSource)
        {
            return;
        }

        FrontProxyConfiguration next = Parse(source, generation: (_current?.Generation ?? 0) + 1);
        _current = next;
        _currentSource = source;
        Log.Installed(_logger, _origin, next.Bundle.Count, next.AllowedNames.Count == 0 ? "any name" : string.Join(", ", next.AllowedNames));
    }

    private static Source FromConfigMap(IReadOnlyDictionary<string, string>? data)
    {
        if (data is null)
        {
            throw new InvalidDataException("it does not exist");
        }

        return new Source(
            data.GetValueOrDefault(CaKey, ""),
            data.GetValueOrDefault(AllowedNamesKey, ""),
            data.GetValueOrDefault(UsernameKey, ""),
            data.GetValueOrDefault(GroupKey, ""),
            data.GetValueOrDefault(ExtraPrefixKey, ""),
            data.GetValueOrDefault(UidKey, ""));
    }

    private Source FromOptions()
    {
        try
        {
            return new Source(
                File.ReadAllText(_options.RequestHeaderClientCaFile!),
                ToJson(_options.AllowedNames),
                ToJson(_options.UsernameHeaders),
                ToJson(_options.GroupHeaders),
                ToJson(_options.ExtraHeadersPrefix),
                ToJson(_options.UidHeaders));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidDataException($"{_ca} cannot be read: {e.Message}", e);
        }

        static string ToJson(IReadOnlyList<string> values) => JsonSerializer.Serialize([.. values], TrustJson.Default.StringArray);
    }

    private FrontProxyConfiguration Parse(Source source, long generation)
    {
        if (string.IsNullOrWhiteSpace(source.Ca))
        {
            throw new InvalidDataException($"{_ca} is missing or empty");
        }

        X509Certificate2Collection bundle;
        try
        {
            bundle = PemBundle.Parse(source.Ca);
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException($"{_ca}: {e.Message}", e);
        }

        string[] usernameHeaders = HeaderNames(UsernameKey, source.UsernameHeaders);
        if (usernameHeaders.Length == 0)
        {
            throw new InvalidDataException($"{UsernameKey} names no header");
        }

        return new FrontProxyConfiguration(
            generation,
            [.. bundle],
            Strings(AllowedNamesKey, source.AllowedNames).ToFrozenSet(StringComparer.Ordinal),
            usernameHeaders,
            HeaderNames(GroupKey, source.GroupHeaders),
            HeaderNames(ExtraPrefixKey, source.ExtraPrefixes),
            HeaderNames(UidKey, source.UidHeaders));
    }

    // An empty prefix would make every header of a request an attribute of its user.
    private static string[] HeaderNames(string key, string json)
    {
        string[] names = Strings(key, json);
        return names.Any(string.IsNullOrWhiteSpace) ? throw new InvalidDataException($"{key} has an empty header name") : names;
    }

    private static string[] Strings(string key, string json)
    {
        if (json.Length == 0)
        {
            return [];
        }

        try
        {
            string[] strings = JsonSerializer.Deserialize(json, TrustJson.Default.StringArray) ?? [];
            return strings.Any(text => text is null) ? throw new InvalidDataException($"{key} has a null in it") : strings;
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{key} is not a JSON array of strings", e);
        }
    }

    /// <summary>The texts that a configuration is made of, to tell a change from a repetition.</summary>
    private sealed record Source(
        string Ca, string AllowedNames, string UsernameHeaders, string GroupHeaders, string ExtraPrefixes, string UidHeaders);

    [JsonSerializable(typeof(string[]))]
    private sealed partial class TrustJson : JsonSerializerContext;

    private static partial class Log
    {
        [LoggerMessage(
            Level = LogLevel.Information,
            Message = "Front-proxy trust from {Origin}: {Count} certificate authorities, front proxies {Names}")]
        public static partial void Installed(ILogger logger, string origin, int count, string names);

        [LoggerMessage(Level = LogLevel.Warning, Message = "Front-proxy trust from {Origin} is unusable: {Fault}; {Consequence}")]
        public static partial void Refused(ILogger logger, string origin, string fault, string consequence);
    }
}
