namespace SmiMetrics.Hosting;

/// <summary>
/// Now and then a request ends its connection, politely: kube-apiserver keeps one HTTP/2 connection for everybody's requests, and with several
/// replicas would otherwise send them all to the one that it met first, for as long as that lives.
/// </summary>
/// <remarks>As apiserver <c>pkg/server/filters/goaway.go</c>. What is in flight on the connection is answered.</remarks>
internal static class GoAway
{
    /// <param name="chance">Of each request; zero is never.</param>
    public static IApplicationBuilder UseGoAway(this IApplicationBuilder app, double chance) => chance == 0 ? app : app.Use(next => context =>
    {
        if (HttpProtocol.IsHttp2(context.Request.Protocol) && Chosen(chance))
        {
            context.Connection.RequestClose();
        }

        return next(context);
    });

    [System.Diagnostics.CodeAnalysis.SuppressMessage("Security", "CA5394", Justification = "Nothing is kept secret by it.")]
    private static bool Chosen(double chance) => Random.Shared.NextDouble() < chance;
}
