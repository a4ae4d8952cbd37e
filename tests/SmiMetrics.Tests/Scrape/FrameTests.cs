using CsCheck;
using SmiMetrics.Scrape;

namespace SmiMetrics.Tests.Scrape;

public sealed class FrameTests
{
    private const double None = double.NaN;

    [Theory]
    [InlineData(new double[] { 10 }, new double[] { 249 }, "EF")]
    [InlineData(new double[] { 10 }, new double[] { 250 }, "F0F000")]
    [InlineData(new double[] { 0 }, new double[] { 65535 }, "F0FFFF")]
    [InlineData(new double[] { 0 }, new double[] { 65536 }, "F100000100")]
    [InlineData(new double[] { 0 }, new double[] { 4294967295 }, "F1FFFFFFFF")]
    [InlineData(new double[] { 0 }, new double[] { 4294967296 }, "F20000000000000000")]
    [InlineData(new double[] { 10 }, new double[] { 9 }, "F20000000000002440")]
    [InlineData(new double[] { 0.5 }, new double[] { 1 }, "F2000000000000E03F")]
    [InlineData(new double[] { None }, new double[] { 5 }, "F3")]
    [InlineData(new double[] { 5, 5 }, new double[] { None, 6 }, "F401")]
    [InlineData(new double[] { 5, None, 7 }, new double[] { None, None, 8 }, "F60201")]
    [InlineData(new double[] { 5, 6, 7 }, new double[] { 5, 6, 8 }, "F50201")]
    [InlineData(new double[] { 5, 6 }, new double[] { 5, 8 }, "0002")]
    [InlineData(new double[] { 5, 6, 7 }, new double[] { 6, None, None }, "01")]
    [InlineData(new double[] { }, new double[] { }, "")]
    public void A_change_takes_as_few_bytes_as_it_can(double[] known, double[] seen, string expected) =>
        Assert.Equal(expected, Convert.ToHexString(Frame.Encode(known, seen)));

    [Fact]
    public void A_run_is_as_long_as_a_byte_can_say()
    {
        double[] same = [.. Enumerable.Repeat(3.0, 300)];
        Assert.Equal("F5FFF52D", Convert.ToHexString(Frame.Encode(same, same)));
    }

    /// <summary>A number to which a difference leads, but from which it does not lead back.</summary>
    [Fact]
    public void A_difference_that_does_not_lead_back_is_not_used()
    {
        double[] before = [0.1 + 0.2];
        double[] now = [before[0] + 1e15];
        Assert.Equal(Frame.ChangedFrom, Frame.Encode(before, now)[0]);
    }

    [Fact]
    public void Old_frames_are_forgotten()
    {
        Frame newest = new(4, [], new Frame(3, [], new Frame(2, [], new Frame(1, [], null))));
        newest.Forget(3);
        Assert.Equal(3, newest.Before!.Time);
        Assert.Null(newest.Before.Before);
        newest.Forget(5);
        Assert.Null(newest.Before);
    }

    /// <summary>Counters that grow by anything, fall, stop, vanish and come back: what is undone is what was done.</summary>
    [Fact]
    public void Whatever_was_written_is_undone() =>
        Gen.Select(Value, Value).Array[0, 40].Array[1, 12].Sample(scrapes =>
        {
            // Samples by slot and scrape. A slot that appears later is not in earlier ones.
            int slots = scrapes.Max(scrape => scrape.Length);
            double[][] rows = [.. scrapes.Select(scrape => Enumerable.Range(0, slots).Select(slot => slot < scrape.Length ? scrape[slot].Item1 : None).ToArray())];
            double[] known = [.. Enumerable.Repeat(None, slots)];
            List<byte[]> frames = [];
            foreach (double[] row in rows)
            {
                frames.Add(Frame.Encode(known, row));
                for (int slot = 0; slot < slots; slot++)
                {
                    known[slot] = double.IsNaN(row[slot]) ? known[slot] : row[slot];
                }
            }

            for (int frame = rows.Length - 1; frame >= 0; frame--)
            {
                double[] undone = Undo(frames[frame], known);
                Assert.Equal(rows[frame], undone);
            }
        });

    private static Gen<double> Value => Gen.Frequency(
        (3, Gen.Const(None)), (6, Gen.Int[0, 300].Select(value => (double)value)), (2, Gen.UInt.Select(value => (double)value)), (1, Gen.Double[0, 1e18]), (2, Gen.Const(7.0)));

    /// <summary>Reads a frame by its documentation: gives its samples, and leaves the values before it in <paramref name="known"/>.</summary>
    private static double[] Undo(byte[] changes, double[] known)
    {
        double[] samples = [.. Enumerable.Repeat(None, known.Length)];
        using BinaryReader reader = new(new MemoryStream(changes));
        int slot = 0;
        while (reader.BaseStream.Position < changes.Length)
        {
            byte change = reader.ReadByte();
            int count = change is 0xF5 or 0xF6 ? reader.ReadByte() : 1;
            for (int end = slot + count; slot < end; slot++)
            {
                if (change is 0xF4 or 0xF6)
                {
                    continue;
                }

                samples[slot] = known[slot];
                known[slot] = change switch
                {
                    0xF0 => known[slot] - reader.ReadUInt16(),
                    0xF1 => known[slot] - reader.ReadUInt32(),
                    0xF2 => reader.ReadDouble(),
                    0xF3 => None,
                    0xF5 => known[slot],
                    _ => known[slot] - change,
                };
            }
        }

        return samples;
    }
}
