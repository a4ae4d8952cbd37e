using SmiMetrics.Diagnostics;
using SmiMetrics.Kubernetes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics;

/// <summary>
/// <c>smi-metrics check</c>: looks once at everything that the server would look at, and says in plain words what is there, what is wrong and
/// what to do. The same is in the API's resource <c>meshes</c>.
/// </summary>
internal static class CheckCommand
{
    private static readonly TimeSpan ClusterPatience = TimeSpan.FromSeconds(30);

    /// <summary>How long after its second scrape a proxy's numbers may still be missing.</summary>
    private static readonly TimeSpan ScrapePatience = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>Checks, and reports.</summary>
    /// <returns>The exit status: success only if a mesh was found and nothing is wrong.</returns>
    public static async Task<int> RunAsync(
        ServeOptions options, Doors doors, TextWriter output, TextWriter error, TimeProvider clock, CancellationToken cancellationToken)
    {
        IHost host;
        try
        {
            host = Server.BuildCheck(options, doors, clock);
        }
        catch (KubernetesConfigurationException e)
        {
            await error.WriteLineAsync($"smi-metrics: {e.Message}");
            return CommandLine.UsageError;
        }

        using (host)
        {
            // Ctrl-C and SIGTERM are the host's to hear, as they are for the server.
            CancellationToken stopping = host.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
            using CancellationTokenSource interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stopping);
            try
            {
                await host.StartAsync(interrupted.Token);
                CheckReport report = await CheckAsync(options, host.Services, error, clock, interrupted.Token);
                report.Write(output);
                return report.IsGood ? CommandLine.Success : CommandLine.RuntimeFailure;
            }
            catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
            {
                await error.WriteLineAsync("smi-metrics: interrupted");
                return CommandLine.Interrupted;
            }
            finally
            {
                await host.StopAsync(CancellationToken.None);
            }
        }
    }

    private static async Task<CheckReport> CheckAsync(
        ServeOptions options, IServiceProvider services, TextWriter progress, TimeProvider clock, CancellationToken cancellationToken)
    {
        List<MeshProblem> problems = [];
        Cluster cluster = services.GetRequiredService<Cluster>();
        if (!cluster.Synced)
        {
            await progress.WriteLineAsync("Reading the cluster …");
            await UntilAsync(() => cluster.Synced, ClusterPatience, clock, cancellationToken);
            if (!cluster.Synced)
            {
                problems.Add(new(
                    $"the cluster cannot be read: {string.Join("; ", services.GetRequiredService<ClusterInformer>().Troubles)}",
                    "See --kubeconfig, and whether its user may list and watch what apiservice/rbac.yaml has; or check without a cluster: --kubernetes none."));
            }
        }

        problems.AddRange(cluster.Snapshot.Unread.Select(kind => new MeshProblem(
            $"{kind.Resource} cannot be read from the cluster, so nothing is told of traffic splits", "Give the server's user the rights that apiservice/rbac.yaml has.")));
        MeshMonitor monitor = services.GetRequiredService<MeshMonitor>();
        bool scrapes = options.Scrape is not null;
        await progress.WriteLineAsync(options.Scrape is { Interval: var interval }
            ? $"Scraping the proxies of {Count(options.Meshes.Count)} twice, which takes about {MeshDiagnosis.Seconds(2 * interval)} …"
            : $"Asking Prometheus for {Count(options.Meshes.Count)} …");
        await monitor.LookNowAsync(cancellationToken);
        if (options.Scrape is { } scrape)
        {
            long begun = clock.GetTimestamp();
            TimeSpan patience = (2 * scrape.Interval) + scrape.Timeout + ScrapePatience;
            // Every proxy has its turn within an interval, so none is missed once two are over.
            while (clock.GetElapsedTime(begun) < patience && !(Found(monitor) && clock.GetElapsedTime(begun) > 2 * scrape.Interval))
            {
                await Task.Delay(Pause, clock, cancellationToken);
                await monitor.LookNowAsync(cancellationToken);
            }

            problems.AddRange(NotScraped(services.GetRequiredService<SampleStore>()));
        }

        return new CheckReport(monitor.Statuses, problems, monitor.Failure, Describe(cluster.Snapshot), options.MeshConfiguration.Auto, scrapes, clock.GetUtcNow());
    }

    private static IEnumerable<MeshProblem> NotScraped(SampleStore store)
    {
        StoredTarget[] targets = [.. store.Targets.Where(target => target.GoneSince is null)];
        TargetSeries[] failing = [.. targets.Select(target => target.Series).Where(series => series.LastError is not null).OrderBy(series => series.Target.Name, StringComparer.Ordinal)];
        if (failing is [var first, ..])
        {
            string which = failing.Length == 1
                ? $"{first.Target.Name} cannot be scraped"
                : $"{failing.Length} of {targets.Length} proxies cannot be scraped, such as {first.Target.Name}";
            yield return new MeshProblem(
                $"{which}: {first.LastError}",
                "See whether the page is there, and whether the server may reach its port: the network's and the mesh's own policies may forbid it.");
        }
    }

    private static string? Describe(ClusterSnapshot cluster) => cluster.HasCluster
        ? $"{cluster.List(ResourceKind.Pod, null).Count} pods in {cluster.List(ResourceKind.Namespace, null).Count} namespaces on {cluster.List(ResourceKind.Node, null).Count} nodes"
        : null;

    private static bool Found(MeshMonitor monitor) => monitor.Statuses.Any(status => status.Presence == MeshPresence.Found);

    private static string Count(int meshes) => meshes == 1 ? "one mesh" : $"{meshes} meshes";

    private static async Task UntilAsync(Func<bool> condition, TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken)
    {
        long begun = clock.GetTimestamp();
        while (!condition() && clock.GetElapsedTime(begun) < patience)
        {
            await Task.Delay(Pause, clock, cancellationToken);
        }
    }
}
