using BenchmarkDotNet.Running;
using SmiMetrics.Benchmarks;

// dotnet run -c Release --project tests/SmiMetrics.Benchmarks -- --filter '*' [--job short]
// dotnet run -c Release --project tests/SmiMetrics.Benchmarks -- scrape-load [--help]
return args switch
{
    [ScrapeLoad.Command, .. var options] => await ScrapeLoad.RunAsync(options),
    [SimulatedProxies.Command, var targets, var kept, var dropped] => await SimulatedProxies.RunAsync(int.Parse(targets), int.Parse(kept), int.Parse(dropped)),
    _ => BenchmarkSwitcher.FromAssembly(typeof(TrafficBenchmarks).Assembly).Run(args).Any() ? 0 : 1,
};
