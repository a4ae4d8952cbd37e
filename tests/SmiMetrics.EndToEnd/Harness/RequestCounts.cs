using System.Globalization;
using System.Text.RegularExpressions;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>What a server under test has counted of the requests that it was sent: its own <c>apiserver_request_total</c>.</summary>
/// <param name="admin">Speaks to its admin port.</param>
internal sealed class RequestCounts(HttpClient admin)
{
    /// <summary>Lists of meshes. Nobody asks for those but the tests.</summary>
    public Task<double> ListsOfMeshesAsync(CancellationToken cancellationToken) => SumAsync("resource=\"meshes\"", cancellationToken);

    /// <summary>Requests about resources that were refused or could not be answered.</summary>
    public Task<double> ErrorsAsync(CancellationToken cancellationToken) => SumAsync("code=\"[45][0-9][0-9]\".*resource=\"[a-z]|resource=\"[a-z].*code=\"[45][0-9][0-9]\"", cancellationToken);

    private async Task<double> SumAsync(string labels, CancellationToken cancellationToken) => (await admin.GetStringAsync("/metrics", cancellationToken)).Split('\n')
        .Where(line => line.StartsWith("apiserver_request_total{", StringComparison.Ordinal) && Regex.IsMatch(line, labels, RegexOptions.NonBacktracking))
        .Sum(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture));
}
