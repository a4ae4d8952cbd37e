using SmiMetrics.Exposition;
using SmiMetrics.Meshes;

namespace SmiMetrics.Scrape;

/// <summary>What was on a page.</summary>
/// <param name="Kept">Samples of series that a descriptor names.</param>
/// <param name="Dropped">Samples of other series.</param>
/// <param name="Bad">Lines that are none.</param>
internal readonly record struct PageCounts(int Kept, int Dropped, int Bad);

/// <summary>A page cannot be used. The message says why, in a few words that follow a target's name.</summary>
internal sealed class PageException(string message) : Exception(message);

/// <summary>A page that is being read. Nothing of it can be seen before <see cref="Complete"/>.</summary>
internal sealed class PageInProgress
{
    private readonly TargetSeries _target;
    private readonly SeriesTable _table;
    private readonly long _time;
    private PageCounts _counts;
    private bool _openMetrics;
    private bool _ended;

    internal PageInProgress(TargetSeries target, SeriesTable table, long time)
    {
        _target = target;
        _table = table;
        _time = time;
    }

    /// <param name="lines">Whole lines of the page, each with its line feed.</param>
    /// <exception cref="PageException">The page is not what it should be, or holds more than a target may show.</exception>
    public void Read(ReadOnlySpan<byte> lines, ExpositionFormat format)
    {
        _openMetrics = format == ExpositionFormat.OpenMetrics;
        if (lines.IsEmpty)
        {
            return;
        }

        // A value cut short would pass for a counter that began anew. The formats demand the line feed, but for the end of OpenMetrics.
        if (lines[^1] != '\n' && !(_openMetrics && lines.EndsWith("# EOF"u8)))
        {
            throw new PageException("the page ends in the middle of a line");
        }

        if (_ended)
        {
            throw new PageException("the page goes on after its # EOF");
        }

        ExpositionReader reader = new(lines, format);
        (int kept, int dropped, int bad) = (0, 0, 0);
        ReadOnlySpan<byte> name = default;
        NamedSeries? wanted = null;
        while (reader.ReadName())
        {
            // The samples of a family stand together.
            if (!reader.Name.SequenceEqual(name))
            {
                name = reader.Name;
                wanted = _table.Find(name);
            }

            if (wanted is null)
            {
                dropped++;
            }
            else if (reader.ReadSample(out ReadOnlySpan<byte> series, out double value, out _))
            {
                switch (_table.Take(wanted, series, value))
                {
                    case Taken.Kept:
                        kept++;
                        break;
                    case Taken.Dropped:
                        dropped++;
                        break;
                    default:
                        bad++;
                        break;
                }
            }
        }

        _counts = new PageCounts(_counts.Kept + kept, _counts.Dropped + dropped, _counts.Bad + bad + reader.BadLines);
        _ended |= reader.Ended;
    }

    /// <summary>Makes the page's samples visible.</summary>
    /// <exception cref="PageException">The page was cut short, or nothing in it was a sample.</exception>
    public PageCounts Complete()
    {
        if (_openMetrics && !_ended)
        {
            throw new PageException("the page ends before its # EOF");
        }

        if (_counts is { Kept: 0, Dropped: 0, Bad: > 0 })
        {
            throw new PageException("the page is no metrics");
        }

        _target.Publish(_time);
        return _counts;
    }

    /// <summary>Drops what was read. As in Prometheus every series of the target is stale from then on.</summary>
    public void Fail(string reason) => _target.Fail(reason);
}
