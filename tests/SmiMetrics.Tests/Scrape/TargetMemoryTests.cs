using System.Globalization;
using System.Text;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

[Collection(nameof(HeldMemory))]
public sealed class TargetMemoryTests
{
    [Fact]
    public async Task Series_that_are_never_counted_do_not_pile_up()
    {
        TargetSeries target = ScrapedPages.Target(retention: TimeSpan.FromSeconds(15));
        long before = 0;
        for (int page = 0; page < 30; page++)
        {
            StringBuilder lines = new(ScrapedPages.Responses("constant", page));
            for (int i = 0; i < 10_000; i++)
            {
                lines.Append(CultureInfo.InvariantCulture, $"response_total{{direction=\"inbound\",target_port=\"4191\",client=\"{page}-{i}\"}} 1\n");
            }

            Assert.Equal(new PageCounts(1, 10_000, 0), target.Scrape(page * 10, lines.ToString()));
            if (page == 14)
            {
                before = await HeldMemory.SettledAsync();
            }
        }

        Assert.InRange(await HeldMemory.SettledAsync() - before, long.MinValue, 8 << 20);
        GC.KeepAlive(target);
    }
}
