using System.Numerics;

namespace Vfio;

/// <summary>A log of what is written through a DMA space: starts, stops, and reports. Thread-safe; writers never wait for it.</summary>
/// <param name="space">The space.</param>
internal sealed class SpaceWriteLog(DmaSpace space) : IDmaLogging
{
    private readonly Lock _lock = new();
    private RunningLog? _running;
    private LogMemory? _memory;

    public VfioResult Start(ReadOnlySpan<IovaRange> ranges, ref ulong pageSize)
    {
        var check = IovaRanges.Check(ranges, pageSize);
        if (!check.IsSuccess)
            return check;
        lock (_lock)
        {
            if (_running is not null)
                return Errno.EINVAL;
            var layout = LogLayout.Of(ranges, pageSize);
            if (!layout.IsSuccess)
                return layout.Error;
            // Kept from one time to the next: what a client makes us reserve does not grow with how often it starts.
            if (_memory is null || _memory.Words < 2 * layout.Value.Words)
                _memory = LogMemory.TryReserve(2 * layout.Value.Words);
            if (_memory is null)
                return Errno.ENOMEM;
            _running = new(layout.Value, _memory);
            space.Add(_running);
            pageSize = 1ul << layout.Value.PageShift;
            return VfioResult.Success;
        }
    }

    public VfioResult Stop()
    {
        lock (_lock)
        {
            if (_running is null)
                return VfioResult.Success;
            space.Remove(_running);
            _running = null;
            // Whoever still marks may leave a bit in the next log, which then reports a page more.
            if (_memory?.TryClear() == false)
                _memory = null;
            return VfioResult.Success;
        }
    }

    public VfioResult Report(ulong iova, ulong length, ulong pageSize, Span<ulong> bitmap)
    {
        var pages = IovaRanges.CheckReport(iova, length, pageSize, bitmap.Length);
        if (!pages.IsSuccess)
            return pages;
        lock (_lock)
        {
            if (_running is null)
                return Errno.EINVAL;
            _running.Harvest(new(iova, iova + (length - 1), BitOperations.Log2(pageSize), bitmap));
            return VfioResult.Success;
        }
    }
}
