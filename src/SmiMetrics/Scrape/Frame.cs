using System.Buffers;
using System.Buffers.Binary;

namespace SmiMetrics.Scrape;

/// <summary>
/// What one scrape changed: for every series of its target a sample, as the difference to the series' sample before, or none. Frames
/// hang together from the newest to the oldest. A counter moves by little between two scrapes, so a sample costs a byte or two where
/// its value would cost eight; and who wants the last seconds reads no more than those.
/// </summary>
/// <remarks>
/// The differences are undone one by one, from the newest values backwards: a frame tells for each series whether it has a sample, and
/// then the value that the series had before. In <see cref="Changes"/> a series is one of:
/// <list type="table">
/// <item><term>00–EF</term><description>grown by that much</description></item>
/// <item><term>F0 u16, F1 u32</term><description>grown by that much</description></item>
/// <item><term>F2 f64</term><description>changed in another way (a reset, a fraction); the value before</description></item>
/// <item><term>F3</term><description>has its first sample</description></item>
/// <item><term>F4</term><description>has no sample</description></item>
/// <item><term>F5 u8, F6 u8</term><description>so many series in a row have not grown; have no sample</description></item>
/// </list>
/// Series are in the order of their slots; those beyond the end have no sample.
/// </remarks>
/// <param name="time">When the scrape began, in milliseconds since 1970.</param>
internal sealed class Frame(long time, byte[] changes, Frame? before)
{
    public const byte MostInAByte = 0xEF;
    public const byte GrownBy16Bits = 0xF0;
    public const byte GrownBy32Bits = 0xF1;
    public const byte ChangedFrom = 0xF2;
    public const byte First = 0xF3;
    public const byte Absent = 0xF4;
    public const byte RunOfUnchanged = 0xF5;
    public const byte RunOfAbsent = 0xF6;

    public long Time { get; } = time;

    public byte[] Changes { get; } = changes;

    /// <summary>The scrape before, as long as it is kept.</summary>
    public Frame? Before { get; private set; } = before;

    /// <summary>Forgets the frames from before <paramref name="oldest"/>. Who is reading them may finish.</summary>
    /// <returns>What this frame and those that are left take, in bytes.</returns>
    public long Forget(long oldest)
    {
        Frame frame = this;
        long bytes = Changes.Length;
        while (frame.Before is { } earlier)
        {
            if (earlier.Time < oldest)
            {
                frame.Before = null;
                break;
            }

            frame = earlier;
            bytes += frame.Changes.Length;
        }

        return bytes;
    }

    /// <summary>Writes the changes from one scrape to the next.</summary>
    /// <param name="known">Each series' last sample so far; NaN where there was none.</param>
    /// <param name="seen">Its sample in this scrape; NaN where there is none. Values are finite and not negative.</param>
    public static byte[] Encode(ReadOnlySpan<double> known, ReadOnlySpan<double> seen)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(seen.Length * (1 + sizeof(double)));
        try
        {
            int length = 0;
            int end = seen.Length;
            while (end > 0 && double.IsNaN(seen[end - 1]))
            {
                end--;
            }

            for (int slot = 0; slot < end;)
            {
                int run = RunLength(known[slot..end], seen[slot..end], out byte kind);
                if (run > 1)
                {
                    rented[length++] = kind;
                    rented[length++] = (byte)run;
                    slot += run;
                }
                else
                {
                    length += EncodeOne(known[slot], seen[slot], rented.AsSpan(length));
                    slot++;
                }
            }

            return rented.AsSpan(0, length).ToArray();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static int RunLength(ReadOnlySpan<double> known, ReadOnlySpan<double> seen, out byte kind)
    {
        int most = Math.Min(seen.Length, byte.MaxValue);
        int run = 0;
        kind = RunOfAbsent;
        while (run < most && double.IsNaN(seen[run]))
        {
            run++;
        }

        if (run == 0)
        {
            kind = RunOfUnchanged;
            while (run < most && seen[run] == known[run])
            {
                run++;
            }
        }

        return run;
    }

    private static int EncodeOne(double before, double now, Span<byte> target)
    {
        if (double.IsNaN(now) || double.IsNaN(before))
        {
            target[0] = double.IsNaN(now) ? Absent : First;
            return 1;
        }

        double growth = now - before;
        // Only a difference that leads back to the very same value may stand for it.
        if (growth is < 0 or > uint.MaxValue || growth != (uint)growth || now - growth != before)
        {
            target[0] = ChangedFrom;
            BinaryPrimitives.WriteDoubleLittleEndian(target[1..], before);
            return 1 + sizeof(double);
        }

        switch (growth)
        {
            case <= MostInAByte:
                target[0] = (byte)growth;
                return 1;
            case <= ushort.MaxValue:
                target[0] = GrownBy16Bits;
                BinaryPrimitives.WriteUInt16LittleEndian(target[1..], (ushort)growth);
                return 1 + sizeof(ushort);
            default:
                target[0] = GrownBy32Bits;
                BinaryPrimitives.WriteUInt32LittleEndian(target[1..], (uint)growth);
                return 1 + sizeof(uint);
        }
    }
}
