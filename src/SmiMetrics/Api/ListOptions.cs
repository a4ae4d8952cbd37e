using System.Collections.Frozen;
using SmiMetrics.Kubernetes;

namespace SmiMetrics.Api;

/// <summary>
/// Which objects of a list a caller wants, and how many at once: the parameters of <c>metav1.ListOptions</c> that mean something here
/// (apimachinery <c>pkg/apis/meta/v1/types.go</c>). Its other parameters are accepted and change nothing.
/// </summary>
/// <param name="Labels">Null to select by none.</param>
/// <param name="Fields">Null to select by none.</param>
/// <param name="JudgedName">
/// The one name that the field selector is for as kube-apiserver read it, and judged the list by; empty for none. Whatever we read, no other is given.
/// </param>
/// <param name="Limit">At least one; null for all.</param>
/// <param name="Continue">The token that the last page came with; null for the first.</param>
internal sealed record ListOptions(LabelSelector? Labels, FieldSelector? Fields, string JudgedName, int? Limit, string? Continue)
{
    /// <exception cref="StatusException">400: the message names the parameter, or is the one that kube-apiserver gives.</exception>
    public static ListOptions Read(IQueryCollection query, string judgedName)
    {
        string? labels = Parameters.First(query, "labelSelector");
        string? fields = Parameters.First(query, "fieldSelector");
        string? token = Parameters.First(query, "continue");
        try
        {
            return new ListOptions(
                string.IsNullOrEmpty(labels) ? null : LabelSelector.Parse(labels),
                string.IsNullOrEmpty(fields) ? null : FieldSelector.Parse(fields),
                judgedName,
                ReadLimit(Parameters.First(query, "limit")),
                string.IsNullOrEmpty(token) ? null : token);
        }
        catch (Exception e) when (e is LabelSelectorException or FieldSelectorException)
        {
            throw new StatusException(Status.BadRequest(e.Message));
        }
    }

    public bool Selects(ObjectMeta metadata) =>
        Labels?.Matches(metadata.Labels ?? FrozenDictionary<string, string>.Empty) != false
        && Fields?.Matches(metadata.Namespace ?? "", metadata.Name) != false
        && (JudgedName.Length == 0 || metadata.Name == JudgedName);

    /// <summary>Whether all objects are wanted.</summary>
    public bool SelectsAll => Labels is null && Fields is null;

    private static int? ReadLimit(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (!GoInteger.TryParse(text, out long limit, out string? problem))
        {
            throw new StatusException(Status.BadRequest($"limit: {problem}"));
        }

        // None and less than none mean all, in Kubernetes too.
        return limit <= 0 ? null : (int)Math.Min(limit, int.MaxValue);
    }
}
