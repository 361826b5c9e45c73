using System.Numerics;

namespace Vfio.User.Sessions;

/// <summary>The DMA logging of the device as one client drives it. On the serving thread.</summary>
internal sealed class ClientDmaLogging(IDmaLogging log, DmaSpace memory)
{
    private const int MostRanges = 256;
    private IovaRange[]? _covered;
    private IovaRange[] _ranges = [];
    private ulong _asked;
    private ulong _granted;

    /// <summary>Whether this client has begun to log.</summary>
    public bool IsStarted { get; private set; }

    /// <summary>Begins to log.</summary>
    /// <param name="ranges">What; nothing for everything, as libvfio-user and its clients have it.</param>
    /// <param name="pageSize">The granularity wished for; receives the one that is used.</param>
    /// <returns>Success too if it is logging just that, as libvfio-user has it; EINVAL: something else.</returns>
    public VfioResult Start(IovaRange[] ranges, ref ulong pageSize)
    {
        if (!BitOperations.IsPow2(pageSize))
            return Errno.EINVAL;
        var asked = pageSize;

        var everything = ranges.Length == 0 ? MappedRanges.Of(memory, pageSize, MostRanges) : null;
        var started = log.Start(everything ?? ranges, ref pageSize);
        if (started.IsSuccess)
        {
            (IsStarted, _ranges, _covered, _asked, _granted) = (true, ranges, everything, asked, pageSize);
            return started;
        }

        if (started.Error != Errno.EINVAL || !IsStarted || asked != _asked || !ranges.AsSpan().SequenceEqual(_ranges))
            return started;
        pageSize = _granted;
        return VfioResult.Success;
    }

    public VfioResult Stop()
    {
        var stopped = log.Stop();
        if (stopped.IsSuccess)
            IsStarted = false;
        return stopped;
    }

    /// <summary>Sets a bit for each page that was written.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="length">Bytes; the end does not wrap.</param>
    /// <param name="pageSize">Bytes that a bit stands for.</param>
    /// <param name="bitmap">Room for as many bits as there are pages; zero.</param>
    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        var reported = log.Report(iova, length, pageSize, bitmap);
        if (!reported.IsSuccess || _covered is not { } covered || Array.Exists(covered, range => IsInside(iova, length, range)))
            return reported;

        // Who logs everything, and has mapped more since, hears that all of that was written: no log has it.
        const int WordBits = 64;
        var pages = DivideUp(length, pageSize);
        bitmap[..(int)(pages / WordBits)].Fill(ulong.MaxValue);
        if (pages % WordBits != 0)
            bitmap[(int)(pages / WordBits)] |= (1ul << (int)(pages % WordBits)) - 1;
        return reported;
    }

    /// <summary>How many bytes the bitmap of so many bytes of memory takes: whole words of 64 bits.</summary>
    /// <param name="length">Bytes of memory.</param>
    /// <param name="pageSize">Bytes that a bit stands for; not 0.</param>
    public static ulong BitmapBytes(ulong length, ulong pageSize)
    {
        const int WordBits = 64;
        var words = DivideUp(DivideUp(length, pageSize), WordBits);
        return words * sizeof(ulong);
    }

    private static bool IsInside(ulong iova, ulong length, IovaRange range)
        => iova >= range.Iova && length <= range.Length && iova - range.Iova <= range.Length - length;

    /// <summary>How many bits the bitmap of so many bytes of memory has.</summary>
    public static ulong DivideUp(ulong value, ulong by) => (value / by) + (value % by == 0 ? 0ul : 1ul);
}
