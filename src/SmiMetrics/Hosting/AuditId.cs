namespace SmiMetrics.Hosting;

/// <summary>
/// Every answer has a header <c>Audit-Id</c>: the caller's own, or a new one. Newer kube-apiservers send theirs, which stands in their audit log; 1.20
/// passes on what its client sent. Log lines
/// about a request name it (as <see cref="HttpContext.TraceIdentifier"/>), so that both logs can be laid side by side.
/// </summary>
/// <remarks>
/// As apiserver <c>pkg/endpoints/filters/audit_init.go</c>, which takes any value or, in newer versions, refuses those that are not letters,
/// digits and hyphens. A header is no reason to refuse a reader: what should not stand in a log is replaced instead.
/// </remarks>
internal static class AuditId
{
    public const string Header = "Audit-Id";

    /// <summary>As long as kube-apiserver allows.</summary>
    private const int MaxLength = 256;

    public static IApplicationBuilder UseAuditId(this IApplicationBuilder app) => app.Use(next => context =>
    {
        string id = context.Request.Headers[Header] is [{ } given] && IsSane(given) ? given : Guid.NewGuid().ToString();
        context.TraceIdentifier = id;
        context.Response.Headers[Header] = id;
        return next(context);
    });

    private static bool IsSane(string id) => id.Length is > 0 and <= MaxLength && id.All(letter => letter is > ' ' and <= '~');
}
