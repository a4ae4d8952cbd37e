using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace SmiMetrics.Kubernetes;

/// <summary>The parameters of a URL as Kubernetes tells them apart: for ASP.NET's own collection <c>Watch</c> is <c>watch</c>, for Kubernetes they are two.</summary>
internal static class OrdinalQuery
{
    /// <param name="query">As sent, with or without its question mark; null for none.</param>
    public static QueryCollection Of(string? query)
    {
        Dictionary<string, List<string>> parameters = new(StringComparer.Ordinal);
        foreach (QueryStringEnumerable.EncodedNameValuePair pair in new QueryStringEnumerable(query))
        {
            string name = pair.DecodeName().ToString();
            if (!parameters.TryGetValue(name, out List<string>? values))
            {
                parameters[name] = values = [];
            }

            values.Add(pair.DecodeValue().ToString());
        }

        return new QueryCollection(parameters.ToDictionary(parameter => parameter.Key, parameter => new StringValues([.. parameter.Value]), StringComparer.Ordinal));
    }
}
