using System.Numerics;
using Vfio.User.Dma;

namespace Vfio.User.Sessions;

/// <summary>The DMA logging of the device as one client drives it. On the serving thread.</summary>
/// <remarks>
/// libvfio-user's clients name no ranges and mean all of their memory. A log has no room for all addresses there are, so it is started with
/// what is mapped, or with the first map that comes; of memory that is mapped later, all counts as written in every report. So does what
/// was reported and did not get to the client.
/// </remarks>
internal sealed class ClientDmaLogging(IDmaLogging log)
{
    private readonly List<IovaRange> _later = [];
    private IovaRange[] _ranges = [];
    private IovaRange[] _logged = [];
    private ulong _asked;
    private ulong _granted;
    private bool _isLogging;

    /// <summary>Whether this client has begun to log.</summary>
    public bool IsStarted { get; private set; }

    private bool IsAll => IsStarted && _ranges.Length == 0;

    /// <summary>Begins to log.</summary>
    /// <param name="ranges">What; nothing for everything, as libvfio-user and its clients have it.</param>
    /// <param name="pageSize">The granularity wished for; receives the one that is used.</param>
    /// <param name="space">What the client has mapped.</param>
    /// <returns>Success too if it is logging just that, as libvfio-user has it; EINVAL: something else.</returns>
    public VfioResult Start(IovaRange[] ranges, ref ulong pageSize, DmaSpace space)
    {
        if (!BitOperations.IsPow2(pageSize))
            return Errno.EINVAL;
        var asked = pageSize;
        if (IsStarted)
        {
            if (asked != _asked || !ranges.AsSpan().SequenceEqual(_ranges))
                return Errno.EINVAL;
            pageSize = _granted;
            return VfioResult.Success;
        }

        var what = ranges.Length != 0 ? ranges : MappedRanges.Of(space.GetMaps(), IovaRanges.Limit);

        // Where nothing is mapped there is nothing to log yet.
        if (what.Length != 0)
        {
            var started = log.Start(what, ref pageSize);
            if (!started.IsSuccess)
                return started;
        }

        (IsStarted, _isLogging, _ranges, _logged, _asked, _granted) = (true, what.Length != 0, ranges, what, asked, pageSize);
        return VfioResult.Success;
    }

    public VfioResult Stop()
    {
        var stopped = _isLogging || !IsStarted ? log.Stop() : VfioResult.Success;
        if (stopped.IsSuccess)
        {
            (IsStarted, _isLogging) = (false, false);
            _later.Clear();
        }

        return stopped;
    }

    /// <summary>The client is about to map a range: the device may write there before it is told of.</summary>
    public void Mapping(IovaRange range)
    {
        if (IsAll && !_isLogging)
            TryBegin(range);
    }

    /// <summary>The client has mapped a range.</summary>
    public void Mapped(IovaRange range)
    {
        if (IsAll && !_logged.Any(logged => Covers(logged, range.Iova, range.Length)))
            CountAsWritten(range);
    }

    /// <summary>All of a range counts as written in every report, until the log is stopped.</summary>
    public void CountAsWritten(IovaRange range)
    {
        if (_later.Exists(known => Covers(known, range.Iova, range.Length)))
            return;
        if (_later.Count > 0 && _later[^1] is var last && last.Iova + last.Length == range.Iova && range.Iova != 0)
            _later[^1] = last with { Length = last.Length + range.Length };
        else if (_later.Count < IovaRanges.Limit)
            _later.Add(range);
        else
            Extend(range.Iova, range.Length);
    }

    /// <summary>Sets a bit for each page that was written.</summary>
    /// <param name="iova">First address.</param>
    /// <param name="length">Bytes; the end does not wrap.</param>
    /// <param name="pageSize">Bytes that a bit stands for.</param>
    /// <param name="bitmap">Room for as many bits as there are pages; zero.</param>
    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        if (!IsStarted || _isLogging)
        {
            var reported = log.Report(iova, length, pageSize, bitmap);
            if (!reported.IsSuccess)
                return reported;
        }
        else if (IovaRanges.CheckReport(iova, length, pageSize, bitmap.Length) is { IsSuccess: false } wrong)
        {
            return wrong.Error;
        }

        foreach (var range in _later)
            MarkAll(range, iova, iova + (length - 1), BitOperations.Log2(pageSize), bitmap);
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

    private static bool Covers(IovaRange range, ulong iova, ulong length)
        => iova >= range.Iova && iova - range.Iova < range.Length && length <= range.Length - (iova - range.Iova);

    private void TryBegin(IovaRange range)
    {
        var pageSize = _asked;
        _isLogging = log.Start([range], ref pageSize).IsSuccess;
        if (_isLogging)
            _logged = [range];
    }

    // As many as there may be: one of them grows over the gap. More counts as written than was.
    private void Extend(ulong iova, ulong length)
    {
        var last = _later[^1];
        var (start, end) = (Math.Min(last.Iova, iova), Math.Max(last.Iova + (last.Length - 1), iova + (length - 1)));
        _later[^1] = new(start, end == ulong.MaxValue ? end - start : end - start + 1);
    }

    private static void MarkAll(IovaRange range, ulong first, ulong last, int shift, Span<ulong> bitmap)
    {
        var (from, to) = (Math.Max(range.Iova, first), Math.Min(range.Iova + (range.Length - 1), last));
        if (from > to)
            return;
        var (page, end) = ((from - first) >> shift, (to - first) >> shift);
        var (word, lastWord) = ((int)(page >> 6), (int)(end >> 6));
        var (head, tail) = (ulong.MaxValue << (int)page, ulong.MaxValue >> ~(int)end);
        if (word == lastWord)
        {
            bitmap[word] |= head & tail;
            return;
        }

        bitmap[word] |= head;
        bitmap[(word + 1)..lastWord].Fill(ulong.MaxValue);
        bitmap[lastWord] |= tail;
    }
}
