namespace SmiMetrics.Hosting;

/// <summary>How much is served at once, for how long, and how serving ends.</summary>
internal sealed record HostingOptions
{
    public static readonly TimeSpan DefaultRequestTimeout = TimeSpan.FromSeconds(55);

    /// <summary>More than this for a request, or for the delay, is a slip of the pen.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    /// <summary><c>--max-requests-in-flight</c>; zero is no limit.</summary>
    public required int MaxRequestsInFlight { get; init; }

    /// <summary>
    /// <c>--request-timeout</c>. kube-apiserver gives up after 60 s and then tells its caller nothing at all, so ours is shorter.
    /// </summary>
    public required TimeSpan RequestTimeout { get; init; }

    /// <summary><c>--shutdown-delay-duration</c>: how long everything is served on after the signal to end.</summary>
    public required TimeSpan ShutdownDelay { get; init; }

    /// <summary><c>--goaway-chance</c>: how many of the requests end their HTTP/2 connection, 0 to <see cref="MaxGoAwayChance"/>.</summary>
    public required double GoAwayChance { get; init; }

    /// <summary>As in Kubernetes: more than one request in fifty would make new connections the rule.</summary>
    public const double MaxGoAwayChance = 0.02;

    /// <summary>The longest that ending may take: the delay, what is in flight, and the work in the background.</summary>
    public TimeSpan ShutdownTimeout => ShutdownDelay + RequestTimeout + BackgroundWork;

    private static readonly TimeSpan BackgroundWork = TimeSpan.FromSeconds(5);
}
