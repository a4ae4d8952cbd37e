using System.Globalization;
using System.Text;
using CsCheck;
using SmiMetrics.Exposition;
using SmiMetrics.Meshes;
using SmiMetrics.Scrape;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Scrape;

public sealed class TargetSeriesTests
{
    [Fact]
    public void Only_what_a_descriptor_names_and_a_side_counts_is_kept()
    {
        TargetSeries target = ScrapedPages.Target();
        PageCounts counts = target.Scrape(0, """
            # HELP response_total Total count of HTTP responses.
            # TYPE response_total counter
            response_total{direction="inbound",target_port="8080",classification="success"} 1
            response_total{direction="inbound",target_port="4191",classification="success"} 2
            response_total{direction="outbound",target_port="4191",classification="success"} 3
            response_total{direction="outbound",dst_deployment="api",classification="failure"} 4
            response_latency_ms_bucket{direction="inbound",target_port="8080",le="1"} 5
            response_latency_ms_sum{direction="inbound",target_port="8080"} 6
            control_response_total{direction="inbound"} 7
            tcp_open_total{direction="inbound"} 8
            istio_requests_total{reporter="destination"} 9

            """);
        Assert.Equal(new PageCounts(Kept: 4, Dropped: 5, Bad: 0), counts);
        Assert.Equal(
            ["istio_requests_total 9", "response_latency_ms_bucket 5", "response_total 1", "response_total 4"],
            target.State.Series.Zip(target.State.Values, (series, value) => $"{series.Labels.Series.Name} {value}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_targets_labels_stand_and_a_page_cannot_claim_to_be_another_pods()
    {
        TargetSeries target = ScrapedPages.Target(ScrapedPages.Pod("shop/web-1", "linkerd", ("deployment", "web")));
        const string Line = """response_total{direction="inbound",namespace="victim",pod="x",deployment="y",classification="success"} """;
        target.Scrape(0, Line + "0\n");
        target.Scrape(10, Line + "10\n");
        Assert.Equal(["shop,web-1,web: 10"], target.Increase("response_total", 11, 10, "namespace", "pod", "deployment"));
    }

    [Fact]
    public void A_series_printed_with_its_labels_in_another_order_is_the_same_series()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, "response_total{direction=\"inbound\",classification=\"success\",tls=\"true\"} 0\n");
        target.Scrape(10, "response_total{tls=\"true\", classification=\"success\",direction=\"inbound\",} 7\n");
        target.Scrape(20, "response_total{classification=\"success\",direction=\"inbound\",tls=\"true\"} 9\n");
        Assert.Equal([": 9"], target.Increase("response_total", 21, 20));
        Assert.Single(target.State.Series);
    }

    [Fact]
    public void Series_that_differ_in_a_label_that_nobody_asks_for_are_added_and_not_mixed()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, ScrapedPages.Responses("a", 100) + ScrapedPages.Responses("b", 0));
        target.Scrape(10, ScrapedPages.Responses("b", 5) + ScrapedPages.Responses("a", 101));
        Assert.Equal([": 6"], target.Increase("response_total", 10.001, 10));
        Assert.Same(target.State.Series[0].Labels, target.State.Series[1].Labels);
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("+Inf")]
    [InlineData("-1")]
    [InlineData("1e18")]
    public void What_no_counter_can_be_is_a_bad_line(string value)
    {
        TargetSeries target = ScrapedPages.Target();
        PageCounts counts = target.Scrape(0, $"response_total{{direction=\"inbound\"}} {value}\nother 1\n");
        Assert.Equal(new PageCounts(0, 1, 1), counts);
    }

    [Fact]
    public void A_series_that_is_twice_on_a_page_counts_once()
    {
        TargetSeries target = ScrapedPages.Target();
        PageCounts counts = target.Scrape(0, ScrapedPages.Responses("a", 1) + ScrapedPages.Responses("a", 2));
        Assert.Equal(new PageCounts(1, 0, 1), counts);
        Assert.Equal([1], target.State.Values);
        counts = target.Scrape(10, ScrapedPages.Responses("a", 3) + ScrapedPages.Responses("a", 9));
        Assert.Equal(new PageCounts(1, 0, 1), counts);
        Assert.Equal([3], target.State.Values);
    }

    [Theory]
    [InlineData("response_total{direction=\"inbound\",direction=\"outbound\"} 1\n")]
    [InlineData("response_total{direction=\"inbound\"\"} 1\n")]
    [InlineData("response_total{direction} 1\n")]
    [InlineData("response_total{direction=\"inbound\"} 1 2 3\n")]
    public void Malformed_labels_are_a_bad_line_and_the_rest_of_the_page_counts(string line)
    {
        TargetSeries target = ScrapedPages.Target();
        Assert.Equal(new PageCounts(1, 0, 1), target.Scrape(0, line + ScrapedPages.Responses("a", 1)));
        Assert.Equal(new PageCounts(1, 0, 1), target.Scrape(10, line + ScrapedPages.Responses("a", 1)));
    }

    [Fact]
    public void Nothing_of_a_page_is_seen_before_it_is_whole()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, ScrapedPages.Responses("a", 1));
        PageInProgress page = target.Begin(ScrapedPages.Start.AddSeconds(10));
        page.Read(Encoding.UTF8.GetBytes(ScrapedPages.Responses("a", 5) + ScrapedPages.Responses("b", 6)), ExpositionFormat.Text);
        Assert.Equal([1], target.State.Values);
        page.Fail("timed out after 5s");
        Assert.Equal([1], target.State.Values);
        Assert.Equal("timed out after 5s", target.LastError);
        target.Scrape(20, ScrapedPages.Responses("a", 7) + ScrapedPages.Responses("b", 8));
        Assert.Null(target.LastError);
        Assert.Equal([7, 8], target.State.Values);
        // b's first sample counts nothing, as if the page before had never been.
        Assert.Equal([": 6"], target.Increase("response_total", 20.001, 20));
    }

    [Theory]
    [InlineData("response_total{direction=\"inbound\"} 12\nresponse_total{direction=\"outbound\"} 3", false, "the page ends in the middle of a line")]
    [InlineData("response_total{direction=\"inbound\"} 12\n", true, "the page ends before its # EOF")]
    [InlineData("", true, "the page ends before its # EOF")]
    [InlineData("<html>\n<body>404</body>\n", false, "the page is no metrics")]
    public void A_page_that_is_cut_short_or_none_is_refused(string page, bool openMetrics, string reason)
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, ScrapedPages.Responses("a", 1));
        Assert.Equal(reason, Assert.Throws<PageException>(() => target.Scrape(10, page, openMetrics ? ExpositionFormat.OpenMetrics : ExpositionFormat.Text)).Message);
        Assert.Equal(reason, target.LastError);
        Assert.Equal([1], target.State.Values);
    }

    [Fact]
    public void The_end_of_OpenMetrics_needs_no_line_feed_and_is_the_end()
    {
        TargetSeries target = ScrapedPages.Target();
        Assert.Equal(new PageCounts(1, 0, 0), target.Scrape(0, "response_total{direction=\"inbound\"} 1\n# EOF", ExpositionFormat.OpenMetrics));
        PageInProgress page = target.Begin(ScrapedPages.Start.AddSeconds(1));
        page.Read("response_total{direction=\"inbound\"} 2\n# EOF\n"u8, ExpositionFormat.OpenMetrics);
        PageException refused = Assert.Throws<PageException>(() => page.Read("response_total{direction=\"inbound\"} 3\n"u8, ExpositionFormat.OpenMetrics));
        Assert.Equal("the page goes on after its # EOF", refused.Message);
    }

    [Fact]
    public void A_page_may_be_empty()
    {
        TargetSeries target = ScrapedPages.Target();
        Assert.Equal(default, target.Scrape(0, ""));
        Assert.Equal(default, target.Scrape(1, "# EOF\n", ExpositionFormat.OpenMetrics));
        long start = ScrapedPages.Start.ToUnixTimeMilliseconds();
        Assert.Equal((1, start + 1000, start + 1000), target.State.ScrapesWithin(start, start + 1000));
        Assert.Equal((2, start, start + 1000), target.State.ScrapesWithin(0, start + 1000));
        Assert.Equal((1, start, start), target.State.ScrapesWithin(0, start + 999));
        Assert.Equal((0, 0, 0), target.State.ScrapesWithin(start + 1000, start + 2000));
    }

    [Fact]
    public void A_page_that_comes_in_pieces_is_one_page()
    {
        TargetSeries target = ScrapedPages.Target();
        string[] lines = [.. Enumerable.Range(0, 20).Select(i => ScrapedPages.Responses($"t{i}", i))];
        for (int scrape = 0; scrape < 3; scrape++)
        {
            PageInProgress page = target.Begin(ScrapedPages.Start.AddSeconds(10 * scrape));
            foreach (string[] piece in lines.Chunk(1 + (3 * scrape)))
            {
                page.Read(Encoding.UTF8.GetBytes(string.Concat(piece)), ExpositionFormat.Text);
            }

            Assert.Equal(new PageCounts(20, 0, 0), page.Complete());
        }

        Assert.Equal(20, target.State.Series.Length);
    }

    [Fact]
    public void A_series_that_vanished_and_came_back_goes_on_where_it_was()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, ScrapedPages.Responses("a", 0) + ScrapedPages.Responses("b", 0));
        target.Scrape(10, ScrapedPages.Responses("a", 10) + ScrapedPages.Responses("b", 10));
        target.Scrape(20, ScrapedPages.Responses("b", 20));
        target.Scrape(30, ScrapedPages.Responses("b", 30));
        target.Scrape(40, ScrapedPages.Responses("a", 40) + ScrapedPages.Responses("b", 40));
        Assert.Equal([": 80"], target.Increase("response_total", 41, 40));
    }

    [Fact]
    public void A_counter_that_began_anew_while_it_was_away_counts_from_zero()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, ScrapedPages.Responses("a", 0));
        target.Scrape(10, ScrapedPages.Responses("a", 100));
        target.Scrape(20, "");
        target.Scrape(30, ScrapedPages.Responses("a", 4));
        Assert.Equal([": 104"], target.Increase("response_total", 31, 30));
    }

    [Fact]
    public void A_clock_that_was_set_back_begins_a_new_history()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(100, ScrapedPages.Responses("a", 5));
        target.Scrape(110, ScrapedPages.Responses("a", 15));
        target.Scrape(50, ScrapedPages.Responses("a", 20));
        target.Scrape(60, ScrapedPages.Responses("a", 21));
        Assert.Equal([": 1"], target.Increase("response_total", 10.001, 60));
        Assert.Null(target.State.Newest!.Before!.Before);
    }

    [Fact]
    public void Series_that_no_window_reaches_any_more_make_room()
    {
        // 40,000 new series with every page: three pages would be more than a target may have.
        TargetSeries target = ScrapedPages.Target(retention: TimeSpan.FromSeconds(15));
        for (int page = 0; page < 8; page++)
        {
            StringBuilder lines = new(ScrapedPages.Responses("constant", page));
            for (int i = 0; i < 40_000; i++)
            {
                lines.Append(ScrapedPages.Responses($"{page}-{i}", i));
            }

            Assert.Equal(new PageCounts(40_001, 0, 0), target.Scrape(page * 10, lines.ToString()));
            if (page > 0)
            {
                Assert.Equal([": 1"], target.Increase("response_total", 10.001, page * 10));
            }
        }

        Assert.True(target.State.Series.Length <= SeriesTable.MostSeries);
    }

    [Fact]
    public void A_slot_that_is_taken_over_does_not_inherit()
    {
        TargetSeries target = ScrapedPages.Target(retention: TimeSpan.FromSeconds(25));
        const string Before = """response_total{direction="inbound",classification="success"} 1000""" + "\n";
        const string After = """response_total{direction="inbound",classification="failure"} """;
        target.Scrape(0, Before);
        target.Scrape(10, Before);
        target.Scrape(20, "");
        target.Scrape(30, "");
        target.Scrape(40, "");
        target.Scrape(50, After + "0\n");
        target.Scrape(60, After + "3\n");
        Assert.Single(target.State.Series);
        Assert.Equal(["failure: 3"], target.Increase("response_total", 61, 60, "classification"));
        // The series from before may come back, too.
        target.Scrape(70, Before + After + "5\n");
        target.Scrape(80, Before + After + "6\n");
        Assert.Equal(["failure: 3", "success: 0"], target.Increase("response_total", 20.001, 80, "classification"));
    }

    [Fact]
    public void A_series_that_is_back_after_a_long_time_does_not_lose_its_slot_to_a_new_one()
    {
        TargetSeries target = ScrapedPages.Target(retention: TimeSpan.FromSeconds(25));
        target.Scrape(0, ScrapedPages.Responses("a", 100));
        for (int time = 10; time <= 50; time += 10)
        {
            target.Scrape(time, "");
        }

        Assert.Equal(new PageCounts(2, 0, 0), target.Scrape(60, ScrapedPages.Responses("a", 200) + ScrapedPages.Responses("b", 7)));
        target.Scrape(70, ScrapedPages.Responses("a", 201) + ScrapedPages.Responses("b", 9));
        Assert.Equal(2, target.State.Series.Length);
        Assert.Equal([": 3"], target.Increase("response_total", 10.001, 70));
    }

    [Fact]
    public void A_target_may_not_show_more_series_than_anybody_needs()
    {
        TargetSeries target = ScrapedPages.Target();
        target.Scrape(0, ScrapedPages.Responses("a", 1));
        string page = string.Concat(Enumerable.Range(0, SeriesTable.MostSeries + 1).Select(i => ScrapedPages.Responses($"t{i}", 1)));
        PageException refused = Assert.Throws<PageException>(() => target.Scrape(10, page));
        Assert.Equal("shows more than 100000 series", refused.Message);
        Assert.Equal([1], target.State.Values);
        target.Scrape(20, ScrapedPages.Responses("a", 2));
        Assert.Equal([": 1"], target.Increase("response_total", 20.001, 20));
    }

    [Fact]
    public void A_series_that_is_printed_in_ever_other_ways_is_one_series()
    {
        TargetSeries target = ScrapedPages.Target();
        for (int page = 0; page < 200; page++)
        {
            string blanks = new(' ', page);
            Assert.Equal(new PageCounts(1, 0, 0), target.Scrape(page, $"response_total{{direction=\"inbound\",{blanks}classification=\"success\"}} {page}\n"));
        }

        Assert.Single(target.State.Series);
        Assert.Equal([": 199"], target.Increase("response_total", 199.001, 199));
    }

    [Fact]
    public void Labels_that_no_name_can_have_are_not_kept()
    {
        TargetSeries target = ScrapedPages.Target();
        string name = new('x', 3000);
        Assert.Equal(new PageCounts(1, 1, 0), target.Scrape(0, $"response_total{{direction=\"outbound\",dst_deployment=\"{name}\"}} 1\n" + ScrapedPages.Responses("a", 1)));
        string page = string.Concat(Enumerable.Range(0, 3000).Select(i => $"response_total{{direction=\"outbound\",dst_deployment=\"{name[..1500]}{i}\"}} 1\n"));
        Assert.Equal("shows labels of more than 4194304 characters", Assert.Throws<PageException>(() => target.Scrape(10, page)).Message);
        Assert.Equal(new PageCounts(1, 0, 0), target.Scrape(20, ScrapedPages.Responses("a", 2)));
    }

    [Fact]
    public void Samples_that_take_more_memory_than_any_proxys_are_refused()
    {
        TargetSeries target = ScrapedPages.Target();
        // Written once: four million lines are.
        string[] series = [.. Enumerable.Range(0, 90_000).Select(i => ScrapedPages.Responses($"t{i}", 0)[..^"0\n".Length])];
        StringBuilder page = new();
        int scrape = 0;
        PageException refused = Assert.Throws<PageException>(() =>
        {
            for (; scrape < 100; scrape++)
            {
                page.Clear();
                for (int i = 0; i < series.Length; i++)
                {
                    // Fractions that never lead back to one another cost eight bytes each.
                    page.Append(series[i]).Append(CultureInfo.InvariantCulture, $"{((i * 7919L * (scrape + 1)) % 1000003) / 3.0:R}\n");
                }

                target.Scrape(scrape * 10, page.ToString());
            }
        });
        Assert.Equal("its samples take more than 40 MiB", refused.Message);
        Assert.InRange(scrape, 40, 60);
    }

    [Fact]
    public void A_page_of_nothing_but_new_series_that_nobody_counts_is_refused()
    {
        TargetSeries target = ScrapedPages.Target();
        string page = string.Concat(Enumerable.Range(0, (2 * SeriesTable.MostSeries) + 1).Select(i => $"response_total{{target_port=\"4191\",i=\"{i}\"}} 1\n"));
        Assert.Throws<PageException>(() => target.Scrape(0, page));
    }

    [Fact]
    public async Task A_reader_sees_the_state_after_a_whole_scrape()
    {
        // All series always have the same value, so whoever sees two values sees a torn state.
        TargetSeries target = ScrapedPages.Target(retention: TimeSpan.FromSeconds(500));
        string[] names = [.. Enumerable.Range(0, 50).Select(i => $"t{i}")];
        NamedSeries series = ScrapedPages.Selection.Series.Single(named => named.Name == "response_total");
        using CancellationTokenSource done = new();
        int seen = 0;
        Task reader = Task.Run(
            () =>
            {
                while (!done.IsCancellationRequested)
                {
                    TargetState state = target.State;
                    Assert.True(state.Values.Distinct().Count() <= 1);
                    if (state.Newest is { Before: not null } newest)
                    {
                        IncreaseSum sum = new(new IncreaseQuery("response_total", [], ["direction"], TimeSpan.FromSeconds(45)), series, newest.Time);
                        sum.Add(state);
                        // So slow a reader may find that all its frames but one have been forgotten.
                        double perSeries = sum.Rows.Count == 0 ? 10 : Assert.Single(sum.Rows).Value / names.Length;
                        Assert.True(perSeries > 0 && Math.Abs(perSeries - Math.Round(perSeries, 3)) < 1e-6);
                        Interlocked.Increment(ref seen);
                    }
                }
            },
            CancellationToken.None);
        Random random = new(7);
        // On a busy machine the reader may get its turn late.
        for (int scrape = 0; (scrape < 2000 || Volatile.Read(ref seen) < 10) && !reader.IsCompleted; scrape++)
        {
            int value = scrape * 10;
            string[] order = [.. names];
            random.Shuffle(order);
            target.Scrape(scrape * 10, string.Concat(order.Select(name => ScrapedPages.Responses(name, value))));
        }

        await done.CancelAsync();
        await reader;
    }

    /// <summary>Against the samples kept plainly in lists, and <c>increase</c> written down from Prometheus' documentation.</summary>
    [Fact]
    public void Any_history_has_the_increases_of_its_samples() =>
        Gen.Select(Gen.Int[1, 30].Array[2, 25], Gen.Select(Gen.Int[0, 5], Gen.Int[0, 400]).Array[0, 12].Array[25], Gen.Int[1, 200], Gen.Int[0, 40]).Sample(
            (gaps, scrapes, window, sinceLast) =>
            {
                // No longer than it must be, so that frames are forgotten and slots change hands on the way.
                TargetSeries target = ScrapedPages.Target(retention: TimeSpan.FromSeconds(window + 41));
                Dictionary<int, List<(double Time, double Value)>> samples = [];
                double[] counters = new double[12];
                double now = 0;
                for (int scrape = 0; scrape < gaps.Length; scrape++)
                {
                    now += gaps[scrape] + 0.25;
                    StringBuilder page = new();
                    for (int i = 0; i < scrapes[scrape].Length; i++)
                    {
                        (int fate, int growth) = scrapes[scrape][i];
                        if (fate == 0)
                        {
                            continue; // not on this page
                        }

                        counters[i] = fate == 1 ? growth / 8.0 : fate == 2 ? counters[i] : counters[i] + (growth * growth);
                        page.Append(ScrapedPages.Responses($"t{i}", counters[i]));
                        if (!samples.TryGetValue(i, out List<(double, double)>? list))
                        {
                            samples[i] = list = [];
                        }

                        list.Add((now, counters[i]));
                    }

                    target.Scrape(now, page.ToString());
                }

                double at = now + sinceLast - 20;
                double? expected = samples.Values.Select(list => Increase(list, at - window, at)).Where(value => value is not null).Aggregate((double?)null, (sum, value) => (sum ?? 0) + value);
                NamedSeries series = ScrapedPages.Selection.Series.Single(named => named.Name == "response_total");
                IncreaseSum sum = new(
                    new IncreaseQuery("response_total", [], [], TimeSpan.FromSeconds(window)), series, ScrapedPages.Start.AddSeconds(at).ToUnixTimeMilliseconds());
                sum.Add(target.State);
                double? actual = sum.Rows.Count == 0 ? null : Assert.Single(sum.Rows).Value;
                Assert.Equal(expected is null, actual is null);
                Assert.True(expected is null || Math.Abs(expected.Value - actual!.Value) <= 1e-9 * Math.Max(1, Math.Abs(expected.Value)), $"{expected} {actual}");
            });

    private static double? Increase(List<(double Time, double Value)> samples, double from, double to)
    {
        (double Time, double Value)[] within = [.. samples.Where(sample => sample.Time > from && sample.Time <= to)];
        if (within.Length < 2)
        {
            return null;
        }

        double increase = within[^1].Value - within[0].Value;
        for (int i = 1; i < within.Length; i++)
        {
            increase += within[i].Value < within[i - 1].Value ? within[i - 1].Value : 0;
        }

        double sampled = within[^1].Time - within[0].Time;
        double average = sampled / (within.Length - 1);
        double start = within[0].Time - from;
        double end = to - within[^1].Time;
        start = start >= 1.1 * average ? average / 2 : start;
        start = increase > 0 && within[0].Value >= 0 && sampled * within[0].Value / increase < start ? sampled * within[0].Value / increase : start;
        end = end >= 1.1 * average ? average / 2 : end;
        return increase * (sampled + start + end) / sampled;
    }
}
