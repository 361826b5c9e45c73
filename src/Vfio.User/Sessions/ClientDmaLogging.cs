using System.Numerics;

namespace Vfio.User.Sessions;

/// <summary>The DMA logging of the device as one client drives it. On the serving thread.</summary>
internal sealed class ClientDmaLogging(IDmaLogging log)
{
    // What stands for everything: 4 TiB of pages of 4 KiB are as much as a log of the DMA space takes without coarser pages. A client that
    // has memory above says which.
    private const ulong Everything = 1ul << 42;
    private IovaRange[] _ranges = [];
    private ulong _asked;
    private ulong _granted;

    /// <summary>Whether this client has begun to log.</summary>
    public bool IsStarted { get; private set; }

    /// <summary>Begins to log.</summary>
    /// <param name="ranges">What; none for everything, as libvfio-user and its clients have it.</param>
    /// <param name="pageSize">The granularity wished for; receives the one that is used.</param>
    /// <returns>Success too if it is logging just that, as libvfio-user has it; EINVAL: something else.</returns>
    public VfioResult Start(IovaRange[] ranges, ref ulong pageSize)
    {
        if (!BitOperations.IsPow2(pageSize))
            return Errno.EINVAL;
        var asked = pageSize;
        var what = ranges.Length != 0 ? ranges : [new IovaRange(0, Everything)];
        var started = log.Start(what, ref pageSize);
        if (started.IsSuccess)
        {
            (IsStarted, _ranges, _asked, _granted) = (true, ranges, asked, pageSize);
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
        if (!IsStarted || _ranges.Length != 0 || length == 0 || iova > ulong.MaxValue - (length - 1) || iova + (length - 1) < Everything)
            return log.Report(iova, length, pageSize, bitmap);

        // What lies above everything counts as written: nobody has looked.
        var below = iova < Everything ? Everything - iova : 0;
        if (below != 0)
        {
            var reported = log.Report(iova, below, pageSize, bitmap);
            if (!reported.IsSuccess)
                return reported;
        }

        for (var page = below / pageSize; page < DivideUp(length, pageSize); page++)
            bitmap[(int)(page / 64)] |= 1ul << (int)(page % 64);
        return VfioResult.Success;
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

    /// <summary>How many bits the bitmap of so many bytes of memory has.</summary>
    public static ulong DivideUp(ulong value, ulong by) => (value / by) + (value % by == 0 ? 0ul : 1ul);
}
