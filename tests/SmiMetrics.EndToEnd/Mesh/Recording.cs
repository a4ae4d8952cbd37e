using System.Buffers;
using System.Collections.Concurrent;

namespace SmiMetrics.EndToEnd.Mesh;

/// <summary>
/// What a scraper has seen of proxies' pages, sample by sample. A Prometheus is shown all of it at once, each sample with its own time
/// (<c>honor_timestamps</c>, which is on unless a job turns it off), so that it holds the very same samples.
/// </summary>
internal sealed class Recording
{
    private readonly ConcurrentDictionary<string, (ProxyPage Page, ConcurrentQueue<PageSample> Samples)> _pages = new();

    /// <summary>Takes note of a scrape. The scrapes of a page come in order of time.</summary>
    public void Add(string url, ProxyPage page, PageSample sample) =>
        _pages.GetOrAdd(url, static (_, page) => (page, []), page).Samples.Enqueue(sample);

    /// <summary>Gives what has been seen of the page at this URL to another recording; false when nothing has.</summary>
    public bool Take(string url, Recording to) => _pages.TryGetValue(url, out (ProxyPage, ConcurrentQueue<PageSample>) page) && to._pages.TryAdd(url, page);

    /// <summary>Writes a page that shows all samples of the page at this URL; false when there are none.</summary>
    public bool TryWrite(string url, IBufferWriter<byte> output)
    {
        if (!_pages.TryGetValue(url, out (ProxyPage Page, ConcurrentQueue<PageSample> Samples) page))
        {
            return false;
        }

        page.Page.WriteHistory([.. page.Samples], output);
        return true;
    }
}
