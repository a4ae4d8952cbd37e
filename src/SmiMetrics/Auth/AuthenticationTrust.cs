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

/// <summary>Who issues the certificates of users. Immutable, as <see cref="FrontProxyConfiguration"/> is.</summary>
/// <param name="Bundle">The certificate authorities; at least one.</param>
internal sealed record ClientAuthorities(long Generation, IReadOnlyList<X509Certificate2> Bundle);

/// <summary>
/// Holds what certificates are believed by at the moment: of front proxies and of users, each from the ConfigMap
/// <c>kube-system/extension-apiserver-authentication</c> or from the flags with their file looked at every few seconds. A bad or empty update leaves
/// the last good one in force.
/// </summary>
/// <remarks>Keys and formats as apiserver <c>pkg/server/options/authentication_dynamic_request_header.go</c> reads them.</remarks>
internal sealed partial class AuthenticationTrust : PolledFiles
{
    private const string ClientCaKey = "client-ca-file";
    private const string FrontProxyCaKey = "requestheader-client-ca-file";
    private const string AllowedNamesKey = "requestheader-allowed-names";
    private const string UsernameKey = "requestheader-username-headers";
    private const string GroupKey = "requestheader-group-headers";
    private const string ExtraPrefixKey = "requestheader-extra-headers-prefix";
    private const string UidKey = "requestheader-uid-headers";
    private const string Flags = "the flags";
    private const string ConfigMap = "ConfigMap kube-system/extension-apiserver-authentication";

    private readonly Lock _updating = new();
    private readonly AuthenticationOptions _options;
    private readonly ILogger<AuthenticationTrust> _logger;
    private readonly Part<FrontProxySource, FrontProxyConfiguration> _frontProxy;
    private readonly Part<string, ClientAuthorities> _clients;
    private volatile bool _configMapRead;
    private string? _lastFault;

    /// <summary>Reads at once what the flags name; for the rest waits for <see cref="Apply"/>.</summary>
    /// <exception cref="InvalidDataException">A file of the flags cannot be read or used; the message names flag and file.</exception>
    public AuthenticationTrust(AuthenticationOptions options, TimeProvider time, ILogger<AuthenticationTrust> logger) : base(time, EveryFiveSeconds)
    {
        _options = options;
        _logger = logger;
        _frontProxy = new Part<FrontProxySource, FrontProxyConfiguration>(ParseFrontProxy);
        _clients = new Part<string, ClientAuthorities>(ParseClients);
        if (options.FrontProxy.RequestHeaderClientCaFile is not null)
        {
            InstallFrontProxy(FrontProxyOfFlags(), Flags);
        }

        if (options.ClientCaFile is not null)
        {
            InstallClients(ReadFile(ClientCaKey, options.ClientCaFile), Flags);
        }
    }

    /// <summary>Null until there has been one good configuration; for ever, in a cluster without aggregation.</summary>
    public FrontProxyConfiguration? FrontProxy => _frontProxy.Current;

    /// <summary>Null until there has been one good bundle; for ever, in a cluster that knows no client certificates.</summary>
    public ClientAuthorities? Clients => _clients.Current;

    /// <summary>Whether somebody can be told from strangers, and all has been read that says who.</summary>
    public bool Ready => (_configMapRead || !_options.NeedsConfigMap) && (FrontProxy is not null || Clients is not null);

    /// <summary>
    /// Takes the ConfigMap's data; null if there is no such ConfigMap. Call it whenever the ConfigMap was read, changed or not. What the flags
    /// name is theirs. Never throws: what is wrong with an update is logged.
    /// </summary>
    public void Apply(IReadOnlyDictionary<string, string>? configMapData)
    {
        lock (_updating)
        {
            if (configMapData is null || (!IsIn(configMapData, FrontProxyCaKey) && !IsIn(configMapData, ClientCaKey)))
            {
                string fault = configMapData is null ? "it does not exist" : $"it has neither {FrontProxyCaKey} nor {ClientCaKey}";
                if (fault != _lastFault)
                {
                    _lastFault = fault;
                    Log.NothingUsable(_logger, ConfigMap, fault, Ready ? "what is known stays" : "nobody can authenticate yet");
                }

                return;
            }

            _lastFault = null;
            bool usable = true;
            // A cluster without aggregation has the one, a cluster without client certificates the other.
            if (_options.FrontProxy.RequestHeaderClientCaFile is null && IsIn(configMapData, FrontProxyCaKey))
            {
                usable = Update(_frontProxy, () => InstallFrontProxy(FrontProxyOfConfigMap(configMapData), ConfigMap), "Front-proxy trust", ConfigMap);
            }

            if (_options.ClientCaFile is null && IsIn(configMapData, ClientCaKey))
            {
                usable |= Update(_clients, () => InstallClients(configMapData[ClientCaKey], ConfigMap), "Trust in client certificates", ConfigMap);
            }

            _configMapRead |= usable;
        }
    }

    public override void Refresh()
    {
        lock (_updating)
        {
            if (_options.FrontProxy.RequestHeaderClientCaFile is not null)
            {
                Update(_frontProxy, () => InstallFrontProxy(FrontProxyOfFlags(), Flags), "Front-proxy trust", Flags);
            }

            if (_options.ClientCaFile is { } file)
            {
                Update(_clients, () => InstallClients(ReadFile(ClientCaKey, file), Flags), "Trust in client certificates", Flags);
            }
        }
    }

    private static bool IsIn(IReadOnlyDictionary<string, string> data, string key) => !string.IsNullOrWhiteSpace(data.GetValueOrDefault(key));

    private bool Update<TSource, TTrust>(Part<TSource, TTrust> part, Action install, string what, string origin)
        where TSource : class
        where TTrust : class
    {
        try
        {
            install();
            part.LastFault = null;
            return true;
        }
        catch (InvalidDataException e)
        {
            // The ConfigMap is read again every minute; a fault that lasts is one line.
            if (e.Message != part.LastFault)
            {
                part.LastFault = e.Message;
                Log.Refused(_logger, what, origin, e.Message, part.Current is null ? "there is none yet" : "the last good one stays");
            }

            return false;
        }
    }

    private void InstallFrontProxy(FrontProxySource source, string origin)
    {
        if (_frontProxy.Install(source) is { } next)
        {
            Log.FrontProxyInstalled(
                _logger, origin, next.Bundle.Count, next.AllowedNames.Count == 0 ? "any name" : string.Join(", ", next.AllowedNames));
        }
    }

    private void InstallClients(string pem, string origin)
    {
        if (_clients.Install(pem) is { } next)
        {
            Log.ClientsInstalled(_logger, origin, next.Bundle.Count);
        }
    }

    private static FrontProxySource FrontProxyOfConfigMap(IReadOnlyDictionary<string, string> data) => new(
        data.GetValueOrDefault(FrontProxyCaKey, ""),
        data.GetValueOrDefault(AllowedNamesKey, ""),
        data.GetValueOrDefault(UsernameKey, ""),
        data.GetValueOrDefault(GroupKey, ""),
        data.GetValueOrDefault(ExtraPrefixKey, ""),
        data.GetValueOrDefault(UidKey, ""));

    private FrontProxySource FrontProxyOfFlags()
    {
        FrontProxyOptions options = _options.FrontProxy;
        return new FrontProxySource(
            ReadFile(FrontProxyCaKey, options.RequestHeaderClientCaFile!),
            ToJson(options.AllowedNames),
            ToJson(options.UsernameHeaders),
            ToJson(options.GroupHeaders),
            ToJson(options.ExtraHeadersPrefix),
            ToJson(options.UidHeaders));

        static string ToJson(IReadOnlyList<string> values) => JsonSerializer.Serialize([.. values], TrustJson.Default.StringArray);
    }

    private static string ReadFile(string flag, string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new InvalidDataException($"--{flag}: {file} cannot be read: {e.Message}", e);
        }
    }

    private ClientAuthorities ParseClients(string pem, long generation) => new(generation, ParseBundle(pem, ClientCaKey, _options.ClientCaFile));

    private FrontProxyConfiguration ParseFrontProxy(FrontProxySource source, long generation)
    {
        X509Certificate2[] bundle = ParseBundle(source.Ca, FrontProxyCaKey, _options.FrontProxy.RequestHeaderClientCaFile);
        string[] usernameHeaders = HeaderNames(UsernameKey, source.UsernameHeaders);
        if (usernameHeaders.Length == 0)
        {
            throw new InvalidDataException($"{UsernameKey} names no header");
        }

        return new FrontProxyConfiguration(
            generation,
            bundle,
            Strings(AllowedNamesKey, source.AllowedNames).ToFrozenSet(StringComparer.Ordinal),
            usernameHeaders,
            HeaderNames(GroupKey, source.GroupHeaders),
            HeaderNames(ExtraPrefixKey, source.ExtraPrefixes),
            HeaderNames(UidKey, source.UidHeaders));
    }

    private static X509Certificate2[] ParseBundle(string pem, string key, string? file)
    {
        string name = file is null ? key : $"--{key}: {file}";
        if (string.IsNullOrWhiteSpace(pem))
        {
            throw new InvalidDataException($"{name} is missing or empty");
        }

        try
        {
            return [.. PemBundle.Parse(pem)];
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException($"{name}: {e.Message}", e);
        }
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
    private sealed record FrontProxySource(
        string Ca, string AllowedNames, string UsernameHeaders, string GroupHeaders, string ExtraPrefixes, string UidHeaders);

    /// <summary>One of the two trusts, each of which changes, fails and is judged by on its own.</summary>
    /// <param name="parse">Makes it of its source, with a generation; throws <see cref="InvalidDataException"/>.</param>
    private sealed class Part<TSource, TTrust>(Func<TSource, long, TTrust> parse)
        where TSource : class
        where TTrust : class
    {
        private volatile TTrust? _current;
        private TSource? _source;
        private long _generation;

        public TTrust? Current => _current;

        public string? LastFault { get; set; }

        /// <returns>Null if it is what is in force already.</returns>
        public TTrust? Install(TSource source)
        {
            if (source.Equals(_source))
            {
                return null;
            }

            TTrust next = parse(source, _generation + 1);
            _generation++;
            _source = source;
            return _current = next;
        }
    }

    [JsonSerializable(typeof(string[]))]
    private sealed partial class TrustJson : JsonSerializerContext;

    private static partial class Log
    {
        [LoggerMessage(
            Level = LogLevel.Information,
            Message = "Front-proxy trust from {Origin}: {Count} certificate authorities, front proxies {Names}")]
        public static partial void FrontProxyInstalled(ILogger logger, string origin, int count, string names);

        [LoggerMessage(Level = LogLevel.Information, Message = "Trust in client certificates from {Origin}: {Count} certificate authorities")]
        public static partial void ClientsInstalled(ILogger logger, string origin, int count);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{What} from {Origin} is unusable: {Fault}; {Consequence}")]
        public static partial void Refused(ILogger logger, string what, string origin, string fault, string consequence);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Origin} is unusable: {Fault}; {Consequence}")]
        public static partial void NothingUsable(ILogger logger, string origin, string fault, string consequence);
    }
}
