using Xunit.Sdk;
using Xunit.v3;

namespace SmiMetrics.EndToEnd;

/// <summary>Runs what stops Prometheus or kube-apiserver after everything else: the others need a window without a gap.</summary>
public sealed class DisruptionsLast : ITestCollectionOrderer
{
    internal const string Disruptions = "disruptions";

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [
            .. testCollections
                .OrderBy(collection => collection.TestCollectionDisplayName == Disruptions)
                .ThenBy(collection => collection.TestCollectionDisplayName, StringComparer.Ordinal),
        ];
}
