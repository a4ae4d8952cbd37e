using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.Extensions.Primitives;

namespace SmiMetrics.Auth;

/// <summary>
/// Believes the user headers of a request if, and only if, its TLS peer is a front proxy (apiserver
/// <c>pkg/authentication/request/headerrequest/requestheader.go</c>):
/// <list type="number">
/// <item>no peer certificate, or no trust loaded: no opinion, whatever the headers say;</item>
/// <item>the leaf must be vouched for by the bundle, for client authentication, now; else an error;</item>
/// <item>its common name must be allowed, if names are listed; else an error;</item>
/// <item>the first non-empty user name header names the user; none: no opinion;</item>
/// <item>groups, extra attributes and the UID are read line by line, never split, never decoded;</item>
/// <item>all of them must be UTF-8, else an error: to replace what cannot be read would make one name of two;</item>
/// <item>all these headers are removed, whatever came of it.</item>
/// </list>
/// </summary>
internal sealed class FrontProxyAuthenticator(AuthenticationTrust trust, AuthMetrics metrics, TimeProvider time)
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public AuthenticationResult Authenticate(HttpContext context)
    {
        FrontProxyConfiguration? configuration = trust.FrontProxy;
        if (configuration is null)
        {
            return new AuthenticationResult.NoOpinion("front-proxy trust is not loaded yet");
        }

        try
        {
            return Authenticate(context, configuration);
        }
        finally
        {
            RemoveHeaders(context.Request.Headers, configuration);
        }
    }

    private AuthenticationResult Authenticate(HttpContext context, FrontProxyConfiguration configuration)
    {
        X509Certificate2? leaf = context.Connection.ClientCertificate;
        if (leaf is null)
        {
            return new AuthenticationResult.NoOpinion("no client certificate");
        }

        CertificateVerdict verdict = Judge(leaf, context.Features.Get<PresentedCertificates>(), configuration);
        if (verdict.Fault is { } fault)
        {
            return new AuthenticationResult.Error(fault);
        }

        IHeaderDictionary headers = context.Request.Headers;
        try
        {
            if (Values(headers, configuration.UsernameHeaders).FirstOrDefault() is not string name)
            {
                return new AuthenticationResult.NoOpinion("the front proxy named no user");
            }

            string? uid = Values(headers, configuration.UidHeaders).FirstOrDefault();
            RequestUser user = new(name, uid, [.. Values(headers, configuration.GroupHeaders)], Extra(headers, configuration.ExtraPrefixes));
            metrics.AuthenticatedByCertificate(new DateTimeOffset(leaf.NotAfter) - time.GetUtcNow());
            return new AuthenticationResult.Success(user);
        }
        catch (DecoderFallbackException)
        {
            return new AuthenticationResult.Error("the front proxy names a user, group or attribute that is not UTF-8");
        }
    }

    // kube-apiserver sends all of its requests through one connection.
    private CertificateVerdict Judge(X509Certificate2 leaf, PresentedCertificates? presented, FrontProxyConfiguration configuration)
    {
        DateTimeOffset now = time.GetUtcNow();
        if (presented?.AsFrontProxy is { } known && known.Holds(configuration.Generation, now))
        {
            return known;
        }

        CertificateVerdict verdict = CertificateVerdict.Of(leaf, presented, configuration.Bundle, configuration.Generation, now);
        if (verdict.Fault is null && configuration.AllowedNames.Count > 0 && !configuration.AllowedNames.Contains(verdict.Subject.CommonName))
        {
            verdict = CertificateVerdict.Refused(configuration.Generation, now, verdict.Subject, "not in the list of allowed names");
        }

        if (presented is not null)
        {
            presented.AsFrontProxy = verdict;
        }

        return verdict;
    }

    /// <summary>The non-empty values of the headers, one for each line. A comma in a value is part of a name.</summary>
    private static IEnumerable<string> Values(IHeaderDictionary headers, IReadOnlyList<string> names)
    {
        foreach (string name in names)
        {
            foreach (string? line in headers[name])
            {
                if (!string.IsNullOrEmpty(line))
                {
                    yield return Utf8(line);
                }
            }
        }
    }

    private static Dictionary<string, IReadOnlyList<string>> Extra(IHeaderDictionary headers, IReadOnlyList<string> prefixes)
    {
        Dictionary<string, IReadOnlyList<string>> extra = new(StringComparer.Ordinal);
        foreach (string prefix in prefixes)
        {
            foreach ((string name, StringValues lines) in headers)
            {
                if (name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
                {
                    string key = PercentDecode(name[prefix.Length..].ToLowerInvariant());
                    extra[key] = [.. extra.GetValueOrDefault(key, []), .. lines.Select(line => Utf8(line ?? ""))];
                }
            }
        }

        return extra;
    }

    /// <summary>What a header says whose bytes have been taken for a character each (<see cref="ServingEndpoint.UseServingLimits"/>).</summary>
    /// <exception cref="DecoderFallbackException">It is not UTF-8.</exception>
    private static string Utf8(string bytes) => Ascii.IsValid(bytes) ? bytes : StrictUtf8.GetString(Encoding.Latin1.GetBytes(bytes));

    private static void RemoveHeaders(IHeaderDictionary headers, FrontProxyConfiguration configuration)
    {
        foreach (string name in configuration.UsernameHeaders.Concat(configuration.GroupHeaders).Concat(configuration.UidHeaders))
        {
            headers.Remove(name);
        }

        foreach (string prefix in configuration.ExtraPrefixes)
        {
            foreach (string name in headers.Keys.Where(name => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)).ToList())
            {
                headers.Remove(name);
            }
        }
    }

    /// <summary>
    /// Go's <c>url.PathUnescape</c>, with the text itself where that fails: all or nothing, unlike <see cref="Uri.UnescapeDataString(string)"/>.
    /// </summary>
    private static string PercentDecode(string text)
    {
        if (!text.Contains('%'))
        {
            return text;
        }

        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int length = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                length += Encoding.UTF8.GetBytes(text.AsSpan(i, 1), bytes.AsSpan(length));
            }
            else if (i + 2 < text.Length &&
                byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                bytes[length++] = value;
                i += 2;
            }
            else
            {
                return text;
            }
        }

        try
        {
            return StrictUtf8.GetString(bytes, 0, length);
        }
        catch (DecoderFallbackException)
        {
            return text;
        }
    }
}
