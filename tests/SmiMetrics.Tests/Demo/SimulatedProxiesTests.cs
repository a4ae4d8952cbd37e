using System.Globalization;
using System.Net;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Demo;
using SmiMetrics.Kubernetes;
using SmiMetrics.Tests.Diagnostics;

namespace SmiMetrics.Tests.Demo;

/// <summary>The pages of the simulated proxies, read by a parser that knows nothing of how they were written.</summary>
public sealed class SimulatedProxiesTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly SimulatedCluster _cluster;
    private readonly Dictionary<string, HttpMessageInvoker> _doors;

    public SimulatedProxiesTests()
    {
        _cluster = new SimulatedCluster(Shop.World, _time);
        _doors = SimulatedMesh.All.ToDictionary(mesh => mesh.Name, mesh => new HttpMessageInvoker(new SimulatedProxies(_cluster, mesh)));
    }

    public void Dispose()
    {
        foreach (HttpMessageInvoker door in _doors.Values)
        {
            door.Dispose();
        }
    }

    public static TheoryData<string> Meshes => [.. SimulatedMesh.All.Select(mesh => mesh.Name)];

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Every_page_parses_and_counters_only_grow(string mesh)
    {
        foreach (SimulatedPod pod in _cluster.PodsAt(_cluster.Age).Where(pod => pod.Drained == TimeSpan.MaxValue || pod.ServesAt(_cluster.Age)).ToArray())
        {
            PrometheusText before = await PageAsync(mesh, pod);
            for (int step = 0; step < 3; step++)
            {
                _time.Advance(TimeSpan.FromMilliseconds(317));
                PrometheusText after = await PageAsync(mesh, pod);
                // What a peer left behind is forgotten in time.
                string[] counters = [.. before.Samples.Keys.Where(series => IsCounter(after, series) && after.Samples.ContainsKey(series))];
                Assert.True(counters.Length > before.Samples.Count / 2);
                Assert.All(counters, series => Assert.True(after.Samples[series] >= before.Samples[series], series));
                before = after;
            }
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Buckets_are_cumulative_and_end_at_the_count(string mesh)
    {
        PrometheusText page = await PageAsync(mesh, Pods("web").First());
        IEnumerable<IGrouping<string, (double Bound, double Count)>> histograms = page.Samples
            .Where(sample => sample.Key.Contains("_bucket{", StringComparison.Ordinal))
            .GroupBy(sample => WithoutBound(sample.Key), sample => (Bound(sample.Key), sample.Value));
        Assert.NotEmpty(histograms);
        foreach (IGrouping<string, (double Bound, double Count)> histogram in histograms)
        {
            double[] counts = [.. histogram.OrderBy(bucket => bucket.Bound).Select(bucket => bucket.Count)];
            Assert.Equal(counts.Order(), counts);
            Assert.Equal(page.Samples[histogram.Key.Replace("_bucket{", "_count{", StringComparison.Ordinal)], counts[^1]);
        }
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task Both_ends_count_the_same_requests(string mesh)
    {
        // Between two rollouts.
        _time.Advance(TimeSpan.FromSeconds(5));
        Dictionary<(string From, string To), (double Sent, double Received)> before = await ExchangedAsync(mesh);
        _time.Advance(TimeSpan.FromSeconds(20));
        Dictionary<(string From, string To), (double Sent, double Received)> after = await ExchangedAsync(mesh);
        foreach (Flow flow in Shop.World.Flows.Where(flow => flow.From is not null))
        {
            (string, string) ends = (flow.From!.Name, flow.To.Name);
            double received = after[ends].Received - before[ends].Received;
            Assert.Equal(received, after[ends].Sent - before[ends].Sent);
            Assert.True(received > 0, $"{ends}");
        }

        // Where no pod is ever replaced this holds since the world began.
        Assert.All(
            Shop.World.Flows.Where(flow => flow.From is { ReplacedEvery: null } && flow.To.ReplacedEvery is null),
            flow => Assert.Equal(after[(flow.From!.Name, flow.To.Name)].Received, after[(flow.From.Name, flow.To.Name)].Sent));
    }

    [Theory]
    [MemberData(nameof(Meshes))]
    public async Task A_workload_receives_what_is_declared(string mesh)
    {
        Dictionary<string, (double Success, double Failure)> before = await ReceivedAsync(mesh);
        // A whole period of the bursts and, for what is replaced, whole generations.
        _time.Advance(TimeSpan.FromSeconds(20));
        Dictionary<string, (double Success, double Failure)> after = await ReceivedAsync(mesh);
        foreach (Workload workload in Shop.World.Workloads.Where(workload => workload.ReplacedEvery is null))
        {
            Flow[] flows = [.. Shop.World.Flows.Where(flow => flow.To == workload && flow.Bursts is null)];
            (double success, double failure) = (after[workload.Name].Success - before[workload.Name].Success, after[workload.Name].Failure - before[workload.Name].Failure);
            double expected = flows.Sum(flow => flow.PerSecond * 20);
            double failing = flows.Sum(flow => flow.PerSecond * 20 * flow.Replies.Where(reply => reply.Failure).Sum(reply => reply.Share));
            if (workload.Name == "recommendations")
            {
                continue;
            }

            Assert.InRange(success + failure, expected - flows.Length, expected + flows.Length);
            // A reply may be due in a pair of pods a little later than on average.
            double pairs = flows.Sum(flow => (flow.From?.Pods ?? 1) * flow.To.Pods);
            Assert.InRange(failure, failing - pairs, failing + pairs);
        }
    }

    [Fact]
    public async Task Bursts_come_and_go()
    {
        SimulatedPod pod = Pods("recommendations").Single();
        double[] counts = new double[90];
        for (int second = 0; second < counts.Length; second++)
        {
            counts[second] = Received(await PageAsync("linkerd", pod), "linkerd").Sum(series => series.Value);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        double[] rates = [.. counts.Skip(1).Zip(counts, (after, before) => after - before)];
        Assert.Equal([0, 200], rates.Distinct().Order());
        Assert.Equal(40, rates.Count(rate => rate > 0));
    }

    [Fact]
    public async Task A_pod_that_comes_begins_at_zero_before_it_serves_and_one_that_goes_stands_still_before_it_is_gone()
    {
        _time.Advance(TimeSpan.FromSeconds(28)); // Two seconds before the switch.
        SimulatedPod[] pods = [.. Pods("search")];
        Assert.Equal(4, pods.Length);
        SimulatedPod old = pods.First(pod => pod.ServesAt(_cluster.Age));
        SimulatedPod young = pods.First(pod => !pod.ServesAt(_cluster.Age));
        Assert.Equal(0, Total(await PageAsync("linkerd", young)));
        // Who calls it shows the series already, too.
        Assert.Contains((await PageAsync("linkerd", Pods("web").First())).Samples, sample => sample.Key.Contains(young.Name, StringComparison.Ordinal) && sample.Value == 0);

        _time.Advance(TimeSpan.FromSeconds(3));
        double last = Total(await PageAsync("linkerd", old));
        Assert.Equal(1800, last); // Half of 120 a second, for half a minute.
        Assert.Equal(60, Total(await PageAsync("linkerd", young)));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(last, Total(await PageAsync("linkerd", old)));

        _time.Advance(TimeSpan.FromSeconds(2));
        HttpRequestException gone = await Assert.ThrowsAsync<HttpRequestException>(() => PageAsync("linkerd", old));
        Assert.Equal(HttpRequestError.ConnectionError, gone.HttpRequestError);

        static double Total(PrometheusText page) => Received(page, "linkerd").Sum(series => series.Value);
    }

    [Theory]
    [InlineData("http://10.9.9.9:4191/metrics", null)]
    [InlineData("http://10.1.1.1:15090/metrics", null)]
    [InlineData("http://10.1.1.1:4191/stats", HttpStatusCode.NotFound)]
    [InlineData("http://10.1.1.1:4191/metrics", HttpStatusCode.OK)]
    public async Task Only_the_pages_that_exist_are_shown(string url, HttpStatusCode? status)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, url);
        Task<HttpResponseMessage> answer = _doors["linkerd"].SendAsync(request, TestContext.Current.CancellationToken);
        if (status is null)
        {
            await Assert.ThrowsAsync<HttpRequestException>(() => answer);
        }
        else
        {
            Assert.Equal(status, (await answer).StatusCode);
        }
    }

    private IEnumerable<SimulatedPod> Pods(string workload) => _cluster.PodsAt(_cluster.Age).Where(pod => pod.Workload.Name == workload);

    private static SimulatedMesh Mesh(string name) => SimulatedMesh.All.Single(mesh => mesh.Name == name);

    private async Task<PrometheusText> PageAsync(string mesh, SimulatedPod pod)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, $"http://{pod.Ip}:{Mesh(mesh).Page.Port}{Mesh(mesh).Page.Path}");
        using HttpResponseMessage response = await _doors[mesh].SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal("text/plain", response.Content.Headers.ContentType?.MediaType);
        return PrometheusText.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>By the names of both workloads; those of the shop are all different.</summary>
    private async Task<Dictionary<(string, string), (double Sent, double Received)>> ExchangedAsync(string mesh)
    {
        Dictionary<(string, string), (double Sent, double Received)> exchanged = [];
        foreach (SimulatedPod pod in _cluster.PodsAt(_cluster.Age))
        {
            PrometheusText page = await PageAsync(mesh, pod);
            foreach ((Dictionary<string, string> labels, double value) in Received(page, mesh))
            {
                string from = mesh == "linkerd" ? labels.GetValueOrDefault("client_id", "").Split('.')[0] : labels["source_workload"];
                (double sent, double received) = exchanged.GetValueOrDefault((from, pod.Workload.Name));
                exchanged[(from, pod.Workload.Name)] = (sent, received + value);
            }

            foreach ((Dictionary<string, string> labels, double value) in Series(page, mesh).Where(series => series.Labels[mesh == "linkerd" ? "direction" : "reporter"] is "outbound" or "source"))
            {
                string to = mesh == "linkerd" ? labels["dst_serviceaccount"] : labels["destination_workload"];
                (double sent, double received) = exchanged.GetValueOrDefault((pod.Workload.Name, to));
                exchanged[(pod.Workload.Name, to)] = (sent + value, received);
            }
        }

        return exchanged;
    }

    private async Task<Dictionary<string, (double Success, double Failure)>> ReceivedAsync(string mesh)
    {
        Dictionary<string, (double Success, double Failure)> received = [];
        foreach (SimulatedPod pod in _cluster.PodsAt(_cluster.Age))
        {
            (double success, double failure) = received.GetValueOrDefault(pod.Workload.Name);
            foreach ((Dictionary<string, string> labels, double value) in Received(await PageAsync(mesh, pod), mesh))
            {
                bool fails = mesh == "linkerd" ? labels["classification"] == "failure" : labels["response_code"] == "503" || labels["grpc_response_status"] == "14";
                (success, failure) = fails ? (success, failure + value) : (success + value, failure);
            }

            received[pod.Workload.Name] = (success, failure);
        }

        return received;
    }

    /// <summary>The requests that the pod's application received, by the mesh's own convention.</summary>
    private static IEnumerable<(Dictionary<string, string> Labels, double Value)> Received(PrometheusText page, string mesh) => Series(page, mesh).Where(series => mesh == "linkerd"
        ? series.Labels["direction"] == "inbound" && series.Labels["target_port"] != "4191" && series.Labels["route_name"] != "probe"
        : series.Labels["reporter"] == "destination");

    private static IEnumerable<(Dictionary<string, string> Labels, double Value)> Series(PrometheusText page, string mesh)
    {
        string family = mesh == "linkerd" ? "response_total{" : "istio_requests_total{";
        return page.Samples
            .Where(sample => sample.Key.StartsWith(family, StringComparison.Ordinal))
            .Select(sample => (sample.Key[family.Length..^1].Split(',').Select(label => label.Split('=', 2)).ToDictionary(label => label[0], label => label[1]), sample.Value));
    }

    private static bool IsCounter(PrometheusText page, string series)
    {
        string name = series.Split('{')[0];
        return !page.Types.TryGetValue(name, out string? type) || type == "counter";
    }

    private static double Bound(string series)
    {
        string text = series.Split("le=")[1].Split(',', '}')[0];
        return text == "+Inf" ? double.PositiveInfinity : double.Parse(text, CultureInfo.InvariantCulture);
    }

    private static string WithoutBound(string series)
    {
        string[] parts = series.TrimEnd('}').Split('{', 2);
        return $"{parts[0]}{{{string.Join(',', parts[1].Split(',').Where(label => !label.StartsWith("le=", StringComparison.Ordinal)))}}}";
    }
}
