using BenchmarkDotNet.Running;

// dotnet run -c Release --project tests/SmiMetrics.Benchmarks -- --filter '*' [--job short]
BenchmarkSwitcher.FromAssembly(typeof(SmiMetrics.Benchmarks.TrafficBenchmarks).Assembly).Run(args);
