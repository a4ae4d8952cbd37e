namespace SmiMetrics.Api;

/// <summary>Reads query parameters.</summary>
internal static class Parameters
{
    /// <summary>One of Kubernetes' own parameters: of several values the first counts, by which the request was judged too.</summary>
    /// <returns>Null where it is not given.</returns>
    public static string? First(IQueryCollection query, string name) => query[name] is [{ } value, ..] ? value : null;

    /// <summary>One of ours.</summary>
    /// <returns>Null where it is not given.</returns>
    /// <exception cref="StatusException">400: it is given more than once.</exception>
    public static string? One(IQueryCollection query, string name) => query[name] switch
    {
        { Count: 0 } => null,
        [{ } value] => value,
        _ => throw new StatusException(Status.BadRequest($"{name}: given more than once")),
    };
}
