using Xunit.Sdk;
using Xunit.v3;

namespace SmiMetrics.EndToEnd;

/// <summary>
/// Runs what makes traffic of its own first, while the windows of the others fill, and what stops Prometheus or kube-apiserver last: the
/// others need a window without a gap.
/// </summary>
public sealed class FirstAndLast : ITestCollectionOrderer
{
    internal const string OwnTraffic = "own traffic";
    internal const string Disruptions = "disruptions";

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [
            .. testCollections
                .OrderByDescending(collection => collection.TestCollectionDisplayName == OwnTraffic)
                .ThenBy(collection => collection.TestCollectionDisplayName == Disruptions)
                .ThenBy(collection => collection.TestCollectionDisplayName, StringComparer.Ordinal),
        ];
}
